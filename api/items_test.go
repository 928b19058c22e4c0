package api

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"nightlight/pipeline"
	"nightlight/pipeline/media"
	"nightlight/queue/store"
	"nightlight/queue/store/storetest"
)

func TestAnItemIsAcceptedShownAndListed(t *testing.T) {
	d := open(t)
	res := d.ask("POST", "/v1/items", message)
	got := decode[AcceptedView](d, res, 202)
	if got.State != store.Pending || got.Links.Self != "/v1/items/"+got.ID || res.Header.Get("Location") != got.Links.Self {
		t.Fatalf("got %+v at %s", got, res.Header.Get("Location"))
	}
	var shown map[string]any
	if err := json.Unmarshal([]byte(d.bodyOf(d.ask("GET", got.Links.Self, ""), 200)), &shown); err != nil {
		t.Fatal(err)
	}
	if keys := slices.Sorted(maps.Keys(shown)); !slices.Equal(keys, []string{"external_id", "id", "received_at", "state"}) {
		t.Errorf("got fields %v of an item without a verdict", keys)
	}
	if shown["external_id"] != "m-1" || shown["state"] != "pending" {
		t.Errorf("got %v", shown)
	}
	list := decode[ListView](d, d.ask("GET", "/v1/items?state=pending", ""), 200)
	if len(list.Items) != 1 || list.Items[0].ID != got.ID {
		t.Errorf("got list %+v", list)
	}
	text, err := d.Store.Text(t.Context(), d.tenant, got.ID)
	if err != nil || text != "see you at training" {
		t.Errorf("got text %q, %v", text, err)
	}
}

func TestTheSameItemGivesTheSameAnswerAndAnotherIsRefused(t *testing.T) {
	other := strings.Replace(message, "training", "practice", 1)
	reordered := `{"kind":"message","locale":"en","audience":"direct","conversation_id":"c-9","recipients":[{"age":11,"id":"b2"}], "sender":{"age":11,"id":"a1"},"text":"see you \u0061t training","external_id":"m-1"}`
	for _, test := range []struct {
		name          string
		first, second string
		keys          [2]string
		same          bool
		field         string
	}{
		{"the same external id and body", message, message, [2]string{}, true, ""},
		{"the same body written otherwise", message, reordered, [2]string{}, true, ""},
		{"the same external id and another body", message, other, [2]string{}, false, "external_id"},
		{"the same key and body", nameless(message), nameless(message), [2]string{"k", "k"}, true, ""},
		{"the same key and another body", nameless(message), nameless(other), [2]string{"k", "k"}, false, "Idempotency-Key"},
		{"the same key and another external id", message, strings.Replace(message, "m-1", "m-2", 1), [2]string{"k", "k"}, false, "Idempotency-Key external_id"},
		{"another key and the same external id and body", message, message, [2]string{"k", "l"}, true, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			d := open(t)
			first := decode[AcceptedView](d, d.ask("POST", "/v1/items", test.first, "Idempotency-Key", test.keys[0]), 202)
			res := d.ask("POST", "/v1/items", test.second, "Idempotency-Key", test.keys[1])
			if test.same {
				if second := decode[AcceptedView](d, res, 202); second != first {
					t.Errorf("got %+v, want %+v", second, first)
				}
				return
			}
			if got := fields(decode[Problem](d, res, 422)); got != test.field {
				t.Errorf("got field %q, want %q", got, test.field)
			}
		})
	}
}

// nameless is a body without its external id.
func nameless(body string) string { return strings.Replace(body, `"external_id":"m-1",`, "", 1) }

