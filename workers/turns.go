package workers

import (
	"sync"
	"time"

	"nightlight/queue/store"
)

// turns lets each webhook endpoint have a few workers at a time, so that one
// that hangs delays nobody but itself. A delivery beyond that waits in line
// under the lease that it has, and takes up no worker: whoever is done with a
// try takes the next. What has waited too long for its lease, what finds the
// line full, and what is left when the last one goes is let go: whoever is there
// then puts it off, and none of it was an attempt.
type turns struct {
	mu    sync.Mutex
	lines map[string]*line // by the endpoint's id
}

// line is one endpoint's: the tries under way and what waits for them.
type line struct {
	tries   int
	silent  bool // the last try got no answer
	waiting []turn
	late    []*store.DeliveryLease // let go, and not put off yet
}

// turn is a delivery in line, and until when its lease is long enough for a
// try.
type turn struct {
	lease *store.DeliveryLease
	until time.Time
}

const (
	// triesAtOnce is how many tries one endpoint may have under way in this
	// process; one that did not answer the last time has one.
	triesAtOnce = 8
	// longestLine bounds what waits for one endpoint.
	longestLine = 5000
)

func (l *line) most() int {
	if l.silent {
		return 1
	}
	return triesAtOnce
}

// place is a worker's hold on an endpoint.
type place struct {
	turns    *turns
	endpoint string
	left     bool
}

// enter gives a place at the endpoint, or nil: then the delivery waits in
// line, or, when the line is full, is let go.
func (q *turns) enter(endpoint string, t turn) *place {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.lines == nil {
		q.lines = map[string]*line{}
	}
	l := q.lines[endpoint]
	if l == nil {
		l = &line{}
		q.lines[endpoint] = l
	}
	if l.tries < l.most() {
		l.tries++
		return &place{turns: q, endpoint: endpoint}
	}
	if len(l.waiting) < longestLine {
		l.waiting = append(l.waiting, t)
	} else {
		l.late = append(l.late, t.lease)
	}
	return nil
}

// letGo takes what is let go from an endpoint's line, for the caller to put off.
func (q *turns) letGo(endpoint string) []*store.DeliveryLease {
	q.mu.Lock()
	defer q.mu.Unlock()
	l := q.lines[endpoint]
	if l == nil {
		return nil
	}
	late := l.late
	l.late = nil
	q.forgetLocked(endpoint)
	return late
}

// forgetLocked forgets a line that says nothing.
func (q *turns) forgetLocked(endpoint string) {
	if l := q.lines[endpoint]; l.tries == 0 && !l.silent && len(l.waiting) == 0 && len(l.late) == 0 {
		delete(q.lines, endpoint)
	}
}

// heard says whether the endpoint answered a try.
func (p *place) heard(answered bool) {
	p.turns.mu.Lock()
	defer p.turns.mu.Unlock()
	p.turns.lines[p.endpoint].silent = !answered
}

// next returns the first delivery in line that there is still time for. With
// nil the place is left: nobody waits, or fewer tries are allowed by now.
func (p *place) next(now time.Time) *store.DeliveryLease {
	p.turns.mu.Lock()
	defer p.turns.mu.Unlock()
	l := p.turns.lines[p.endpoint]
	for l.tries <= l.most() && len(l.waiting) > 0 {
		t := l.waiting[0]
		l.waiting = l.waiting[1:]
		if now.Before(t.until) {
			return t.lease
		}
		l.late = append(l.late, t.lease)
	}
	p.leaveLocked()
	return nil
}

// sendAway forgets all who wait, since the endpoint takes no more.
func (p *place) sendAway() {
	p.turns.mu.Lock()
	defer p.turns.mu.Unlock()
	p.turns.lines[p.endpoint].waiting = nil
}

// leave gives the place back, once.
func (p *place) leave() {
	p.turns.mu.Lock()
	defer p.turns.mu.Unlock()
	p.leaveLocked()
}

func (p *place) leaveLocked() {
	if p.left {
		return
	}
	p.left = true
	l := p.turns.lines[p.endpoint]
	l.tries--
	if l.tries == 0 { // nobody is there to take the next
		for _, t := range l.waiting {
			l.late = append(l.late, t.lease)
		}
		l.waiting = nil
	}
	p.turns.forgetLocked(p.endpoint)
}
