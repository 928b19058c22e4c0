package store_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"nightlight/queue/review"
	"nightlight/queue/store"
)

func TestAnAPIKeyOpensItsTenantUntilItIsRevoked(t *testing.T) {
	both(t, func(w *world) {
		key, secret, err := w.CreateKey(t.Context(), store.APIKey{Tenant: w.tenant, Name: "backend", Scopes: []store.Scope{store.ScopeIngest}, RatePerSecond: 20, Burst: 40, BodyLimit: 1 << 20}, "test")
		w.must(err)
		got, err := w.Authenticate(t.Context(), secret)
		w.must(err)
		if got.Tenant != w.tenant || got.RatePerSecond != 20 || got.Burst != 40 || got.BodyLimit != 1<<20 || !got.Allows(store.ScopeIngest) || got.Allows(store.ScopeRead) {
			t.Errorf("got %+v, want the key as it was made", got)
		}
		for name, wrong := range map[string]string{"nothing": "", "the id alone": "nl." + key.ID, "another secret": secret[:len(secret)-1] + "!", "no such key": "nl.key_x.y"} {
			if _, err := w.Authenticate(t.Context(), wrong); !errors.Is(err, store.ErrNotFound) {
				t.Errorf("%s: got %v, want ErrNotFound", name, err)
			}
		}
		if err := w.RevokeKey(t.Context(), "ten_other", key.ID, "x"); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("got %v for another tenant, want ErrNotFound", err)
		}
		w.must(w.RevokeKey(t.Context(), w.tenant, key.ID, "test"))
		if _, err := w.Authenticate(t.Context(), secret); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("got %v for a revoked key, want ErrNotFound", err)
		}
		var acts []string
		lines, err := w.AuditLog(t.Context(), w.tenant, 0, 10)
		w.must(err)
		for _, e := range lines {
			if e.Subject == key.ID {
				acts = append(acts, e.Act)
			}
		}
		if got := strings.Join(acts, " "); got != "key.create key.revoke" {
			t.Errorf("audit says %q, want who made the key and who revoked it", got)
		}
		if list, err := w.Keys(t.Context(), w.tenant); len(list) != 1 || list[0].RevokedAt.IsZero() || err != nil {
			t.Errorf("got %+v, %v, want the revoked key", list, err)
		}
	})
}

func TestSessionsEnd(t *testing.T) {
	both(t, func(w *world) {
		u, err := w.CreateUser(t.Context(), store.User{Name: "rita", Role: review.RoleReviewer, PasswordHash: "hash"}, "test")
		w.must(err)
		login := func() string {
			token, _, err := w.CreateSession(t.Context(), u.ID, 15*time.Minute, time.Hour)
			w.must(err)
			return token
		}
		ended := func(why, token string) {
			t.Helper()
			if _, err := w.Session(t.Context(), token); !errors.Is(err, store.ErrNotFound) {
				t.Errorf("%s: got %v, want ErrNotFound", why, err)
			}
		}
		token := login()
		for range 5 {
			w.clock.pass(10 * time.Minute)
			s, err := w.Session(t.Context(), token)
			w.must(err)
			if s.User.Name != "rita" || s.CSRF == "" {
				t.Errorf("got %+v, want rita's session", s)
			}
		}
		w.clock.pass(11 * time.Minute)
		ended("the absolute end", token)
		token = login()
		w.clock.pass(16 * time.Minute)
		ended("idle", token)
		token = login()
		w.must(w.EndSession(t.Context(), token))
		ended("logged out", token)
		token = login()
		w.must(w.SetPassword(t.Context(), u.ID, "new", "test"))
		ended("a new password", token)
		token = login()
		w.must(w.DisableUser(t.Context(), u.ID, "test"))
		ended("disabled", token)
		if _, _, err := w.CreateSession(t.Context(), u.ID, time.Minute, time.Hour); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("got %v for a disabled user, want ErrNotFound", err)
		}
		ended("never was", "x")
		if _, err := w.CreateUser(t.Context(), store.User{Name: "rita", Role: review.Admin, PasswordHash: "x"}, "test"); !errors.Is(err, store.ErrConflict) {
			t.Errorf("got %v for a name that is taken, want ErrConflict", err)
		}
		if _, err := w.CreateUser(t.Context(), store.User{Name: "x", Role: "king", PasswordHash: "x"}, "test"); err == nil {
			t.Error("got a user with a role that does not exist")
		}
	})
}

