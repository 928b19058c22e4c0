package review

import "nightlight/pipeline"

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
}
