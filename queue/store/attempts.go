package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"nightlight/pipeline"
	"nightlight/queue/review"
)

// DeliveryLease is a worker's hold on a delivery.
type DeliveryLease struct {
	Delivery
	Worker string
	Fence  int
	Until  time.Time
	// Rests is true when the endpoint did not answer the last time and may not
	// be tried now, or another tries it: put the delivery off.
	Rests bool
}

// Attempt is one try at a delivery.
type Attempt struct {
	At         time.Time // set by the store
	Channel    string    // webhook, mail, log
	Delivered  bool
	StatusCode int
	// ErrorClass is a short fixed word such as timeout, refused, status,
	// redirect or tls; never the receiver's words.
	ErrorClass string
	// RetryIn is when to try again; 0 with Delivered false means give up.
	RetryIn time.Duration
	// Rest is, of an endpoint that gave no answer, how long nobody is to try it.
	Rest time.Duration
	Took time.Duration
}

// ClaimDelivery takes a delivery for a while. ErrClaimed, ErrDone (received,
// dead or cancelled) and ErrNotFound as for Claim; ErrConflict when it is not
// due yet or still waits for a reviewer. An endpoint whose secrets do not open
// comes without any: nothing can be signed for it, and that is a try like another.
// Of the deliveries to a silent endpoint one at a time is to be tried, when its
// rest is over; the others come with Rests.
func (s *Store) ClaimDelivery(ctx context.Context, id, worker string, lease time.Duration) (*DeliveryLease, error) {
	l := &DeliveryLease{Worker: worker}
	err := s.write(ctx, func(t *tx) error { return s.claimDelivery(t, l, id, lease) })
	if err != nil {
		return nil, fmt.Errorf("claim delivery %s: %w", id, err)
	}
	return l, nil
}

func (s *Store) claimDelivery(t *tx, l *DeliveryLease, id string, lease time.Duration) error {
	until := t.at + lease.Microseconds()
	err := t.each(`UPDATE deliveries SET fence = fence + 1, worker = $2, lease_until = $3, put_off = 0,
			began_at = CASE WHEN began_at = 0 THEN $4 ELSE began_at END
		WHERE id = $1 AND state = 'pending' AND due_at <= $4 AND lease_until <= $4
		RETURNING `+deliveryColumns+`, fence`, args(id, l.Worker, until, t.at), func(row scanner) (err error) {
		l.Delivery, err = scanDelivery(row, &l.Fence)
		return err
	})
	if err != nil {
		return err
	}
	if l.ID == "" {
		return t.whyNotDelivery(id)
	}
	l.Until = timeOf(until)
	if l.Stage == StageDeliver {
		e, err := s.endpoint(t, l.Tenant, l.Recipient)
		l.Endpoint = &e.Endpoint
		if err == nil && e.Silent > 0 {
			l.Rests, err = t.rests(e.Endpoint, until)
		}
		return err
	}
	return s.findGuardian(t, l)
}

// rests reports whether a silent endpoint is to be left alone. The first who
// asks when its rest is over may try it, and until then others may not.
func (t *tx) rests(e Endpoint, until int64) (bool, error) {
	n, err := t.exec("UPDATE endpoints SET rest_until = $3 WHERE id = $1 AND silent = $2 AND rest_until <= $4", e.ID, e.Silent, until, t.at)
	return n == 0, err
}

// findGuardian leaves Guardian nil when the notice is for reviewers, or when
// the guardian is no longer bound: then nobody may be told. Who told no language
// of their own reads that of the child's account.
func (s *Store) findGuardian(t *tx, l *DeliveryLease) error {
	if l.Notice == nil || l.Notice.To != "guardian" {
		return nil
	}
	bound, err := s.guardians(t, l.Tenant, l.Notice.Child)
	i := slices.IndexFunc(bound, func(g Guardian) bool { return g.ID == l.Recipient })
	if err != nil || i < 0 {
		return err
	}
	l.Guardian = &bound[i]
	if l.Guardian.Locale != "" {
		return nil
	}
	child, err := t.account(l.Tenant, l.Notice.Child)
	l.Guardian.Locale = child.Locale
	return err
}

