package eval

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"nightlight/api/client"
	"nightlight/eval/samples"
	"nightlight/pipeline"
	"nightlight/pipeline/rules"
	"nightlight/queue"
)

var everyBackend = []backends{
	{"SQLite, redis-server, folder", "sqlite", "server", "folder"},
	{"SQLite, redis in memory, folder", "sqlite", "memory", "folder"},
	{"PostgreSQL, redis-server, folder", "postgres", "server", "folder"},
	{"SQLite, redis-server, S3", "sqlite", "server", "s3"},
	{"PostgreSQL, redis in memory, S3", "postgres", "memory", "s3"},
}

func TestTheSameJourneyPassesOnEveryBackend(t *testing.T) {
	for _, b := range everyBackend {
		t.Run(b.name, func(t *testing.T) {
			s := newSystem(t, b)
			s.up(t)
			sent := 0
			for _, sample := range samples.All(t.Context()) {
				if sample.Missing != "" {
					need(t, "ffmpeg", false)
				}
				got, err := samples.Send(t.Context(), s.client, sample)
				if err != nil {
					t.Fatalf("%s: %v", sample.Name, err)
				}
				sent++
				if !sample.Matches(got) {
					t.Errorf("%s: got %s %+v, want %s %s", sample.Name, got.State, got.Verdict, sample.State, sample.Label)
				}
			}
			s.reconciled(t, sent)
			out, code := s.command(t, append([]string{"audit", "verify"}, s.recordFlags()...)...)
			if code != 0 {
				t.Errorf("audit verify: exit %d\n%s", code, out)
			}
		})
	}
}

func message(text string) client.Item {
	ten := 10
	return client.Item{Kind: pipeline.KindMessage, Text: text, Audience: "direct", Locale: "en", ConversationID: "c1",
		Sender: pipeline.Person{ID: "a", Age: &ten}, Recipients: []pipeline.Person{{ID: "b", Age: &ten}}}
}

