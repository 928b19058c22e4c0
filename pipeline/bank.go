package pipeline

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// BankMatch says that a picture stands in a bank, a list of hashes of pictures
// that are known already.
type BankMatch struct {
	Name string `json:"name"`
	// Kind is pdq for the same picture, or sha256 for the same file.
	Kind string `json:"kind"`
	// Distance is in bits of 256; Threshold is the most that the bank allows.
	Distance  int `json:"distance"`
	Threshold int `json:"threshold"`
}

// Score ranks matches among themselves: 1 for the same hash, 0.5 and more at
// the bank's threshold. It is no probability: a bank's rule does not ask for it.
func (m BankMatch) Score() float64 {
	if m.Threshold <= 0 {
		return 1
	}
	return 1 - 0.5*float64(m.Distance)/float64(m.Threshold)
}

// BankRule is what a match with a bank leads to, whatever the age: whoever put
// a picture into a bank has looked at it.
type BankRule struct {
	// Label says what the bank's pictures show.
	Label Label `yaml:"label"`
	// Severity is 0 to 4, as a Rule's.
	Severity int `yaml:"severity"`
	// Action is warn, blur, hold or block: no bank makes a picture pass.
	Action Action `yaml:"action"`
	// Hear lists who is told.
	Hear []Hearing `yaml:"hear"`
	// Note explains the rule to people; it has no effect.
	Note string `yaml:"note"`
}

// DefaultBank names the rule for every bank that policy does not name.
const DefaultBank = "default"

// Bank returns the rule of a bank. A bank that policy knows nothing of holds
// the item for a person.
func (p *Policy) Bank(name string) BankRule {
	if r, ok := p.Banks[name]; ok {
		return r
	}
	if r, ok := p.Banks[DefaultBank]; ok {
		return r
	}
	return BankRule{Label: SexualExplicit, Severity: p.Fault.Severity, Action: p.Fault.Action,
		Hear: []Hearing{{Who: "reviewer", Urgency: p.Fault.Urgency, From: Warn}}}
}

// banks applies the rules of the banks that hold the item, the nearest match
// of each.
func (j *judging) banks(signals []Signal) {
	var nearest []Signal
	for _, s := range signals {
		if s.Bank == nil {
			continue
		}
		i := slices.IndexFunc(nearest, func(n Signal) bool { return n.Bank.Name == s.Bank.Name })
		switch {
		case i < 0:
			nearest = append(nearest, s)
		case s.Bank.Distance < nearest[i].Bank.Distance:
			nearest[i] = s
		}
	}
	slices.SortFunc(nearest, func(a, b Signal) int { return cmp.Compare(a.Bank.Name, b.Bank.Name) })
	for _, s := range nearest {
		j.bank(s)
	}
}

func (j *judging) bank(s Signal) {
	rule, v := j.policy.Bank(s.Bank.Name), &j.verdict
	v.Reasons = append(v.Reasons, bankReason(*s.Bank, rule.Action))
	i := slices.IndexFunc(v.Labels, func(l LabelScore) bool { return l.Label == s.Label })
	if i < 0 {
		v.Labels = append(v.Labels, LabelScore{s.Label, s.Score, rule.Severity})
	} else {
		v.Labels[i].Score, v.Labels[i].Severity = max(v.Labels[i].Score, s.Score), max(v.Labels[i].Severity, rule.Severity)
	}
	if rule.Action.StricterThan(v.Action) {
		v.Action = rule.Action
	}
	for _, h := range rule.Hear {
		if !h.From.StricterThan(rule.Action) {
			j.escalate(h.of(s.Label))
		}
	}
	if v.NeedsPerson() {
		j.due(time.Duration(j.policy.Deadlines[rule.Severity]))
		v.Priority = max(v.Priority, priority(rule.Severity, 1, j.band("youngest")))
	}
}

// bankReason is the one form in which a match is explained.
func bankReason(m BankMatch, a Action) string {
	if m.Kind == "sha256" {
		return fmt.Sprintf("bank %s: the same file → %s", m.Name, a)
	}
	return fmt.Sprintf("bank %s: the same picture, %d bits away ≤ %d → %s", m.Name, m.Distance, m.Threshold, a)
}

// SameGrounds reports whether two verdicts rest on the same grounds: one
// policy, one action, and the same thresholds, banks and faults, with scores at
// most slack apart. Of ages it knows only those that a threshold was for: who
// sends to whom is Item.SameParties. When both say yes, what a person decides
// about one picture can be said of its copy; otherwise the copy differs in
// something that the person has not weighed.
func (v Verdict) SameGrounds(o Verdict, slack float64) bool {
	if v.PolicyVersion != o.PolicyVersion || v.Action != o.Action || v.Quarantine || o.Quarantine || len(v.Labels) != len(o.Labels) {
		return false
	}
	for _, l := range v.Labels {
		if !slices.ContainsFunc(o.Labels, func(m LabelScore) bool {
			return m.Label == l.Label && m.Severity == l.Severity && m.Score-l.Score <= slack && l.Score-m.Score <= slack
		}) {
			return false
		}
	}
	return slices.Equal(grounds(v.Reasons), grounds(o.Reasons))
}

// grounds are reasons without the figures that differ between copies.
func grounds(reasons []string) []string {
	list := make([]string, len(reasons))
	for i, r := range reasons {
		if what, limit, ok := strings.Cut(r, " ≥ "); ok {
			label, _, _ := strings.Cut(what, " ")
			r = label + " ≥ " + limit
		} else if what, limit, ok := strings.Cut(r, " bits away"); ok {
			r = what[:strings.LastIndex(what, " ")+1] + limit
		}
		list[i] = r
	}
	slices.Sort(list)
	return list
}

// bankRules gathers the mistakes in the rules of banks.
func (c *policyCheck) bankRules(p *Policy) {
	for name, r := range p.Banks {
		at := func(more ...string) []string { return append([]string{"banks", name}, more...) }
		c.severity(r.Severity, at("severity")...)
		if !r.Label.Known() {
			c.wrong("is no label of taxonomy v1", at("label")...)
		}
		if !r.Action.Known() || r.Action == Allow {
			c.wrong("want warn, blur, hold or block: no bank makes a picture pass", at("action")...)
		}
		for i, h := range r.Hear {
			c.hearing(h, at("hear", fmt.Sprint(i)))
		}
		if r.Action == Hold && !reviewerHears(r.Hear, Hold) {
			c.wrong("holds items but no reviewer hears of it from hold", at()...)
		}
		c.someoneLetsGo(r.Hear, []Action{r.Action}, at())
	}
}
