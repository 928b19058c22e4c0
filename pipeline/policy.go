package pipeline

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

//go:embed policies/default.yaml
var defaultPolicy []byte

// Policy says what follows from a Label: at which score, for which age, what
// happens to the Item, who hears of it and by when. It is immutable after
// ParsePolicy and safe for concurrent use.
type Policy struct {
	// Version names the policy in every Verdict.
	Version string `yaml:"version"`
	// Deadlines give a person's time for a first look by severity 0..4.
	Deadlines map[int]Duration `yaml:"deadlines"`
	// Fault says what an error, a missing model or an unknown label leads to.
	Fault FaultRule `yaml:"fault"`
	// NotHeard says what speech that was not understood leads to.
	NotHeard NotHeardRule `yaml:"not_heard"`
	// Labels hold one rule for each label of the taxonomy.
	Labels map[Label]Rule `yaml:"labels"`
	// Banks hold a rule for banks of known pictures by their name; the one
	// named default is for all others. See Policy.Bank.
	Banks map[string]BankRule `yaml:"banks"`
}

// FaultRule is what happens when an Item could not be judged in full. Its
// action is hold or block: a fault never lets an Item through.
type FaultRule struct {
	Action   Action   `yaml:"action"`
	Severity int      `yaml:"severity"`
	Urgency  Urgency  `yaml:"urgency"`
	Deadline Duration `yaml:"deadline"`
}

// Rule is the policy for one Label.
type Rule struct {
	// Severity is 0 (worth knowing) to 4 (a child may be in danger now).
	Severity int `yaml:"severity"`
	// About says whose age picks the threshold: sender, recipient or
	// youngest (of all participants).
	About string `yaml:"about"`
	// Act maps each action to its threshold by age band.
	Act map[Action]Thresholds `yaml:"act"`
	// Peers raises every threshold to at least this score between minors of
	// nearly the same age; 0 means no difference.
	Peers float64 `yaml:"peers"`
	// Hear lists who is told.
	Hear []Hearing `yaml:"hear"`
	// Interventions are shown to children when any threshold is reached.
	Interventions []InterventionRule `yaml:"interventions"`
	// Note explains the rule to people; it has no effect.
	Note string `yaml:"note"`
}

// Thresholds is the lowest score for an action, by age band.
type Thresholds map[AgeBand]float64

// Hearing says that somebody is told once the action is at least From.
type Hearing struct {
	Who string `yaml:"who"` // reviewer or guardian
	// Of narrows whose guardians hear: those of the sender or of the
	// recipients; empty for those of whomever the rule is about.
	Of      string  `yaml:"of"`
	Urgency Urgency `yaml:"urgency"`
	From    Action  `yaml:"from"`
	After   string  `yaml:"after"` // "review": only when a reviewer confirms
}

// InterventionRule is an Intervention that starts at action From.
type InterventionRule struct {
	To      string `yaml:"to"`
	Kind    string `yaml:"kind"`
	TextKey string `yaml:"text_key"`
	From    Action `yaml:"from"`
}

// Duration is a time.Duration that YAML writes as 5m or 24h.
type Duration time.Duration

// UnmarshalYAML reads a Go duration string.
func (d *Duration) UnmarshalYAML(n *yaml.Node) error {
	v, err := time.ParseDuration(n.Value)
	if err != nil || v <= 0 {
		return fmt.Errorf("line %d: want a positive duration such as 5m", n.Line)
	}
	*d = Duration(v)
	return nil
}

// DefaultPolicy returns the policy that ships with Nightlight.
func DefaultPolicy() *Policy {
	p, err := ParsePolicy(defaultPolicy)
	if err != nil {
		panic("embedded policy: " + err.Error()) // a test reads it, so this cannot ship
	}
	return p
}

// PolicyError lists every mistake in a policy file.
type PolicyError struct{ Mistakes []Mistake }

// Mistake is one wrong field of a policy file.
type Mistake struct {
	Line   int    `json:"line"`
	Field  string `json:"field"`
	Reason string `json:"reason"`
}

// Error lists the mistakes, one a line.
func (e *PolicyError) Error() string {
	var b strings.Builder
	for i, m := range e.Mistakes {
		if i > 0 {
			b.WriteByte('\n')
		}
		fmt.Fprintf(&b, "line %d: %s: %s", m.Line, m.Field, m.Reason)
	}
	return b.String()
}

