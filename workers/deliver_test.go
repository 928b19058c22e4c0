package workers

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"nightlight/pipeline"
	"nightlight/queue/store"
	"nightlight/workers/notify"
	"nightlight/workers/webhook"
)

// receiver is a webhook endpoint on this machine that answers what a test says.
func (b *bench) receiver(t *testing.T, answer func() int) store.Endpoint {
	t.Helper()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(answer()) }))
	t.Cleanup(srv.Close)
	port := netip.MustParseAddrPort(srv.Listener.Addr().String()).Port()
	b.Webhooks = webhook.NewSender(webhook.Rules{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, Ports: []uint16{port}, PlainHTTP: true})
	e, err := b.Store.CreateEndpoint(t.Context(), store.Endpoint{Tenant: b.tenant, URL: srv.URL, Secrets: []string{webhook.NewSecret()}}, "test")
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// judged has an item judged and returns the delivery of its event.
func (b *bench) judged(t *testing.T, e store.Endpoint) string {
	t.Helper()
	if err := b.Judge(t.Context(), b.accept(t, pipeline.Item{})); err != nil {
		t.Fatal(err)
	}
	list, _, err := b.Store.Deliveries(t.Context(), b.tenant, e.ID, "", "", 1)
	if err != nil || len(list) != 1 {
		t.Fatalf("got %d deliveries, %v", len(list), err)
	}
	return list[0].ID
}

func (b *bench) delivery(t *testing.T, id string) (store.Delivery, []store.Attempt) {
	t.Helper()
	d, tries, err := b.Store.Delivery(t.Context(), b.tenant, id)
	if err != nil {
		t.Fatal(err)
	}
	return d, tries
}

func TestAnEndpointThatIsGoneIsDisabledAndItsAnswerIsKept(t *testing.T) {
	b := newBench(t, says(pipeline.SexualText, .01))
	e := b.receiver(t, func() int { return http.StatusGone })
	id := b.judged(t, e)
	if err := b.Deliver(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	d, tries := b.delivery(t, id)
	if d.State != store.DeliveryDead || len(tries) != 1 || tries[0].StatusCode != http.StatusGone || tries[0].ErrorClass != "gone" {
		t.Errorf("got %s with %+v, want it dead by the 410", d.State, tries)
	}
	if e, err := b.Store.Endpoint(t.Context(), b.tenant, e.ID); err != nil || e.DisabledWhy != "gone" {
		t.Errorf("got %q, %v, want the endpoint disabled because it is gone", e.DisabledWhy, err)
	}
}

func TestAnEndpointThatIsDisabledWhileItAnswersGoneLeavesNothingPending(t *testing.T) {
	b := newBench(t, says(pipeline.SexualText, .01))
	var e store.Endpoint
	e = b.receiver(t, func() int {
		if err := b.Store.DisableEndpoint(t.Context(), b.tenant, e.ID, "asked", "test"); err != nil {
			t.Error(err)
		}
		return http.StatusGone
	})
	id := b.judged(t, e)
	if err := b.Deliver(t.Context(), id); err != nil {
		t.Errorf("got %v, want no error: it is disabled, as it should be", err)
	}
	if d, _ := b.delivery(t, id); d.State != store.DeliveryDead {
		t.Errorf("got %s, want dead", d.State)
	}
}

func TestNothingIsSentToADisabledEndpoint(t *testing.T) {
	b := newBench(t, says(pipeline.SexualText, .01))
	hits := 0
	e := b.receiver(t, func() int { hits++; return http.StatusGone })
	id := b.judged(t, e)
	// what two transactions at one moment can leave behind: disabled, and one on its way
	db, err := sql.Open("sqlite", b.file)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec("UPDATE endpoints SET disabled_at = 1, disabled_why = 'asked'"); err != nil {
		t.Fatal(err)
	}
	if err := b.Deliver(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	d, tries := b.delivery(t, id)
	if hits != 0 || d.State != store.DeliveryDead || len(tries) != 1 || tries[0].ErrorClass != "disabled" {
		t.Errorf("got %s with %+v after %d requests, want it dead without one", d.State, tries, hits)
	}
}

// untilDead tries a delivery, however long it takes, and returns how often.
func (b *bench) untilDead(t *testing.T, id string, try func(id string) error) (tries int) {
	t.Helper()
	for {
		if err := try(id); err != nil {
			t.Fatal(err)
		}
		d, _ := b.delivery(t, id)
		if d.State == store.DeliveryDead {
			return d.Attempts
		}
		b.pass(d.DueAt.Sub(b.clock()))
	}
}

func TestAReplayedDeliveryIsTriedAsOftenAsANewOne(t *testing.T) {
	for name, start := range map[string]func(t *testing.T, b *bench) (id string, try func(id string) error){
		"an event": func(t *testing.T, b *bench) (string, func(string) error) {
			return b.judged(t, b.receiver(t, func() int { return http.StatusInternalServerError })), func(id string) error { return b.Deliver(t.Context(), id) }
		},
		"a notice": func(t *testing.T, b *bench) (string, func(string) error) {
			id := b.noticed(t, "log")
			b.Notifier = notify.Channels{"log": &takes{broken: true}}
			return id, func(id string) error { return b.Notice(t.Context(), id) }
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, says(pipeline.GroomingSecrecy, .99))
			id, try := start(t, b)
			first := b.untilDead(t, id, try)
			if err := b.Store.Replay(t.Context(), b.tenant, id, "test"); err != nil {
				t.Fatal(err)
			}
			if again := b.untilDead(t, id, try) - first; first != webhook.MaxTries || again != first {
				t.Errorf("got %d tries and %d after the replay, want %d each", first, again, webhook.MaxTries)
			}
		})
	}
}

