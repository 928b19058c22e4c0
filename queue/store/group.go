package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"sync"
)

// group is SQLite's only writer. Whatever callers bring while one commit is
// on its way to the disk goes into the next commit together, so that a
// hundred accepts cost one fsync. One caller's failure leaves the others
// whole. Work may run twice; only the last time counts.
type group struct {
	conn     *sql.Conn
	prepared *statements
	stamp    func() int64
	ring     func()
	work     chan *errand
	ended    chan struct{}

	mu     sync.RWMutex // guards closed against a late do
	closed bool
}

// errand is one caller's work.
type errand struct {
	ctx  context.Context
	do   func(*tx) error
	tx   *tx
	err  error
	done chan struct{}
}

// groupSize bounds how much one commit carries.
const groupSize = 128

var errClosed = errors.New("store is closed")

func startGroup(conn *sql.Conn, stamp func() int64, ring func()) *group {
	g := &group{
		conn: conn, prepared: newStatements(conn), stamp: stamp, ring: ring,
		work: make(chan *errand, groupSize), ended: make(chan struct{}),
	}
	go g.run()
	return g
}

// do waits for the commit that carries work, even when ctx ends meanwhile: the
// caller must know whether it was done, and the closure uses its variables.
func (g *group) do(ctx context.Context, work func(*tx) error) error {
	e := &errand{ctx: ctx, do: work, done: make(chan struct{})}
	if err := g.send(e); err != nil {
		return err
	}
	<-e.done
	return e.err
}

func (g *group) send(e *errand) error {
	g.mu.RLock()
	defer g.mu.RUnlock()
	if g.closed {
		return errClosed
	}
	select {
	case g.work <- e:
		return nil
	case <-e.ctx.Done():
		return e.ctx.Err()
	}
}

func (g *group) stop() error {
	g.mu.Lock()
	already := g.closed
	g.closed = true
	if !already {
		close(g.work)
	}
	g.mu.Unlock()
	<-g.ended
	if already {
		return nil
	}
	g.prepared.close()
	return g.conn.Close()
}

func (g *group) run() {
	defer close(g.ended)
	batch := make([]*errand, 0, groupSize)
	for first := range g.work {
		batch = append(batch[:0], first)
		batch = g.gather(batch)
		g.commit(batch)
		for _, e := range batch {
			close(e.done)
		}
	}
}

// gather takes what is already waiting and waits for nobody.
func (g *group) gather(batch []*errand) []*errand {
	for len(batch) < groupSize {
		select {
		case e, ok := <-g.work:
			if !ok {
				return batch
			}
			batch = append(batch, e)
		default:
			return batch
		}
	}
	return batch
}

// commit runs a batch in one transaction and leaves each errand's error. At
// first the errands run bare: a savepoint for each costs a copy of every page
// it touches, and hardly any errand fails after it wrote. When one does, all
// of it is rolled back and run again with savepoints. After a full disk and the
// like there may be no transaction to go on with: whoever met it keeps the
// error, and the others run again without it.
func (g *group) commit(batch []*errand) {
	for savepoints := false; len(batch) > 0; savepoints = true {
		batch = g.attempt(batch, savepoints)
	}
}

// attempt returns the errands that must run again with savepoints; then nothing
// of theirs was done.
func (g *group) attempt(batch []*errand, savepoints bool) (again []*errand) {
	// one caller's cancellation must not interrupt what others wrote
	base := &tx{ctx: context.Background(), on: g.conn, prepared: g.prepared, at: g.stamp()}
	if _, err := base.exec("BEGIN IMMEDIATE"); err != nil {
		fail(batch, fmt.Errorf("begin: %w", err))
		return nil
	}
	wrote := false
	for i, e := range batch {
		clean, err := g.one(base, e, savepoints)
		switch {
		case err != nil:
			fail(batch[i:i+1], err)
			g.rollback()
			return slices.Concat(batch[:i], batch[i+1:])
		case !clean && len(batch) > 1:
			g.rollback()
			return batch
		case !clean:
			g.rollback()
			return nil
		}
		wrote = wrote || e.tx != nil && e.tx.wrote
	}
	end := "COMMIT"
	if !wrote {
		end = "ROLLBACK" // spares the sync
	}
	if _, err := base.exec(end); err != nil {
		fail(batch, fmt.Errorf("commit: %w", err))
		g.rollback()
		return nil
	}
	g.tell(batch)
	return nil
}

// one runs one errand. It is clean unless the errand failed after it wrote and
// there is no savepoint to go back to. An error means that the whole
// transaction is lost.
func (g *group) one(base *tx, e *errand, savepoint bool) (clean bool, err error) {
	e.tx = nil
	if e.err = e.ctx.Err(); e.err != nil {
		return true, nil
	}
	e.tx = &tx{ctx: base.ctx, on: base.on, prepared: base.prepared, at: base.at}
	if !savepoint {
		e.err = guarded(e.do, e.tx)
		return e.err == nil || !e.tx.wrote, e.tx.lost
	}
	if _, err := base.exec("SAVEPOINT errand"); err != nil {
		return false, fmt.Errorf("savepoint: %w", err)
	}
	if e.err = guarded(e.do, e.tx); e.tx.lost != nil {
		return false, e.tx.lost
	}
	if e.err != nil {
		if _, err := base.exec("ROLLBACK TO errand"); err != nil {
			return false, fmt.Errorf("roll back: %w", err)
		}
	}
	if _, err := base.exec("RELEASE errand"); err != nil {
		return false, fmt.Errorf("release: %w", err)
	}
	return true, nil
}

// guarded turns a panic in work into an error, so that the writer lives on.
func guarded(work func(*tx) error, t *tx) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic in a transaction: %v", p)
		}
	}()
	return work(t)
}

// rollback ends the transaction if there still is one: after some errors
// SQLite has ended it by itself.
func (g *group) rollback() {
	_, _ = g.conn.ExecContext(context.Background(), "ROLLBACK")
}

// fail leaves err with everybody who has no error of their own.
func fail(batch []*errand, err error) {
	for _, e := range batch {
		if e.err == nil {
			e.err = err
		}
	}
}

func (g *group) tell(batch []*errand) {
	woke := false
	for _, e := range batch {
		if e.err != nil || e.tx == nil {
			continue
		}
		woke = woke || e.tx.woke
		for _, f := range e.tx.after {
			f()
		}
	}
	if woke {
		g.ring()
	}
}