// ParsePolicy reads a policy. What is wrong comes back as a *PolicyError with
// the line and field of every mistake.
func ParsePolicy(text []byte) (*Policy, error) {
	var root yaml.Node
	if err := yaml.Unmarshal(text, &root); err != nil {
		return nil, syntaxError(err)
	}
	dec := yaml.NewDecoder(bytes.NewReader(text))
	dec.KnownFields(true)
	p := &Policy{}
	if err := dec.Decode(p); err != nil {
		return nil, syntaxError(err)
	}
	if err := dec.Decode(new(any)); !errors.Is(err, io.EOF) {
		return nil, &PolicyError{[]Mistake{{1, "document", "only one YAML document is allowed"}}}
	}
	c := policyCheck{root: &root}
	c.policy(p)
	if len(c.mistakes) > 0 {
		slices.SortStableFunc(c.mistakes, func(a, b Mistake) int { return a.Line - b.Line })
		return nil, &PolicyError{c.mistakes}
	}
	return p, nil
}

// syntaxError turns what the YAML library says into mistakes with lines.
func syntaxError(err error) error {
	lines := []string{err.Error()}
	var te *yaml.TypeError
	if errors.As(err, &te) {
		lines = te.Errors
	}
	e := &PolicyError{}
	for _, l := range lines {
		m := Mistake{Line: 1, Field: "document", Reason: strings.TrimPrefix(l, "yaml: ")}
		if n, err := fmt.Sscanf(m.Reason, "line %d:", &m.Line); n == 1 && err == nil {
			_, m.Reason, _ = strings.Cut(m.Reason, ": ")
		}
		if rest, ok := strings.CutPrefix(m.Reason, "field "); ok {
			m.Field, _, _ = strings.Cut(rest, " ")
			m.Reason = "unknown field"
		}
		e.Mistakes = append(e.Mistakes, m)
	}
	return e
}

// policyCheck gathers the mistakes of one policy.
type policyCheck struct {
	root     *yaml.Node
	mistakes []Mistake
}

func (c *policyCheck) wrong(reason string, path ...string) {
	c.mistakes = append(c.mistakes, Mistake{lineOf(c.root, path), strings.Join(path, "."), reason})
}

func (c *policyCheck) policy(p *Policy) {
	if p.Version == "" {
		c.wrong("is missing", "version")
	}
	for s := 0; s <= 4; s++ {
		if _, ok := p.Deadlines[s]; !ok {
			c.wrong("has no deadline for this severity", "deadlines", fmt.Sprint(s))
		}
	}
	if p.Fault.Action != Hold && p.Fault.Action != Block {
		c.wrong("must be hold or block: a fault never lets an item through", "fault", "action")
	}
	c.urgency(p.Fault.Urgency, "fault", "urgency")
	c.severity(p.Fault.Severity, "fault", "severity")
	if p.Fault.Deadline <= 0 {
		c.wrong("is missing", "fault", "deadline")
	}
	if p.NotHeard.set() {
		c.notHeard(p.NotHeard)
	}
	for _, l := range Labels() {
		if _, ok := p.Labels[l]; !ok {
			c.wrong("has no rule", "labels", string(l))
		}
	}
	for l, r := range p.Labels {
		if !l.Known() {
			c.wrong("is no label of taxonomy v1", "labels", string(l))
			continue
		}
		c.rule(l, r)
	}
	c.bankRules(p)
}

func (c *policyCheck) rule(l Label, r Rule) {
	at := func(more ...string) []string { return append([]string{"labels", string(l)}, more...) }
	c.severity(r.Severity, at("severity")...)
	if !slices.Contains([]string{"sender", "recipient", "youngest"}, r.About) {
		c.wrong("want sender, recipient or youngest", at("about")...)
	}
	if !(r.Peers >= 0 && r.Peers <= 1) {
		c.wrong("want 0..1", at("peers")...)
	}
	if len(r.Act) == 0 && (slices.Contains(TextLabels, l) || slices.Contains(ImageLabels, l)) {
		c.wrong("names no action: whatever a model finds would pass", at("act")...)
	}
	for a, th := range r.Act {
		c.thresholds(a, th, at("act", string(a)))
	}
	c.order(r, at("act"))
	for i, h := range r.Hear {
		c.hearing(h, at("hear", fmt.Sprint(i)))
	}
	for i, v := range r.Interventions {
		path := at("interventions", fmt.Sprint(i))
		if v.To != "sender" && v.To != "recipient" {
			c.wrong("want sender or recipient", append(path, "to")...)
		}
		if v.Kind == "" || v.TextKey == "" {
			c.wrong("needs kind and text_key", path...)
		}
		if !v.From.Known() {
			c.wrong("want an action", append(path, "from")...)
		}
	}
	c.someoneLooks(r, at())
}

