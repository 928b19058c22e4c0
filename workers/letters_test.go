package workers

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"nightlight/pipeline"
	"nightlight/queue/store"
	"nightlight/workers/notify"
	"nightlight/workers/webhook"
)

// post is a guardian's channel whose receivers hang where the address says so,
// until the test has them give up or answer.
type post struct {
	mu      sync.Mutex
	tried   []string // addresses
	hanging int
	most    int // that hung at once
	answer  chan error
}

func newPost() *post { return &post{answer: make(chan error)} }

func (p *post) Send(ctx context.Context, address string, _ notify.Message) error {
	p.mu.Lock()
	p.tried = append(p.tried, address)
	hangs := strings.Contains(address, "slow")
	if hangs {
		p.hanging++
		p.most = max(p.most, p.hanging)
	}
	p.mu.Unlock()
	if !hangs {
		return nil
	}
	defer func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.hanging--
	}()
	select {
	case err := <-p.answer:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// at counts the tries at addresses that hold a word.
func (p *post) at(word string) (n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, a := range p.tried {
		if strings.Contains(a, word) {
			n++
		}
	}
	return n
}

func (p *post) busy() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.hanging
}

// families has letters to the guardians of as many children due, who have the
// channels that address gives, and returns the letters' ids.
func (b *bench) families(t *testing.T, label pipeline.Label, n int, addresses func(i int) []string) (ids []string) {
	t.Helper()
	b.Quiet = QuietHours{From: "x"} // none
	b.Examiner.Text = says(label, .99)
	var children []pipeline.Person
	for i := range n {
		child := pipeline.Person{ID: fmt.Sprintf("child-%s-%d", label, i), Age: years(9)}
		g := guardian(fmt.Sprintf("mum-of-%s", child.ID))
		g.Channels = nil
		for _, a := range addresses(i) {
			g.Channels = append(g.Channels, store.Channel{Kind: "webhook", Address: a})
		}
		if err := b.Store.PutAccount(t.Context(), b.tenant, store.Account{ID: child.ID, Age: years(9), Guardians: []store.Guardian{g}}); err != nil {
			t.Fatal(err)
		}
		children = append(children, child)
	}
	if err := b.Judge(t.Context(), b.accept(t, pipeline.Item{Sender: pipeline.Person{ID: "x", Age: years(40)}, Recipients: children})); err != nil {
		t.Fatal(err)
	}
	for _, who := range []string{"r1", "r2"} { // severity 4: two must agree
		decide(t, b, fmt.Sprintf("%s-%s", who, label))
	}
	b.pass(time.Minute)
	for _, c := range children {
		list, _, err := b.Store.Deliveries(t.Context(), b.tenant, "mum-of-"+c.ID, store.DeliveryPending, "", 1)
		if err != nil || len(list) != 1 {
			t.Fatalf("got %d letters about %s, %v", len(list), c.ID, err)
		}
		ids = append(ids, list[0].ID)
	}
	return ids
}

func (b *bench) noticeAll(t *testing.T, busy *sync.WaitGroup, ids ...string) {
	t.Helper()
	for _, id := range ids {
		busy.Go(func() {
			if err := b.Notice(t.Context(), id); err != nil {
				t.Error(err)
			}
		})
	}
}

func slow(i int) []string { return []string{fmt.Sprintf("https://slow.example.org/%d", i)} }

func quick(i int) []string { return []string{fmt.Sprintf("https://quick.example.org/%d", i)} }

