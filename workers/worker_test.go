package workers

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"nightlight/pipeline"
	"nightlight/pipeline/media"
	"nightlight/pipeline/words"
	"nightlight/queue"
	"nightlight/queue/review"
	"nightlight/queue/store"
	"nightlight/queue/store/storetest"
	"nightlight/workers/examine"
	"nightlight/workers/notify"
	"nightlight/workers/webhook"
)

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == media.ChildCommand {
		os.Exit(media.ChildMain(context.Background()))
	}
	os.Exit(m.Run())
}

// fake is a text classifier that answers as it is told.
type fake struct {
	name  string
	judge func(ctx context.Context, t pipeline.Text) ([]pipeline.Signal, error)
}

func (f fake) Ref() pipeline.ModelRef {
	return pipeline.ModelRef{Name: f.name, Version: "1", SHA256: "00"}
}

func (f fake) ClassifyText(ctx context.Context, t pipeline.Text) ([]pipeline.Signal, error) {
	return f.judge(ctx, t)
}

func says(label pipeline.Label, score float64) fake {
	return fake{"fake", func(context.Context, pipeline.Text) ([]pipeline.Signal, error) {
		return []pipeline.Signal{{Label: label, Score: score, Source: "fake@1"}}, nil
	}}
}

func silent() fake {
	return fake{"rules", func(context.Context, pipeline.Text) ([]pipeline.Signal, error) { return nil, nil }}
}

// bench is a worker over a real SQLite store and a media folder, with a clock
// of its own.
type bench struct {
	*Worker
	file   string // of the database
	tenant string
	mu     sync.Mutex
	now    time.Time
}

func (b *bench) clock() time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.now
}

func (b *bench) pass(d time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.now = b.now.Add(d)
}

func newBench(t *testing.T, text pipeline.TextClassifier) *bench {
	t.Helper()
	b := &bench{now: time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)}
	ring, err := media.NewKeyring("test", map[string][]byte{"test": bytes.Repeat([]byte{7}, 32)})
	if err != nil {
		t.Fatal(err)
	}
	vault := media.NewVault(ring)
	folder, err := media.OpenFolder(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = folder.Close() })
	b.file = filepath.Join(t.TempDir(), "nightlight.db")
	st := storetest.Open(t, "sqlite:"+b.file, store.Options{Keyring: vault, Clock: b.clock, WebhookQueue: "effects", NoticeQueue: "effects"})
	tenant, err := st.CreateTenant(t.Context(), "t")
	if err != nil {
		t.Fatal(err)
	}
	lib, err := words.Open()
	if err != nil {
		t.Fatal(err)
	}
	decoder, err := media.NewDecoder(media.DecoderOptions{CPUSeconds: 30}) // the race detector slows the child too
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = decoder.Close() })
	b.tenant = tenant.ID
	b.Worker = New(Settings{
		Name: "w1", Store: st, Media: folder, Vault: vault, Policy: pipeline.DefaultPolicy(), Words: lib, Log: slog.New(slog.DiscardHandler),
		Examiner: &examine.Examiner{Text: text, Rules: silent(), Decoder: decoder},
		Webhooks: webhook.NewSender(webhook.Rules{}), Notifier: notify.Channels{},
	})
	return b
}

func years(n int) *int { return &n }

func (b *bench) accept(t *testing.T, it pipeline.Item) string {
	t.Helper()
	it.Tenant = b.tenant
	if it.Kind == "" {
		it.Kind = pipeline.KindMessage
	}
	if it.Text == "" {
		it.Text = "hello"
	}
	if it.Sender.ID == "" {
		it.Sender = pipeline.Person{ID: "child", Age: years(10)}
	}
	if it.Recipients == nil {
		it.Recipients = []pipeline.Person{{ID: "friend", Age: years(10)}}
	}
	it.Audience, it.SentAt = pipeline.AudienceDirect, b.clock()
	a, err := b.Store.Accept(t.Context(), store.NewItem{Item: it, BodyHash: sha256.Sum256([]byte(it.Text + it.ExternalID)), Queue: "text"})
	if err != nil {
		t.Fatal(err)
	}
	return a.ID
}

func (b *bench) item(t *testing.T, id string) store.Item {
	t.Helper()
	it, err := b.Store.Item(t.Context(), b.tenant, id)
	if err != nil {
		t.Fatal(err)
	}
	return it
}

