package workers

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"time"

	"nightlight/pipeline"
	"nightlight/pipeline/media"
	"nightlight/pipeline/speech"
	"nightlight/queue/store"
	"nightlight/workers/examine"
)

// heartbeat is how often a lease of 15 s is renewed.
const heartbeat = 5 * time.Second

// Judge gives an item its verdict. It returns nil when there is nothing to
// do, and also when the item was handed back for a later try: the database
// keeps the schedule, so that Asynq's own retries do not add to it.
func (w *Worker) Judge(ctx context.Context, itemID string) error {
	lease, err := w.Store.Claim(ctx, itemID, store.StageJudge, w.Name)
	if taken(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("claim item %s: %w", itemID, err)
	}
	started := time.Now()
	sight, err := w.lookUnderLease(ctx, lease)
	if err != nil && !errors.Is(err, errSettled) {
		return w.handBack(ctx, lease, err)
	}
	after, cancel := record(ctx)
	defer cancel()
	done, err := w.commit(after, lease, sight)
	if errors.Is(err, store.ErrLost) {
		w.metrics.late.Inc()
		return nil
	}
	if err != nil {
		return w.handBack(ctx, lease, fmt.Errorf("commit item %s: %w", itemID, err))
	}
	w.metrics.judged(lease.Item, done, time.Since(started))
	if how := reusedOf(sight); how != "" {
		w.metrics.reused.WithLabelValues(how).Inc()
	}
	return nil
}

// errSettled ends looking early: what was found so far is the answer.
var errSettled = errors.New("settled")

// lookUnderLease examines the item while the lease is kept alive. The work is
// cancelled when the lease is lost.
func (w *Worker) lookUnderLease(ctx context.Context, lease *store.Lease) (sight examine.Sight, err error) {
	if lease.Exhausted {
		return exhausted(lease.Item), nil
	}
	limit := w.JudgeTimeout
	if k := lease.Item.Kind; k == pipeline.KindVoice || k == pipeline.KindVideo {
		limit = w.ListenTimeout
	}
	ctx, stop := context.WithTimeout(ctx, limit)
	defer stop()
	done := make(chan struct{})
	stopped := make(chan struct{})
	go func() { // waited for below
		defer close(stopped)
		w.keepAlive(ctx, stop, lease, done)
	}()
	defer func() { close(done); <-stopped }()
	defer func() {
		if recover() != nil { // what it said may quote the content
			sight, err = examine.Sight{}, fmt.Errorf("judge item %s: panic", lease.ItemID)
		}
	}()
	return w.look(ctx, lease)
}

// exhausted is the answer about an item that brought its worker down again
// and again: a person looks, and media is not opened any more.
func exhausted(it pipeline.Item) examine.Sight {
	return examine.Sight{Findings: pipeline.Findings{Faults: []pipeline.Fault{{
		Source: "worker", Reason: "attempts_spent", Quarantine: it.Kind != pipeline.KindMessage,
	}}}}
}

func (w *Worker) keepAlive(ctx context.Context, lost context.CancelFunc, lease *store.Lease, done <-chan struct{}) {
	tick := time.NewTicker(heartbeat)
	defer tick.Stop()
	for {
		select {
		case <-done:
			return
		case <-ctx.Done():
			return
		case <-tick.C:
			if err := w.Store.Heartbeat(ctx, lease); errors.Is(err, store.ErrLost) {
				lost()
				return
			}
		}
	}
}

