// Package rules says what is better said as rules than learned: contacts,
// links, trade words, money requests, and the harmless test phrases.
//
// The rules stand in table/*.yaml, each with what must and what must not make
// it fire. They are the second opinion beside the text model, and all there is
// when no model can be loaded, so every text label has at least one. Their
// scores are judgements of precision, not calibrated probabilities.
package rules

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	"nightlight/pipeline"
	"nightlight/pipeline/normal"
)

// Rules is a pipeline.TextClassifier. It is immutable and safe for concurrent
// use.
type Rules struct {
	rules []rule
	find  *automaton
	codes []code
	tests phrasebook
}

// Source is the Source of the signals of rules; those of the harmless test
// phrases carry TestSource.
const (
	Source     = "rules@1"
	TestSource = "testphrase@1"
)

// New returns the rules that ship with Nightlight. They are made once, in some
// tenths of a second, and shared, as nothing can change them.
func New() *Rules { return shipped() }

var shipped = sync.OnceValue(func() *Rules {
	r := &Rules{codes: codes(), tests: newPhrasebook()}
	var words []string
	var owners []owner
	for _, entry := range readTable() {
		for _, c := range entry.compile() {
			id := len(r.rules)
			r.rules = append(r.rules, c)
			for set, some := range c.words {
				for _, w := range some {
					words, owners = append(words, w), append(owners, owner{uint16(id), 1 << set})
				}
			}
		}
	}
	r.find = newAutomaton(words, owners)
	return r
})

// Ref names the rule set.
func (*Rules) Ref() pipeline.ModelRef { return pipeline.ModelRef{Name: "rules", Version: "1"} }

// ClassifyText returns a Signal for each rule that fires, with its place in
// the original text; labels of which nothing is said are left out. The rules
// read every view of the text; one that fires in several is told once, from
// the view nearest to the original.
func (r *Rules) ClassifyText(ctx context.Context, t pipeline.Text) ([]pipeline.Signal, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	var found []pipeline.Signal
	fired := newSet(len(r.rules))
	coded := uint64(0)
	for _, v := range normal.Readings(t.Text) {
		found = r.view(found, fired, &coded, v, t)
	}
	found = r.answer(found, t)
	if len(found) > 1 {
		found = strongest(onlyTest(found))
	}
	grown(found, t)
	return found, nil
}

// view runs all rules over one reading, in pieces that overlap when it is
// long, so that no rule is slower than the text is long.
func (r *Rules) view(found []pipeline.Signal, fired set, coded *uint64, v normal.View, t pipeline.Text) []pipeline.Signal {
	text := v.Text
	at, points := 0, 0 // code points before a byte, carried on while hits rise
	span := func(label pipeline.Label, score float64, source string, from, to int) pipeline.Signal {
		if from < at {
			at, points = 0, 0
		}
		points += utf8.RuneCountInString(text[at:from])
		at = from
		start := points
		end := start + utf8.RuneCountInString(text[from:to])
		start, end = v.Original(start, end)
		return pipeline.Signal{Label: label, Score: score, Source: source, View: v.Name, Start: start, End: end, In: "text"}
	}
	if len(found) == 0 || found[0].Source != TestSource {
		if label, from, to, ok := r.tests.find(text); ok {
			found = slices.Insert(found, 0, span(label, TestScore, TestSource, from, to))
		}
	}
	for i, c := range r.codes {
		if *coded&(1<<i) != 0 {
			continue
		}
		for _, h := range c.find(text) {
			*coded |= 1 << i
			found = append(found, span(h.label, h.score, Source, h.from, h.to))
		}
	}
	hot := newHeat(len(r.rules))
	for from := 0; from < len(text); {
		to := pieceEnd(text, from)
		piece := text[from:to]
		for _, id := range r.hot(piece, hot) {
			if fired.has(int(id)) {
				continue
			}
			if a, b, score := r.rules[id].in(piece); score > 0 {
				if score == r.rules[id].score { // a later piece may leave no doubt
					fired.add(int(id))
				}
				found = append(found, span(r.rules[id].label, score, Source, from+a, from+b))
			}
		}
		hot.clear()
		if to == len(text) {
			break
		}
		from = back(text, to-overlap)
	}
	return found
}

// hot returns the rules of which every set of words has one in text.
func (r *Rules) hot(text string, h *heat) []uint16 {
	r.find.mark(text, h)
	for _, id := range h.warm {
		if h.have[id] == 1<<len(r.rules[id].words)-1 {
			h.full = append(h.full, id)
		}
	}
	return h.full
}

// A long text is read in pieces of this many bytes, which overlap.
const (
	piece   = 2048
	overlap = 384
)

func pieceEnd(text string, from int) int {
	if len(text)-from <= piece {
		return len(text)
	}
	return back(text, from+piece)
}

// back returns the start of the code point at or before i.
func back(text string, i int) int {
	for i > 0 && !utf8.RuneStart(text[i]) {
		i--
	}
	return i
}

// onlyTest drops what ordinary rules saw in a test phrase, which names harms.
func onlyTest(found []pipeline.Signal) []pipeline.Signal {
	test := found[0]
	if test.Source != TestSource {
		return found
	}
	return slices.DeleteFunc(found, func(s pipeline.Signal) bool {
		return s.Source != TestSource && s.Start < test.End && test.Start < s.End
	})
}

// strongest keeps the best signal of each label and source.
func strongest(found []pipeline.Signal) []pipeline.Signal {
	slices.SortStableFunc(found, func(a, b pipeline.Signal) int {
		return cmp.Or(strings.Compare(string(a.Label), string(b.Label)), strings.Compare(a.Source, b.Source), cmp.Compare(b.Score, a.Score))
	})
	return slices.CompactFunc(found, func(a, b pipeline.Signal) bool { return a.Label == b.Label && a.Source == b.Source })
}

// raise is what is added to a grooming or sexual rule's score when a grown-up
// writes to a minor.
const raise = 0.15

func grown(found []pipeline.Signal, t pipeline.Text) {
	if t.SenderAge == nil || *t.SenderAge < 18 || t.RecipientAge == nil || *t.RecipientAge >= 18 {
		return
	}
	for i, s := range found {
		if s.Source == Source && (strings.HasPrefix(string(s.Label), "grooming.") || strings.HasPrefix(string(s.Label), "sexual.")) {
			found[i].Score = min(s.Score+raise, 0.95)
		}
	}
}
