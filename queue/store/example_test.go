package store_test

import (
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"

	"nightlight/pipeline"
	"nightlight/queue/store"
)

// A message comes in, a worker takes it, and its verdict ends it.
func Example() {
	dir, err := os.MkdirTemp("", "nightlight")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	ctx := context.Background()
	s, err := store.Open(ctx, "sqlite:"+filepath.Join(dir, "nightlight.db"), store.Options{Keyring: still{}}) // media.Keyring in earnest
	if err != nil {
		panic(err)
	}
	defer s.Close()
	if err := s.Migrate(ctx); err != nil {
		panic(err)
	}
	body := `{"text":"hello"}`
	a, err := s.Accept(ctx, store.NewItem{
		Item:     pipeline.Item{Tenant: "school", Kind: pipeline.KindMessage, Text: "hello", Sender: pipeline.Person{ID: "mia"}},
		BodyHash: sha256.Sum256([]byte(body)), Queue: "text",
	})
	if err != nil {
		panic(err)
	}
	fmt.Println(a.State)
	l, err := s.Claim(ctx, a.ID, store.StageJudge, "worker 1")
	if err != nil {
		panic(err)
	}
	done, err := s.Commit(ctx, l, store.Outcome{Verdict: pipeline.Verdict{Action: pipeline.Allow, PolicyVersion: "1"}})
	if err != nil {
		panic(err)
	}
	fmt.Println(done.State, done.Ending)
	ledger, err := s.Reconcile(ctx, 0)
	if err != nil {
		panic(err)
	}
	fmt.Println(ledger.Accepted, ledger.Well())
	// Output:
	// pending
	// closed allowed
	// 1 true
}
