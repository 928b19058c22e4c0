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

// notices lists the guardians who must hear of a verdict: those of each child
// whom a label is about that guardians hear of, once a child. When a guardian of
// that child takes part in the conversation, no guardian is told, since they may
// be the source of harm: the reviewer's case is all there is.
func (w *Worker) notices(ctx context.Context, it pipeline.Item, v pipeline.Verdict) ([]review.Notice, error) {
	i := slices.IndexFunc(v.Escalations, func(e pipeline.Escalation) bool { return e.To == "guardian" })
	if i < 0 {
		return nil, nil
	}
	var out []review.Notice
	for _, l := range w.letters(it, v.Labels, v.Escalations[i].Causes) {
		guardians, err := w.Store.Guardians(ctx, it.Tenant, l.child)
		if err != nil {
			return nil, fmt.Errorf("guardians: %w", err)
		}
		if slices.ContainsFunc(guardians, func(g store.Guardian) bool { return takesPart(it, g.ID) }) {
			continue
		}
		for _, g := range guardians {
			out = append(out, review.Notice{
				To: "guardian", Recipient: g.ID, Child: l.child, TextKey: words.LetterKey(l.about),
				Urgency: l.urgency, After: v.Escalations[i].After,
			})
		}
	}
	return out, nil
}

// letter is what a child's guardians hear: the gravest label about that child of
// which guardians hear, as soon as the most urgent of them asks for.
type letter struct {
	child   string
	about   pipeline.Label
	urgency pipeline.Urgency
}

// letters gives a letter for each child whom the causes concern. Labels come
// gravest first.
func (w *Worker) letters(it pipeline.Item, labels []pipeline.LabelScore, causes []pipeline.Cause) (out []letter) {
	for _, l := range labels {
		i := slices.IndexFunc(causes, func(c pipeline.Cause) bool { return c.Label == l.Label })
		if i < 0 {
			continue
		}
		for _, child := range concerned(it, w.Policy.Labels[l.Label].About) {
			k := slices.IndexFunc(out, func(have letter) bool { return have.child == child })
			switch {
			case k < 0:
				out = append(out, letter{child, l.Label, causes[i].Urgency})
			case causes[i].Urgency.MoreUrgentThan(out[k].urgency):
				out[k].urgency = causes[i].Urgency
			}
		}
	}
	return out
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