// rita is what failures for one name from one place are counted by, ward what
// those of all who are there are.
var (
	rita = store.LoginKey{Key: "ward/rita", Free: 4, First: time.Second, Most: 15 * time.Minute, Cleared: true}
	ward = store.LoginKey{Key: "ward", Free: 9, First: time.Minute, Most: time.Minute}
)

// tries logs in and wants it to be locked for so long.
func (w *world) tries(want time.Duration, keys ...store.LoginKey) store.LoginTry {
	w.Helper()
	try, wait, err := w.TryLogin(w.Context(), keys...)
	w.must(err)
	if wait != want {
		w.Errorf("got a lock for %s, want %s", wait, want)
	}
	return try
}

func TestFailedLoginsLockForLongerAndLonger(t *testing.T) {
	both(t, func(w *world) {
		for range 4 {
			w.tries(0, rita)
		}
		for i := range 12 {
			w.tries(0, rita)
			lock := min(time.Second<<i, 15*time.Minute)
			w.tries(lock, rita)
			w.clock.pass(lock - time.Microsecond)
			w.tries(time.Microsecond, rita)
			w.tries(0, ward) // another
			w.clock.pass(time.Microsecond)
		}
		w.must(w.LoginSucceeded(t.Context(), w.tries(0, rita)))
		for range 5 {
			w.tries(0, rita)
		}
		w.tries(time.Second, rita)
		w.clock.pass(time.Hour + time.Second)
		for range 5 {
			w.tries(0, rita)
		}
		w.tries(time.Second, rita)
	})
}

func TestGuessesAtOnceGetNoFurtherThanOneAfterTheOther(t *testing.T) {
	both(t, func(w *world) {
		var passed, locked atomic.Int32
		var all sync.WaitGroup
		for i := range 60 {
			all.Go(func() {
				keys := []store.LoginKey{rita, {Key: fmt.Sprint("name", i%7), Free: 99, First: time.Minute, Most: time.Minute}, ward}
				switch _, wait, err := w.TryLogin(t.Context(), keys...); {
				case err != nil:
					t.Error(err)
				case wait > 0:
					locked.Add(1)
				default:
					passed.Add(1)
				}
			})
		}
		all.Wait()
		if passed.Load() != 5 || locked.Load() != 55 {
			t.Errorf("got %d that may be looked at and %d that are locked, want 5 and 55", passed.Load(), locked.Load())
		}
	})
}

func TestALoginThatSucceedsOrThatNobodyLookedAtIsNoFailure(t *testing.T) {
	both(t, func(w *world) {
		end := map[bool]func(context.Context, store.LoginTry) error{false: w.LoginSucceeded, true: w.LoginUntried}
		for range 9 {
			w.tries(0, ward)
		}
		w.clock.pass(time.Minute)
		for i := range 20 { // one more failure would lock the ward
			w.must(end[i%2 == 0](t.Context(), w.tries(0, rita, ward)))
		}
		w.tries(0, ward)
		w.tries(time.Minute, rita, ward)
		w.clock.pass(time.Minute)
		try := w.tries(0, rita, ward)
		w.tries(time.Minute, rita, ward) // while it is being looked at
		w.must(w.LoginSucceeded(t.Context(), try))
		w.must(w.LoginUntried(t.Context(), w.tries(0, rita, ward)))
		w.clock.pass(59 * time.Minute) // since the last that failed
		w.must(w.LoginSucceeded(t.Context(), w.tries(0, rita, ward)))
		w.clock.pass(time.Second)
		for range 10 { // an hour after it all is forgotten, whoever got in meanwhile
			w.tries(0, ward)
		}
		w.tries(time.Minute, ward)

		for range 4 {
			w.tries(0, rita)
		}
		w.clock.pass(time.Second)
		slow := w.tries(0, rita)
		w.clock.pass(time.Second)
		w.tries(0, rita)
		w.must(w.LoginUntried(t.Context(), slow))
		w.tries(2*time.Second, rita) // the lock of who failed meanwhile stands
	})
}

