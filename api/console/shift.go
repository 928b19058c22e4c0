package console

import (
	"sync"
	"time"
)

// shifts remembers how long each reviewer has worked without a break. It is
// kept in memory: who moves between processes starts a new count there, while
// the cap on severe views is the database's and holds everywhere.
type shifts struct {
	mu          sync.Mutex
	byUser      map[string]shift
	prompt      time.Duration
	stop, pause time.Duration
}

type shift struct{ began, last time.Time }

// maxShifts bounds the memory; the oldest counts are forgotten beyond it.
const maxShifts = 10_000

func (s *shifts) rules(prompt, stop, pause time.Duration) {
	s.byUser, s.prompt, s.stop, s.pause = map[string]shift{}, prompt, stop, pause
}

// worked notes that somebody works now and returns for how long they have
// without a break. A pause as long as a break starts a new count.
func (s *shifts) worked(user string, now time.Time) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	have, ok := s.byUser[user]
	if !ok || now.Sub(have.last) >= s.pause {
		have = shift{began: now}
	}
	if len(s.byUser) >= maxShifts {
		s.forget(now)
	}
	have.last = now
	s.byUser[user] = have
	return now.Sub(have.began)
}

// so is worked without noting anything, and when the break would be over.
func (s *shifts) so(user string, now time.Time) (worked time.Duration, restedAt time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	have, ok := s.byUser[user]
	if !ok || now.Sub(have.last) >= s.pause {
		return 0, time.Time{}
	}
	return have.last.Sub(have.began), have.last.Add(s.pause)
}

// mustRest reports whether no more work may be given out.
func (s *shifts) mustRest(user string, now time.Time) bool {
	worked, _ := s.so(user, now)
	return worked >= s.stop
}

// shouldRest reports whether it is time to offer a break.
func (s *shifts) shouldRest(user string, now time.Time) bool {
	worked, _ := s.so(user, now)
	return worked >= s.prompt
}

func (s *shifts) forget(now time.Time) {
	for user, have := range s.byUser {
		if now.Sub(have.last) >= s.pause {
			delete(s.byUser, user)
		}
	}
}