func TestJudgingEndsAnItemByItsVerdict(t *testing.T) {
	tests := []struct {
		name  string
		found fake
		state store.State
		end   store.Ending
	}{
		{"nothing found closes it as allowed", says(pipeline.SexualText, .01), store.Closed, store.EndAllowed},
		{"a warning closes it as allowed", says(pipeline.BullyingInsult, .6), store.Closed, store.EndAllowed},
		{"a case keeps it in review", says(pipeline.SelfharmExpressed, .9), store.InReview, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t, tt.found)
			id := b.accept(t, pipeline.Item{})
			if err := b.Judge(t.Context(), id); err != nil {
				t.Fatal(err)
			}
			it := b.item(t, id)
			if it.State != tt.state || it.Ending != tt.end {
				t.Errorf("got %s %q, want %s %q", it.State, it.Ending, tt.state, tt.end)
			}
			if err := b.Judge(t.Context(), id); err != nil {
				t.Errorf("the second time: %v", err)
			}
			if l, err := b.Store.Reconcile(t.Context(), time.Minute); err != nil || !l.Well() {
				t.Errorf("the books: %+v, %v", l, err)
			}
		})
	}
}

func TestAFailingModelIsTriedAgainAndThenAPersonLooks(t *testing.T) {
	for name, broken := range map[string]fake{
		"an error": {"fake", func(context.Context, pipeline.Text) ([]pipeline.Signal, error) { return nil, errors.New("no") }},
		"a panic":  {"fake", func(context.Context, pipeline.Text) ([]pipeline.Signal, error) { panic("no") }},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, broken)
			id := b.accept(t, pipeline.Item{})
			for try := 0; b.item(t, id).State == store.Pending; try++ {
				if try > 10 {
					t.Fatal("it is tried for ever")
				}
				if err := b.Judge(t.Context(), id); err != nil {
					t.Fatal(err)
				}
				b.pass(time.Minute)
			}
			it := b.item(t, id)
			if it.State != store.InReview || it.Verdict.Action != pipeline.Hold {
				t.Errorf("got %s %s, want in_review and hold", it.State, it.Verdict.Action)
			}
			if !strings.Contains(strings.Join(it.Verdict.Reasons, " "), "attempts_spent") {
				t.Errorf("the reason is missing: %v", it.Verdict.Reasons)
			}
		})
	}
}

func TestMediaWaitsForAStoreThatIsAwayAndAQuarterOfAnHourLaterAPersonLooks(t *testing.T) {
	for name, tt := range map[string]struct {
		text  string
		opens time.Duration // after which time, if ever
		state store.State
		least time.Duration
	}{
		"it comes back":         {"", 10 * time.Minute, store.Closed, 10 * time.Minute},
		"it does not":           {"", 0, store.InReview, 15 * time.Minute},
		"the caption is urgent": {"urgent", 0, store.InReview, 0},
		"it was only a stumble": {"", time.Minute, store.Closed, time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, fake{"fake", func(_ context.Context, text pipeline.Text) ([]pipeline.Signal, error) {
				if text.Text == "urgent" {
					return []pipeline.Signal{{Label: pipeline.SelfharmExpressed, Score: .99, Source: "fake@1"}}, nil
				}
				return nil, nil
			}})
			id := b.photo(t, tt.text)
			there := b.Media
			b.Media = away{there}
			started := b.clock()
			for b.item(t, id).State == store.Pending {
				if waited := b.clock().Sub(started); waited > 2*time.Hour {
					t.Fatal("it waits for ever")
				} else if tt.opens > 0 && waited >= tt.opens {
					b.Media = there
				}
				if err := b.Judge(t.Context(), id); err != nil {
					t.Fatal(err)
				}
				b.pass(time.Minute)
			}
			took := b.clock().Sub(started)
			it := b.item(t, id)
			if it.State != tt.state || took < tt.least || took > tt.least+5*time.Minute {
				t.Errorf("got %s after %v, want %s after %v", it.State, took, tt.state, tt.least)
			}
			if tt.state != store.InReview {
				return
			}
			if tt.text != "" && (len(it.Verdict.Labels) == 0 || it.Verdict.Labels[0].Label != pipeline.SelfharmExpressed) {
				t.Errorf("labels %v, want what the caption says", it.Verdict.Labels)
			}
			b.Media = there
			b.work(t)
			if got := b.shown(t, id); len(got) != 2 {
				t.Errorf("the store is back: got %v, want what a reviewer looks at", got)
			}
		})
	}
}