func (t *tx) whyNotDelivery(id string) error {
	var state DeliveryState
	var lease int64
	if err := t.one("SELECT state, lease_until FROM deliveries WHERE id = $1", args(id), &state, &lease); err != nil {
		return err
	}
	switch {
	case state == DeliveryPending && lease > t.at:
		return ErrClaimed
	case state == DeliveryPending, state == DeliveryWaiting:
		return ErrConflict
	}
	return ErrDone
}

// RecordAttempt writes what a try gave and returns where the delivery stands:
// done, pending again, or dead after Options.MaxDeliveries or without RetryIn.
// A dead notice to a guardian opens a case: it is never dropped. ErrLost when
// the lease is no longer the newest.
func (s *Store) RecordAttempt(ctx context.Context, l *DeliveryLease, a Attempt) (state DeliveryState, err error) {
	err = s.write(ctx, func(t *tx) error {
		state, err = s.recordAttempt(t, l, a)
		return err
	})
	if err != nil {
		return "", fmt.Errorf("record attempt at delivery %s: %w", l.ID, err)
	}
	return state, nil
}

func (s *Store) recordAttempt(t *tx, l *DeliveryLease, a Attempt) (DeliveryState, error) {
	var tries, round int
	err := t.one(`UPDATE deliveries SET attempts = attempts + 1, tries = tries + 1, lease_until = 0
		WHERE id = $1 AND fence = $2 AND state = 'pending' AND lease_until > 0 RETURNING tries, attempts`, args(l.ID, l.Fence), &tries, &round)
	if errors.Is(err, ErrNotFound) {
		return "", ErrLost
	}
	if err != nil {
		return "", err
	}
	_, err = t.exec("INSERT INTO attempts (delivery_id, n, at, channel, delivered, status_code, error_class, retry_in, took) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
		l.ID, tries, t.at, a.Channel, flag(a.Delivered), a.StatusCode, a.ErrorClass, a.RetryIn.Microseconds(), a.Took.Microseconds())
	if err != nil {
		return "", err
	}
	if l.Endpoint != nil {
		if err := t.heard(*l.Endpoint, a); err != nil {
			return "", err
		}
	}
	switch {
	case a.Delivered:
		return DeliveryDone, t.endDelivery(l.ID, DeliveryDone)
	case a.RetryIn > 0 && round < s.options.MaxDeliveries:
		return DeliveryPending, t.retryDelivery(l, t.at+a.RetryIn.Microseconds())
	}
	if err := t.endDelivery(l.ID, DeliveryDead); err != nil {
		return "", err
	}
	return DeliveryDead, s.unreached(t, l)
}

// heard writes down whether an endpoint answered. Of several tries that were
// under way at once the first without an answer makes it rest; the others saw it
// as it was before that, and change nothing.
func (t *tx) heard(e Endpoint, a Attempt) error {
	var err error
	switch {
	case a.StatusCode > 0:
		_, err = t.exec("UPDATE endpoints SET silent = 0, rest_until = 0 WHERE id = $1 AND silent > 0", e.ID)
	case a.Rest > 0:
		_, err = t.exec("UPDATE endpoints SET silent = silent + 1, rest_until = $3 WHERE id = $1 AND silent = $2", e.ID, e.Silent, t.at+a.Rest.Microseconds())
	}
	return err
}

// Later is a delivery that nobody tried, and after which time it is due again.
type Later struct {
	Lease *DeliveryLease
	After time.Duration
}

