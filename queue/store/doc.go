// Package store is the database: every SQL statement of Nightlight stands
// here, and nothing else opens a connection.
//
// The database is the record and the queue only a wake-up call. Accept writes
// an item and its outbox row in one transaction before anybody hears "yes";
// Pending hands outbox rows to a relay; Claim gives a worker its own lease with
// an attempt number as fence; Commit writes the verdict and everything that
// follows from it in one transaction, or nothing when the worker came too
// late; Sweep wakes up what has no verdict, so the queue may be lost at any
// time; Reconcile proves that accepted = ended + in flight.
//
// One SQL text runs on SQLite (modernc, no cgo; one writer that commits many
// callers' work with one fsync) and on PostgreSQL (pgx). Only the migrations
// and the SKIP LOCKED suffix differ. Leases use the database's own clock on
// PostgreSQL. What children write is stored sealed under a key of its own for
// each item, and erasing destroys that key.
//
// A method whose caller is an API client takes the tenant and sees only its
// rows: another tenant's id reads as ErrNotFound.
package store
