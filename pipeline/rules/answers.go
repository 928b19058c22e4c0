package rules

import (
	"regexp"
	"strings"
	"unicode/utf8"

	"nightlight/pipeline"
	"nightlight/pipeline/normal"
)

// An answer is one number of five digits or more, or one handle, with no more
// around it than 我的是 … 呀.
var (
	answers = regexp.MustCompile(`^(?:(?:我的?|是|号|手机|电话|手表号|qq|扣扣|微信|vx|wx|v|snap|insta|ig|discord|it'?s|its|is|mine|my|number|here|ok|okay|sure|yes|yeah|yea|yh|ya|yep)[是: ,!-]*)*` +
		`(\+?\(?\d(?:[ ().-]{0,2}\d){4,14}|[a-z](?:[._-]{0,2}[a-z\d]){4,23})[^a-z\d]{0,12}$`)
	// Times, days, levels and amounts are no contacts.
	amounts = regexp.MustCompile(`(?:19|20)\d\d[-./ ]\d\d?[-./ ]\d\d?\D*$|\d\d?\.\d\d\.\d+\D*$|\d *(?:元|块|分|岁|点|个|人|次|名|层|楼|级|米|%)|\b(?:lvl|level|grade|year|class|room|top|covid)\W*\d`)
)

// answer reads a bare number that answers a question for a contact: "12345678"
// says nothing until somebody has asked "你QQ多少". What the writer said in
// between, 等下, does not part the two.
func (r *Rules) answer(found []pipeline.Signal, t pipeline.Text) []pipeline.Signal {
	if len(t.Text) > 60 || len(t.Text) < 5 {
		return found
	}
	asked := len(t.Context) - 1
	for asked >= 0 && t.Context[asked].From == pipeline.Self {
		asked--
	}
	if asked < 0 || len(t.Context[asked].Text) > 400 {
		return found
	}
	text := strings.TrimSpace(normal.Fold(t.Text))
	at := answers.FindStringSubmatch(text)
	if at == nil || !strings.ContainsAny(at[1], "_0123456789") || amounts.MatchString(text) || !r.asks(t.Context[asked].Text) {
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
			if _, _, score := r.rules[id].in(v.Text); score > 0 {
				return true
			}
		}
		h.clear()
	}
	return false
}
