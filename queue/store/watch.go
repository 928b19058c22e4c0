package store

import (
	"slices"
	"sync"
)

// Watch returns a channel that is closed when this process commits a verdict
// for the item. Call cancel when done. Another process's commit is not seen:
// look at Item too.
func (s *Store) Watch(itemID string) (judged <-chan struct{}, cancel func()) {
	c := make(chan struct{})
	s.watching.Lock()
	s.watchers[itemID] = append(s.watchers[itemID], c)
	s.watching.Unlock()
	return c, sync.OnceFunc(func() { s.unwatch(itemID, c) })
}

func (s *Store) unwatch(itemID string, c chan struct{}) {
	s.watching.Lock()
	defer s.watching.Unlock()
	left := slices.DeleteFunc(s.watchers[itemID], func(have chan struct{}) bool { return have == c })
	if len(left) == 0 {
		delete(s.watchers, itemID)
		return
	}
	s.watchers[itemID] = left
}

// announce wakes whoever watches an item.
func (s *Store) announce(itemID string) {
	s.watching.Lock()
	defer s.watching.Unlock()
	for _, c := range s.watchers[itemID] {
		close(c)
	}
	delete(s.watchers, itemID)
}