func TestAHundredPostsAtOnceWithOneKeyGiveOneItem(t *testing.T) {
	d := open(t)
	answers := make([]string, 100)
	var all sync.WaitGroup
	for i := range answers {
		all.Go(func() {
			r := httptest.NewRequest("POST", "/v1/items", strings.NewReader(nameless(message)))
			r.Header.Set("Authorization", "Bearer "+d.key)
			r.Header.Set("Content-Type", "application/json")
			r.Header.Set("Idempotency-Key", "one")
			w := httptest.NewRecorder()
			d.ServeHTTP(w, r)
			answers[i] = w.Result().Status + w.Body.String()
		})
	}
	all.Wait()
	slices.Sort(answers)
	if answers = slices.Compact(answers); len(answers) != 1 || !strings.HasPrefix(answers[0], "202") {
		t.Errorf("got %d different answers: %.300q", len(answers), answers)
	}
	if list := decode[ListView](d, d.ask("GET", "/v1/items", ""), 200); len(list.Items) != 1 {
		t.Errorf("got %d items, want 1", len(list.Items))
	}
}

func TestWhoPrefersToWaitGetsTheVerdict(t *testing.T) {
	d := open(t)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			items, _, err := d.Store.Items(context.Background(), d.tenant, store.Filter{State: store.Pending})
			if err == nil && len(items) == 1 {
				d.judge(items[0].ID, pipeline.Hold)
				return
			}
			time.Sleep(time.Millisecond)
		}
	}()
	res := d.ask("POST", "/v1/items", message, "Prefer", "respond-async, wait=10")
	<-done
	got := d.bodyOf(res, 200)
	var view map[string]any
	if err := json.Unmarshal([]byte(got), &view); err != nil {
		t.Fatal(err)
	}
	verdict, _ := view["verdict"].(map[string]any)
	if verdict["action"] != "hold" || verdict["case_id"] == "" || res.Header.Get("Preference-Applied") != "wait=10" {
		t.Errorf("got %s", got)
	}
	for _, name := range []string{"action", "labels", "signals", "reasons", "interventions", "escalations", "policy_version", "models", "case_id", "decided_at"} {
		if v, ok := verdict[name]; !ok || v == nil {
			t.Errorf("the verdict lacks %s", name)
		}
	}
	if shown := d.bodyOf(d.ask("GET", "/v1/items/"+view["id"].(string), ""), 200); shown != got {
		t.Errorf("got %s from GET, want the same as the wait gave: %s", shown, got)
	}
	if again := decode[ItemView](d, d.ask("POST", "/v1/items", message, "Prefer", "wait=1"), 200); again.ID != view["id"] {
		t.Errorf("got %s for the repeat, want %s", again.ID, view["id"])
	}
}

func TestWhoWaitsSeesWhatAnotherProcessJudged(t *testing.T) {
	path := "sqlite:" + filepath.Join(t.TempDir(), "shared.db")
	var other *store.Store
	d := open(t, func(s *Settings) {
		o := store.Options{Keyring: media.NewVault(s.Keys)}
		s.Store = storetest.Open(t, path, o)
		other = storetest.Open(t, path, o)
	})
	elsewhere := *d
	api := *d.API
	api.Store = other
	elsewhere.API = &api
	id := decode[AcceptedView](d, d.ask("POST", "/v1/items", message), 202).ID
	answered := make(chan *http.Response)
	go func() {
		r := httptest.NewRequest("POST", "/v1/items", strings.NewReader(message))
		r.Header.Set("Authorization", "Bearer "+d.key)
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Prefer", "wait=10")
		w := httptest.NewRecorder()
		d.ServeHTTP(w, r)
		answered <- w.Result()
	}()
	elsewhere.judge(id, pipeline.Allow)
	if got := decode[ItemView](d, <-answered, 200); got.ID != id || got.Verdict == nil {
		t.Errorf("got %+v", got)
	}
}

