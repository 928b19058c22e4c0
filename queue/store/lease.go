package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"nightlight/pipeline"
)

// Lease is a worker's hold on an item. Attempt is the fence: whoever claims
// later gets a higher number, and writers with a lower one lose.
type Lease struct {
	ItemID  string
	Stage   string
	Worker  string
	Attempt int
	Until   time.Time
	// Item is complete for judging: text, context, ages, ToGuardian. An
	// exhausted one comes without text and context.
	Item  pipeline.Item
	Media *Media
	// Key is the wrapped data key for the media object; nil when exhausted.
	Key []byte
	// Exhausted is true when earlier attempts used up Options.MaxAttempts: do
	// not judge again, commit a verdict that holds or quarantines.
	Exhausted bool
}

// Claim takes the item for Options.ItemLease. ErrClaimed when another's lease
// is live, ErrDone when the item already has a verdict or an end, ErrNotFound
// when there is none.
func (s *Store) Claim(ctx context.Context, itemID, stage, worker string) (*Lease, error) {
	l := &Lease{ItemID: itemID, Stage: stage, Worker: worker}
	err := s.write(ctx, func(t *tx) error { return s.claim(t, l) })
	if err != nil {
		return nil, fmt.Errorf("claim item %s: %w", itemID, err)
	}
	if err := s.fill(ctx, l); err != nil {
		// nobody should wait 15 s for a lease that nobody works on
		back := s.Release(context.WithoutCancel(ctx), l, time.Second, true)
		return nil, errors.Join(fmt.Errorf("read claimed item %s: %w", itemID, err), back)
	}
	return l, nil
}

func (s *Store) claim(t *tx, l *Lease) error {
	until := t.at + s.options.ItemLease.Microseconds()
	var spent int
	err := t.each(`UPDATE items AS i SET attempt = attempt + 1, spent = spent + 1, lease_worker = $2, lease_until = $3
		WHERE i.id = $1 AND i.state = 'pending' AND i.lease_until <= $4
		RETURNING `+itemReturning+`, attempt, spent`, args(l.ItemID, l.Worker, until, t.at), func(row scanner) error {
		it, err := scanItem(row, &l.Attempt, &spent)
		l.Item, l.Media = it.Item, it.Media
		return err
	})
	if err != nil {
		return err
	}
	if l.Item.ID == "" {
		return t.whyNot(l.ItemID)
	}
	l.Until = timeOf(until)
	l.Exhausted = spent > s.options.MaxAttempts
	return nil
}

// whyNot says why an item cannot be claimed.
func (t *tx) whyNot(itemID string) error {
	var state State
	if err := t.one("SELECT state FROM items WHERE id = $1", args(itemID), &state); err != nil {
		return err
	}
	if state == Pending {
		return ErrClaimed
	}
	return ErrDone
}

// fill reads what judging needs beside the item's own row. When the attempts
// are spent nothing sealed is opened: that it does not open may be why.
func (s *Store) fill(ctx context.Context, l *Lease) error {
	r := s.reader(ctx)
	if err := s.fillPeople(r, &l.Item); err != nil || l.Exhausted {
		return err
	}
	var body []byte
	if err := r.one("SELECT wrapped, body FROM item_secrets WHERE item_id = $1", args(l.ItemID), &l.Key, &body); err != nil {
		return err
	}
	plain, err := s.keyring.Open(l.Key, textAAD(l.ItemID), body)
	if err != nil {
		return err
	}
	l.Item.Text = string(plain)
	return s.fillContext(r, &l.Item)
}

// fillPeople says who talks: how old they are, and whether to a guardian.
func (s *Store) fillPeople(r *tx, it *pipeline.Item) (err error) {
	if err := s.fillAges(r, it); err != nil {
		return err
	}
	if it.Audience != pipeline.AudienceDirect { // others than the recipients see it too
		return nil
	}
	to := make([]string, len(it.Recipients))
	for i, p := range it.Recipients {
		to[i] = p.ID
	}
	it.ToGuardian, err = r.isGuardian(it.Tenant, it.Sender.ID, to)
	return err
}

// fillAges asks the accounts for ages that the backend did not tell.
func (s *Store) fillAges(r *tx, it *pipeline.Item) error {
	persons := []*pipeline.Person{&it.Sender}
	for i := range it.Recipients {
		persons = append(persons, &it.Recipients[i])
	}
	for _, p := range persons {
		if p.Age != nil || p.ID == "" {
			continue
		}
		a, err := r.account(it.Tenant, p.ID)
		if errors.Is(err, ErrNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		p.Age = a.AgeOn(it.ReceivedAt)
	}
	return nil
}

func (s *Store) fillContext(r *tx, it *pipeline.Item) error {
	if it.ConversationID == "" {
		return nil
	}
	list, err := s.earlier(r, it.Tenant, it.ConversationID, it.ID, it.Sender.ID, s.options.ContextTurns)
	for _, m := range list {
		it.ContextUnread = it.ContextUnread || m.Unread
		if m.Text != "" {
			it.Context = append(it.Context, pipeline.Turn{From: m.From, Text: m.Text, Age: m.Sender.Age})
		}
	}
	return err
}

// Heartbeat extends the lease; ErrLost when it is no longer the newest.
func (s *Store) Heartbeat(ctx context.Context, l *Lease) error {
	err := s.write(ctx, func(t *tx) error {
		until := t.at + s.options.ItemLease.Microseconds()
		n, err := t.exec("UPDATE items SET lease_until = $3 WHERE id = $1 AND attempt = $2 AND state = 'pending' AND lease_until > 0", l.ItemID, l.Attempt, until)
		if err == nil && n == 0 {
			err = ErrLost
		}
		if err == nil {
			l.Until = timeOf(until)
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("extend lease of %s: %w", l.ItemID, err)
	}
	return nil
}

// Release gives the item back and lets its task go out again after a while.
// When spent is false the attempt does not count towards poison, such as on a
// clean shutdown.
func (s *Store) Release(ctx context.Context, l *Lease, after time.Duration, spent bool) error {
	err := s.write(ctx, func(t *tx) error {
		var queue string
		err := t.one(`UPDATE items SET lease_worker = '', lease_until = 0, spent = spent - $3
			WHERE id = $1 AND attempt = $2 AND state = 'pending' AND lease_until > 0 RETURNING queue`,
			args(l.ItemID, l.Attempt, flag(!spent)), &queue)
		if errors.Is(err, ErrNotFound) {
			return ErrLost
		}
		if err != nil {
			return err
		}
		return t.post(SubjectItem, l.ItemID, l.Stage, queue, t.at+after.Microseconds())
	})
	if err != nil {
		return fmt.Errorf("release item %s: %w", l.ItemID, err)
	}
	return nil
}
