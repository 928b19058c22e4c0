package pipeline

import (
	"fmt"
	"slices"
	"time"
)

// Treatment is what happens to speech that was not understood.
type Treatment string

// The treatments. Hold waits for a person; Deliver lets the item through, and a person listens afterwards.
const (
	HoldForPerson     Treatment = "hold"
	DeliverThenReview Treatment = "deliver"
)

// NotHeardRule says what happens when somebody speaks and no words could be trusted. Without one, speech that was not
// heard is a fault like any other. A voice note to the sender's own guardian is never held, whatever it says.
type NotHeardRule struct {
	// Peers and Others say it by the age band of the youngest: between minors of nearly the same age, and for everybody
	// else, strangers and grown-ups among them.
	Peers    map[AgeBand]Treatment `yaml:"peers"`
	Others   map[AgeBand]Treatment `yaml:"others"`
	Severity int                   `yaml:"severity"`
	Urgency  Urgency               `yaml:"urgency"`
	Deadline Duration              `yaml:"deadline"`
}

// set tells whether the policy has the rule.
func (r NotHeardRule) set() bool { return r.Peers != nil || r.Others != nil }

// notHeard applies the rule to a fault of that kind. A person hears of it either way.
func (j *judging) notHeard(f Fault) {
	rule, v := j.policy.NotHeard, &j.verdict
	relation, treatments := "others", rule.Others
	if j.item.peers() {
		relation, treatments = "peers", rule.Peers
	}
	band := j.band("youngest")
	action := Hold
	if treatments[band] == DeliverThenReview {
		action = Allow
	}
	said := fmt.Sprintf("not heard between %s, youngest aged %s → %s", relation, band, action)
	v.Reasons = append(v.Reasons, fmt.Sprintf("fault: %s of %s → %s", f.Reason, f.Source, action))
	if !slices.Contains(v.Reasons, said) {
		v.Reasons = append(v.Reasons, said)
	}
	if action.StricterThan(v.Action) {
		v.Action = action
	}
	j.escalate(Escalation{To: "reviewer", Urgency: rule.Urgency})
	j.due(time.Duration(rule.Deadline))
	v.Unjudged = max(v.Unjudged, rule.Severity)
	v.Priority = max(v.Priority, priority(rule.Severity, 0.5, band))
}

// notHeard refuses a rule that leaves an age band or a relation open, or lets through what nobody hears of in time.
func (c *policyCheck) notHeard(r NotHeardRule) {
	for relation, by := range map[string]map[AgeBand]Treatment{"peers": r.Peers, "others": r.Others} {
		for _, b := range AgeBands {
			if _, ok := by[b]; !ok && !(relation == "peers" && b == BandAdult) { // peers are minors
				c.wrong("has no treatment for age band "+string(b), "not_heard", relation)
			}
		}
		for b, t := range by {
			if !slices.Contains(AgeBands[:], b) {
				c.wrong("is no age band", "not_heard", relation, string(b))
			}
			if t != HoldForPerson && t != DeliverThenReview {
				c.wrong("want hold or deliver", "not_heard", relation, string(b))
			}
		}
	}
	c.severity(r.Severity, "not_heard", "severity")
	c.urgency(r.Urgency, "not_heard", "urgency")
	if r.Deadline <= 0 {
		c.wrong("is missing", "not_heard", "deadline")
	}
}