func (c *policyCheck) hearing(h Hearing, path []string) {
	if h.Who != "reviewer" && h.Who != "guardian" {
		c.wrong("want reviewer or guardian", append(path, "who")...)
	}
	if h.Of != "" && (h.Who != "guardian" || h.Of != "sender" && h.Of != "recipient") {
		c.wrong("want sender or recipient, of a guardian", append(path, "of")...)
	}
	c.urgency(h.Urgency, append(path, "urgency")...)
	if !h.From.Known() || h.From == Allow {
		c.wrong("want warn, blur, hold or block", append(path, "from")...)
	}
	if h.After != "" && h.After != "review" {
		c.wrong("want review or nothing", append(path, "after")...)
	}
}

// someoneLooks refuses a rule that holds Items for a person whom nobody tells,
// or has word to guardians wait for one.
func (c *policyCheck) someoneLooks(r Rule, path []string) {
	if _, holds := r.Act[Hold]; holds && !reviewerHears(r.Hear, Hold) {
		c.wrong("holds items but no reviewer hears of it from hold", path...)
	}
	c.someoneLetsGo(r.Hear, slices.Collect(maps.Keys(r.Act)), path)
}

// someoneLetsGo refuses word to guardians that waits for a review where one of
// the rule's actions tells no reviewer: no case is opened then, and it would
// wait for ever.
func (c *policyCheck) someoneLetsGo(hear []Hearing, acts []Action, path []string) {
	for i, h := range hear {
		if h.Who != "guardian" || h.After == "" {
			continue
		}
		for _, a := range Actions {
			if slices.Contains(acts, a) && !h.From.StricterThan(a) && !reviewerHears(hear, a) {
				c.wrong("waits for a review, but no reviewer hears of "+string(a), append(path, "hear", fmt.Sprint(i))...)
				break
			}
		}
	}
}

// reviewerHears reports whether a reviewer is told of an Item with this action.
func reviewerHears(hear []Hearing, a Action) bool {
	return slices.ContainsFunc(hear, func(h Hearing) bool { return h.Who == "reviewer" && !h.From.StricterThan(a) })
}

func (c *policyCheck) thresholds(a Action, th Thresholds, path []string) {
	if !a.Known() || a == Allow {
		c.wrong("want warn, blur, hold or block", path...)
	}
	for _, b := range AgeBands {
		if _, ok := th[b]; !ok {
			c.wrong("has no threshold for age band "+string(b), path...)
		}
	}
	for b, v := range th {
		if !slices.Contains(AgeBands[:], b) {
			c.wrong("is no age band", append(path, string(b))...)
		}
		if !(v > 0 && v <= 1) { // nor NaN, which no score would ever reach
			c.wrong("want a score above 0 and up to 1", append(path, string(b))...)
		}
	}
}

// order refuses a stricter action that would start at a lower score than a
// milder one, which would make the milder one unreachable.
func (c *policyCheck) order(r Rule, path []string) {
	for _, band := range AgeBands {
		last, lastAction := 0.0, Allow
		for _, a := range Actions {
			v, ok := r.Act[a][band]
			if !ok {
				continue
			}
			if v < last {
				c.wrong(fmt.Sprintf("starts below %s for age band %s", lastAction, band), append(path, string(a), string(band))...)
			}
			last, lastAction = v, a
		}
	}
}

func (c *policyCheck) severity(s int, path ...string) {
	if s < 0 || s > 4 {
		c.wrong("want 0..4", path...)
	}
}

func (c *policyCheck) urgency(u Urgency, path ...string) {
	if u != Urgent && u != Soon && u != Routine {
		c.wrong("want urgent, soon or routine", path...)
	}
}

// lineOf walks path as far as the document goes and returns the line reached.
func lineOf(n *yaml.Node, path []string) int {
	if n.Kind == yaml.DocumentNode && len(n.Content) > 0 {
		n = n.Content[0]
	}
	line := max(n.Line, 1)
	for _, key := range path {
		next := child(n, key)
		if next == nil {
			return line
		}
		n = next
		line = n.Line
	}
	return line
}

func child(n *yaml.Node, key string) *yaml.Node {
	switch n.Kind {
	case yaml.AliasNode:
		return child(n.Alias, key)
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			if n.Content[i].Value == key {
				return n.Content[i+1]
			}
		}
	case yaml.SequenceNode:
		for i, e := range n.Content {
			if fmt.Sprint(i) == key {
				return e
			}
		}
	}
	return nil
}