// PutOff gives deliveries back that nobody tried. It is no attempt. Whose lease
// is no longer the newest is left alone.
func (s *Store) PutOff(ctx context.Context, list []Later) error {
	err := s.write(ctx, func(t *tx) error {
		for _, p := range list {
			l := p.Lease
			n, err := t.exec("UPDATE deliveries SET lease_until = 0, put_off = 1 WHERE id = $1 AND fence = $2 AND state = 'pending' AND lease_until > 0", l.ID, l.Fence)
			if err == nil && n == 1 {
				err = t.retryDelivery(l, t.at+p.After.Microseconds())
			}
			if err != nil {
				return fmt.Errorf("put off delivery %s: %w", l.ID, err)
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("put off deliveries: %w", err)
	}
	return nil
}

// BringForward makes up to limit deliveries to an endpoint due now that were put
// off, the oldest first, and returns how many. What failed and waits for its next
// try keeps waiting.
func (s *Store) BringForward(ctx context.Context, tenant, endpoint string, limit int) (n int, err error) {
	// a look that takes no lock spares the writer when there is nothing
	var any int
	err = s.reader(ctx).one("SELECT COUNT(*) FROM (SELECT 1 FROM deliveries WHERE tenant = $1 AND recipient = $2 AND "+putOff+" LIMIT 1) AS d",
		args(tenant, endpoint), &any)
	if err == nil && any > 0 {
		err = s.write(ctx, func(t *tx) error {
			n, err = t.bringForward(tenant, endpoint, limit)
			return err
		})
	}
	if err != nil {
		return 0, fmt.Errorf("bring deliveries to endpoint %s forward: %w", endpoint, err)
	}
	return n, nil
}

// putOff is true of a delivery that was put off; an index knows it by these words.
const putOff = "put_off = 1 AND state = 'pending'"

func (t *tx) bringForward(tenant, endpoint string, limit int) (int, error) {
	list, err := allOf(t, `UPDATE deliveries SET put_off = 0 WHERE id IN
			(SELECT id FROM deliveries WHERE tenant = $1 AND recipient = $2 AND `+putOff+` AND due_at > $3 ORDER BY id LIMIT $4`+t.lock.skip+`)
		RETURNING `+deliveryColumns, args(tenant, endpoint, t.at, limit), scanPlainDelivery)
	if err != nil {
		return 0, err
	}
	for _, d := range list {
		if err := t.retryDelivery(&DeliveryLease{Delivery: d}, t.at); err != nil {
			return 0, err
		}
	}
	return len(list), nil
}

func (t *tx) endDelivery(id string, state DeliveryState) error {
	if _, err := t.exec("UPDATE deliveries SET state = $2, done_at = $3 WHERE id = $1", id, string(state), t.at); err != nil {
		return err
	}
	return t.unpost(id)
}

func (t *tx) retryDelivery(l *DeliveryLease, due int64) error {
	var queue string
	if err := t.one("UPDATE deliveries SET due_at = $2 WHERE id = $1 RETURNING queue", args(l.ID, due), &queue); err != nil {
		return err
	}
	return t.post(SubjectDelivery, l.ID, l.Stage, queue, due)
}

// unreached opens a case when a notice to a guardian found no way, at least as
// grave as what is known of the item.
func (s *Store) unreached(t *tx, l *DeliveryLease) error {
	if l.Notice == nil || l.Notice.To != "guardian" || l.ItemID == "" {
		return nil
	}
	severity := 2
	if l.Urgency == pipeline.Urgent {
		severity = 3
	}
	n := newCase{tenant: l.Tenant, itemID: l.ItemID, kind: review.KindNotice, reasons: []string{"guardian not reached"}, severity: severity, deadline: time.Hour}
	state, err := t.lockItem(l.Tenant, l.ItemID)
	if err != nil {
		return err
	}
	if state == InReview { // a copy in another's case, which now gets its own: its verdict still waits for somebody
		n.kind = review.KindVerdict
	}
	if err := t.remember(&n); err != nil {
		return err
	}
	if _, err := s.openCase(t, n); err != nil {
		return err
	}
	return t.render(l.ItemID, t.at)
}
