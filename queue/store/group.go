package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
)

// group is SQLite's only writer. Whatever callers bring while one commit is
// on its way to the disk goes into the next commit together, each caller's
// work inside its own savepoint, so that a hundred accepts cost one fsync and
// one caller's failure leaves the others whole.
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

// commit runs a batch in one transaction and leaves each errand's error.
func (g *group) commit(batch []*errand) {
	// one caller's cancellation must not interrupt what others wrote
	ctx := context.Background()
	base := &tx{ctx: ctx, on: g.conn, prepared: g.prepared, at: g.stamp()}
	if _, err := base.exec("BEGIN IMMEDIATE"); err != nil {
		fail(batch, fmt.Errorf("begin: %w", err))
		return
	}
	for _, e := range batch {
		if err := g.one(base, e, len(batch) == 1); err != nil {
			fail(batch, err)
			g.rollback(base)
			return
		}
	}
	if len(batch) == 1 && batch[0].err != nil {
		g.rollback(base)
		return
	}
	if _, err := base.exec("COMMIT"); err != nil {
		fail(batch, fmt.Errorf("commit: %w", err))
		g.rollback(base)
		return
	}
	g.tell(batch)
}

// one runs one errand inside a savepoint, or bare when it is alone. An error
// that it returns means that the whole transaction is lost.
func (g *group) one(base *tx, e *errand, alone bool) error {
	if e.err = e.ctx.Err(); e.err != nil {
		return nil
	}
	e.tx = &tx{ctx: base.ctx, on: base.on, prepared: base.prepared, at: base.at}
	if alone {
		e.err = guarded(e.do, e.tx)
		return nil
	}
	if _, err := base.exec("SAVEPOINT errand"); err != nil {
		return fmt.Errorf("savepoint: %w", err)
	}
	if e.err = guarded(e.do, e.tx); e.err != nil {
		if _, err := base.exec("ROLLBACK TO errand"); err != nil {
			return fmt.Errorf("roll back: %w", err)
		}
	}
	if _, err := base.exec("RELEASE errand"); err != nil {
		return fmt.Errorf("release: %w", err)
	}
	return nil
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
func (g *group) rollback(base *tx) {
	_, _ = base.exec("ROLLBACK")
}

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
		if e.err != nil {
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