func TestAccountsKeepGuardiansAndForget(t *testing.T) {
	both(t, func(w *world) {
		mum := store.Guardian{ID: "mum", Relation: "mother", Locale: "zh-CN", Channels: []store.Channel{{Kind: "mail", Address: "mum@example.org"}}, QuietFrom: "21:30", QuietTo: "07:00", Zone: "Asia/Shanghai"}
		w.must(w.PutAccount(t.Context(), w.tenant, store.Account{ID: "mia", Age: age(9), Guardians: []store.Guardian{mum}}))
		bound := w.clock.now()
		w.clock.pass(time.Hour)
		w.must(w.PutAccount(t.Context(), w.tenant, store.Account{ID: "mia", BirthMonth: "2016-02", Locale: "en", Guardians: []store.Guardian{{ID: "dad"}, mum}}))
		a, err := w.Account(t.Context(), w.tenant, "mia")
		w.must(err)
		if a.Age != nil || a.BirthMonth != "2016-02" || len(a.Guardians) != 2 || a.Guardians[0].ID != "dad" || a.Guardians[1].Channels[0] != mum.Channels[0] ||
			a.Guardians[1].QuietFrom != "21:30" || !a.Guardians[1].BoundAt.Equal(bound) {
			t.Errorf("got %+v, want the second form with mum bound since the first", a)
		}
		for _, c := range []struct {
			persons []string
			want    bool
		}{{[]string{"mum"}, true}, {[]string{"mum", "dad"}, true}, {[]string{"mum", "leo"}, false}, {nil, false}} {
			if got, err := w.IsGuardian(t.Context(), w.tenant, "mia", c.persons...); got != c.want || err != nil {
				t.Errorf("%v: got %t, %v, want %t", c.persons, got, err, c.want)
			}
		}
		if _, err := w.Account(t.Context(), "ten_other", "mia"); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("got %v for another tenant, want ErrNotFound", err)
		}

		r := w.user("rita", review.RoleReviewer)
		_, err = w.CreateEndpoint(t.Context(), store.Endpoint{Tenant: w.tenant, URL: "https://example.org", Secrets: []string{"s"}}, "test")
		w.must(err)
		open, _ := w.judged(held(3), notice("review"))
		closed, _ := w.judged(allowed())
		again := w.message("gone")
		again.ConversationID = "elsewhere"
		w.accept(again)
		kept := w.accept(w.message("evidence"))
		w.must(w.SetHold(t.Context(), w.tenant, kept, true, "report", "test"))
		done, err := w.EraseAccount(t.Context(), w.tenant, "mia", "key")
		w.must(err)
		if done.Erased != 3 || done.Held != 1 {
			t.Errorf("got %+v, want 3 erased and 1 held", done)
		}
		for _, id := range []string{open, closed} {
			if it := w.item(id); it.State != store.Erased || it.Ending != store.EndErased || !it.Purged {
				t.Errorf("got %s, %s, want erased", it.State, it.Ending)
			}
			if _, err := w.Text(t.Context(), w.tenant, id); !errors.Is(err, store.ErrErased) {
				t.Errorf("got %v for the text, want ErrErased", err)
			}
		}
		if _, err := w.Accept(t.Context(), again); !errors.Is(err, store.ErrConflict) {
			t.Errorf("got %v for the name of an erased item, want ErrConflict: its words cannot be compared", err)
		}
		if text, err := w.Text(t.Context(), w.tenant, kept); text != "evidence" || err != nil {
			t.Errorf("got %q, %v for what is under hold, want it kept", text, err)
		}
		if _, _, err := w.NextCase(t.Context(), r); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("got %v, want no case of erased items", err)
		}
		if _, err := w.Account(t.Context(), w.tenant, "mia"); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("got %v for the account, want ErrNotFound", err)
		}
		if _, err := w.EraseAccount(t.Context(), w.tenant, "nobody", "key"); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("got %v for nobody, want ErrNotFound", err)
		}
		msgs, err := w.Conversation(t.Context(), w.tenant, kept, 5, 5)
		w.must(err)
		if len(msgs) != 3 || !msgs[0].Gone || msgs[2].Text != "evidence" {
			t.Errorf("got %+v, want the conversation with gaps", msgs)
		}
		w.well()
	})
}

