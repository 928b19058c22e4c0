package store_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"nightlight/queue/store"
	"nightlight/queue/store/storetest"
)

// victim tells the test process that it is the one to be killed.
const victim = "NIGHTLIGHT_TEST_VICTIM_DB"

// TestVictim accepts and judges until it is killed, and says aloud what the
// store had promised it. It does nothing unless a test below starts it.
func TestVictim(t *testing.T) {
	path := os.Getenv(victim)
	if path == "" {
		return
	}
	s := storetest.Open(t, "sqlite:"+path, store.Options{Keyring: still{}})
	var said sync.Mutex
	say := func(what, id string) {
		said.Lock()
		defer said.Unlock()
		fmt.Fprintln(os.Stdout, what, id)
	}
	for worker := range int64(8) {
		go func() {
			for i := int64(0); ; i++ {
				a, err := s.Accept(t.Context(), benchItem(worker<<40|time.Now().UnixNano()))
				if err != nil {
					return
				}
				say("accepted", a.ID)
				l, err := s.Claim(t.Context(), a.ID, store.StageJudge, "victim")
				if err != nil {
					return
				}
				if _, err := s.Commit(t.Context(), l, store.Outcome{Verdict: allowed()}); err != nil {
					return
				}
				say("judged", a.ID)
			}
		}()
	}
	select {}
}

// still is a keyring that outlives its process.
type still struct{}

func (still) NewKey() ([]byte, error)                  { return []byte("key"), nil }
func (still) Seal(_, _, plain []byte) ([]byte, error)  { return plain, nil }
func (still) Open(_, _, sealed []byte) ([]byte, error) { return sealed, nil }

func TestWhatWasPromisedOutlivesAKill(t *testing.T) {
	rounds := 5
	if testing.Short() {
		rounds = 1
	}
	path := filepath.Join(t.TempDir(), "n.db")
	promised := map[string]string{}
	for range rounds {
		killed(t, path, promised)
	}
	s := storetest.Open(t, "sqlite:"+path, store.Options{Keyring: still{}})
	for id, what := range promised {
		it, err := s.Item(t.Context(), "", id)
		if err != nil {
			t.Fatalf("%s %s: %v", what, id, err)
		}
		if what == "judged" && (it.State != store.Closed || it.Verdict == nil) {
			t.Errorf("got %s for a judged item, want closed", it.State)
		}
	}
	if len(promised) == 0 {
		t.Error("got no promise before the kill, want some")
	}
	l, err := s.Reconcile(t.Context(), 0)
	if err != nil || !l.Well() {
		t.Errorf("got %+v, %v after %d kills, want it well", l, err, rounds)
	}
	t.Logf("%d promises kept over %d kills", len(promised), rounds)
}

// killed runs the victim, listens until it has promised enough, and kills it.
func killed(t *testing.T, path string, promised map[string]string) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestVictim$", "-test.v")
	cmd.Env = append(os.Environ(), victim+"="+path)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for n := 0; lines.Scan(); {
		what, id, ok := strings.Cut(lines.Text(), " ")
		if !ok || (what != "accepted" && what != "judged") {
			continue
		}
		promised[id] = what
		if n++; n == 300 {
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	_ = cmd.Wait() // it was killed
}