func TestWhoWaitsForAVerdictKeepsNobodyOut(t *testing.T) {
	d := open(t, func(s *Settings) { s.Limits.JSONBytes, s.Limits.InFlight = 1000, 1500 })
	waited := make(chan int)
	go func() {
		r := httptest.NewRequest("POST", "/v1/items", strings.NewReader(message))
		r.Header.Set("Authorization", "Bearer "+d.key)
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Prefer", "wait=10")
		w := httptest.NewRecorder()
		d.ServeHTTP(w, r)
		waited <- w.Code
	}()
	var first []store.Item
	for len(first) == 0 {
		var err error
		if first, _, err = d.Store.Items(t.Context(), d.tenant, store.Filter{State: store.Pending}); err != nil {
			t.Fatal(err)
		}
	}
	for d.flight.used.Load() != 0 && t.Context().Err() == nil {
		time.Sleep(time.Millisecond)
	}
	decode[AcceptedView](d, d.ask("POST", "/v1/items", strings.Replace(message, "m-1", "m-2", 1)), 202)
	d.judge(first[0].ID, pipeline.Allow)
	if got := <-waited; got != 200 {
		t.Errorf("got %d for who waited, want 200", got)
	}
}

func TestWhoWaitsInVainGets202(t *testing.T) {
	d := open(t)
	if got := decode[AcceptedView](d, d.ask("POST", "/v1/items", message, "Prefer", "wait=1"), 202); got.State != store.Pending {
		t.Errorf("got %+v", got)
	}
}

func TestPagesFollowEachOtherAndCursorsAreOurs(t *testing.T) {
	d := open(t)
	decode[ListView](d, d.ask("GET", "/v1/items?state=&cursor=&limit=2", ""), 200)
	for i := range 5 {
		decode[AcceptedView](d, d.ask("POST", "/v1/items", strings.Replace(message, "m-1", "m-"+itoa(i), 1)), 202)
	}
	var seen []string
	path := "/v1/items?limit=2"
	for range 4 {
		page := decode[ListView](d, d.ask("GET", path, ""), 200)
		for _, it := range page.Items {
			seen = append(seen, it.ExternalID)
		}
		if page.Next == "" {
			break
		}
		path = "/v1/items?limit=2&cursor=" + page.Next
	}
	if want := []string{"m-4", "m-3", "m-2", "m-1", "m-0"}; !slices.Equal(seen, want) {
		t.Errorf("got %v, want %v", seen, want)
	}
	for query, field := range map[string]string{
		"cursor=AAAA": "cursor", "cursor=" + strings.Repeat("x", 200): "cursor", "limit=0": "limit", "limit=1001": "limit", "limit=-1": "limit",
		"limit=1e2": "limit", "state=gone": "state", "State=pending": "State", "state=pending&state=pending": "state", "x=1": "x",
		"%zz=1": "query", "cursor=%00": "cursor",
	} {
		if got := fields(decode[Problem](d, d.ask("GET", "/v1/items?"+query, ""), 422)); got != field {
			t.Errorf("%s: got field %q, want %q", query, got, field)
		}
	}
}

func TestABatchAnswersEachLine(t *testing.T) {
	d := open(t)
	bad := strings.Replace(message, `"kind":"message"`, `"kind":"letter"`, 1)
	lines := []string{message, "", bad, "{", strings.Replace(message, "m-1", "m-2", 1), message}
	res := d.ask("POST", "/v1/items/batch", strings.Join(lines, "\n"), "Content-Type", "application/x-ndjson")
	out := strings.Split(strings.TrimSpace(d.bodyOf(res, 200)), "\n")
	want := []BatchLine{{Line: 1, Status: 202}, {Line: 3, Status: 422}, {Line: 4, Status: 422}, {Line: 5, Status: 202}, {Line: 6, Status: 202}}
	if len(out) != len(want) {
		t.Fatalf("got %d lines, want %d", len(out), len(want))
	}
	ids := map[int]string{}
	for i, raw := range out {
		var got BatchLine
		if err := json.Unmarshal([]byte(raw), &got); err != nil {
			t.Fatal(err)
		}
		if got.Line != want[i].Line || got.Status != want[i].Status || (got.Status == 202) != (got.ID != "") {
			t.Errorf("got %+v, want %+v", got, want[i])
		}
		ids[got.Line] = got.ID
	}
	if ids[1] != ids[6] || ids[1] == ids[5] {
		t.Errorf("got ids %v, want equal lines to be one item", ids)
	}
	many := strings.Repeat(`{}`+"\n", 1001)
	for name, body := range map[string]string{"1001 lines": many, "no line": "\n\n"} {
		if got := fields(decode[Problem](d, d.ask("POST", "/v1/items/batch", body, "Content-Type", "application/x-ndjson"), 422)); got != "body" {
			t.Errorf("%s: got field %q, want body", name, got)
		}
	}
}

