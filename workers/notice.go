package workers

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"nightlight/pipeline"
	"nightlight/pipeline/words"
	"nightlight/queue/store"
	"nightlight/workers/notify"
	"nightlight/workers/webhook"
)

// A notice's lease is longer than it may wait in lines and all of its channels
// may take one after the other: were it to end between them, another worker
// would send the same letter and neither try would count.
const (
	mostChannels = 4 // as many as the API takes for a guardian
	channelTime  = 20 * time.Second
	noticeTime   = longestWait + mostChannels*channelTime
	noticeLease  = noticeTime + 30*time.Second // and to write down what came of it
	// urgentPatience is how long an urgent letter that finds no way, or no turn,
	// is kept before a reviewer gets its case: ten tries that hang, a minute apart.
	urgentPatience = 15 * time.Minute
	// urgentPause is when an urgent letter that found no turn is due again.
	urgentPause = 5 * time.Second
)

// Notice tells a guardian. It tries the guardian's channels in their order of
// preference within one task; when none works it tries again later, and in the
// end the store opens a case: a notice is never dropped. The end has come at once
// when there is no channel, or none that a later try could reach.
func (w *Worker) Notice(ctx context.Context, id string) error {
	began := time.Now()
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
	text, ok := w.Words.ForGuardian(lease.Notice.TextKey, lease.Guardian.Locale)
	if !ok {
		text, _ = w.Words.ForGuardian("sos", lease.Guardian.Locale)
	}
	it, err := w.Store.Item(ctx, lease.Tenant, lease.ItemID)
	if err != nil {
		return fmt.Errorf("item of notice %s: %w", id, err)
	}
	fate := words.FateOf(it.Verdict, it.Action, it.Sender.ID == lease.Notice.Child)
	message := notify.Message{
		ID: lease.ID, Guardian: lease.Guardian.ID, Child: lease.Notice.Child, Key: lease.Notice.TextKey,
		Subject: w.Words.Subject(lease.Guardian.Locale), Text: w.Words.Render(text, lease.Guardian.Locale, fate),
		Urgency: lease.Notice.Urgency, At: now,
	}
	return w.carry(ctx, &letter{lease: lease, message: message, claimed: began, hopeless: true})
}

// letter is word to one guardian, on its way through their channels.
type letter struct {
	lease   *store.DeliveryLease
	message notify.Message
	claimed time.Time     // by this machine's clock; message.At is the same by the database's
	next    int           // of the channels
	attempt store.Attempt // what the last channel gave that was tried
	// hopeless is true as long as no channel so far could ever be reached.
	hopeless bool
	rest     time.Duration // until a channel that was passed over may be tried
}

func (l *letter) urgent() bool { return l.lease.Notice.Urgency == pipeline.Urgent }

func (l *letter) channel() store.Channel { return l.lease.Guardian.Channels[l.next] }

// now is the database's time.
func (l *letter) now() time.Time { return l.message.At.Add(time.Since(l.claimed)) }

// turn is the letter in line for its next channel: there must be time left for
// that and for those behind it.
func (l *letter) turn() turn[*letter] {
	left := time.Duration(len(l.lease.Guardian.Channels)-l.next) * channelTime
	return turn[*letter]{l, l.claimed.Add(noticeTime - left)}
}

// turnsOf are those of letters of this urgency.
func (w *Worker) turnsOf(l *letter) *turns[*letter] {
	if l.urgent() {
		return &w.letterTurns[1]
	}
	return &w.letterTurns[0]
}

// carry takes a letter through its channels, and then those that wait in line
// for the same tenant's receivers. A receiver that hangs is passed over.
func (w *Worker) carry(ctx context.Context, l *letter) error {
	began, q := time.Now(), w.turnsOf(l)
	for l.next < len(l.lease.Guardian.Channels) {
		receiver := receiverOf(l.channel())
		if wait := w.rests.wait(receiver, l.now(), l.urgent()); wait > 0 {
			l.passOver(wait)
			continue
		}
		at := q.enter(l.lease.Tenant, receiver, l.turn())
		if at == nil { // it waits in line
			return w.letLettersGo(ctx, q, l.lease.Tenant)
		}
		onward, err := w.tellInTurn(ctx, l, at, began)
		if err := errors.Join(err, w.letLettersGo(ctx, q, at.tenant)); err != nil || onward == nil {
			return err
		}
		l = onward
	}
	return w.endRound(ctx, l)
}

