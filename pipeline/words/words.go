// Package words holds what Nightlight says to children and guardians, by key
// and locale, and where help is. The sentences are written for the reader's
// age: short for small children, never blaming, without a word of what was
// sent and without another child's name.
package words

import (
	"bytes"
	"cmp"
	"embed"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode"

	"go.yaml.in/yaml/v3"

	"nightlight/pipeline"
)

//go:embed zh.yaml en.yaml helplines.yaml
var files embed.FS

// Book is every sentence in one language.
type Book struct {
	// Child maps a text_key to sentences by age band; "all" serves the bands
	// that have none of their own, and is always there.
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
	Done    Done   `yaml:"done"`
	Do      string `yaml:"do"`
	DoNot   string `yaml:"do_not"`
	Helpful bool   `yaml:"helpline"` // adds the helplines of the locale
}

// Done is what a letter says was done, by the item's fate.
type Done struct {
	Stopped   string `yaml:"stopped"`
	Delivered string `yaml:"delivered"`
	Withdrawn string `yaml:"withdrawn"` // delivered at first, and stopped later
	// Helped is said as well where the child was shown words of help.
	Helped string `yaml:"helped"`
}

// Fate is what became of the item that a letter is about.
type Fate struct {
	First, Now pipeline.Action // by the verdict, and at the time of writing
	Helped     bool            // the child was shown words of help
}

// FateOf is the fate of an item with this verdict, as it is told to the
// guardians of its sender, or of a recipient.
func FateOf(v *pipeline.Verdict, now pipeline.Action, sender bool) Fate {
	f := Fate{Now: now}
	if v == nil {
		return f
	}
	to := "recipient"
	if sender {
		to = "sender"
	}
	f.First = v.Action
	f.Helped = slices.ContainsFunc(v.Interventions, func(i pipeline.Intervention) bool { return i.To == to && i.Kind == "help" })
	return f
}

// By returns the sentence that is true of an item: what is held or blocked was
// stopped, everything else was delivered.
func (d Done) By(f Fate) string {
	switch {
	case !f.Now.StricterThan(pipeline.Blur):
		return d.Delivered
	case !f.First.StricterThan(pipeline.Blur):
		return d.Withdrawn
	}
	return d.Stopped
}

// Library is every book and the helplines.
type Library struct {
	books     map[string]*Book
	helplines map[string][]pipeline.Helpline // by language, or language-country, in small letters
	beside    map[string]bool                // keys of words for children that helplines go with
	// Listed is the day on which the numbers were last listed.
	Listed time.Time
}

// Open reads the embedded books.
func Open() (*Library, error) {
	lib := &Library{books: map[string]*Book{}, helplines: map[string][]pipeline.Helpline{}, beside: map[string]bool{}}
	for _, lang := range []string{"zh", "en"} {
		var b Book
		if err := read(lang+".yaml", &b); err != nil {
			return nil, err
		}
		if err := b.check(); err != nil {
			return nil, fmt.Errorf("%s.yaml: %w", lang, err)
		}
		lib.books[lang] = &b
	}
	if err := lib.list(); err != nil {
		return nil, fmt.Errorf("helplines.yaml: %w", err)
	}
	return lib, nil
}

func read(name string, into any) error {
	text, err := files.ReadFile(name)
	if err != nil {
		return fmt.Errorf("words: %w", err)
	}
	d := yaml.NewDecoder(bytes.NewReader(text))
	d.KnownFields(true)
	if err := d.Decode(into); err != nil {
		return fmt.Errorf("read %s: %w", name, err)
	}
	return nil
}

// check refuses an age band that nobody is in: its words would never be said.
func (b *Book) check() error {
	for key, byBand := range b.Child {
		for band := range byBand {
			if band != "all" && !slices.Contains(pipeline.AgeBands[:], pipeline.AgeBand(band)) {
				return fmt.Errorf("%s: no such age band as %s", key, band)
			}
		}
		if byBand["all"] == "" {
			return fmt.Errorf("%s: has no words for all", key)
		}
	}
	return nil
}

// list reads the numbers, and gives each the day of the list.
func (l *Library) list() (err error) {
	var file struct {
		Listed string                         `yaml:"listed"`
		Beside []string                       `yaml:"beside"`
		Lines  map[string][]pipeline.Helpline `yaml:"helplines"`
	}
	if err := read("helplines.yaml", &file); err != nil {
		return err
	}
	if l.Listed, err = time.Parse(time.DateOnly, file.Listed); err != nil {
		return fmt.Errorf("listed: %w", err)
	}
	for locale, lines := range file.Lines {
		for i := range lines {
			lines[i].Listed = file.Listed
		}
		l.helplines[strings.ToLower(locale)] = lines
	}
	for lang, b := range l.books {
		if len(l.helplines[lang]) == 0 {
			return fmt.Errorf("no numbers for %s", lang)
		}
		for _, key := range file.Beside {
			if b.Child[key] == nil {
				return fmt.Errorf("beside: %s has no words in %s", key, lang)
			}
			l.beside[key] = true
		}
	}
	return nil
}

// Language returns zh or en for a BCP 47 locale. A locale that we do not
// speak gets en.
func Language(locale string) string {
	if strings.HasPrefix(strings.ToLower(locale), "zh") {
		return "zh"
	}
	return "en"
}

// LanguageOf returns zh or en for a text of which nobody told the locale:
// zh when it has a Chinese character.
func LanguageOf(text string) string {
	if strings.ContainsFunc(text, func(r rune) bool { return unicode.Is(unicode.Han, r) }) {
		return "zh"
	}
	return "en"
}

// Keys lists the keys of the words for children, sorted.
func (l *Library) Keys() []string { return slices.Sorted(maps.Keys(l.books["en"].Child)) }

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

// Beside returns the numbers that go with what a child is told; most keys have none.
func (l *Library) Beside(key, locale string) []pipeline.Helpline {
	if !l.beside[key] {
		return nil
	}
	return l.Helplines(locale)
}

// Helplines returns the numbers of a locale: those of its country or script
// where the file has them, else those of its language.
func (l *Library) Helplines(locale string) []pipeline.Helpline {
	lang := Language(locale)
	parts := strings.Split(strings.ToLower(locale), "-")
	for i := len(parts) - 1; i > 0; i-- { // the country stands after the script
		if lines, ok := l.helplines[lang+"-"+parts[i]]; ok {
			return lines
		}
	}
	return l.helplines[lang]
}

// LetterKey names the guardian letter for a label: its group's, or its own
// where the group's would not be true.
func LetterKey(label pipeline.Label) string {
	if label == pipeline.SelfharmEncouraged { // another said it, not the child
		return string(label)
	}
	return Group(label)
}

// Group is the first part of a label, such as grooming or selfharm.
func Group(label pipeline.Label) string {
	group, _, _ := strings.Cut(string(label), ".")
	return group
}

// Render writes a letter about an item of this fate as plain text.
func (l *Library) Render(letter Letter, locale string, f Fate) string {
	parts := []string{letter.Seen, letter.Sure, letter.Done.By(f)}
	if f.Helped && letter.Done.Helped != "" {
		parts = append(parts, letter.Done.Helped)
	}
	parts = append(parts, letter.Do, letter.DoNot)
	if letter.Helpful {
		for _, h := range l.Helplines(locale) {
			parts = append(parts, fmt.Sprintf("%s: %s (%s)", h.Name, cmp.Or(h.Phone, h.Link), h.Hours))
		}
	}
	return strings.Join(parts, "\n\n")
}
