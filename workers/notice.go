package workers

import (
	"context"
	"errors"
	"fmt"
	"time"

	"nightlight/pipeline"
	"nightlight/pipeline/words"
	"nightlight/queue/store"
	"nightlight/workers/notify"
	"nightlight/workers/webhook"
)

// A notice's lease is longer than all of its channels may take one after the
// other: were it to end between them, another worker would send the same
// letter and neither try would count.
const (
	mostChannels = 4 // as many as the API takes for a guardian
	channelTime  = 20 * time.Second
	noticeTime   = mostChannels * channelTime
	noticeLease  = noticeTime + 30*time.Second // and to write down what came of it
)

// Notice tells a guardian. It tries the guardian's channels in their order of
// preference within one task; when none works it tries again later, and in the
// end the store opens a case: a notice is never dropped. The end has come at once
// when there is no channel, or none that a later try could reach.
func (w *Worker) Notice(ctx context.Context, id string) error {
	lease, err := w.Store.ClaimDelivery(ctx, id, w.Name, noticeLease)
	if taken(err) || errors.Is(err, store.ErrConflict) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("claim notice %s: %w", id, err)
	}
	attempt := store.Attempt{Channel: "none"}
	if lease.Notice == nil || lease.Guardian == nil {
		attempt.ErrorClass = "guardian_gone" // unbound meanwhile: nobody is told
		return w.recordAttempt(ctx, lease, attempt)
	}
	if len(lease.Guardian.Channels) == 0 { // a reviewer has no quiet hours
		attempt.ErrorClass = "no_channel"
		return w.recordAttempt(ctx, lease, attempt)
	}
	now, err := w.Store.Now(ctx)
	if err != nil {
		return fmt.Errorf("notice %s: %w", id, err)
	}
	if wait := w.Quiet.Of(*lease.Guardian).Wait(now); wait > 0 && lease.Notice.Urgency != pipeline.Urgent {
		attempt.ErrorClass, attempt.RetryIn = "quiet_hours", wait
		return w.recordAttempt(ctx, lease, attempt)
	}
	letter, ok := w.Words.ForGuardian(lease.Notice.TextKey, lease.Guardian.Locale)
	if !ok {
		letter, _ = w.Words.ForGuardian("sos", lease.Guardian.Locale)
	}
	it, err := w.Store.Item(ctx, lease.Tenant, lease.ItemID)
	if err != nil {
		return fmt.Errorf("item of notice %s: %w", id, err)
	}
	fate := words.FateOf(it.Verdict, it.Action, it.Sender.ID == lease.Notice.Child)
	message := notify.Message{
		ID: lease.ID, Guardian: lease.Guardian.ID, Child: lease.Notice.Child, Key: lease.Notice.TextKey,
		Subject: w.Words.Subject(lease.Guardian.Locale), Text: w.Words.Render(letter, lease.Guardian.Locale, fate),
		Urgency: lease.Notice.Urgency, At: now,
	}
	telling, cancel := context.WithTimeout(ctx, noticeTime)
	defer cancel()
	hopeless := true
	for _, c := range lease.Guardian.Channels {
		started := time.Now()
		err := w.tell(telling, c, message)
		attempt = store.Attempt{Channel: c.Kind, Delivered: err == nil, Took: time.Since(started)}
		if err == nil {
			return w.recordAttempt(ctx, lease, attempt)
		}
		attempt.ErrorClass = errorClass(err)
		hopeless = hopeless && (errors.Is(err, notify.ErrNoChannel) || errors.Is(err, webhook.ErrAddress))
	}
	if hopeless {
		return w.recordAttempt(ctx, lease, attempt)
	}
	attempt.RetryIn, _ = webhook.Pause(lease.Round + 1)
	if lease.Notice.Urgency == pipeline.Urgent {
		attempt.RetryIn = min(attempt.RetryIn, time.Minute)
	}
	return w.recordAttempt(ctx, lease, attempt)
}

// tell tries one channel.
func (w *Worker) tell(ctx context.Context, c store.Channel, m notify.Message) error {
	ctx, cancel := context.WithTimeout(ctx, channelTime)
	defer cancel()
	return w.Notifier.Send(ctx, c.Kind, c.Address, m)
}

// QuietHours is when a guardian is not disturbed, except by what is urgent:
// HH:MM in the guardian's zone (default: UTC+8).
type QuietHours struct{ From, To, Zone string }

// Of returns the guardian's own quiet hours, or q.
func (q QuietHours) Of(g store.Guardian) QuietHours {
	if g.QuietFrom != "" && g.QuietTo != "" {
		q.From, q.To = g.QuietFrom, g.QuietTo
	}
	if g.Zone != "" {
		q.Zone = g.Zone
	}
	return q
}

// Wait returns how long the quiet hours last from now, 0 outside of them.
// Quiet hours that cannot be read are none.
func (q QuietHours) Wait(now time.Time) time.Duration {
	zone := time.FixedZone("UTC+8", 8*3600)
	if q.Zone != "" {
		if z, err := time.LoadLocation(q.Zone); err == nil {
			zone = z
		}
	}
	from, err1 := time.Parse("15:04", q.From)
	to, err2 := time.Parse("15:04", q.To)
	if err1 != nil || err2 != nil {
		return 0
	}
	now = now.In(zone)
	minutes := func(t time.Time) int { return t.Hour()*60 + t.Minute() }
	n, f, t := minutes(now), minutes(from), minutes(to)
	quiet := f <= n && n < t
	if f > t { // over midnight
		quiet = n >= f || n < t
	}
	if !quiet {
		return 0
	}
	return time.Duration((t-n+24*60)%(24*60))*time.Minute - time.Duration(now.Second())*time.Second
}