func TestKeysAndHoldsOfTheCommandLineHoldForARunningServer(t *testing.T) {
	s := newSystem(t, backends{redis: "memory"})
	s.up(t)
	nightlight := func(args ...string) string {
		t.Helper()
		out, code := s.command(t, append(args, s.recordFlags()...)...)
		if code != 0 {
			t.Fatalf("%v: exit %d\n%s", args, code, out)
		}
		return out
	}
	var k struct{ ID, Key string }
	if err := json.Unmarshal([]byte(nightlight("key", "add", "app", "--scope", "ingest,read", "--json")), &k); err != nil {
		t.Fatal(err)
	}
	app := client.New(s.url, k.Key)
	got, err := app.Submit(t.Context(), message("see you at the bus stop"), 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := app.Wait(t.Context(), got.ID); err != nil {
		t.Fatal(err)
	}
	status := func(err error) int {
		var answer *client.Error
		if !errors.As(err, &answer) {
			t.Fatalf("got %v, want an answer of the API", err)
		}
		return answer.Status
	}
	if _, err := app.EraseAccount(t.Context(), "a"); status(err) != http.StatusForbidden {
		t.Errorf("erase: got %v, want that the scope is missing", err)
	}
	if out := nightlight("key", "list"); !strings.Contains(out, k.ID) || strings.Contains(out, k.Key) {
		t.Errorf("key list: %s, want its id and not the key", out)
	}
	nightlight("hold", got.ID, "--why", "police")
	if r, err := s.client.EraseAccount(t.Context(), "a"); err != nil || r.Held != 1 || r.Erased != 0 {
		t.Errorf("erase under hold: got %+v, %v, want that it is kept", r, err)
	}
	nightlight("hold", got.ID, "--lift", "--why", "over")
	if r, err := s.client.EraseAccount(t.Context(), "a"); err != nil || r.Erased != 1 {
		t.Errorf("erase after the hold: got %+v, %v, want that it is gone", r, err)
	}
	nightlight("key", "revoke", k.ID)
	for end := time.Now().Add(time.Minute); ; time.Sleep(200 * time.Millisecond) {
		_, err := app.Submit(t.Context(), message("and now?"), 0)
		if err != nil && status(err) == http.StatusUnauthorized {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("submit: got %v a minute after the key was revoked, want that it is gone", err)
		}
	}
}

func TestLoginCookiesNeedTLSWhereverPeopleComeByIt(t *testing.T) {
	for address, secure := range map[string]bool{"": false, "http://127.0.0.1:8080": false, "https://nightlight.example": true, "http://nightlight.example": true} {
		s := newSystem(t, backends{redis: "memory"})
		listen := freeAddr(t)
		p := start(t, s.log, nil, append([]string{"up", "--listen", listen, "--public-url", address}, s.flags...)...)
		waitHTTP(t, "http://"+listen+"/readyz")
		resp, err := http.Get("http://" + listen + "/console/login")
		if err != nil {
			t.Fatal(err)
		}
		p.stop(t)
		resp.Body.Close()
		cookies := resp.Cookies()
		if len(cookies) == 0 || cookies[0].Secure != secure {
			t.Errorf("reached at %q: got cookies %v, want secure %t", address, cookies, secure)
		}
	}
}

func TestAHundredPostsWithOneKeyGiveOneItem(t *testing.T) {
	s := newSystem(t, backends{redis: "server"})
	s.up(t)
	it := message("see you at the bus stop")
	it.ExternalID = "ext-1"
	var wg sync.WaitGroup
	ids := make([]string, 100)
	errs := make([]error, 100)
	for i := range ids {
		wg.Go(func() {
			a, err := s.client.Submit(context.Background(), it, 0)
			ids[i], errs[i] = a.ID, err
		})
	}
	wg.Wait()
	for i := range ids {
		if errs[i] != nil || ids[i] != ids[0] {
			t.Errorf("post %d: got %q, %v; want %q", i, ids[i], errs[i], ids[0])
		}
	}
	s.settled(t, ids[:1], time.Minute)
	s.reconciled(t, 1)
}

func TestAChildsWordsAreInNoLogMetricRedisOrPlainFile(t *testing.T) {
	need(t, "redis-server", onPath("redis-server"))
	tmp := t.TempDir()
	s := newSystem(t, backends{redis: "server"})
	r, err := queue.OpenRedis(t.Context(), "", t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	opt := r.Opt.(asynq.RedisClientOpt)
	s.flags = append(s.flags, "--redis", fmt.Sprintf("redis://:%s@%s/0", opt.Password, opt.Addr), "--log", "debug")
	p := start(t, s.log, []string{"TMPDIR=" + tmp}, append([]string{"up", "--listen", "127.0.0.1:0"}, s.flags...)...)
	s.ready(t, p)
	canary := (rand.Text() + rand.Text())[:40]
	var ids []string
	for _, text := range []string{canary, canary + " " + rules.TestPhrase(pipeline.SelfharmExpressed, "en")} {
		a, err := s.client.Submit(t.Context(), message(text), 0)
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, a.ID)
	}
	for _, bad := range []string{`{"kind":"` + canary + `"}`, `{"` + canary + `":1}`, canary} {
		body := post(t, s, bad)
		if strings.Contains(body, canary) {
			t.Errorf("an error echoes the words: %s", body)
		}
	}
	s.settled(t, ids, time.Minute)
	db := redis.NewClient(&redis.Options{Addr: opt.Addr, Password: opt.Password})
	defer db.Close()
	looked := 0
	for key := range keysOf(t, db) {
		looked++
		dump, err := db.Dump(t.Context(), key).Result()
		if err != nil && err != redis.Nil {
			t.Fatal(err)
		}
		if strings.Contains(key+dump, canary) {
			t.Errorf("the words are in Redis under %q", key)
		}
	}
	if looked == 0 {
		t.Error("nothing was found in Redis at all")
	}
	if metrics := fetch(t, s.url+"/metrics"); strings.Contains(metrics, canary) || !strings.Contains(metrics, "nightlight_verdicts_total") {
		t.Error("the words are in the metrics, or the metrics are missing")
	}
	p.stop(t)
	if strings.Contains(s.log.String(), canary) {
		t.Error("the words are in the log")
	}
	if s.log.String() == "" {
		t.Error("nothing was logged at all")
	}
	for _, dir := range []string{tmp, s.dir} {
		findIn(t, dir, canary)
	}
}

func keysOf(t *testing.T, db *redis.Client) map[string]bool {
	keys := map[string]bool{}
	iter := db.Scan(t.Context(), 0, "*", 1000).Iterator()
	for iter.Next(t.Context()) {
		keys[iter.Val()] = true
	}
	if err := iter.Err(); err != nil {
		t.Fatal(err)
	}
	return keys
}

// findIn fails the test when any file below dir holds the words in the clear.
func findIn(t *testing.T, dir, words string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		b, err := os.ReadFile(path)
		if err == nil && strings.Contains(string(b), words) {
			t.Errorf("the words are in %s", path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func post(t *testing.T, s *system, body string) string {
	t.Helper()
	req, err := http.NewRequest(http.MethodPost, s.url+"/v1/items", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+s.key)
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, _ := io.ReadAll(resp.Body)
	if resp.StatusCode < 400 || resp.StatusCode >= 500 {
		t.Errorf("bad body: got status %d", resp.StatusCode)
	}
	return string(b)
}

func fetch(t *testing.T, url string) string {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
