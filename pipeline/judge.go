package pipeline

import (
	"cmp"
	"fmt"
	"slices"
	"time"
)

// Judge turns findings about an Item into a Verdict. now is only copied into
// DecidedAt, so the same arguments always give the same answer.
//
// What was not judged is never allowed: a Fault, a Signal whose label policy
// does not know, a conversation that could not be read whole, and findings
// without any model or rule all hold the Item for a person. The one exception
// is a message to the sender's own guardian, which is never held; a person
// still hears of it.
func (p *Policy) Judge(it Item, f Findings, now time.Time) Verdict {
	j := judging{policy: p, item: it, verdict: Verdict{
		Action:        Allow,
		Labels:        []LabelScore{},
		Signals:       []Signal{},
		Reasons:       []string{},
		Interventions: []Intervention{},
		Escalations:   []Escalation{},
		PolicyVersion: p.Version,
		Models:        append([]ModelRef{}, f.Models...),
		DecidedAt:     now.UTC(),
	}}
	best := j.strongest(f.Signals)
	for _, l := range Labels() {
		if s, ok := best[l]; ok {
			j.label(s)
		}
	}
	j.banks(f.Signals)
	for _, fault := range f.Faults {
		j.fault(fault)
	}
	if it.ContextUnread {
		j.fault(Fault{Source: "conversation", Reason: "context_unread"})
	}
	if len(f.Models) == 0 && len(f.Faults) == 0 {
		j.fault(Fault{Source: "pipeline", Reason: "nothing_looked"})
	}
	j.guardian()
	j.evidence(f.Signals)
	return j.verdict
}

// judging is one call of Judge.
type judging struct {
	policy  *Policy
	item    Item
	verdict Verdict
	reached map[Label]bool
}

// strongest returns the highest Signal of each label. A signal that policy
// cannot read (an unknown label, a score outside 0..1 or not a number) is a
// fault.
func (j *judging) strongest(signals []Signal) map[Label]Signal {
	best := map[Label]Signal{}
	for _, s := range signals {
		if _, ok := j.policy.Labels[s.Label]; !ok {
			j.fault(Fault{Source: s.Source, Reason: "unknown_label"})
			continue
		}
		if !(s.Score >= 0 && s.Score <= 1) { // also true for NaN
			j.fault(Fault{Source: s.Source, Reason: "bad_score"})
			continue
		}
		if s.Bank != nil { // its bank's rule speaks, not its label's
			continue
		}
		if have, ok := best[s.Label]; !ok || s.Score > have.Score {
			best[s.Label] = s
		}
	}
	return best
}

// label applies the rule of one label to its strongest signal.
func (j *judging) label(s Signal) {
	rule := j.policy.Labels[s.Label]
	band := j.band(rule.About)
	action, threshold := rule.decide(band, s.Score, j.item.peers())
	if action == Allow {
		return
	}
	if j.reached == nil {
		j.reached = map[Label]bool{}
	}
	j.reached[s.Label] = true
	v := &j.verdict
	v.Labels = append(v.Labels, LabelScore{s.Label, s.Score, rule.Severity})
	v.Reasons = append(v.Reasons, reason(s.Label, s.Score, rule.About, band, threshold, action))
	if action.StricterThan(v.Action) {
		v.Action = action
	}
	for _, h := range rule.Hear {
		if !h.From.StricterThan(action) {
			j.escalate(h.of(s.Label))
		}
	}
	for _, i := range rule.Interventions {
		if !i.From.StricterThan(action) {
			j.intervene(Intervention{To: i.To, Kind: i.Kind, TextKey: i.TextKey})
		}
	}
	if v.NeedsPerson() {
		j.due(time.Duration(j.policy.Deadlines[rule.Severity]))
		v.Priority = max(v.Priority, priority(rule.Severity, s.Score, band))
	}
}

// decide returns the strictest action whose threshold the score reaches.
func (r Rule) decide(band AgeBand, score float64, peers bool) (Action, float64) {
	action, at := Allow, 0.0
	for _, a := range Actions {
		th, ok := r.Act[a][band]
		if !ok {
			continue
		}
		if peers {
			th = max(th, r.Peers)
		}
		if score >= th {
			action, at = a, th
		}
	}
	return action, at
}

