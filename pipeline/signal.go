package pipeline

import "context"

// Signal is one classifier's or rule's finding: how sure it is that a Label
// applies, and where in the content it saw it.
type Signal struct {
	Label Label `json:"label"`
	// Score is a calibrated score in 0..1; 0.5 is the label's own decision
	// point whatever policy says.
	Score float64 `json:"score"`
	// Source is name@version of the model, rule set or bank.
	Source string `json:"source"`
	// View says which reading of the text fired: raw, normalised or pinyin.
	// Empty for pictures and sound.
	View string `json:"view,omitempty"`
	// Start and End are a half-open span of Unicode code points in the
	// original text; both are 0 when the whole content is meant.
	Start int `json:"start"`
	End   int `json:"end"`
	// At is the time in seconds from the start of a video or voice note, nil
	// for content without time.
	At *float64 `json:"at,omitempty"`
	// Box is x, y, width, height in pixels of the oriented picture.
	Box *[4]int `json:"box,omitempty"`
	// In names the part of the item that was read: text, picture, frame, ocr,
	// qr, speech or file.
	In string `json:"in,omitempty"`
	// Bank is set when the picture or file stands in a bank of known ones.
	Bank *BankMatch `json:"bank,omitempty"`
	// Reused is file or picture when the score was given to an earlier upload
	// of the same file, or of nearly the same picture, by the same models.
	Reused string `json:"reused,omitempty"`
}

// ModelRef names a model exactly.
type ModelRef struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	SHA256  string `json:"sha256"`
}

// String returns name@version, the form that Signal.Source uses.
func (m ModelRef) String() string { return m.Name + "@" + m.Version }

// Fault is a part of the judging that did not happen. It never reads as
// allow: Policy.Judge holds the item and gives Reason.
type Fault struct {
	// Source is the classifier or stage that did not answer.
	Source string `json:"source"`
	// Reason is a short fixed word such as missing_model, error, panic,
	// timeout, unknown_label, not_heard. It never quotes the content.
	Reason string `json:"reason"`
	// Quarantine is true when the bytes themselves could not be opened
	// safely.
	Quarantine bool `json:"quarantine,omitempty"`
	// Unheard is true when somebody speaks and no words could be trusted,
	// which policy may treat apart from other faults.
	Unheard bool `json:"unheard,omitempty"`
}

// Findings is everything that looking at an Item gave.
type Findings struct {
	Signals []Signal
	Models  []ModelRef
	Faults  []Fault
}

// Add appends other to f, keeping each model once.
func (f *Findings) Add(other Findings) {
	f.Signals = append(f.Signals, other.Signals...)
	f.Faults = append(f.Faults, other.Faults...)
	for _, m := range other.Models {
		f.addModel(m)
	}
}

func (f *Findings) addModel(m ModelRef) {
	for _, have := range f.Models {
		if have == m {
			return
		}
	}
	f.Models = append(f.Models, m)
}

// Text is what a text classifier reads: the text itself and the conversation
// before it.
type Text struct {
	Text    string
	Context []Turn
	Locale  string
	// SenderAge and RecipientAge are in whole years, nil when not known.
	SenderAge, RecipientAge *int
}

// TextClassifier scores text. Implementations are safe for concurrent use and
// return one Signal for every label that they support, whatever its score. A
// text that cannot be scored is an error, never an empty answer.
type TextClassifier interface {
	Ref() ModelRef
	ClassifyText(ctx context.Context, t Text) ([]Signal, error)
}