// noticed has a notice to a guardian with these channels due, and returns its
// id.
func (b *bench) noticed(t *testing.T, channels ...string) string {
	t.Helper()
	b.Quiet = QuietHours{From: "x"} // none
	mum := guardian("mum")
	mum.Channels = nil
	for i, c := range channels {
		mum.Channels = append(mum.Channels, store.Channel{Kind: c, Address: fmt.Sprintf("https://%d.example.org", i)})
	}
	if err := b.Store.PutAccount(t.Context(), b.tenant, store.Account{ID: "friend", Age: years(9), Guardians: []store.Guardian{mum}}); err != nil {
		t.Fatal(err)
	}
	if err := b.Judge(t.Context(), b.accept(t, pipeline.Item{Sender: pipeline.Person{ID: "x", Age: years(40)}})); err != nil {
		t.Fatal(err)
	}
	for _, who := range []string{"r1", "r2"} { // severity 4: two must agree
		decide(t, b, who)
	}
	b.pass(time.Minute)
	list, _, err := b.Store.Deliveries(t.Context(), b.tenant, "mum", "", "", 1)
	if err != nil || len(list) != 1 {
		t.Fatalf("got %d notices, %v", len(list), err)
	}
	return list[0].ID
}

// sender is a notifier made of a function.
type sender func() error

func (s sender) Send(context.Context, string, notify.Message) error { return s() }