func TestAnAgeGrows(t *testing.T) {
	day := func(s string) time.Time {
		d, err := time.Parse(time.DateOnly, s)
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	for name, c := range map[string]struct {
		account store.Account
		on      string
		want    string
	}{
		"before the birthday":  {store.Account{BirthMonth: "2016-05"}, "2026-04-30", "9"},
		"in the month":         {store.Account{BirthMonth: "2016-05"}, "2026-05-01", "10"},
		"told and a year on":   {store.Account{Age: age(9), AgeAt: day("2025-01-01")}, "2026-03-01", "10"},
		"nobody knows":         {store.Account{}, "2026-01-01", ""},
		"born after that day":  {store.Account{BirthMonth: "2030-01"}, "2026-01-01", "0"},
		"told without a month": {store.Account{Age: age(4)}, "2026-01-01", "4"},
	} {
		got := ""
		if n := c.account.AgeOn(day(c.on)); n != nil {
			got = strings.TrimSpace(string(rune('0'+*n/10)) + string(rune('0'+*n%10)))
			got = strings.TrimLeft(got, "0")
			if got == "" {
				got = "0"
			}
		}
		if got != c.want {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}

func TestAnErasedAccountLeavesNoWordsInReports(t *testing.T) {
	both(t, func(w *world) {
		r := w.user("rita", review.RoleReviewer)
		report := func(item, by string) string {
			w.Helper()
			id, err := w.Report(t.Context(), review.Report{Tenant: w.tenant, ItemID: item, Reporter: by, Label: "bullying.insult", Note: by + " is sad"})
			w.must(err)
			return id
		}
		open, _ := w.judged(held(3))
		evidence, _ := w.judged(held(3))
		w.must(w.SetHold(t.Context(), w.tenant, evidence, true, "police", "test"))
		caseID, kept := report(open, "leo"), report(evidence, "leo")
		report(open, "ida")
		report(open, "ben")
		_, err := w.Appeal(t.Context(), review.Appeal{Tenant: w.tenant, ItemID: open, By: "leo", Note: "look again"})
		w.must(err)
		for _, id := range []string{"leo", "ida"} {
			if done, err := w.EraseAccount(t.Context(), w.tenant, id, "key"); err != nil || done.Erased != 0 {
				t.Errorf("%s: got %+v, %v, want reports erased and no item", id, done, err)
			}
		}
		notes, err := w.Notes(t.Context(), r, caseID)
		w.must(err)
		if len(notes) != 4 {
			t.Errorf("got %d notes, want 4: that somebody reported stays", len(notes))
		}
		for _, n := range notes {
			if whole := n.By == "ben" && n.Text == "ben is sad"; !whole && (n.Text != "" || n.By == "leo" || n.By == "ida") {
				t.Errorf("got %+v, want no name and no words of who was erased", n)
			}
		}
		notes, err = w.Notes(t.Context(), r, kept)
		w.must(err)
		if len(notes) != 1 || notes[0].By != "leo" || notes[0].Text != "leo is sad" {
			t.Errorf("got %+v about what is under hold, want it kept", notes)
		}
		other, err := w.CreateTenant(t.Context(), "other school")
		w.must(err)
		if _, err := w.EraseAccount(t.Context(), other.ID, "ben", "key"); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("got %v for another tenant's account, want ErrNotFound", err)
		}
	})
}
