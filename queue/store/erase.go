package store

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Receipt says what an erasure did.
type Receipt struct {
	ID      string
	Account string
	At      time.Time
	Erased  int // items that are erased now and were not before
	Held    int // items that stay because of a legal hold
}

// eraseBatch is how many items, and how many reports, one transaction of an
// erasure takes: others write between two.
const eraseBatch = 200

// receiptKept is how long the answer to an erasure is known.
const receiptKept = 30 * 24 * time.Hour

// EraseAccount destroys the keys of everything that the account sent and that
// is not under hold, forgets the account, its guardians and what it wrote in
// reports and appeals, and ends those items as erased. It does so a batch a
// transaction: when it fails or ctx ends, what is erased stays erased, and
// asking again goes on. The receipt is of all of it. Asked again when nothing is
// left, it gives the same receipt for 30 days. ErrNotFound when nothing is known
// of the account.
func (s *Store) EraseAccount(ctx context.Context, tenant, id, by string) (done Receipt, err error) {
	for over := false; !over; {
		err = s.write(ctx, func(t *tx) error {
			e, err := s.eraseSome(t, tenant, id, by)
			done, over = Receipt{ID: e.receipt, Account: id, At: timeOf(e.at), Erased: e.erased, Held: e.held}, e.done
			return err
		})
		if err != nil {
			return Receipt{}, fmt.Errorf("erase account: %w", err)
		}
	}
	return done, nil
}

// erasure is how far the erasing of an account is. Its row is under a hash of
// the account's id: the id itself is one of the things to forget.
type erasure struct {
	tenant  string
	account []byte
	receipt string
	at      int64 // when it ended, or went on last
	done    bool
	erased  int
	held    int
	fresh   bool // nothing of it was done before this transaction
}

// erasedName is the hash under which an erasure is kept. It is a plain one, as
// an erasure must not depend on a key, and so it goes after receiptKept: who
// has the database could try likely ids.
func erasedName(tenant, id string) []byte { return hashOf("erasure\x00" + tenant + "\x00" + id) }

// eraseSome takes one batch further the account's erasure, or gives it back as
// it ended when nothing is left.
func (s *Store) eraseSome(t *tx, tenant, id, by string) (erasure, error) {
	e, err := s.erasureOf(t, tenant, id)
	if err != nil || e.done {
		return e, err
	}
	if err := t.forget(tenant, id); err != nil {
		return e, err
	}
	if err := s.eraseReports(t, tenant, id); err != nil {
		return e, err
	}
	n, err := s.eraseItems(t, tenant, id, by)
	if err != nil {
		return e, err
	}
	e.at, e.erased = t.at, e.erased+n
	left, err := t.leftToErase(tenant, id)
	if err != nil {
		return e, err
	}
	if e.done = !left; e.done {
		if e.held, err = t.heldOf(tenant, id); err != nil {
			return e, err
		}
	}
	if err := t.keepErasure(e); err != nil {
		return e, err
	}
	switch {
	case e.done:
		err = t.audit(tenant, by, "account.erase", e.receipt, fmt.Sprintf("erased=%d held=%d", e.erased, e.held))
	case e.fresh:
		err = t.audit(tenant, by, "account.erase", e.receipt, "begun")
	}
	return e, err
}

// erasureOf returns the account's erasure: the one that is under way, the last
// one when nothing has come since, or a new one. Its row is this transaction's,
// so that two erasures of one account take turns.
func (s *Store) erasureOf(t *tx, tenant, id string) (erasure, error) {
	fresh := erasure{tenant: tenant, account: erasedName(tenant, id), receipt: s.newID("rec", t.at), at: t.at, fresh: true}
	last, err := t.takeErasure(tenant, fresh.account)
	unknown := errors.Is(err, ErrNotFound)
	if err != nil && !unknown || err == nil && !last.done {
		return last, err
	}
	left, err := t.leftToErase(tenant, id)
	switch {
	case err != nil:
		return fresh, err
	case !unknown && left:
		return fresh, nil
	case !unknown:
		return last, nil
	case !left: // what is held deserves a receipt that says so
		held, err := t.heldOf(tenant, id)
		if err != nil {
			return fresh, err
		}
		if held == 0 {
			return fresh, ErrNotFound
		}
	}
	_, err = t.exec(`INSERT INTO erasures (tenant, account, receipt, at, done, erased, held) VALUES ($1, $2, $3, $4, 0, 0, 0)
		ON CONFLICT (tenant, account) DO NOTHING`, tenant, fresh.account, fresh.receipt, t.at)
	if err != nil {
		return fresh, err
	}
	last, err = t.takeErasure(tenant, fresh.account) // another's, if it was faster
	last.fresh = last.receipt == fresh.receipt
	return last, err
}

// takeErasure reads the row and locks it.
func (t *tx) takeErasure(tenant string, account []byte) (e erasure, err error) {
	var done int
	e.tenant, e.account = tenant, account
	err = t.one("UPDATE erasures SET done = done WHERE tenant = $1 AND account = $2 RETURNING receipt, at, done, erased, held",
		args(tenant, account), &e.receipt, &e.at, &done, &e.erased, &e.held)
	e.done = done == 1
	return e, err
}

