package store

import (
	"context"
	"fmt"
	"time"
)

// Receipt says what an erasure did.
type Receipt struct {
	ID      string
	Account string
	At      time.Time
	Erased  int // items whose key was destroyed
	Held    int // items that stay because of a legal hold
	// MediaKeys are the objects to delete; they are in the trash too.
	MediaKeys []string
}

// EraseAccount destroys the keys of everything that the account sent and that
// is not under hold, forgets the account, its guardians and what it wrote in
// reports and appeals, and ends those items as erased. ErrNotFound when nothing
// is known of the account.
func (s *Store) EraseAccount(ctx context.Context, tenant, id, by string) (done Receipt, err error) {
	err = s.write(ctx, func(t *tx) error {
		done = Receipt{ID: s.newID("rec", t.at), Account: id, At: timeOf(t.at)}
		known, err := t.forget(tenant, id)
		if err != nil {
			return err
		}
		flagged, err := s.eraseReports(t, tenant, id)
		if err != nil {
			return err
		}
		if err := t.eraseItems(tenant, id, &done); err != nil {
			return err
		}
		if err := s.adopt(t, tenant); err != nil {
			return err
		}
		if !known && flagged+done.Erased+done.Held == 0 {
			return ErrNotFound
		}
		return t.audit(tenant, by, "account.erase", done.ID, fmt.Sprintf("erased=%d held=%d", done.Erased, done.Held))
	})
	if err != nil {
		return Receipt{}, fmt.Errorf("erase account: %w", err)
	}
	return done, nil
}

// forget drops the account, its guardians, and its place as a guardian.
func (t *tx) forget(tenant, id string) (known bool, err error) {
	for _, gone := range [...]string{
		"DELETE FROM guardians WHERE tenant = $1 AND child = $2",
		"DELETE FROM guardians WHERE tenant = $1 AND id = $2",
		"DELETE FROM accounts WHERE tenant = $1 AND id = $2",
	} {
		n, err := t.exec(gone, tenant, id)
		if err != nil {
			return false, err
		}
		known = known || n > 0
	}
	return known, nil
}

// eraseReports takes words and name out of the reports and appeals that the
// account made, unless the item that they are about is under hold, and returns
// how many. Each gets a name that leads nowhere: an item may have several.
func (s *Store) eraseReports(t *tx, tenant, reporter string) (int, error) {
	type report struct{ item, kind string }
	list, err := allOf(t, `SELECT r.item_id, r.kind FROM reports r JOIN items i ON i.id = r.item_id
		WHERE i.tenant = $1 AND r.reporter = $2 AND i.hold = 0`, args(tenant, reporter),
		func(row scanner) (r report, err error) { err = row.Scan(&r.item, &r.kind); return r, err })
	if err != nil {
		return 0, err
	}
	for _, r := range list {
		_, err := t.exec("UPDATE reports SET note = $4, reporter = $5 WHERE item_id = $1 AND kind = $2 AND reporter = $3",
			r.item, r.kind, reporter, []byte{}, s.newID("erased", t.at))
		if err != nil {
			return 0, err
		}
	}
	return len(list), nil
}

func (t *tx) eraseItems(tenant, sender string, done *Receipt) error {
	err := t.one("SELECT COUNT(*) FROM items WHERE tenant = $1 AND sender = $2 AND hold = 1 AND state <> 'erased'", args(tenant, sender), &done.Held)
	if err != nil {
		return err
	}
	gone, err := allOf(t, `UPDATE items SET state = 'erased', ending = 'erased', purged_at = $3, lease_until = 0,
			closed_at = CASE WHEN closed_at = 0 THEN $3 ELSE closed_at END
		WHERE tenant = $1 AND sender = $2 AND hold = 0 AND state <> 'erased' RETURNING id, media_key`, args(tenant, sender, t.at), scanPurged)
	if err != nil {
		return err
	}
	done.Erased = len(gone)
	for _, p := range gone {
		keys, err := t.destroy(p)
		if err != nil {
			return err
		}
		done.MediaKeys = append(done.MediaKeys, keys...)
		if err := t.dropErased(p.item); err != nil {
			return err
		}
	}
	return nil
}

// dropErased ends what still waited because of an erased item.
func (t *tx) dropErased(item string) error {
	for _, gone := range [...]string{
		"DELETE FROM outbox WHERE ref = $1",
		"DELETE FROM outbox WHERE ref IN (SELECT id FROM deliveries WHERE item_id = $1 AND stage = 'notify' AND state IN ('waiting', 'pending'))",
		"UPDATE deliveries SET state = 'cancelled' WHERE item_id = $1 AND stage = 'notify' AND state IN ('waiting', 'pending')",
		"UPDATE cases SET state = 'closed', action = 'erased', reviewer = '', token = '', lease_until = 0 WHERE item_id = $1 AND state = 'open'",
	} {
		if _, err := t.exec(gone, item); err != nil {
			return err
		}
	}
	return nil
}
