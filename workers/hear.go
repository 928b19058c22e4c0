package workers

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"nightlight/pipeline"
	"nightlight/pipeline/words"
	"nightlight/queue/review"
)

// notices lists the guardians who must hear of a verdict: those of each child
// whom a label is about that guardians hear of, once a child. When a guardian of
// that child takes part in the conversation, no guardian is told, since they may
// be the source of harm: the reviewer's case is all there is.
func (w *Worker) notices(ctx context.Context, it pipeline.Item, v pipeline.Verdict) ([]review.Notice, error) {
	i := slices.IndexFunc(v.Escalations, func(e pipeline.Escalation) bool { return e.To == "guardian" })
	if i < 0 {
		return nil, nil
	}
	told := w.told(v.Labels, v.Escalations[i].Causes)
	var out []review.Notice
	for _, child := range minors(it) {
		n, ok := lettersOf(review.Notice{To: "guardian", Child: child, After: v.Escalations[i].After}, told, it.Sender.ID == child)
		if !ok {
			continue
		}
		guardians, err := w.Store.Guardians(ctx, it.Tenant, child)
		if err != nil {
			return nil, fmt.Errorf("guardians: %w", err)
		}
		for _, g := range guardians {
			n.Recipient = g.ID
			out = append(out, n)
		}
	}
	return w.withoutParties(ctx, it, out)
}

// withoutParties drops the notices about each child of whom a guardian has sent
// or received the item, or anything else in its conversation.
func (w *Worker) withoutParties(ctx context.Context, it pipeline.Item, list []review.Notice) ([]review.Notice, error) {
	guardians := make([]string, len(list))
	for i, n := range list {
		guardians[i] = n.Recipient
	}
	there, err := w.Store.TakePart(ctx, it.Tenant, it.ConversationID, guardians...)
	if err != nil {
		return nil, fmt.Errorf("guardians: %w", err)
	}
	there = append(there, it.Sender.ID)
	for _, p := range it.Recipients {
		there = append(there, p.ID)
	}
	parties := map[string]bool{} // children
	for _, n := range list {
		if slices.Contains(there, n.Recipient) {
			parties[n.Child] = true
		}
	}
	return slices.DeleteFunc(list, func(n review.Notice) bool { return parties[n.Child] }), nil
}

// hearable is a label of which guardians may hear.
type hearable struct {
	review.Letter
	of       string // sender, recipient or youngest: whose guardians
	caused   bool   // the verdict asks for it
	severity int
}

// told lists the labels of which guardians hear, gravest first, with those that
// the verdict does not name: a reviewer may add them. Those that it names and
// that are too weak to be told come last, as a reviewer finds them ticked.
func (w *Worker) told(labels []pipeline.LabelScore, causes []pipeline.Cause) []hearable {
	var list, weak []hearable
	for _, l := range labels {
		before := len(list)
		for _, c := range causes {
			if c.Label == l.Label {
				h := w.hearable(l.Label, c.Of, c.Urgency)
				h.caused, h.severity = true, l.Severity
				list = append(list, h)
			}
		}
		if len(list) == before {
			weak = append(weak, w.byRule(l.Label)...)
		}
	}
	for _, l := range pipeline.Labels() {
		if !slices.ContainsFunc(labels, func(have pipeline.LabelScore) bool { return have.Label == l }) {
			list = append(list, w.byRule(l)...)
		}
	}
	slices.SortStableFunc(list, func(a, b hearable) int { return cmp.Compare(b.severity, a.severity) })
	return append(list, weak...)
}

func (w *Worker) hearable(l pipeline.Label, of string, u pipeline.Urgency) hearable {
	rule := w.Policy.Labels[l]
	return hearable{Letter: review.Letter{Label: l, TextKey: words.LetterKey(l), Urgency: u}, of: cmp.Or(of, rule.About), severity: rule.Severity}
}

// byRule is the label as its own rule tells guardians of it.
func (w *Worker) byRule(l pipeline.Label) (list []hearable) {
	for _, h := range w.Policy.Labels[l].Hear {
		if h.Who == "guardian" {
			list = append(list, w.hearable(l, h.Of, h.Urgency))
		}
	}
	return list
}

// lettersOf gives a notice the letters that concern its child, and makes it what
// the verdict asks for; false when that is nothing.
func lettersOf(n review.Notice, told []hearable, sender bool) (review.Notice, bool) {
	var caused []pipeline.Label
	for _, h := range told {
		if h.of == "sender" && !sender || h.of == "recipient" && sender {
			continue
		}
		n.Letters = append(n.Letters, h.Letter)
		if h.caused {
			caused = append(caused, h.Label)
		}
	}
	if len(caused) == 0 {
		return n, false
	}
	return n.For(caused)
}

// minors returns the ids of those who take part and are minors, each once. A
// person of unknown age counts as one.
func minors(it pipeline.Item) (ids []string) {
	for _, p := range append([]pipeline.Person{it.Sender}, it.Recipients...) {
		if (p.Age == nil || *p.Age < 18) && !slices.Contains(ids, p.ID) {
			ids = append(ids, p.ID)
		}
	}
	return ids
}