func (j *judging) band(about string) AgeBand {
	switch about {
	case "sender":
		return BandOf(j.item.Sender.Age)
	case "recipient":
		return youngest(j.item.Recipients...)
	}
	return youngest(append([]Person{j.item.Sender}, j.item.Recipients...)...)
}

func (j *judging) fault(f Fault) {
	if f.Unheard && !f.Quarantine && j.policy.NotHeard.set() {
		j.notHeard(f)
		return
	}
	rule := j.policy.Fault
	v := &j.verdict
	v.Reasons = append(v.Reasons, fmt.Sprintf("fault: %s of %s → %s", f.Reason, f.Source, rule.Action))
	if rule.Action.StricterThan(v.Action) {
		v.Action = rule.Action
	}
	v.Quarantine = v.Quarantine || f.Quarantine
	j.escalate(Escalation{To: "reviewer", Urgency: rule.Urgency})
	j.due(time.Duration(rule.Deadline))
	v.Unjudged = max(v.Unjudged, rule.Severity)
	v.Priority = max(v.Priority, priority(rule.Severity, 0.5, j.band("youngest")))
}

// guardian lets a child's message to their own guardian through, whatever was
// found. Who must hear still hears.
func (j *judging) guardian() {
	v := &j.verdict
	if !j.item.ToGuardian || !v.Action.StricterThan(Warn) || v.Quarantine {
		return
	}
	v.Action = Allow
	v.Reasons = append(v.Reasons, "to a bound guardian: never held → allow")
}

// evidence keeps the signals worth showing: all that reached a threshold and
// any others at or above their own decision point, strongest first.
func (j *judging) evidence(signals []Signal) {
	for _, s := range signals {
		if s.Label.Known() && (s.Bank != nil || j.reached[s.Label] && s.Score >= 0.2 || s.Score >= 0.5) && s.Score <= 1 {
			j.verdict.Signals = append(j.verdict.Signals, s)
		}
	}
	slices.SortStableFunc(j.verdict.Signals, func(a, b Signal) int { return cmp.Compare(b.Score, a.Score) })
	slices.SortStableFunc(j.verdict.Labels, func(a, b LabelScore) int {
		return cmp.Or(cmp.Compare(b.Severity, a.Severity), cmp.Compare(b.Score, a.Score))
	})
}

// of is the escalation that a label raises.
func (h Hearing) of(l Label) Escalation {
	return Escalation{To: h.Who, Urgency: h.Urgency, After: h.After, Causes: []Cause{{l, h.Of, h.Urgency}}}
}

// escalate adds e, or joins it with the escalation to the same people.
func (j *judging) escalate(e Escalation) {
	for i := range j.verdict.Escalations {
		if have := &j.verdict.Escalations[i]; have.To == e.To {
			have.join(e)
			return
		}
	}
	j.verdict.Escalations = append(j.verdict.Escalations, e)
}

// join raises e's urgency to that of another escalation and adds its causes.
// One that waits for review (self-harm) makes every notice to the guardian
// wait: the person decides first.
func (e *Escalation) join(o Escalation) {
	if o.Urgency.MoreUrgentThan(e.Urgency) {
		e.Urgency = o.Urgency
	}
	if o.After != "" {
		e.After = o.After
	}
	for _, c := range o.Causes {
		i := slices.IndexFunc(e.Causes, func(have Cause) bool { return have.Label == c.Label && have.Of == c.Of })
		switch {
		case i < 0:
			e.Causes = append(e.Causes, c)
		case c.Urgency.MoreUrgentThan(e.Causes[i].Urgency):
			e.Causes[i] = c
		}
	}
}

func (j *judging) intervene(i Intervention) {
	same := func(have Intervention) bool {
		return have.To == i.To && have.Kind == i.Kind && have.TextKey == i.TextKey
	}
	if !slices.ContainsFunc(j.verdict.Interventions, same) {
		j.verdict.Interventions = append(j.verdict.Interventions, i)
	}
}

func (j *judging) due(d time.Duration) {
	if d > 0 && (j.verdict.Deadline == 0 || d < j.verdict.Deadline) {
		j.verdict.Deadline = d
	}
}

// priority is severity × confidence × age band, scaled to 0..100. Younger
// children come first at equal risk.
func priority(severity int, score float64, band AgeBand) float64 {
	youth := 1.0 - 0.1*float64(bandRank(band))
	return 20 * float64(severity+1) * score * youth
}