func TestAKeysOwnLimitsAreKept(t *testing.T) {
	d := open(t)
	slow := d.newKey(store.APIKey{Tenant: d.tenant, Name: "slow", Scopes: []store.Scope{store.ScopeIngest}, RatePerSecond: 0.001, Burst: 2})
	for i, want := range []int{202, 202, 429} {
		res := d.ask("POST", "/v1/items", message, "Authorization", "Bearer "+slow)
		if res.StatusCode != want {
			t.Errorf("request %d: got %d, want %d", i, res.StatusCode, want)
		}
		if want == 429 && res.Header.Get("Retry-After") == "" {
			t.Error("429 has no Retry-After")
		}
	}
	small := d.newKey(store.APIKey{Tenant: d.tenant, Name: "small", Scopes: []store.Scope{store.ScopeIngest}, BodyLimit: 100})
	d.bodyOf(d.ask("POST", "/v1/items", message, "Authorization", "Bearer "+small), 413)
	// the length is not always told before
	r := httptest.NewRequest("POST", "/v1/items", strings.NewReader(message))
	r.ContentLength = -1
	r.Header.Set("Authorization", "Bearer "+small)
	r.Header.Set("Content-Type", "application/json")
	w := httptest.NewRecorder()
	d.ServeHTTP(w, r)
	d.bodyOf(w.Result(), 413)
}

func TestTooManyBytesAtOnceAreTurnedAway(t *testing.T) {
	d := open(t, func(s *Settings) { s.Limits.InFlight = 100 })
	res := d.ask("POST", "/v1/items", message)
	d.bodyOf(res, 503)
	if res.Header.Get("Retry-After") == "" {
		t.Error("503 has no Retry-After")
	}
	if used := d.flight.used.Load(); used != 0 {
		t.Errorf("got %d bytes still reserved", used)
	}
}

func TestARevokedKeyIsRefusedWithinAMinute(t *testing.T) {
	d := open(t)
	key, secret, err := d.Store.CreateKey(t.Context(), store.APIKey{Tenant: d.tenant, Name: "gone", Scopes: []store.Scope{store.ScopeRead}}, "test")
	if err != nil {
		t.Fatal(err)
	}
	d.bodyOf(d.ask("GET", "/v1/items", "", "Authorization", "Bearer "+secret), 200)
	if err := d.Store.RevokeKey(t.Context(), d.tenant, key.ID, "test"); err != nil {
		t.Fatal(err)
	}
	later := time.Now().Add(time.Minute)
	d.keys.now = func() time.Time { return later }
	d.bodyOf(d.ask("GET", "/v1/items", "", "Authorization", "Bearer "+secret), 401)
}

func TestADeadDatabaseAcceptsNothing(t *testing.T) {
	d := open(t)
	d.bodyOf(d.ask("GET", "/v1/items", ""), 200) // the key is known from now on
	if err := d.Store.Close(); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/v1/items", "/v1/items/batch"} {
		content := "application/json"
		if strings.HasSuffix(path, "batch") {
			content = ndjson
		}
		res := d.ask("POST", path, message, "Content-Type", content)
		if content == ndjson {
			if got := d.bodyOf(res, 200); !strings.Contains(got, `"status":503`) {
				t.Errorf("got %s, want 503 on the line", got)
			}
			continue
		}
		d.bodyOf(res, 503)
		if res.Header.Get("Retry-After") == "" {
			t.Error("503 has no Retry-After")
		}
	}
}

func TestReadsTakeHEAD(t *testing.T) {
	d := open(t)
	res := d.ask(http.MethodHead, "/v1/items", "")
	if body := d.bodyOf(res, 200); body != "" {
		t.Errorf("got body %q", body)
	}
}
