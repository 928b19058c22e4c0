package workers

import (
	"maps"
	"sync"
	"time"
)

// rests knows which receivers of letters hang. One that gave no answer is left
// alone, the longer the more often, and then tried by one letter alone; until it
// answers, the others go to their next channel or wait. An urgent letter asks
// after a minute, however long the rest is.
type rests struct {
	mu sync.Mutex
	of map[string]rest
}

type rest struct {
	tries int       // without an answer; those under way at once count as one
	last  time.Time // when the last of them ended
	until time.Time
	taken time.Time // until when somebody tries it
}

// wait returns how long a letter has to wait for a receiver. With 0 the caller
// is to try it.
func (q *rests) wait(receiver string, now time.Time, urgent bool) time.Duration {
	q.mu.Lock()
	defer q.mu.Unlock()
	r, silent := q.of[receiver]
	if !silent {
		return 0
	}
	until := r.until
	if soon := r.last.Add(shortestPause); urgent && soon.Before(until) {
		until = soon
	}
	if r.taken.After(until) {
		until = r.taken
	}
	if now.Before(until) {
		return until.Sub(now)
	}
	r.taken = now.Add(channelTime)
	q.of[receiver] = r
	return 0
}

// heard notes whether a receiver answered.
func (q *rests) heard(receiver string, now time.Time, answered bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	r, silent := q.of[receiver]
	if answered {
		delete(q.of, receiver)
		return
	}
	if !silent { // a good time to forget those that nobody has asked for since
		maps.DeleteFunc(q.of, func(_ string, r rest) bool { return now.Sub(r.until) > longestPause })
	}
	if q.of == nil {
		q.of = map[string]rest{}
	}
	if !now.Before(r.until) {
		r.tries++
		r.until = now.Add(restAfter(r.tries))
	}
	r.last, r.taken = now, time.Time{}
	q.of[receiver] = r
}
