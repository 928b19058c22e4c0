package api

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"nightlight/pipeline"
	"nightlight/pipeline/media"
	"nightlight/queue/store"
	"nightlight/queue/store/storetest"
)

// desk is an API over a real SQLite database and a media folder, with what a
// test needs to use it.
type desk struct {
	*API
	t      testing.TB
	log    *lockedBuffer
	tenant string
	key    string // the tenant's admin key
}

// lockedBuffer takes the log of many requests.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

func open(t testing.TB, change ...func(*Settings)) *desk {
	t.Helper()
	ring, err := media.NewKeyring("test", map[string][]byte{"test": bytes.Repeat([]byte{7}, 32)})
	if err != nil {
		t.Fatal(err)
	}
	folder, err := media.OpenFolder(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = folder.Close() })
	d := &desk{t: t, log: &lockedBuffer{}}
	s := Settings{
		Store: storetest.OpenSQLite(t, store.Options{Keyring: media.NewVault(ring)}),
		Media: folder, Keys: ring,
		Log: slog.New(slog.NewJSONHandler(d.log, nil)),
	}
	for _, f := range change {
		f(&s)
	}
	if d.API, err = New(s); err != nil {
		t.Fatal(err)
	}
	d.tenant, d.key = d.newTenant("first")
	return d
}

// newTenant makes a tenant with an admin key.
func (d *desk) newTenant(name string) (tenant, secret string) {
	d.t.Helper()
	tn, err := d.Store.CreateTenant(d.t.Context(), name)
	if err != nil {
		d.t.Fatal(err)
	}
	return tn.ID, d.newKey(store.APIKey{Tenant: tn.ID, Name: "all", Scopes: []store.Scope{store.ScopeAdmin}})
}

func (d *desk) newKey(k store.APIKey) string {
	d.t.Helper()
	_, secret, err := d.Store.CreateKey(d.t.Context(), k, "test")
	if err != nil {
		d.t.Fatal(err)
	}
	return secret
}

// in is the same desk for a subtest.
func (d *desk) in(t testing.TB) *desk {
	other := *d
	other.t = t
	return &other
}

// ask sends a request; headers are name, value, name, value …
func (d *desk) ask(method, path, body string, headers ...string) *http.Response {
	d.t.Helper()
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+d.key)
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(headers); i += 2 {
		if r.Header.Del(headers[i]); headers[i+1] != "" {
			r.Header.Set(headers[i], headers[i+1])
		}
	}
	w := httptest.NewRecorder()
	d.ServeHTTP(w, r)
	return w.Result()
}

// bodyOf reads an answer, which must have the status.
func (d *desk) bodyOf(res *http.Response, status int) string {
	d.t.Helper()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		d.t.Fatal(err)
	}
	if res.StatusCode != status {
		d.t.Fatalf("got status %d with %s, want %d", res.StatusCode, b, status)
	}
	return string(b)
}

func decode[T any](d *desk, res *http.Response, status int) T {
	d.t.Helper()
	var v T
	b := d.bodyOf(res, status)
	if err := json.Unmarshal([]byte(b), &v); err != nil {
		d.t.Fatalf("%v in %s", err, b)
	}
	return v
}

// fields are the fields that a problem names.
func fields(p Problem) string {
	var names []string
	for _, e := range p.Errors {
		names = append(names, e.Field)
	}
	return strings.Join(names, " ")
}

const message = `{"external_id":"m-1","kind":"message","text":"see you at training","sender":{"id":"a1","age":11},"recipients":[{"id":"b2","age":11}],"conversation_id":"c-9","audience":"direct","locale":"en"}`

// judge gives an item a verdict, as a worker would.
func (d *desk) judge(id string, action pipeline.Action) {
	d.t.Helper()
	lease, err := d.Store.Claim(d.t.Context(), id, store.StageJudge, "test")
	if err != nil {
		d.t.Fatal(err)
	}
	v := pipeline.Verdict{Action: action, PolicyVersion: "test", DecidedAt: time.Now().UTC(),
		Models: []pipeline.ModelRef{{Name: "fake", Version: "1", SHA256: strings.Repeat("0", 64)}}}
	if action == pipeline.Hold {
		v.Escalations = []pipeline.Escalation{{To: "reviewer", Urgency: pipeline.Soon}}
		v.Deadline = time.Minute
	}
	if _, err := d.Store.Commit(d.t.Context(), lease, store.Outcome{Verdict: v}); err != nil {
		d.t.Fatal(err)
	}
}
