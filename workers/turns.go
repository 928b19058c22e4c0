package workers

import (
	"math"
	"sync"
	"time"
)

// turns lets each receiver have a few tries at a time, and all receivers of one
// tenant not many more, so that who hangs delays nobody else. What comes beyond
// that waits in line under the lease that it has, and takes up no worker: whoever
// is done with a try takes the next of the tenant's, from the line that has the
// fewest tries. What has waited too long for its lease, what finds its line full,
// what waits for a receiver that fell silent, and what is left when the last one
// goes is let go: whoever is there then puts it off, and none of it was an attempt.
type turns[T any] struct {
	mu     sync.Mutex
	crowds map[string]*crowd[T] // by tenant
}

// crowd is one tenant's: the tries under way, and the lines.
type crowd[T any] struct {
	tries int
	lines map[string]*line[T] // by receiver
	late  []T                 // let go, and not put off yet
}

// line is one receiver's: the tries under way and what waits for them.
type line[T any] struct {
	tries   int
	waiting []turn[T]
}

// turn is what waits in line, and until when its lease is long enough for a
// try.
type turn[T any] struct {
	what  T
	until time.Time
}

const (
	// triesAtOnce is how many tries one receiver may have under way in this
	// process, and triesTogether all receivers of one tenant: half of a class's
	// workers.
	triesAtOnce   = 8
	triesTogether = 16
	// longestLine bounds what waits for one receiver.
	longestLine = 5000
)

// place is a worker's hold on a receiver.
type place[T any] struct {
	turns            *turns[T]
	tenant, receiver string
	left             bool
}

// enter gives a place at a receiver, or nil: then what wants it waits in line,
// or, when the line is full, is let go.
func (q *turns[T]) enter(tenant, receiver string, t turn[T]) *place[T] {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.crowds == nil {
		q.crowds = map[string]*crowd[T]{}
	}
	c := q.crowds[tenant]
	if c == nil {
		c = &crowd[T]{lines: map[string]*line[T]{}}
		q.crowds[tenant] = c
	}
	l := c.line(receiver)
	switch {
	case l.tries < triesAtOnce && c.tries < triesTogether:
		l.tries++
		c.tries++
		return &place[T]{turns: q, tenant: tenant, receiver: receiver}
	case len(l.waiting) < longestLine:
		l.waiting = append(l.waiting, t)
	default:
		c.late = append(c.late, t.what)
	}
	return nil
}

func (c *crowd[T]) line(receiver string) *line[T] {
	l := c.lines[receiver]
	if l == nil {
		l = &line[T]{}
		c.lines[receiver] = l
	}
	return l
}

// letGo takes what is let go from a tenant's lines, for the caller to put off.
func (q *turns[T]) letGo(tenant string) []T {
	q.mu.Lock()
	defer q.mu.Unlock()
	c := q.crowds[tenant]
	if c == nil {
		return nil
	}
	late := c.late
	c.late = nil
	q.forgetLocked(tenant)
	return late
}

// forgetLocked forgets a tenant whose lines say nothing.
func (q *turns[T]) forgetLocked(tenant string) {
	if c := q.crowds[tenant]; c.tries == 0 && len(c.late) == 0 {
		delete(q.crowds, tenant)
	}
}

// next gives what waits in the tenant's lines a turn, and moves the place to its
// receiver. Without any the place is left: nobody waits for whom there is time.
func (p *place[T]) next(now time.Time) (what T, ok bool) {
	p.turns.mu.Lock()
	defer p.turns.mu.Unlock()
	c := p.turns.crowds[p.tenant]
	for {
		receiver, found := p.emptiest(c)
		if !found {
			p.leaveLocked()
			return what, false
		}
		l := c.lines[receiver]
		t := l.waiting[0]
		l.waiting = l.waiting[1:]
		if now.Before(t.until) {
			c.lines[p.receiver].tries--
			l.tries++
			c.forgetLine(p.receiver)
			p.receiver = receiver
			return t.what, true
		}
		c.late = append(c.late, t.what)
		c.forgetLine(receiver)
	}
}

// emptiest names the line in which somebody waits and which has the fewest tries
// beside this place's: its own where others have no fewer, else the one whose
// first has the least time.
func (p *place[T]) emptiest(c *crowd[T]) (receiver string, found bool) {
	fewest, first := math.MaxInt, time.Time{}
	for name, l := range c.lines {
		if len(l.waiting) == 0 {
			continue
		}
		tries, until := l.tries, l.waiting[0].until
		if name == p.receiver {
			tries, until = tries-1, time.Time{}
		}
		if tries < triesAtOnce && (tries < fewest || tries == fewest && until.Before(first)) {
			receiver, found, fewest, first = name, true, tries, until
		}
	}
	return receiver, found
}

// forgetLine forgets a line that says nothing.
func (c *crowd[T]) forgetLine(receiver string) {
	if l := c.lines[receiver]; l.tries == 0 && len(l.waiting) == 0 {
		delete(c.lines, receiver)
	}
}

// waiting counts who waits for this receiver.
func (p *place[T]) waiting() int {
	p.turns.mu.Lock()
	defer p.turns.mu.Unlock()
	return len(p.turns.crowds[p.tenant].lines[p.receiver].waiting)
}

// silent lets go of all who wait for this receiver, since it does not answer.
func (p *place[T]) silent() {
	p.turns.mu.Lock()
	defer p.turns.mu.Unlock()
	c := p.turns.crowds[p.tenant]
	c.letGo(c.lines[p.receiver])
}

func (c *crowd[T]) letGo(l *line[T]) {
	for _, t := range l.waiting {
		c.late = append(c.late, t.what)
	}
	l.waiting = nil
}

// sendAway forgets all who wait for this receiver, since it takes no more.
func (p *place[T]) sendAway() {
	p.turns.mu.Lock()
	defer p.turns.mu.Unlock()
	p.turns.crowds[p.tenant].lines[p.receiver].waiting = nil
}

// leave gives the place back, once.
func (p *place[T]) leave() {
	p.turns.mu.Lock()
	defer p.turns.mu.Unlock()
	p.leaveLocked()
}

func (p *place[T]) leaveLocked() {
	if p.left {
		return
	}
	p.left = true
	c := p.turns.crowds[p.tenant]
	c.tries--
	c.lines[p.receiver].tries--
	if c.tries == 0 { // nobody is there to take the next
		for _, l := range c.lines {
			c.letGo(l)
		}
		clear(c.lines)
		p.turns.forgetLocked(p.tenant)
		return
	}
	c.forgetLine(p.receiver)
}