func (t *tx) keepErasure(e erasure) error {
	_, err := t.exec("UPDATE erasures SET receipt = $3, at = $4, done = $5, erased = $6, held = $7 WHERE tenant = $1 AND account = $2",
		e.tenant, e.account, e.receipt, e.at, flag(e.done), e.erased, e.held)
	return err
}

// leftToErase reports whether there is anything of the account that an erasure
// takes.
func (t *tx) leftToErase(tenant, id string) (bool, error) {
	var left int
	err := t.one(`SELECT CASE WHEN EXISTS (SELECT 1 FROM items WHERE tenant = $1 AND sender = $2 AND state <> 'erased' AND hold = 0)
		OR EXISTS (SELECT 1 FROM reports r JOIN items i ON i.id = r.item_id WHERE i.tenant = $1 AND r.reporter = $2 AND i.hold = 0)
		OR EXISTS (SELECT 1 FROM guardians WHERE tenant = $1 AND child = $2)
		OR EXISTS (SELECT 1 FROM guardians WHERE tenant = $1 AND id = $2)
		OR EXISTS (SELECT 1 FROM accounts WHERE tenant = $1 AND id = $2) THEN 1 ELSE 0 END`, args(tenant, id), &left)
	return left == 1, err
}

// heldOf counts what the account sent and a legal hold keeps.
func (t *tx) heldOf(tenant, sender string) (n int, err error) {
	err = t.one("SELECT COUNT(*) FROM items WHERE tenant = $1 AND sender = $2 AND state <> 'erased' AND hold = 1", args(tenant, sender), &n)
	return n, err
}

// forget drops the account, its guardians, and its place as a guardian.
func (t *tx) forget(tenant, id string) error {
	for _, gone := range [...]string{
		"DELETE FROM guardians WHERE tenant = $1 AND child = $2",
		"DELETE FROM guardians WHERE tenant = $1 AND id = $2",
		"DELETE FROM accounts WHERE tenant = $1 AND id = $2",
	} {
		if _, err := t.exec(gone, tenant, id); err != nil {
			return err
		}
	}
	return nil
}

// eraseReports takes words, their keys and the name out of a batch of the
// reports and appeals that the account made, unless the item that they are
// about is under hold. Each gets a name that leads nowhere: an item may have
// several.
func (s *Store) eraseReports(t *tx, tenant, reporter string) error {
	type report struct{ item, kind string }
	list, err := allOf(t, `SELECT r.item_id, r.kind FROM reports r JOIN items i ON i.id = r.item_id
		WHERE i.tenant = $1 AND r.reporter = $2 AND i.hold = 0 LIMIT $3`, args(tenant, reporter, eraseBatch),
		func(row scanner) (r report, err error) { err = row.Scan(&r.item, &r.kind); return r, err })
	if err != nil {
		return err
	}
	for _, r := range list {
		_, err := t.exec("UPDATE reports SET note = $4, wrapped = NULL, reporter = $5 WHERE item_id = $1 AND kind = $2 AND reporter = $3",
			r.item, r.kind, reporter, []byte{}, s.newID("erased", t.at))
		if err != nil {
			return err
		}
	}
	return nil
}

// eraseItems ends a batch of what the account sent, with its content and what
// waited because of it, and returns how many items that were. What is erased
// already is not touched again.
func (s *Store) eraseItems(t *tx, tenant, sender, by string) (int, error) {
	// the outer conditions hold for the row as it is when its turn comes
	items, err := allOf(t, `UPDATE items SET state = 'erased', ending = 'erased', purged_at = $3, lease_until = 0,
			closed_at = CASE WHEN closed_at = 0 THEN $3 ELSE closed_at END
		WHERE hold = 0 AND state <> 'erased' AND id IN
			(SELECT i.id FROM items i WHERE i.tenant = $1 AND i.sender = $2 AND i.state <> 'erased' AND i.hold = 0 ORDER BY i.id LIMIT $4)
		RETURNING id`, args(tenant, sender, t.at, eraseBatch), scanText)
	if err != nil {
		return 0, err
	}
	if err := t.destroy(items); err != nil {
		return 0, err
	}
	closed, err := t.dropErased(items)
	for _, id := range closed {
		if err == nil {
			err = t.audit(tenant, by, "case.erase", id, "")
		}
	}
	if err == nil && len(closed) > 0 {
		err = s.adopt(t, tenant)
	}
	return len(items), err
}

// dropErased ends what still waited because of erased items, and returns the
// cases among it.
func (t *tx) dropErased(items []string) (closed []string, err error) {
	const told = " AND stage = 'notify' AND state IN ('waiting', 'pending')"
	for _, gone := range [...]string{
		"DELETE FROM outbox WHERE ref IN " + these,
		"DELETE FROM outbox WHERE ref IN (SELECT id FROM deliveries WHERE item_id IN " + these + told + ")",
		"UPDATE deliveries SET state = 'cancelled' WHERE item_id IN " + these + told,
	} {
		if _, err := t.execFor(items, gone); err != nil {
			return nil, err
		}
	}
	return t.textsFor(items, `UPDATE cases SET state = 'closed', action = 'erased', reviewer = '', token = '', lease_until = 0, closed_at = $101
		WHERE state = 'open' AND item_id IN `+these+" RETURNING id", t.at)
}
