package workers

import (
	"context"
	"fmt"
	"slices"

	"nightlight/pipeline"
	"nightlight/pipeline/words"
	"nightlight/queue/review"
	"nightlight/queue/store"
)

// notices lists the guardians who must hear of a verdict: those of the child
// whom the gravest label is about, once a child. When a guardian of that child
// takes part in the conversation, no guardian is told, since they may be the
// source of harm: the reviewer's case is all there is.
func (w *Worker) notices(ctx context.Context, it pipeline.Item, v pipeline.Verdict) ([]review.Notice, error) {
	i := slices.IndexFunc(v.Escalations, func(e pipeline.Escalation) bool { return e.To == "guardian" })
	if i < 0 {
		return nil, nil
	}
	label, ok := w.guardianLabel(v)
	if !ok {
		return nil, nil
	}
	var out []review.Notice
	for _, child := range concerned(it, w.Policy.Labels[label].About) {
		guardians, err := w.Store.Guardians(ctx, it.Tenant, child)
		if err != nil {
			return nil, fmt.Errorf("guardians: %w", err)
		}
		if slices.ContainsFunc(guardians, func(g store.Guardian) bool { return takesPart(it, g.ID) }) {
			continue
		}
		for _, g := range guardians {
			out = append(out, review.Notice{
				To: "guardian", Recipient: g.ID, Child: child, TextKey: words.LetterKey(label),
				Urgency: v.Escalations[i].Urgency, After: v.Escalations[i].After,
			})
		}
	}
	return out, nil
}

// guardianLabel returns the gravest label of the verdict that guardians hear
// of; labels come gravest first.
func (w *Worker) guardianLabel(v pipeline.Verdict) (pipeline.Label, bool) {
	for _, l := range v.Labels {
		for _, h := range w.Policy.Labels[l.Label].Hear {
			if h.Who == "guardian" {
				return l.Label, true
			}
		}
	}
	return "", false
}

// concerned returns the ids of the minors whom a label is about. A person of
// unknown age counts as a minor.
func concerned(it pipeline.Item, about string) []string {
	people := append([]pipeline.Person{it.Sender}, it.Recipients...)
	switch about {
	case "sender":
		people = people[:1]
	case "recipient":
		people = people[1:]
	}
	var ids []string
	for _, p := range people {
		if p.Age == nil || *p.Age < 18 {
			ids = append(ids, p.ID)
		}
	}
	return ids
}

func takesPart(it pipeline.Item, id string) bool {
	return it.Sender.ID == id || slices.ContainsFunc(it.Recipients, func(p pipeline.Person) bool { return p.ID == id })
}
