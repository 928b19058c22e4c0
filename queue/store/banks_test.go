package store_test

import (
	"errors"
	"strings"
	"testing"

	"nightlight/queue/store"
)

func hashOf(n int) store.BankHash {
	return store.BankHash{Hash: [32]byte{byte(n), byte(n >> 8), byte(n >> 16), 7}, Reference: "ref"}
}

func (w *world) held() map[string]int {
	w.Helper()
	count := map[string]int{}
	w.must(w.BankHashes(w.Context(), func(bank string, h store.BankHash) {
		if h.Reference != "ref" || h.Hash[3] != 7 {
			w.Errorf("got %+v, want what was imported", h)
		}
		count[bank]++
	}))
	return count
}

func TestABankOfOneHashIsABank(t *testing.T) {
	both(t, func(w *world) {
		got, err := w.ImportHashes(w.Context(), store.Bank{Name: "one", Kind: store.PDQBank, Threshold: 31}, []store.BankHash{hashOf(1)}, "cli")
		w.must(err)
		if got != (store.Imported{Added: 1, Total: 1}) || w.held()["one"] != 1 {
			w.Errorf("got %+v and %v", got, w.held())
		}
		list, err := w.Banks(w.Context())
		w.must(err)
		if len(list) != 1 || list[0].Hashes != 1 || list[0].Threshold != 31 || list[0].Kind != store.PDQBank || list[0].UpdatedAt.IsZero() {
			w.Errorf("got %+v", list)
		}
	})
}

func TestImportingAgainAddsWhatIsNewAndCountsTheVersionUp(t *testing.T) {
	both(t, func(w *world) {
		var list []store.BankHash
		for i := range 12_001 { // more than two transactions
			list = append(list, hashOf(i))
		}
		bank := store.Bank{Name: "many", Kind: store.SHA256Bank}
		before, err := w.BankVersion(w.Context())
		w.must(err)
		got, err := w.ImportHashes(w.Context(), bank, append(list[:12_000:12_000], list[0]), "cli")
		w.must(err)
		if got != (store.Imported{Added: 12_000, Held: 1, Total: 12_000}) {
			w.Errorf("got %+v", got)
		}
		got, err = w.ImportHashes(w.Context(), bank, list, "cli")
		w.must(err)
		if got != (store.Imported{Added: 1, Held: 12_000, Total: 12_001}) {
			w.Errorf("the second time: got %+v", got)
		}
		after, err := w.BankVersion(w.Context())
		w.must(err)
		if after != before+2 || w.held()["many"] != 12_001 {
			w.Errorf("got version %d after %d, and %v", after, before, w.held())
		}
	})
}

func TestABanksKindNeverChangesAndItsNameIsPlain(t *testing.T) {
	both(t, func(w *world) {
		_, err := w.ImportHashes(w.Context(), store.Bank{Name: "a", Kind: store.PDQBank, Threshold: 31}, nil, "cli")
		w.must(err)
		if _, err := w.ImportHashes(w.Context(), store.Bank{Name: "a", Kind: store.SHA256Bank}, nil, "cli"); !errors.Is(err, store.ErrConflict) {
			w.Errorf("another kind: got %v", err)
		}
		for _, b := range []store.Bank{{Name: "", Kind: "pdq"}, {Name: "a b", Kind: "pdq"}, {Name: "hma/x", Kind: "pdq"}, {Name: "default", Kind: "pdq"},
			{Name: strings.Repeat("x", 65), Kind: "pdq"}, {Name: "b", Kind: "md5"}, {Name: "b", Kind: "pdq", Threshold: 32}, {Name: "b", Kind: "sha256", Threshold: 1}} {
			if _, err := w.ImportHashes(w.Context(), b, nil, "cli"); !errors.Is(err, store.ErrBank) {
				w.Errorf("%+v: got %v", b, err)
			}
		}
	})
}

func TestWhatIsRemovedFromABankIsGoneAndTheAuditLogTells(t *testing.T) {
	both(t, func(w *world) {
		_, err := w.ImportHashes(w.Context(), store.Bank{Name: "a", Kind: store.PDQBank, Threshold: 20}, []store.BankHash{hashOf(1), hashOf(2)}, "ann")
		w.must(err)
		w.must(w.RemoveHash(w.Context(), "a", hashOf(1).Hash, "ann"))
		if err := w.RemoveHash(w.Context(), "a", hashOf(1).Hash, "ann"); !errors.Is(err, store.ErrNotFound) {
			w.Errorf("a hash that is gone: got %v", err)
		}
		if n := w.held()["a"]; n != 1 {
			w.Errorf("got %d hashes, want 1", n)
		}
		w.must(w.RemoveBank(w.Context(), "a", "ann"))
		if err := w.RemoveBank(w.Context(), "a", "ann"); !errors.Is(err, store.ErrNotFound) {
			w.Errorf("a bank that is gone: got %v", err)
		}
		log, err := w.AuditLog(w.Context(), "", 0, 100)
		w.must(err)
		var acts []string
		for _, e := range log {
			if e.Actor == "ann" && e.Subject == "a" {
				acts = append(acts, e.Act)
			}
		}
		if got := strings.Join(acts, " "); got != "bank.import bank.remove_hash bank.remove" {
			w.Errorf("got the acts %q", got)
		}
		v, err := w.BankVersion(w.Context())
		w.must(err)
		if v != 3 {
			w.Errorf("got version %d, want 3", v)
		}
	})
}