// look reads the item's text and media.
func (w *Worker) look(ctx context.Context, lease *store.Lease) (examine.Sight, error) {
	it := lease.Item
	text, textErr := w.Examiner.ReadText(ctx, textOf(it))
	sight := examine.Sight{Findings: text}
	if it.Kind == pipeline.KindMessage {
		if textErr != nil && w.urgent(it, text) {
			// What rules alone found is urgent: it goes out at once, held for
			// a person, with the missing model as a reason.
			sight.Faults = append(sight.Faults, pipeline.Fault{Source: "text", Reason: "rules_only"})
			return sight, errSettled
		}
		return sight, textErr
	}
	if textErr != nil {
		return sight, textErr
	}
	data, err := w.fetch(ctx, lease.ItemID, lease.Media, lease.Key)
	if err != nil {
		return w.without(ctx, it, sight, err)
	}
	seen, err := w.lookAt(ctx, w.Examiner.Remembering(memory{w.Store, it.Tenant}), it, data)
	seen.Add(text)
	if it.Audience == pipeline.AudiencePublic {
		seen.Public()
	}
	if err == nil && it.Kind == pipeline.KindPhoto && seen.SHA256 != "" && w.Policy.Judge(it, seen.Findings, time.Time{}).NeedsPerson() {
		seen.Shown, err = w.Examiner.Renditions(ctx, it.Kind, data, seen.Signals)
	}
	if err != nil {
		return w.without(ctx, it, seen, err)
	}
	return seen, nil
}

// without ends looking when what it needs does not answer and the item must not
// wait any longer: it came a while ago, or what was found so far is urgent. A
// person looks then, at the file too as soon as its store answers.
func (w *Worker) without(ctx context.Context, it pipeline.Item, sight examine.Sight, err error) (examine.Sight, error) {
	after, cancel := record(ctx) // its time may be what ran out
	defer cancel()
	if !unreachable(err) || w.young(after, it) && !w.urgent(it, sight.Findings) {
		return sight, err
	}
	source := "media"
	if !errors.Is(err, errAway) {
		source = "speech"
	}
	sight.Faults = append(sight.Faults, pipeline.Fault{Source: source, Reason: "away"})
	return sight, errSettled
}

// errAway is a media store that does not answer for now.
var errAway = errors.New("media store does not answer")

// unreachable reports whether err says nothing of the item: what is needed to
// judge it does not answer for now.
func unreachable(err error) bool { return errors.Is(err, errAway) || errors.Is(err, speech.ErrAway) }

func (w *Worker) lookAt(ctx context.Context, e *examine.Examiner, it pipeline.Item, data []byte) (examine.Sight, error) {
	switch it.Kind {
	case pipeline.KindPhoto:
		return e.Photo(ctx, data)
	case pipeline.KindVideo:
		return e.VideoFile(ctx, data, textOf(it))
	case pipeline.KindVoice:
		return e.Voice(ctx, data, textOf(it))
	}
	return examine.Sight{Findings: pipeline.Findings{Faults: []pipeline.Fault{{Source: "worker", Reason: "unknown_kind"}}}}, nil
}

// urgent reports whether what was found so far would reach a person at once.
func (w *Worker) urgent(it pipeline.Item, f pipeline.Findings) bool {
	f.Faults = nil
	for _, e := range w.Policy.Judge(it, f, time.Time{}).Escalations {
		if e.Urgency == pipeline.Urgent {
			return true
		}
	}
	return false
}

func textOf(it pipeline.Item) pipeline.Text {
	t := pipeline.Text{Text: it.Text, Context: it.Context, Locale: it.Locale, SenderAge: it.Sender.Age}
	for _, r := range it.Recipients {
		if r.Age != nil && (t.RecipientAge == nil || *r.Age < *t.RecipientAge) {
			t.RecipientAge = r.Age
		}
	}
	return t
}

// fetch reads an item's media object and opens it with the item's wrapped key.
func (w *Worker) fetch(ctx context.Context, itemID string, m *store.Media, key []byte) ([]byte, error) {
	if m == nil {
		return nil, fmt.Errorf("item %s has no media object", itemID)
	}
	objects, err := w.Vault.Objects(w.Media, key)
	if err != nil {
		return nil, fmt.Errorf("key of item %s: %w", itemID, err)
	}
	data, err := media.ReadAll(ctx, objects, m.Key, m.Bytes)
	switch {
	case err == nil:
	case errors.Is(err, media.ErrNotFound), errors.Is(err, media.ErrBadKey), errors.Is(err, media.ErrTampered), errors.Is(err, media.ErrHashMismatch),
		errors.Is(err, media.ErrTooLarge), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, context.Canceled):
		return nil, fmt.Errorf("fetch media of item %s: %w", itemID, err)
	default:
		return nil, fmt.Errorf("fetch media of item %s: %w: %w", itemID, errAway, err)
	}
	if sum := sha256.Sum256(data); hex.EncodeToString(sum[:]) != m.SHA256 {
		return nil, fmt.Errorf("media of item %s: %w", itemID, media.ErrHashMismatch)
	}
	return data, nil
}

