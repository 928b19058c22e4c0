package rules

import (
	"strings"
	"unicode/utf8"

	"nightlight/pipeline"
	"nightlight/pipeline/normal"
)

// answer reads a bare number that answers a question for a contact: "12345678"
// says nothing until somebody has asked "你QQ多少".
func (r *Rules) answer(found []pipeline.Signal, t pipeline.Text) []pipeline.Signal {
	if len(t.Context) == 0 || len(t.Text) > 60 || len(t.Text) < 5 {
		return found
	}
	last := t.Context[len(t.Context)-1]
	if last.From != pipeline.Other || len(last.Text) > 400 {
		return found
	}
	text := normal.Fold(t.Text)
	digits := 0
	for _, c := range text {
		switch {
		case c >= '0' && c <= '9':
			digits++
		case c >= 'a' && c <= 'z', strings.ContainsRune(" -_.:是", c):
		default:
			return found
		}
	}
	if digits < 3 || digits > 12 || len(text) > 24 || !r.asks(last.Text) {
		return found
	}
	return append(found, pipeline.Signal{Label: pipeline.PrivacyGives, Score: 0.8, Source: Source, View: normal.Raw, End: utf8.RuneCountInString(t.Text), In: "text"})
}

// asks reports whether a rule of privacy.asks fires on text.
func (r *Rules) asks(text string) bool {
	h := newHeat(len(r.rules))
	for _, v := range normal.Readings(text) {
		for _, id := range r.hot(v.Text, h) {
			if r.rules[id].label != pipeline.PrivacyAsks {
				continue
			}
			if _, _, ok := r.rules[id].in(v.Text); ok {
				return true
			}
		}
		h.clear()
	}
	return false
}
