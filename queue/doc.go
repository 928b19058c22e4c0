// Package queue wakes workers up. The database is the record; Redis, through
// Asynq, only carries ids from the outbox to whoever is free, and may be
// wiped at any time: the sweeper sends again what has no verdict.
//
// The package holds the task types and queue names, the relay that empties
// the outbox, the bell by which it wakes idle servers in any process, the
// servers that workers register with, and the Redis that `nightlight up`
// starts for itself. Nothing that a child wrote passes here.
package queue