// commit writes the verdict and what follows from it.
func (w *Worker) commit(ctx context.Context, lease *store.Lease, sight examine.Sight) (store.Committed, error) {
	now, err := w.Store.Now(ctx)
	if err != nil {
		return store.Committed{}, err
	}
	v := w.Policy.Judge(lease.Item, sight.Findings, now)
	if err := w.say(ctx, lease.Item, &v); err != nil {
		return store.Committed{}, err
	}
	o := store.Outcome{Verdict: v, Look: time.Duration(w.Policy.Deadlines[v.Severity()])}
	if o.Print, err = printOf(lease, sight); err != nil {
		return store.Committed{}, err
	}
	if o.Evidence, err = w.keep(ctx, lease, sight, v); err != nil {
		return store.Committed{}, err
	}
	if o.Notices, err = w.notices(ctx, lease.Item, v); err != nil {
		return store.Committed{}, err
	}
	return w.Store.Commit(ctx, lease, o)
}

// keep gives what a reviewer will look at, sealed under the item's key: words
// always, renditions only when a person must look. Where a case opens later,
// Render makes them then.
func (w *Worker) keep(ctx context.Context, lease *store.Lease, s examine.Sight, v pipeline.Verdict) ([]store.Evidence, error) {
	var kept []store.Evidence
	if len(s.Transcript) > 0 {
		kept = append(kept, store.Evidence{Kind: "transcript", Body: s.Transcript})
	}
	if len(s.OCR) > 0 {
		kept = append(kept, store.Evidence{Kind: "ocr", Body: s.OCR})
	}
	if !v.NeedsPerson() {
		return kept, nil
	}
	if len(s.Times) > 0 {
		kept = append(kept, store.Evidence{Kind: "times", Body: s.Times})
	}
	return append(kept, renditions(s.Shown)...), nil
}

// patience is how long after an item came what is away is waited for.
const patience = 15 * time.Minute

// handBack releases the item for a later try: at once when the process stops,
// after a growing pause when something failed. Neither a stop nor what is away
// counts as an attempt.
func (w *Worker) handBack(ctx context.Context, lease *store.Lease, cause error) error {
	after, cancel := record(ctx)
	defer cancel()
	draining := w.draining.Load()
	pause, waits := time.Duration(0), false
	if !draining {
		pause = min(time.Second<<min(lease.Attempt, 5), 30*time.Second)
		if waits = unreachable(cause) && w.young(after, lease.Item); waits {
			pause = min(time.Second<<min(lease.Attempt, 6), time.Minute)
		}
		w.metrics.retried.Inc()
		w.Log.Warn("judging will be tried again", "item", lease.ItemID, "attempt", lease.Attempt, "cause", classOf(cause))
	}
	if err := w.Store.Release(after, lease, pause, !draining && !waits); err != nil && !errors.Is(err, store.ErrLost) {
		return fmt.Errorf("release item %s: %w", lease.ItemID, err)
	}
	return nil
}

func (w *Worker) young(ctx context.Context, it pipeline.Item) bool {
	now, err := w.Store.Now(ctx)
	return err == nil && now.Sub(it.ReceivedAt) < patience
}

// classOf names an error's kind without its words, which could quote content.
func classOf(err error) string {
	switch {
	case errors.Is(err, errAway):
		return "media store away"
	case errors.Is(err, media.ErrNotFound):
		return "media not found"
	case errors.Is(err, media.ErrTampered), errors.Is(err, media.ErrHashMismatch):
		return "media does not match"
	case errors.Is(err, io.ErrUnexpectedEOF):
		return "cut short"
	}
	return examine.Class(err)
}
