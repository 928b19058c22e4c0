package console

import (
	"slices"
	"strconv"
	"time"

	"nightlight/pipeline"
	"nightlight/queue/store"
)

// message is one line of the conversation, its author under a letter.
type message struct {
	Mask  string
	Age   *int
	Self  bool // by the sender of the item
	Focus bool // the item itself
	Kind  pipeline.Kind
	Gone  bool
	At    time.Time
	Parts []part
	// GuardianOf are the letters of the author's children.
	GuardianOf string
}

// part is a piece of text; one with a label is evidence.
type part struct {
	Text     string
	Label    pipeline.Label
	Severity int
}

// peopleOf gives the sender the letter A and the recipients the next ones.
func peopleOf(item store.Item) []participant {
	people := []participant{{Mask: mask(0), Age: item.Sender.Age, Sender: true}}
	for i, r := range item.Recipients {
		people = append(people, participant{Mask: mask(i + 1), Age: r.Age})
	}
	return people
}

// mask is A, B … Z, then A2, B2 and so on.
func mask(i int) string {
	m := string(rune('A' + i%26))
	if i >= 26 {
		m += strconv.Itoa(i/26 + 1)
	}
	return m
}

// lettersOf gives the places of peopleOf to the accounts, and the next ones to
// whoever else wrote around the item.
func lettersOf(item store.Item, talk []store.Message) []string {
	letters := []string{item.Sender.ID}
	for _, r := range item.Recipients {
		letters = append(letters, r.ID)
	}
	for _, m := range talk {
		if !slices.Contains(letters, m.Sender.ID) {
			letters = append(letters, m.Sender.ID)
		}
	}
	return letters
}

// messages masks the authors and marks the evidence in the item.
func (c *Console) messages(p *casePage, talk []store.Message) (list []message) {
	letters := lettersOf(p.Item, talk)
	for _, m := range talk {
		out := message{
			Mask: mask(slices.Index(letters, m.Sender.ID)), Age: m.Sender.Age, Self: m.From == pipeline.Self, Focus: m.ItemID == p.Item.ID,
			Kind: m.Kind, Gone: m.Gone, At: m.SentAt,
		}
		if out.Focus {
			out.Parts = c.highlight(m.Text, p.Signals)
		} else if m.Text != "" {
			out.Parts = []part{{Text: m.Text}}
		}
		list = append(list, out)
	}
	return list
}

// highlight cuts text where evidence begins and ends. Where several signals
// lie on each other the gravest label wins.
func (c *Console) highlight(text string, signals []pipeline.Signal) (parts []part) {
	runes := []rune(text)
	cuts := []int{0, len(runes)}
	var spans []pipeline.Signal
	for _, s := range signals {
		if (s.In != "" && s.In != "text") || s.Start < 0 || s.End > len(runes) || s.Start >= s.End {
			continue
		}
		spans = append(spans, s)
		cuts = append(cuts, s.Start, s.End)
	}
	slices.Sort(cuts)
	cuts = slices.Compact(cuts)
	for i := 0; i+1 < len(cuts); i++ {
		out := part{Text: string(runes[cuts[i]:cuts[i+1]]), Severity: -1}
		for _, s := range spans {
			if s.Start > cuts[i] || s.End < cuts[i+1] {
				continue
			}
			if severity := c.Policy.Labels[s.Label].Severity; severity > out.Severity {
				out.Label, out.Severity = s.Label, severity
			}
		}
		if n := len(parts); n > 0 && parts[n-1].Label == out.Label {
			parts[n-1].Text += out.Text
			continue
		}
		parts = append(parts, out)
	}
	return parts
}