// tellInTurn tries a letter's next channel, and after one that took it the next
// letter's in line. It returns a letter that was not taken, to go on elsewhere.
func (w *Worker) tellInTurn(ctx context.Context, l *letter, at *place[*letter], began time.Time) (onward *letter, err error) {
	defer at.leave()
	for w.tell(ctx, l, at) {
		if err := w.recordAttempt(ctx, l.lease, l.attempt); err != nil || w.draining.Load() || time.Since(began) > oneTask {
			return nil, err
		}
		var ok bool
		if l, ok = at.next(time.Now()); !ok {
			return nil, nil
		}
	}
	return l, nil
}

// letLettersGo writes down what becomes of letters that got no turn.
func (w *Worker) letLettersGo(ctx context.Context, q *turns[*letter], tenant string) (err error) {
	for _, l := range q.letGo(tenant) {
		err = errors.Join(err, w.endRound(ctx, l))
	}
	return err
}

func (l *letter) passOver(wait time.Duration) {
	if l.rest == 0 || wait < l.rest {
		l.rest = wait
	}
	l.hopeless = false
	l.next++
}

// tell tries a letter's next channel, and reports whether it took it.
func (w *Worker) tell(ctx context.Context, l *letter, at *place[*letter]) bool {
	trying, cancel := context.WithTimeout(ctx, channelTime)
	defer cancel()
	c, started := l.channel(), time.Now()
	err := w.Notifier.Send(trying, c.Kind, c.Address, l.message)
	l.attempt = store.Attempt{Channel: c.Kind, Delivered: err == nil, Took: time.Since(started)}
	hangs := err != nil && (errors.Is(err, webhook.ErrUnreachable) || trying.Err() != nil)
	w.rests.heard(receiverOf(c), l.now(), !hangs)
	if hangs {
		at.silent()
	}
	if err == nil {
		return true
	}
	l.attempt.ErrorClass = errorClass(err)
	l.hopeless = l.hopeless && (errors.Is(err, notify.ErrNoChannel) || errors.Is(err, webhook.ErrAddress))
	l.next++
	return false
}

// receiverOf is what hangs when a channel does: a webhook's host, or the server
// behind a mail address.
func receiverOf(c store.Channel) string {
	host := c.Address
	if u, err := url.Parse(c.Address); err == nil && u.Host != "" {
		host = u.Host
	}
	host = host[strings.LastIndexByte(host, '@')+1:]
	return c.Kind + " " + strings.ToLower(host)
}

// endRound writes down what came of a letter that no channel took this time. One
// that was not tried at all is put off; one that has found no way for as long as
// all tries take is given up, and becomes a reviewer's case.
func (w *Worker) endRound(ctx context.Context, l *letter) error {
	age := ageOf(l.lease, noticeLease)
	left, later := webhook.Lasting()-age, max(l.rest, pauseAt(age))
	if l.urgent() {
		left, later = urgentPatience-age, min(max(l.rest, urgentPause), shortestPause)
	}
	switch tried, over := l.attempt.Channel != "", l.next == len(l.lease.Guardian.Channels); {
	case tried && over && l.hopeless:
		return w.recordAttempt(ctx, l.lease, l.attempt)
	case tried:
		l.attempt.RetryIn = retryIn(l.lease, left)
		if l.urgent() {
			l.attempt.RetryIn = min(l.attempt.RetryIn, time.Minute)
		}
		return w.recordAttempt(ctx, l.lease, l.attempt)
	case w.draining.Load():
		later = 0
	case left <= 0:
		return w.recordAttempt(ctx, l.lease, store.Attempt{Channel: l.lease.Guardian.Channels[0].Kind, ErrorClass: "expired"})
	}
	return w.giveBack(ctx, []store.Later{{Lease: l.lease, After: later}})
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
