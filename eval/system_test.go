package eval

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"nightlight/api/client"
	"nightlight/queue"
	"nightlight/queue/store/storetest"
)

// builtBinary is the real program under test: the one that set-up built, or one
// built now.
var builtBinary = sync.OnceValues(func() (string, error) {
	if b := os.Getenv("NIGHTLIGHT_TEST_BINARY"); b != "" {
		return b, nil
	}
	root, err := filepath.Abs("..")
	if err != nil {
		return "", err
	}
	out := filepath.Join(root, "bin", "nightlight")
	cmd := exec.Command("go", "build", "-trimpath", "-o", out, ".")
	cmd.Dir = root
	if said, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build: %w\n%s", err, said)
	}
	return out, nil
})

func mustBinary(t testing.TB) string {
	t.Helper()
	b, err := builtBinary()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// need skips a test whose tool is missing, and fails it in CI.
func need(t testing.TB, tool string, found bool) {
	t.Helper()
	if found {
		return
	}
	if os.Getenv("CI") == "true" {
		t.Fatalf("%s is missing", tool)
	}
	t.Skipf("%s is not installed", tool)
}

func onPath(name string) bool {
	_, err := exec.LookPath(name)
	return err == nil
}

// logBook gathers what processes print; it is safe for concurrent use.
type logBook struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBook) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBook) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// process is a running nightlight.
type process struct {
	cmd  *exec.Cmd
	done chan struct{}
}

func start(t testing.TB, log io.Writer, env []string, args ...string) *process {
	t.Helper()
	cmd := exec.Command(mustBinary(t), args...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.Env = append(os.Environ(), env...)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p := &process{cmd, make(chan struct{})}
	go func() { _ = cmd.Wait(); close(p.done) }()
	t.Cleanup(func() { p.stop(t) })
	return p
}

// stop ends the process gently and insists after a while.
func (p *process) stop(t testing.TB) {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-p.done:
	case <-time.After(45 * time.Second):
		t.Errorf("process %d does not end on SIGTERM", p.cmd.Process.Pid)
		p.kill()
	}
}

func (p *process) kill() {
	_ = p.cmd.Process.Kill()
	<-p.done
}

// backends says what a system runs on.
type backends struct {
	name            string
	database, redis string // sqlite or postgres; server or memory
	media           string // folder or s3
}

// system is nightlight with its parts, on loopback.
type system struct {
	dir    string
	flags  []string
	log    *logBook
	client *client.Client
	key    string
	url    string
	redis  *queue.Redis
}

// settings gives the flags for b, with servers started for the test.
func newSystem(t testing.TB, b backends) *system {
	t.Helper()
	s := &system{dir: t.TempDir(), log: &logBook{}}
	s.flags = []string{"--data", s.dir}
	switch b.database {
	case "postgres":
		s.flags = append(s.flags, "--database", storetest.StartPostgres(t))
	}
	switch b.redis {
	case "memory":
		s.flags = append(s.flags, "--redis", "memory")
	default:
		need(t, "redis-server", onPath("redis-server"))
	}
	if b.media == "s3" {
		s.flags = append(s.flags, startS3(t)...)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("log of the system:\n%s", s.log.String())
		}
	})
	return s
}

// up runs everything in one process.
func (s *system) up(t testing.TB, more ...string) *process {
	t.Helper()
	p := start(t, s.log, nil, append(append([]string{"up", "--listen", "127.0.0.1:0"}, s.flags...), more...)...)
	s.ready(t, p)
	return p
}