func TestWithoutTheModelWhatRulesFindUrgentGoesOutAtOnce(t *testing.T) {
	b := newBench(t, fake{"fake", func(context.Context, pipeline.Text) ([]pipeline.Signal, error) { return nil, errors.New("down") }})
	b.Examiner.Rules = says(pipeline.SelfharmExpressed, .9)
	id := b.accept(t, pipeline.Item{})
	if err := b.Judge(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	if it := b.item(t, id); it.State != store.InReview {
		t.Errorf("got %s, want in_review at the first try", it.State)
	}
}

func TestWhenTheBestModelFailsTheFallBackReadsAndAPersonLooks(t *testing.T) {
	b := newBench(t, fake{"best", func(context.Context, pipeline.Text) ([]pipeline.Signal, error) { return nil, errors.New("down") }})
	b.Examiner.Fallback = says(pipeline.BullyingInsult, .6)
	id := b.accept(t, pipeline.Item{})
	if err := b.Judge(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	it := b.item(t, id)
	if v := it.Verdict; v == nil || it.State != store.InReview || !slices.Contains(v.Reasons, "fault: error of best@1 → hold") ||
		!slices.ContainsFunc(v.Signals, func(s pipeline.Signal) bool { return s.Label == pipeline.BullyingInsult && s.Score == .6 }) {
		t.Errorf("got %s, %+v, want it held for a person with what the fall-back read", it.State, it.Verdict)
	}
}

func TestALateWorkerChangesNothing(t *testing.T) {
	b := newBench(t, nil)
	entered, go1 := make(chan struct{}), make(chan struct{})
	slow := sync.OnceFunc(func() { close(entered); <-go1 })
	b.Examiner.Text = fake{"fake", func(context.Context, pipeline.Text) ([]pipeline.Signal, error) {
		slow()
		return []pipeline.Signal{{Label: pipeline.SelfharmExpressed, Score: .9, Source: "fake@1"}}, nil
	}}
	id := b.accept(t, pipeline.Item{})
	done := make(chan error)
	go func() { done <- b.Judge(t.Context(), id) }()
	<-entered
	b.pass(time.Minute) // the lease runs out while the worker hangs
	settings := b.Settings
	settings.Examiner = &examine.Examiner{Text: says(pipeline.SexualText, .01), Rules: silent(), Decoder: b.Examiner.Decoder}
	settings.Name = "w2"
	second := New(settings)
	if err := second.Judge(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	close(go1)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if it := b.item(t, id); it.State != store.Closed {
		t.Errorf("got %s: the late worker's verdict won", it.State)
	}
}

func TestAStoppingWorkerHandsItsItemBackUnspent(t *testing.T) {
	b := newBench(t, nil)
	ctx, cancel := context.WithCancel(t.Context())
	b.Examiner.Text = fake{"fake", func(ctx context.Context, _ pipeline.Text) ([]pipeline.Signal, error) {
		b.Drain()
		cancel()
		return nil, ctx.Err()
	}}
	id := b.accept(t, pipeline.Item{})
	if err := b.Judge(ctx, id); err != nil {
		t.Fatal(err)
	}
	b.Examiner.Text = says(pipeline.SexualText, .01)
	if err := b.Judge(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	if it := b.item(t, id); it.State != store.Closed {
		t.Errorf("got %s, want closed by the next worker at once", it.State)
	}
}

func guardian(id string) store.Guardian {
	return store.Guardian{ID: id, Relation: "parent", Locale: "zh-CN", Channels: []store.Channel{{Kind: "log", Address: "-"}}}
}

func TestAGuardianWhoTakesPartIsNeverTold(t *testing.T) {
	b := newBench(t, nil)
	account := store.Account{ID: "child", Age: years(9), Guardians: []store.Guardian{guardian("mum"), guardian("dad")}}
	if err := b.Store.PutAccount(t.Context(), b.tenant, account); err != nil {
		t.Fatal(err)
	}
	told := 0
	for _, label := range pipeline.Labels() {
		for _, c := range []struct {
			from, to string
			want     bool
		}{{"mum", "child", false}, {"child", "dad", false}, {"stranger", "child", true}} {
			it := pipeline.Item{Tenant: b.tenant, Sender: pipeline.Person{ID: c.from, Age: years(40)}, Recipients: []pipeline.Person{{ID: c.to, Age: years(9)}}}
			if c.from == "child" {
				it.Sender.Age, it.Recipients[0].Age = years(9), years(40)
			}
			v := b.Policy.Judge(it, pipeline.Findings{Signals: []pipeline.Signal{{Label: label, Score: 1, Source: "m@1"}}, Models: []pipeline.ModelRef{{Name: "m"}}}, b.clock())
			got, err := b.notices(t.Context(), it, v)
			if err != nil {
				t.Fatal(err)
			}
			if !c.want && len(got) > 0 {
				t.Errorf("%s from %s to %s: %d guardians are told", label, c.from, c.to, len(got))
			}
			told += len(got)
		}
	}
	if told == 0 {
		t.Error("nobody is ever told of anything")
	}
}

func TestOneIncidentIsOneNoticeToEachGuardian(t *testing.T) {
	b := newBench(t, nil)
	account := store.Account{ID: "child", Age: years(9), Guardians: []store.Guardian{guardian("mum"), guardian("dad")}}
	if err := b.Store.PutAccount(t.Context(), b.tenant, account); err != nil {
		t.Fatal(err)
	}
	it := pipeline.Item{Tenant: b.tenant, Sender: pipeline.Person{ID: "x", Age: years(40)}, Recipients: []pipeline.Person{{ID: "child", Age: years(9)}}}
	f := pipeline.Findings{Models: []pipeline.ModelRef{{Name: "m"}}}
	for _, l := range []pipeline.Label{pipeline.GroomingMeeting, pipeline.GroomingSecrecy, pipeline.SexualImageRequest} {
		f.Signals = append(f.Signals, pipeline.Signal{Label: l, Score: .9, Source: "m@1"})
	}
	got, err := b.notices(t.Context(), it, b.Policy.Judge(it, f, b.clock()))
	if err != nil {
		t.Fatal(err)
	}
	var who []string
	for _, n := range got {
		who = append(who, n.Recipient)
	}
	slices.Sort(who)
	if !slices.Equal(who, []string{"dad", "mum"}) {
		t.Errorf("told: got %v, want each guardian once", who)
	}
}

func TestAWebhookIsToldOnceAndSigned(t *testing.T) {
	type hit struct {
		header http.Header
		body   []byte
	}
	hits := make(chan hit, 10)
	status := http.StatusServiceUnavailable
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		hits <- hit{r.Header, body}
		w.WriteHeader(status)
	}))
	defer srv.Close()
	b := newBench(t, says(pipeline.SexualText, .01))
	port := netip.MustParseAddrPort(srv.Listener.Addr().String()).Port()
	b.Webhooks = webhook.NewSender(webhook.Rules{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, Ports: []uint16{port}, PlainHTTP: true})
	secret := webhook.NewSecret()
	if _, err := b.Store.CreateEndpoint(t.Context(), store.Endpoint{Tenant: b.tenant, URL: srv.URL, Events: []string{store.EventJudged}, Secrets: []string{secret}}, "test"); err != nil {
		t.Fatal(err)
	}
	id := b.accept(t, pipeline.Item{Text: "a child's words"})
	if err := b.Judge(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	deliver := func() {
		due, err := b.Store.DueDeliveries(t.Context(), 10)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range due {
			if err := b.Deliver(t.Context(), d); err != nil {
				t.Fatal(err)
			}
		}
	}
	deliver()
	first := <-hits
	status = http.StatusNoContent
	b.pass(time.Hour)
	deliver()
	second := <-hits
	deliver()
	if len(hits) != 0 {
		t.Errorf("told again after it was taken")
	}
	if a, z := first.header.Get(webhook.HeaderID), second.header.Get(webhook.HeaderID); a == "" || a != z {
		t.Errorf("the id changes over tries: %q, %q", a, z)
	}
	if err := webhook.Verify(second.header, second.body, time.Now(), secret); err != nil {
		t.Errorf("signature: %v", err)
	}
	var e struct {
		Type string `json:"type"`
		Data struct {
			ID string `json:"id"`
		} `json:"data"`
	}
	if err := json.Unmarshal(second.body, &e); err != nil || e.Type != store.EventJudged || e.Data.ID != id {
		t.Errorf("body: %s, %v", second.body, err)
	}
	if strings.Contains(string(second.body), "child's words") {
		t.Error("the webhook quotes the child")
	}
}

// takes is a notifier that remembers, and fails while broken.
type takes struct {
	broken bool
	got    []notify.Message
}

func (n *takes) Send(_ context.Context, _ string, m notify.Message) error {
	if n.broken {
		return errors.New("down")
	}
	n.got = append(n.got, m)
	return nil
}

func TestANoticeWaitsForReviewAndQuietHoursAndGoesToTheSecondChannel(t *testing.T) {
	b := newBench(t, says(pipeline.GroomingSecrecy, .99))
	broken, works := &takes{broken: true}, &takes{}
	b.Notifier = notify.Channels{"webhook": broken, "mail": works}
	g := guardian("mum")
	g.Channels = []store.Channel{{Kind: "webhook", Address: "https://example.org"}, {Kind: "mail", Address: "mum@example.org"}}
	if err := b.Store.PutAccount(t.Context(), b.tenant, store.Account{ID: "friend", Age: years(9), Guardians: []store.Guardian{g}}); err != nil {
		t.Fatal(err)
	}
	id := b.accept(t, pipeline.Item{Text: "words of a child", Sender: pipeline.Person{ID: "x", Age: years(40)}, Recipients: []pipeline.Person{{ID: "friend", Age: years(9)}}})
	if err := b.Judge(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	notices := func() {
		due, err := b.Store.DueDeliveries(t.Context(), 10)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range due {
			if err := b.Notice(t.Context(), d); err != nil {
				t.Fatal(err)
			}
		}
	}
	notices()
	if len(works.got) != 0 {
		t.Fatal("the guardian hears before a person looked")
	}
	b.now = time.Date(2026, 3, 4, 15, 0, 0, 0, time.UTC) // 23:00 in UTC+8
	for _, who := range []string{"r1", "r2"} {           // severity 4: two must agree
		decide(t, b, who)
	}
	b.pass(time.Minute)
	notices()
	if len(works.got) != 0 {
		t.Fatal("the guardian is woken in quiet hours")
	}
	b.now = time.Date(2026, 3, 5, 1, 0, 0, 0, time.UTC)
	notices()
	if len(works.got) != 1 {
		t.Fatalf("notices: got %d, want 1", len(works.got))
	}
	m := works.got[0]
	if m.Guardian != "mum" || strings.Contains(m.Text+m.Subject, "words of a child") || m.Text == "" {
		t.Errorf("the notice: %+v", m)
	}
}

// decide has a new reviewer block the next case, see what the verdict saw, and
// tell the guardians.
func decide(t *testing.T, b *bench, name string) {
	t.Helper()
	b.votes(t, name, pipeline.Block, nil)
}

// votes has a new reviewer decide the next case and tell the guardians, and lets
// the time pass in which they could take it back. They take off some of the
// verdict's labels.
func (b *bench) votes(t *testing.T, name string, a pipeline.Action, off []pipeline.Label) {
	t.Helper()
	u, err := b.Store.CreateUser(t.Context(), store.User{Name: name, Role: review.RoleReviewer, PasswordHash: "x"}, "test")
	if err != nil {
		t.Fatal(err)
	}
	c, lease, err := b.Store.NextCase(t.Context(), u.Reviewer())
	if err != nil {
		t.Fatal(err)
	}
	d := review.Decision{CaseID: c.ID, Token: lease.Token, Action: a, Reason: "agree", NotifyGuardians: true}
	for _, l := range c.Labels {
		if !slices.Contains(off, l.Label) {
			d.Labels = append(d.Labels, l.Label)
		}
	}
	if _, err := b.Store.Decide(t.Context(), u.Reviewer(), d); err != nil {
		t.Fatal(err)
	}
	b.pass(review.UndoFor)
}

func TestQuietHours(t *testing.T) {
	at := func(h, m int) time.Time { return time.Date(2026, 3, 4, h, m, 0, 0, time.UTC) }
	q := QuietHours{From: "21:30", To: "07:00", Zone: "UTC"}
	tests := []struct {
		now  time.Time
		want time.Duration
	}{
		{at(12, 0), 0}, {at(21, 29), 0}, {at(21, 30), 9*time.Hour + 30*time.Minute}, {at(0, 0), 7 * time.Hour}, {at(6, 59), time.Minute}, {at(7, 0), 0},
	}
	for _, tt := range tests {
		if got := q.Wait(tt.now); got != tt.want {
			t.Errorf("at %s: got %v, want %v", tt.now.Format("15:04"), got, tt.want)
		}
	}
	if got := (QuietHours{From: "x", To: "y"}).Wait(at(0, 0)); got != 0 {
		t.Errorf("unreadable quiet hours: got %v, want none", got)
	}
}

func TestEveryStageThatTheStoreWritesHasAHandler(t *testing.T) {
	handlers := newBench(t, silent()).Handlers()
	for _, stage := range []string{store.StageJudge, store.StageRender, store.StageDeliver, store.StageNotify} {
		if handlers[queue.Stage(stage)] == nil {
			t.Errorf("nobody handles %q", stage)
		}
	}
}
