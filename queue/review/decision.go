package review

import (
	"time"

	"nightlight/pipeline"
)

// Decision is one reviewer's vote on a case.
type Decision struct {
	CaseID string
	// Token is the lease's token.
	Token string
	// Action is what shall happen to the item: allow, warn, blur or block.
	Action pipeline.Action
	// Labels is what the reviewer saw, which may differ from the verdict's.
	Labels []pipeline.Label
	// Reason is a short fixed word, such as agree, wrong_label or context.
	Reason string
	// Note is free text. It is stored sealed under the item's key.
	Note string
	// Irreversible is true for what cannot be taken back; it always needs a
	// second vote.
	Irreversible bool
	// NotifyGuardians releases the guardian notices that waited for review;
	// otherwise they are cancelled. Where several vote, one who does not tell
	// is enough to cancel them.
	NotifyGuardians bool
}

// Valid reports whether the decision names an action that ends an item. Hold
// is not an end.
func (d Decision) Valid() bool {
	switch d.Action {
	case pipeline.Allow, pipeline.Warn, pipeline.Blur, pipeline.Block:
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
	// two votes disagree.
	NeedsSecond, NeedsSenior bool
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
