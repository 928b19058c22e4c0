package pipeline

import (
	"math"
	"reflect"
	"strings"
	"testing"
	"time"
)

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

func age(n int) *int { return &n }

func between(sender, recipient int) Item {
	return Item{ID: "i", Kind: KindMessage, Text: "…", Sender: Person{"a", age(sender)}, Recipients: []Person{{"b", age(recipient)}}}
}

func found(l Label, score float64) Findings {
	return Findings{
		Signals: []Signal{{Label: l, Score: score, Source: "m@1"}},
		Models:  []ModelRef{{"m", "1", "00"}},
	}
}

func TestJudge(t *testing.T) {
	p := DefaultPolicy()
	meeting := p.Labels[GroomingMeeting].Act[Hold][Band8to11]
	tests := []struct {
		name   string
		item   Item
		found  Findings
		action Action
		person bool
	}{
		{"nothing found is allowed", between(10, 10), found(SexualText, .01), Allow, false},
		{"a mild insult warns the sender", between(10, 10), found(BullyingInsult, .6), Warn, false},
		{"a strong insult waits for a person", between(10, 10), found(BullyingInsult, .99), Hold, true},
		{"the same insult between adults only warns", between(40, 40), found(BullyingInsult, .99), Warn, false},
		{"self-harm waits for a person at any age", between(40, 40), found(SelfharmExpressed, .99), Hold, true},
		{"a stranger's meeting is held", between(30, 10), found(GroomingMeeting, meeting), Hold, true},
		{"classmates may meet", between(10, 11), found(GroomingMeeting, meeting), Allow, false},
		{"an unknown age counts as a child", Item{Sender: Person{ID: "a"}, Recipients: []Person{{ID: "b"}}}, found(GroomingMeeting, meeting), Hold, true},
		{"unknown ages are no peers", Item{Sender: Person{ID: "a"}, Recipients: []Person{{ID: "b", Age: age(10)}}}, found(GroomingMeeting, meeting), Hold, true},
		{"distress over likes helps and never holds", between(10, 10), found(WellbeingLikePressure, 1), Warn, false},
		{"an explicit picture is blocked and seen by a person", between(15, 15), found(SexualExplicit, .95), Block, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			v := p.Judge(tt.item, tt.found, noon)
			if v.Action != tt.action || v.NeedsPerson() != tt.person {
				t.Errorf("got %s, person %v (%v); want %s, %v", v.Action, v.NeedsPerson(), v.Reasons, tt.action, tt.person)
			}
			if tt.person && (v.Deadline <= 0 || v.Priority <= 0) {
				t.Errorf("a case without deadline or priority: %v, %v", v.Deadline, v.Priority)
			}
			if again := p.Judge(tt.item, tt.found, noon); !reflect.DeepEqual(v, again) {
				t.Errorf("the second judging differs: %+v and %+v", v, again)
			}
		})
	}
}

func TestSilenceIsNotSafety(t *testing.T) {
	p := DefaultPolicy()
	ok := []ModelRef{{"m", "1", "00"}}
	tests := map[string]Findings{
		"no model looked":                    {},
		"a model is missing":                 {Models: ok, Faults: []Fault{{Source: "text", Reason: "missing_model"}}},
		"a label that policy does not know":  {Models: ok, Signals: []Signal{{Label: "new.label", Score: 0, Source: "m@1"}}},
		"a score that is not a number":       {Models: ok, Signals: []Signal{{Label: SexualText, Score: math.NaN(), Source: "m@1"}}},
		"a score above one":                  {Models: ok, Signals: []Signal{{Label: SexualText, Score: 1.5, Source: "m@1"}}},
		"a negative score":                   {Models: ok, Signals: []Signal{{Label: SexualText, Score: -1, Source: "m@1"}}},
		"bytes that could not be opened":     {Models: ok, Faults: []Fault{{Source: "decode", Reason: "broken", Quarantine: true}}},
		"a fault next to a harmless finding": {Models: ok, Signals: []Signal{{Label: SexualText, Score: .01, Source: "m@1"}}, Faults: []Fault{{Source: "ocr", Reason: "timeout"}}},
	}
	for name, f := range tests {
		t.Run(name, func(t *testing.T) {
			v := p.Judge(between(10, 10), f, noon)
			if v.Action != Hold || !v.NeedsPerson() {
				t.Errorf("got %s, person %v; want hold with a person", v.Action, v.NeedsPerson())
			}
			if len(v.Reasons) == 0 || !strings.Contains(v.Reasons[0], "fault") {
				t.Errorf("the reason is missing: %v", v.Reasons)
			}
		})
	}
}

func TestAMessageToABoundGuardianIsNeverHeldButStillHeardOf(t *testing.T) {
	p := DefaultPolicy()
	it := between(10, 40)
	it.ToGuardian = true
	for _, f := range []Findings{found(SelfharmExpressed, .99), {}, found(SexualExplicit, .99)} {
		v := p.Judge(it, f, noon)
		if v.Action != Allow {
			t.Errorf("got %s, want allow", v.Action)
		}
		if !v.NeedsPerson() {
			t.Error("no person hears of it")
		}
	}
}

func TestAGuardianHearsOfSelfHarmOnlyAfterReview(t *testing.T) {
	f := found(SelfharmExpressed, .9)
	f.Signals = append(f.Signals, Signal{Label: GroomingMeeting, Score: .9, Source: "m@1"})
	v := DefaultPolicy().Judge(between(30, 10), f, noon)
	for _, e := range v.Escalations {
		if e.To == "guardian" && e.After != "review" {
			t.Errorf("the guardian would hear before a person looked: %+v", e)
		}
	}
}

func TestAgeBands(t *testing.T) {
	tests := []struct {
		age  *int
		want AgeBand
	}{
		{nil, Band8to11}, {age(0), Band3to7}, {age(3), Band3to7}, {age(7), Band3to7}, {age(8), Band8to11},
		{age(11), Band8to11}, {age(12), Band12to14}, {age(15), Band15to17}, {age(17), Band15to17}, {age(18), BandAdult}, {age(120), BandAdult},
	}
	for _, tt := range tests {
		if got := BandOf(tt.age); got != tt.want {
			t.Errorf("BandOf(%v): got %s, want %s", tt.age, got, tt.want)
		}
	}
}

func TestAStricterActionNeverFollowsFromALowerScore(t *testing.T) {
	p := DefaultPolicy()
	for _, l := range Labels() {
		last := Allow
		for s := 0.0; s <= 1; s += .01 {
			a := p.Judge(between(30, 10), found(l, s), noon).Action
			if last.StricterThan(a) {
				t.Fatalf("%s: %s at %.2f after %s", l, a, s, last)
			}
			last = a
		}
	}
}

func TestAConversationThatCouldNotBeReadWholeGoesToAPerson(t *testing.T) {
	it := between(10, 10)
	it.ContextUnread = true
	v := DefaultPolicy().Judge(it, found(SexualText, .01), noon)
	if v.Action != Hold || !v.NeedsPerson() || !strings.Contains(strings.Join(v.Reasons, " "), "context_unread") {
		t.Errorf("got %s, person %t (%v); want hold with a person", v.Action, v.NeedsPerson(), v.Reasons)
	}
	it.ToGuardian = true
	if v = DefaultPolicy().Judge(it, found(SexualText, .01), noon); v.Action != Allow || !v.NeedsPerson() {
		t.Errorf("got %s, person %t to a guardian; want allow, and a person hears", v.Action, v.NeedsPerson())
	}
}
