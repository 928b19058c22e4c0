package store_test

import (
	"crypto/sha256"
	"fmt"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"nightlight/pipeline"
	"nightlight/queue/store"
	"nightlight/queue/store/storetest"
)

func benchItem(i int64) store.NewItem {
	text := "明天放学一起打球吗？"
	return store.NewItem{
		Item: pipeline.Item{
			Tenant: "ten", ExternalID: fmt.Sprint("m", i), Kind: pipeline.KindMessage, Text: text, Sender: pipeline.Person{ID: fmt.Sprint("p", i%500), Age: age(9)},
			Recipients: []pipeline.Person{{ID: "leo", Age: age(10)}}, ConversationID: fmt.Sprint("c", i%250), Audience: pipeline.AudienceDirect, Locale: "zh-CN", SentAt: time.Now(),
		},
		BodyHash: sha256.Sum256([]byte(text)), Queue: "text",
	}
}

// cpu reports the process's own CPU time for each operation, which other
// loads of the machine do not change.
func cpu(b *testing.B) func() {
	var before syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &before); err != nil {
		b.Fatal(err)
	}
	return func() {
		var after syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &after); err != nil {
			b.Fatal(err)
		}
		spent := after.Utime.Nano() - before.Utime.Nano() + after.Stime.Nano() - before.Stime.Nano()
		b.ReportMetric(float64(spent)/1000/float64(b.N), "cpu-µs/op")
	}
}

// BenchmarkAccept has 32 callers on SQLite, each of whom waits for its fsync.
func BenchmarkAccept(b *testing.B) {
	s := storetest.OpenSQLite(b, store.Options{})
	var n atomic.Int64
	b.SetParallelism(16)
	b.ResetTimer()
	defer cpu(b)()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := s.Accept(b.Context(), benchItem(n.Add(1))); err != nil {
				b.Error(err)
			}
		}
	})
}

// BenchmarkJourney is a message's whole way through the database: accept,
// relay, claim with context, commit.
func BenchmarkJourney(b *testing.B) {
	s := storetest.OpenSQLite(b, store.Options{})
	verdict := allowed()
	for i := range 3 {
		verdict.Signals = append(verdict.Signals, pipeline.Signal{Label: pipeline.TextLabels[i], Score: .1, Source: "text@1"})
	}
	var n atomic.Int64
	b.SetParallelism(16)
	b.ResetTimer()
	defer cpu(b)()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if err := journey(b, s, n.Add(1), verdict); err != nil {
				b.Error(err)
			}
		}
	})
}

func journey(b *testing.B, s *store.Store, i int64, v pipeline.Verdict) error {
	a, err := s.Accept(b.Context(), benchItem(i))
	if err != nil {
		return err
	}
	if i%32 == 0 {
		tasks, err := s.PendingTasks(b.Context(), 200)
		if err != nil {
			return err
		}
		sent := make([]int64, len(tasks))
		for i, k := range tasks {
			sent[i] = k.ID
		}
		if err := s.MarkSent(b.Context(), sent); err != nil {
			return err
		}
	}
	l, err := s.Claim(b.Context(), a.ID, store.StageJudge, "w")
	if err != nil {
		return err
	}
	_, err = s.Commit(b.Context(), l, store.Outcome{Verdict: v})
	return err
}