// ready waits for credentials and a ready API.
func (s *system) ready(t testing.TB, p *process) {
	t.Helper()
	var c struct {
		URL string `json:"url"`
		Key string `json:"api_key"`
	}
	started := time.Now()
	for {
		select {
		case <-p.done:
			t.Fatalf("the process ended:\n%s", s.log.String())
		default:
		}
		if time.Since(started) > 60*time.Second {
			t.Fatalf("not ready:\n%s", s.log.String())
		}
		time.Sleep(30 * time.Millisecond)
		b, err := os.ReadFile(filepath.Join(s.dir, "credentials.json"))
		if err != nil || json.Unmarshal(b, &c) != nil {
			continue
		}
		resp, err := http.Get(c.URL + "/readyz")
		if err != nil {
			continue
		}
		resp.Body.Close()
		if resp.StatusCode == http.StatusOK {
			break
		}
	}
	s.url, s.key = c.URL, c.Key
	s.client = client.New(c.URL, c.Key)
}

// command runs nightlight with the system's data and returns what it printed
// and its exit code.
func (s *system) command(t testing.TB, args ...string) (string, int) {
	t.Helper()
	var out, errs bytes.Buffer
	cmd := exec.Command(mustBinary(t), args...)
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	if _, exited := err.(*exec.ExitError); err != nil && !exited {
		t.Fatal(err)
	}
	if out.Len() == 0 {
		return errs.String(), cmd.ProcessState.ExitCode()
	}
	return out.String(), cmd.ProcessState.ExitCode()
}

// recordFlags are the flags of commands that read the record.
func (s *system) recordFlags() []string {
	for i, f := range s.flags {
		if f == "--database" {
			return []string{"--data", s.dir, "--database", s.flags[i+1]}
		}
	}
	return []string{"--data", s.dir}
}

// startS3 runs versitygw and returns the flags that lead to it.
func startS3(t testing.TB) []string {
	t.Helper()
	path := os.Getenv("NIGHTLIGHT_VERSITYGW")
	if path == "" {
		path, _ = exec.LookPath("versitygw")
	}
	need(t, "versitygw", path != "")
	root := t.TempDir()
	if err := os.MkdirAll(filepath.Join(root, "objects", "nightlight"), 0o755); err != nil {
		t.Fatal(err)
	}
	addr := freeAddr(t)
	cmd := exec.Command(path, "--access", "test", "--secret", "testsecret", "--port", addr, "--health", "/health", "--quiet", "posix", "--sidecar", filepath.Join(root, "meta"), filepath.Join(root, "objects"))
	if err := os.MkdirAll(filepath.Join(root, "meta"), 0o755); err != nil {
		t.Fatal(err)
	}
	cmd.Dir = root
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	waitHTTP(t, "http://"+addr+"/health")
	return []string{"--media", "s3://nightlight/media", "--s3-endpoint", addr, "--s3-plain", "--s3-access-key", "test", "--s3-secret-key", "testsecret"}
}

func waitHTTP(t testing.TB, url string) {
	t.Helper()
	for range 3000 {
		if resp, err := http.Get(url); err == nil {
			resp.Body.Close()
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Fatalf("no answer from %s", url)
}

// settled waits until every item has a verdict and returns them.
func (s *system) settled(t testing.TB, ids []string, within time.Duration) map[string]client.Status {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	got := map[string]client.Status{}
	for _, id := range ids {
		st, err := s.client.Wait(ctx, id)
		if err != nil {
			t.Fatalf("item %s has no verdict: %v (%d of %d have)", id, err, len(got), len(ids))
		}
		got[id] = st
	}
	return got
}

// reconciled fails the test unless the books balance.
func (s *system) reconciled(t testing.TB, accepted int) {
	t.Helper()
	out, code := s.command(t, append([]string{"reconcile", "--json"}, s.recordFlags()...)...)
	var l struct {
		Accepted    int   `json:"accepted"`
		Differences []any `json:"differences"`
	}
	if err := json.Unmarshal([]byte(out), &l); err != nil || code != 0 || len(l.Differences) != 0 {
		t.Errorf("reconcile: exit %d, %v\n%s", code, err, out)
	}
	if l.Accepted != accepted {
		t.Errorf("accepted: got %d, want %d", l.Accepted, accepted)
	}
}