func TestLettersToAReceiverThatHangsTakeAFewWorkersAndEndAllTheSame(t *testing.T) {
	b := newBench(t, silent())
	p := newPost()
	b.Notifier = notify.Channels{"webhook": p}
	const n = 20
	letters := b.families(t, pipeline.SexualExtortion, n, slow)
	other := b.families(t, pipeline.GroomingMeeting, 1, quick)
	var busy sync.WaitGroup
	b.noticeAll(t, &busy, letters...)
	eventually(t, "the workers they may have hang", func() bool { return p.busy() == triesAtOnce })
	b.noticeAll(t, &busy, other...)
	eventually(t, "another family's letter goes out meanwhile", func() bool { return p.at("quick") == 1 })
	for range triesAtOnce {
		p.answer <- webhook.ErrUnreachable
	}
	busy.Wait()
	if p.most != triesAtOnce || p.at("slow") != triesAtOnce {
		t.Errorf("got %d tries, %d at once, want %d: whom it hangs is tried no more", p.at("slow"), p.most, triesAtOnce)
	}
	attempts := func() (n int, dead int) {
		for _, id := range letters {
			d, _ := b.delivery(t, id)
			n += d.Attempts
			if d.State == store.DeliveryDead {
				dead++
			}
		}
		return n, dead
	}
	if n, _ := attempts(); n != triesAtOnce {
		t.Errorf("got %d attempts, want %d: none of what waited", n, triesAtOnce)
	}
	if len(b.letterTurns[0].crowds)+len(b.letterTurns[1].crowds) != 0 {
		t.Error("got crowds kept for nobody")
	}

	for end := b.clock().Add(urgentPatience + 2*time.Minute); b.clock().Before(end); b.pass(30 * time.Second) {
		due, err := b.Store.DueDeliveries(t.Context(), 100)
		if err != nil {
			t.Fatal(err)
		}
		before := p.at("slow")
		for _, id := range due {
			done := make(chan error)
			go func() { done <- b.Notice(t.Context(), id) }()
			select {
			case p.answer <- webhook.ErrUnreachable:
				err = <-done
			case err = <-done:
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		if n := p.at("slow") - before; n > 1 {
			t.Errorf("got %d tries of a receiver that hangs within half a minute, want one", n)
		}
	}
	if _, dead := attempts(); dead != n || b.open(t) != 1 {
		t.Errorf("got %d dead and %d cases, want every urgent letter in a reviewer's case a quarter of an hour later", dead, b.open(t))
	}
}

func TestLettersThatWaitForAReceiverAreToldByThoseThatAreThere(t *testing.T) {
	b := newBench(t, silent())
	p := newPost()
	b.Notifier = notify.Channels{"webhook": p}
	const n = 3 * triesAtOnce
	letters := b.families(t, pipeline.SexualExtortion, n, slow)
	var busy sync.WaitGroup
	b.noticeAll(t, &busy, letters[:triesAtOnce]...)
	eventually(t, "the workers they may have are busy", func() bool { return p.busy() == triesAtOnce })
	for _, id := range letters[triesAtOnce:] { // would hang too
		if err := b.Notice(t.Context(), id); err != nil {
			t.Fatal(err)
		}
	}
	for range n {
		p.answer <- nil
	}
	busy.Wait()
	for _, id := range letters {
		if d, _ := b.delivery(t, id); d.State != store.DeliveryDone || d.Attempts != 1 {
			t.Errorf("got %s after %d tries, want it done by one", d.State, d.Attempts)
		}
	}
	if p.at("slow") != n || p.most != triesAtOnce {
		t.Errorf("got %d letters, %d at once, want %d", p.at("slow"), p.most, n)
	}
}

func TestALetterThatWaitsForADrainingWorkerIsDueAtOnce(t *testing.T) {
	b := newBench(t, silent())
	p := newPost()
	b.Notifier = notify.Channels{"webhook": p}
	letters := b.families(t, pipeline.SexualExtortion, triesAtOnce+1, slow)
	var busy sync.WaitGroup
	b.noticeAll(t, &busy, letters[:triesAtOnce]...)
	eventually(t, "the workers they may have are busy", func() bool { return p.busy() == triesAtOnce })
	last := letters[triesAtOnce]
	if err := b.Notice(t.Context(), last); err != nil {
		t.Fatal(err)
	}
	b.Drain()
	for range triesAtOnce {
		p.answer <- nil
	}
	busy.Wait()
	due, err := b.Store.DueDeliveries(t.Context(), 10)
	if d, _ := b.delivery(t, last); err != nil || d.Attempts != 0 || !slices.Equal(due, []string{last}) {
		t.Errorf("got %v due, %v, and %d tries, want it due and untried", due, err, d.Attempts)
	}
}

func TestALetterPassesAReceiverOverThatHangs(t *testing.T) {
	b := newBench(t, silent())
	p := newPost()
	b.Notifier = notify.Channels{"webhook": p}
	first := b.families(t, pipeline.SexualExtortion, 1, slow)
	second := b.families(t, pipeline.GroomingMeeting, 1, func(i int) []string {
		return slices.Concat(slow(7), []string{"https://SLOW.example.org/8"}, quick(i))
	})
	var busy sync.WaitGroup
	b.noticeAll(t, &busy, first...)
	p.answer <- webhook.ErrUnreachable
	busy.Wait()
	if err := b.Notice(t.Context(), second[0]); err != nil {
		t.Fatal(err)
	}
	d, _ := b.delivery(t, second[0])
	if d.State != store.DeliveryDone || p.at("slow") != 1 || p.at("SLOW") != 0 {
		t.Errorf("got %s after tries at %v, want it told by the last channel at once", d.State, p.tried)
	}
}

func TestUrgentLettersHaveTurnsOfTheirOwn(t *testing.T) {
	b := newBench(t, silent())
	p := newPost()
	b.Notifier = notify.Channels{"webhook": p}
	routine := b.families(t, pipeline.GroomingSecrecy, 2*triesAtOnce, slow)
	urgent := b.families(t, pipeline.SexualExtortion, 1, slow)
	var busy sync.WaitGroup
	b.noticeAll(t, &busy, routine...)
	eventually(t, "the workers they may have are busy", func() bool { return p.busy() == triesAtOnce })
	b.noticeAll(t, &busy, urgent...)
	eventually(t, "the urgent letter is tried beside them", func() bool { return p.busy() == triesAtOnce+1 })
	for range 2*triesAtOnce + 1 {
		p.answer <- nil
	}
	busy.Wait()
}

func TestAReceiverThatHangsRests(t *testing.T) {
	var q rests
	now := time.Now()
	hangs := func() { q.heard("r", now, false) }
	waits := func(urgent bool, want time.Duration) {
		t.Helper()
		if got := q.wait("r", now, urgent); got != want {
			t.Errorf("got to wait for %v, want %v", got, want)
		}
	}
	waits(false, 0)
	hangs()
	hangs() // at once with the first
	waits(false, time.Minute)
	now = now.Add(time.Minute)
	waits(false, 0)
	waits(false, channelTime) // while that one asks
	waits(true, channelTime)
	now = now.Add(channelTime)
	hangs()
	waits(false, 2*time.Minute)
	waits(true, time.Minute)
	now = now.Add(time.Minute)
	waits(true, 0)
	hangs()
	waits(true, time.Minute)
	waits(false, time.Minute)
	for range 10 {
		now = now.Add(time.Hour)
		waits(false, 0)
		hangs()
	}
	waits(false, time.Hour)
	if q.wait("other", now, false) != 0 {
		t.Error("got to wait for another receiver")
	}
	q.heard("r", now, true)
	waits(false, 0)
	waits(false, 0)

	hangs()
	now = now.Add(3 * time.Hour)
	if q.heard("s", now, false); len(q.of) != 1 {
		t.Errorf("got %d receivers kept, want those alone that were asked for of late", len(q.of))
	}
}

func TestTheReceiverOfAChannelIsWhatHangs(t *testing.T) {
	for _, tt := range []struct {
		kind, address, want string
	}{
		{"webhook", "https://Example.org/mum?a=1@b", "webhook example.org"},
		{"webhook", "https://example.org:8443/mum", "webhook example.org:8443"},
		{"mail", "mum@Example.org", "mail example.org"},
		{"log", "-", "log -"},
	} {
		if got := receiverOf(store.Channel{Kind: tt.kind, Address: tt.address}); got != tt.want {
			t.Errorf("got %q, want %q", got, tt.want)
		}
	}
}
