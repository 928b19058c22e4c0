package review

import (
	"slices"

	"nightlight/pipeline"
)

// Notice is word to a guardian or a reviewer that they must look. It names
// what kind of thing, never the content: no quote, no picture, no other
// child.
type Notice struct {
	// To is guardian or reviewer.
	To string `json:"to"`
	// Recipient is the pseudonymous id of the guardian, or the reviewers'
	// group.
	Recipient string `json:"recipient"`
	// Child is the account that the notice is about.
	Child string `json:"child,omitempty"`
	// TextKey names the words in the message catalogue.
	TextKey string `json:"text_key"`
	// Urgency decides about quiet hours.
	Urgency pipeline.Urgency `json:"urgency"`
	// After is "review" when the notice waits until a reviewer confirms.
	After string `json:"after,omitempty"`
	// Letters are what this guardian may be told of this child, gravest first:
	// a decision chooses among them by the labels that were voted. A notice
	// without any goes out as it is.
	Letters []Letter `json:"letters,omitempty"`
}

// Letter is what a label would be told as.
type Letter struct {
	Label   pipeline.Label   `json:"label"`
	TextKey string           `json:"text_key"`
	Urgency pipeline.Urgency `json:"urgency"`
}

// For returns the notice as it is when these labels are true, and false when
// none of them is told: it is about the gravest, and as urgent as the most
// urgent.
func (n Notice) For(labels []pipeline.Label) (Notice, bool) {
	if len(n.Letters) == 0 {
		return n, true
	}
	found := false
	for _, l := range n.Letters {
		switch {
		case !slices.Contains(labels, l.Label):
		case !found:
			n.TextKey, n.Urgency, found = l.TextKey, l.Urgency, true
		case l.Urgency.MoreUrgentThan(n.Urgency):
			n.Urgency = l.Urgency
		}
	}
	return n, found
}
