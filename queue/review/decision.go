package review

import (
	"time"

	"nightlight/pipeline"
)

// Keep ends a case about a notice that reached nobody: somebody has seen it,
// and what holds for the item stays as it is.
const Keep pipeline.Action = "keep"

// Decision is one reviewer's vote on a case.
type Decision struct {
	CaseID string
	// Token is the lease's token.
	Token string
	// Action is what shall happen to the item: allow, warn, blur or block, or
	// Keep where the case allows it (Case.Allows).
	Action pipeline.Action
	// Labels is what the reviewer saw, which may differ from the verdict's.
	// Guardians are told of nothing else.
	Labels []pipeline.Label
	// Reason is a short fixed word, such as agree, wrong_label or context.
	Reason string
	// Note is free text. It is stored sealed under the item's key.
	Note string
	// NotifyGuardians releases the guardian notices that waited for review;
	// otherwise they are cancelled. Where several vote, one who does not tell
	// is enough to cancel them.
	NotifyGuardians bool
}

// Valid reports whether the decision names an action that ends a case. Hold
// is not an end.
func (d Decision) Valid() bool {
	switch d.Action {
	case pipeline.Allow, pipeline.Warn, pipeline.Blur, pipeline.Block, Keep:
		return true
	}
	return false
}

// Vote is a decision as it was recorded.
type Vote struct {
	ID       string
	CaseID   string
	ItemID   string
	Reviewer string
	Action   pipeline.Action
	Labels   []pipeline.Label
	Reason   string
	Note     string // opened only for those who may see it
	// NotifyGuardians is whether the vote tells the guardians who wait for it.
	NotifyGuardians bool
	At              time.Time
	// UndoneAt is set when the reviewer took the vote back.
	UndoneAt time.Time
}

// Decided says what a decision did.
type Decided struct {
	// Closed is true when the case is closed and the item resolved by this
	// vote.
	Closed bool
	// NeedsSecond is true when another reviewer must vote; NeedsSenior when
	// two votes disagree, or a voter changed theirs beside another's.
	NeedsSecond, NeedsSenior bool
	// Blind is true when two people vote without sight of each other: then the
	// voter must not be told any of the above, which would tell them how the
	// other voted.
	Blind bool
	// UndoUntil is when the vote can no longer be taken back.
	UndoUntil time.Time
}

// Report is a child's or guardian's flag on an item.
type Report struct {
	Tenant   string
	ItemID   string
	Reporter string // pseudonymous id
	Label    pipeline.Label
	Note     string // stored sealed under the item's key
	Severity int    // by policy for Label
	Deadline time.Duration
}

// Appeal asks for another look at a verdict.
type Appeal struct {
	Tenant   string
	ItemID   string
	By       string // pseudonymous id of who appeals
	Note     string // stored sealed under the item's key
	Deadline time.Duration
}

// Escalation hands a case to a senior.
type Escalation struct {
	CaseID string
	Token  string
	Reason string // a short fixed word
}
