// Package workers picks up what the queue wakes it for: it judges items,
// tells the tenant's webhooks and the child's guardians, and keeps house.
//
// A task may come twice, or from a worker that died. So each handler first
// takes a lease in the database, works, and commits under the fence of that
// lease: the second time is a no-op and a late writer loses. Errors become a
// later try or a hold for a person, never an allow.
package workers

import (
	"context"
	"errors"
	"log/slog"
	"sync/atomic"
	"time"

	"nightlight/pipeline"
	"nightlight/pipeline/media"
	"nightlight/pipeline/words"
	"nightlight/queue"
	"nightlight/queue/store"
	"nightlight/workers/examine"
	"nightlight/workers/notify"
	"nightlight/workers/webhook"
)

// Settings configure a Worker. Every field is needed unless it says so.
type Settings struct {
	Name     string // names this process in leases
	Store    *store.Store
	Media    media.Store
	Vault    *media.Vault
	Examiner *examine.Examiner
	Policy   *pipeline.Policy
	Webhooks *webhook.Sender
	Notifier notify.Channels
	Words    *words.Library
	Log      *slog.Logger
	// JudgeTimeout bounds one judging (default 2 minutes).
	JudgeTimeout time.Duration
	// ListenTimeout bounds judging what has sound, since hearing takes about as
	// long as it lasts (default 8 minutes).
	ListenTimeout time.Duration
	// Sweep is how often the sweeper looks (default 2 s) and SentFor how long
	// a task may be on its way before it is sent again (default 15 s).
	Sweep, SentFor time.Duration
	// PurgeEvery is how often expired content is destroyed (default 1 minute).
	PurgeEvery time.Duration
	// Quiet is when guardians are not disturbed, unless they chose otherwise
	// (default 21:30 to 07:00).
	Quiet QuietHours
}

// Worker handles tasks. It is safe for concurrent use.
type Worker struct {
	Settings
	metrics     *Metrics
	turns       turns[*store.DeliveryLease] // of the webhook endpoints
	letterTurns [2]turns[*letter]           // of the receivers of letters that can wait, and of urgent ones
	rests       rests                       // of the receivers of letters
	// draining is set at shutdown: leases that end now are handed back.
	draining atomic.Bool
}

// New returns a Worker.
func New(s Settings) *Worker {
	def(&s.JudgeTimeout, 2*time.Minute)
	def(&s.ListenTimeout, 8*time.Minute)
	def(&s.Sweep, 2*time.Second)
	def(&s.SentFor, 15*time.Second)
	def(&s.PurgeEvery, time.Minute)
	if s.Quiet == (QuietHours{}) {
		s.Quiet = QuietHours{From: "21:30", To: "07:00"}
	}
	return &Worker{Settings: s, metrics: newMetrics()}
}

func def(d *time.Duration, v time.Duration) {
	if *d == 0 {
		*d = v
	}
}

// Handlers maps each stage to its handler.
func (w *Worker) Handlers() map[queue.Stage]queue.Handler {
	return map[queue.Stage]queue.Handler{
		queue.StageJudge:   w.Judge,
		queue.StageRender:  w.Render,
		queue.StageWebhook: w.Deliver,
		queue.StageNotice:  w.Notice,
	}
}

// Drain tells the worker that the process is about to stop: work that is cut
// short from now on is handed back without counting as an attempt.
func (w *Worker) Drain() { w.draining.Store(true) }

// Metrics returns the worker's Prometheus collector.
func (w *Worker) Metrics() *Metrics { return w.metrics }

// taken reports whether a claim's error means that there is nothing to do:
// another has it, or it has ended.
func taken(err error) bool {
	return errors.Is(err, store.ErrClaimed) || errors.Is(err, store.ErrDone) || errors.Is(err, store.ErrNotFound)
}

// record returns a context for what must be written after the work, even when
// ctx was cancelled.
func record(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), 15*time.Second)
}