func TestANoticeWhoseChannelsHangIsTriedByOneWorkerAtATimeAndEveryTryCounts(t *testing.T) {
	for name, tt := range map[string]struct {
		channels []string
		letters  int
		state    store.DeliveryState
	}{
		"the last channel works": {[]string{"hangs", "hangs", "hangs", "works"}, 1, store.DeliveryDone},
		"none works":             {[]string{"hangs", "hangs", "hangs", "hangs"}, 0, store.DeliveryDead},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, says(pipeline.GroomingSecrecy, .99))
			id := b.noticed(t, tt.channels...)
			tries, letters := 0, 0
			second := New(b.Settings) // a worker that the sweeper wakes meanwhile
			hang := func() error {
				b.pass(20 * time.Second)
				tries++
				if err := second.Notice(t.Context(), id); err != nil {
					t.Error(err)
				}
				return webhook.ErrUnreachable
			}
			b.Notifier = notify.Channels{"hangs": sender(hang), "works": sender(func() error { letters++; return nil })}
			second.Notifier = notify.Channels{"hangs": sender(func() error { tries++; return webhook.ErrUnreachable }), "works": b.Notifier["works"]}
			rounds := 0
			for d, _ := b.delivery(t, id); d.State == store.DeliveryPending; d, _ = b.delivery(t, id) {
				if rounds++; rounds > webhook.MaxTries {
					t.Fatalf("got %d of %d rounds recorded, want each", d.Attempts, rounds-1)
				}
				b.pass(max(0, d.DueAt.Sub(b.clock())))
				if err := b.Notice(t.Context(), id); err != nil {
					t.Fatal(err)
				}
			}
			d, _ := b.delivery(t, id)
			if d.State != tt.state || d.Attempts != rounds || letters != tt.letters {
				t.Errorf("got %s with %d tries of %d and %d letters, want %s and %d", d.State, d.Attempts, rounds, letters, tt.state, tt.letters)
			}
			if want := rounds * (len(tt.channels) - tt.letters); tries != want {
				t.Errorf("got %d channels tried, want %d: by one worker alone", tries, want)
			}
			if cases := b.open(t); (cases > 0) != (tt.state == store.DeliveryDead) {
				t.Errorf("got %d open cases of a guardian who was not reached", cases)
			}
		})
	}
}

func TestANoticeThatNoChannelCouldEverTakeIsAReviewersCaseAtOnce(t *testing.T) {
	nowhere := fmt.Errorf("%w: not a public address", webhook.ErrAddress)
	for name, tt := range map[string]struct {
		channels []string
		atOnce   bool
	}{
		"no channel":                          {nil, true},
		"one that is not set up":              {[]string{"pigeon"}, true},
		"an address to which nothing goes":    {[]string{"nowhere"}, true},
		"several, all of them so":             {[]string{"pigeon", "nowhere"}, true},
		"one that hangs":                      {[]string{"hangs"}, false},
		"one that hangs before a hopeless":    {[]string{"hangs", "nowhere"}, false},
		"one that hangs and is not the first": {[]string{"pigeon", "hangs"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, says(pipeline.GroomingSecrecy, .99))
			id := b.noticed(t, tt.channels...)
			b.Notifier = notify.Channels{"hangs": sender(func() error { return webhook.ErrUnreachable }), "nowhere": sender(func() error { return nowhere })}
			if len(tt.channels) == 0 {
				b.Quiet = QuietHours{From: "00:00", To: "23:59", Zone: "UTC"} // in which no reviewer need wait
			}
			if err := b.Notice(t.Context(), id); err != nil {
				t.Fatal(err)
			}
			d, tries := b.delivery(t, id)
			if dead := d.State == store.DeliveryDead; dead != tt.atOnce || len(tries) != 1 || tries[0].ErrorClass == "" {
				t.Errorf("got %s with %+v, want it given up: %t", d.State, tries, tt.atOnce)
			}
			if cases := b.open(t); (cases == 1) != tt.atOnce {
				t.Errorf("got %d cases, want one: %t", cases, tt.atOnce)
			}
		})
	}
}

// open counts the cases about guardians who were not reached.
func (b *bench) open(t *testing.T) (n int) {
	t.Helper()
	db, err := sql.Open("sqlite", b.file)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.QueryRow("SELECT COUNT(*) FROM cases WHERE state = 'open' AND reasons LIKE '%guardian not reached%'").Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestALeaseThatWasLostDuringATryIsLogged(t *testing.T) {
	b := newBench(t, says(pipeline.GroomingSecrecy, .99))
	id := b.noticed(t, "slow")
	var said strings.Builder
	b.Log = slog.New(slog.NewTextHandler(&said, nil))
	second := New(b.Settings)
	second.Notifier = notify.Channels{"slow": sender(func() error { return nil })}
	b.Notifier = notify.Channels{"slow": sender(func() error {
		b.pass(noticeLease) // as after a machine slept
		return second.Notice(t.Context(), id)
	})}
	if err := b.Notice(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(said.String(), "level=WARN") || !strings.Contains(said.String(), id) {
		t.Errorf("got log %q, want a warning with the delivery's id", said.String())
	}
}
