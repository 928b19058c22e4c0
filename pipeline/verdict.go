package pipeline

import (
	"fmt"
	"slices"
	"time"
)

// Action is what happens to an Item, from mildest to strictest.
type Action string

// The actions. Warn delivers after telling the sender; blur delivers hidden
// behind a tap; hold waits for a person; block is not delivered.
const (
	Allow Action = "allow"
	Warn  Action = "warn"
	Blur  Action = "blur"
	Hold  Action = "hold"
	Block Action = "block"
)

// Actions lists the actions from mildest to strictest.
var Actions = [...]Action{Allow, Warn, Blur, Hold, Block}

// rank returns the strictness of a; an unknown action ranks as Hold, because
// a word that nobody defined must not let anything through.
func (a Action) rank() int {
	if i := slices.Index(Actions[:], a); i >= 0 {
		return i
	}
	return slices.Index(Actions[:], Hold)
}

// Known reports whether a is one of the five actions.
func (a Action) Known() bool { return slices.Contains(Actions[:], a) }

// StricterThan reports whether a is stricter than b.
func (a Action) StricterThan(b Action) bool { return a.rank() > b.rank() }

// Urgency says how soon somebody must hear.
type Urgency string

// The urgencies, most urgent first.
const (
	Urgent  Urgency = "urgent"
	Soon    Urgency = "soon"
	Routine Urgency = "routine"
)

// MoreUrgentThan reports whether u is more urgent than o.
func (u Urgency) MoreUrgentThan(o Urgency) bool { return u.rank() > o.rank() }

func (u Urgency) rank() int {
	switch u {
	case Urgent:
		return 2
	case Soon:
		return 1
	}
	return 0
}

// LabelScore is a label that reached a threshold of the policy.
type LabelScore struct {
	Label    Label   `json:"label"`
	Score    float64 `json:"score"`
	Severity int     `json:"severity"`
}

// Intervention is something shown to a child: a warning before sending, a
// blur before seeing, a number to call.
type Intervention struct {
	To      string `json:"to"`   // sender or recipient
	Kind    string `json:"kind"` // warning, blur, help or tip
	TextKey string `json:"text_key"`
	// Text is what to show, for the reader's age and in their language, and
	// Helplines are the numbers that go with it. Judge leaves both empty: words
	// are not a matter of policy. A key that nobody wrote words for has no Text.
	Text      string     `json:"text,omitempty" doc:"What to show, for the reader's age and in their language. Not there when we have no words for the key."`
	Helplines []Helpline `json:"helplines,omitempty" doc:"Numbers to show beside the text, for the reader's locale; not there where none belong."`
}

// Helpline is somebody to call: a number, a page that lists numbers, or both.
type Helpline struct {
	Name  string `yaml:"name" json:"name"`
	Phone string `yaml:"phone" json:"phone,omitempty" doc:"As it is dialled in the country."`
	Hours string `yaml:"hours" json:"hours" doc:"In words, in the language of the locale."`
	Link  string `yaml:"link" json:"link,omitempty"`
	// Listed is the day on which the list was last gone through, YYYY-MM-DD.
	Listed string `yaml:"-" json:"listed" doc:"The day on which the numbers were last gone through, YYYY-MM-DD."`
}

// Escalation says who must hear of the Item.
type Escalation struct {
	To      string  `json:"to"` // reviewer or guardian
	Urgency Urgency `json:"urgency"`
	// After is "review" when the escalation waits for a reviewer's
	// confirmation, empty when it goes out with the verdict.
	After string `json:"after,omitempty"`
	// Causes are the labels that raised it, by their own rule or by that of a
	// bank, each once for the same guardians. A fault has none.
	Causes []Cause `json:"-"`
}

// Cause is a label that reached what its rule, or its bank's rule, tells
// somebody of.
type Cause struct {
	Label   Label
	Of      string // whose guardians, as Hearing.Of
	Urgency Urgency
}

// Verdict is the answer about one Item under one policy version.
type Verdict struct {
	Action        Action         `json:"action"`
	Labels        []LabelScore   `json:"labels"`
	Signals       []Signal       `json:"signals"`
	Reasons       []string       `json:"reasons"`
	Interventions []Intervention `json:"interventions"`
	Escalations   []Escalation   `json:"escalations"`
	PolicyVersion string         `json:"policy_version"`
	Models        []ModelRef     `json:"models"`
	CaseID        string         `json:"case_id,omitempty"`
	DecidedAt     time.Time      `json:"decided_at"`

	// Quarantine is true when the content could not be opened safely.
	Quarantine bool `json:"quarantine,omitempty"`
	// Deadline is how long a person has for a first look; 0 when no person
	// needs to look.
	Deadline time.Duration `json:"-"`
	// Priority orders cases: severity × confidence × age band, 0..100.
	Priority float64 `json:"-"`
	// Unjudged is the severity that policy gives to what nobody could judge or
	// hear; 0 when all of it was judged.
	Unjudged int `json:"-"`
}

// NeedsPerson reports whether the verdict opens a Case.
func (v Verdict) NeedsPerson() bool {
	return slices.ContainsFunc(v.Escalations, func(e Escalation) bool { return e.To == "reviewer" })
}

// Severity returns the highest severity among the verdict's labels and what
// could not be judged: that no label was found there does not make it mild.
func (v Verdict) Severity() int {
	top := v.Unjudged
	for _, l := range v.Labels {
		top = max(top, l.Severity)
	}
	return top
}

// reason is the one form in which a threshold is explained.
func reason(l Label, score float64, about string, band AgeBand, threshold float64, a Action) string {
	return fmt.Sprintf("%s %.2f ≥ %.2f for %s aged %s → %s", l, score, threshold, about, band, a)
}
