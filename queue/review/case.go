package review

import (
	"time"

	"nightlight/pipeline"
)

// Kind says why a Case was opened.
type Kind string

// The kinds of case.
const (
	KindVerdict    Kind = "verdict"    // policy asks for a person
	KindQuarantine Kind = "quarantine" // the content could not be opened safely
	KindReport     Kind = "report"     // somebody flagged the item
	KindAppeal     Kind = "appeal"     // somebody asks for another look
	KindNotice     Kind = "notice"     // a guardian could not be reached on any channel
)

// State is open until the case is decided.
type State string

// The states of a case.
const (
	Open   State = "open"
	Closed State = "closed"
)

// Case is one item that waits for a person, with the reason, the deadline and
// the votes it needs. It carries no word of the content.
type Case struct {
	ID       string
	Tenant   string
	ItemID   string
	Kind     Kind
	State    State
	Labels   []pipeline.LabelScore
	Reasons  []string
	Severity int
	// Priority is severity × confidence × age band, 0..100.
	Priority float64
	OpenedAt time.Time
	// Deadline is when the first look is due.
	Deadline time.Time
	// Votes counts the votes that stand; VotesNeeded is 2 where a second
	// person must agree, 3 where two disagreed and a senior settles it.
	Votes, VotesNeeded int
	// NeedsRole is Senior when only a senior may take the case.
	NeedsRole Role
	// Escalated is the reason with which the case was handed to a senior,
	// empty when it was not. It then stays with seniors until it is closed.
	Escalated string
	// Reports counts the reports and appeals that are attached.
	Reports int
	// Reviewer holds the lease until LeaseUntil; empty when nobody does.
	Reviewer   string
	LeaseUntil time.Time
	ClosedAt   time.Time
	// Action is what was decided, empty while the case is open; erased or merged
	// where it was closed undecided, with its item or into another case about it.
	Action pipeline.Action
}

// Allows reports whether a may end the case while now holds for the item. A
// case about a notice is not there to judge the item anew: it may be kept or
// treated more strictly, never let through.
func (c Case) Allows(a, now pipeline.Action) bool {
	if c.Kind != KindNotice || now == pipeline.Hold {
		return a != Keep
	}
	return a == Keep || !now.StricterThan(a)
}

// Lease is a reviewer's hold on a case. Token proves it on every later call.
type Lease struct {
	CaseID string
	Token  string
	Until  time.Time
}

// Counts is one line of the queue's overview.
type Counts struct {
	Open, Leased, Overdue int
	// BySeverity counts open cases by severity 0..4.
	BySeverity [5]int
	// ByAge counts open cases that waited less than 5 minutes, 15 minutes, an
	// hour, a day, and longer.
	ByAge [5]int
	// Oldest is when the oldest open case was opened; zero when there is none.
	Oldest time.Time
}
