// Package words holds what Nightlight says to children and guardians, by key
// and locale, and where help is. The sentences are written for the reader's
// age: short for small children, never blaming, without a word of what was
// sent and without another child's name.
package words

import (
	"embed"
	"fmt"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"nightlight/pipeline"
)

//go:embed zh.yaml en.yaml helplines.yaml
var files embed.FS

// Book is every sentence in one language.
type Book struct {
	// Child maps a text_key to sentences by age band; "all" serves the bands
	// that have none of their own.
	Child map[string]map[string]string `yaml:"child"`
	// Guardian maps a notice key to its parts.
	Guardian map[string]Letter `yaml:"guardian"`
	// Subject is the only line that a lock screen shows. It names nothing.
	Subject string `yaml:"subject"`
}

// Letter is what a guardian reads after login: what was seen, how sure we
// are, what was done, what to do now and what not to do.
type Letter struct {
	Seen    string `yaml:"seen"`
	Sure    string `yaml:"sure"`
	Done    string `yaml:"done"`
	Do      string `yaml:"do"`
	DoNot   string `yaml:"do_not"`
	Helpful bool   `yaml:"helpline"` // adds the helplines of the locale
}

// Helpline is a number to call.
type Helpline struct {
	Name  string `yaml:"name" json:"name"`
	Phone string `yaml:"phone" json:"phone"`
	Hours string `yaml:"hours" json:"hours"`
}

// Library is every book and the helplines.
type Library struct {
	books     map[string]*Book
	helplines map[string][]Helpline
	// Listed is the day on which the numbers were last listed.
	Listed time.Time
}

// Open reads the embedded books.
func Open() (*Library, error) {
	lib := &Library{books: map[string]*Book{}}
	for _, lang := range []string{"zh", "en"} {
		text, err := files.ReadFile(lang + ".yaml")
		if err != nil {
			return nil, fmt.Errorf("words of %s: %w", lang, err)
		}
		var b Book
		if err := yaml.Unmarshal(text, &b); err != nil {
			return nil, fmt.Errorf("words of %s: %w", lang, err)
		}
		lib.books[lang] = &b
	}
	text, err := files.ReadFile("helplines.yaml")
	if err != nil {
		return nil, fmt.Errorf("helplines: %w", err)
	}
	var h struct {
		Listed string                `yaml:"listed"`
		Lines  map[string][]Helpline `yaml:"helplines"`
	}
	if err := yaml.Unmarshal(text, &h); err != nil {
		return nil, fmt.Errorf("helplines: %w", err)
	}
	lib.helplines = h.Lines
	if lib.Listed, err = time.Parse(time.DateOnly, h.Listed); err != nil {
		return nil, fmt.Errorf("helplines: listed: %w", err)
	}
	return lib, nil
}

// Language returns zh or en for a BCP 47 locale. A locale that we do not
// speak gets en.
func Language(locale string) string {
	if strings.HasPrefix(strings.ToLower(locale), "zh") {
		return "zh"
	}
	return "en"
}

// ForChild returns the sentence of a key, and false when there is none.
func (l *Library) ForChild(key, locale string, band pipeline.AgeBand) (string, bool) {
	byBand := l.books[Language(locale)].Child[key]
	if s, ok := byBand[string(band)]; ok {
		return s, true
	}
	s, ok := byBand["all"]
	return s, ok
}

// ForGuardian returns the letter of a key, and false when there is none.
func (l *Library) ForGuardian(key, locale string) (Letter, bool) {
	letter, ok := l.books[Language(locale)].Guardian[key]
	return letter, ok
}

// Subject returns the line for a lock screen.
func (l *Library) Subject(locale string) string { return l.books[Language(locale)].Subject }

// Helplines returns the numbers of a locale.
func (l *Library) Helplines(locale string) []Helpline { return l.helplines[Language(locale)] }

// LetterKey names the guardian letter for a label: its group, such as
// grooming or selfharm.
func LetterKey(label pipeline.Label) string {
	group, _, _ := strings.Cut(string(label), ".")
	return group
}

// Render writes a letter as plain text.
func (l *Library) Render(letter Letter, locale string) string {
	parts := []string{letter.Seen, letter.Sure, letter.Done, letter.Do, letter.DoNot}
	if letter.Helpful {
		for _, h := range l.Helplines(locale) {
			parts = append(parts, fmt.Sprintf("%s: %s (%s)", h.Name, h.Phone, h.Hours))
		}
	}
	return strings.Join(parts, "\n\n")
}
