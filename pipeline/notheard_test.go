package pipeline

import (
	"slices"
	"strings"
	"testing"
	"time"
)

func lenient(t *testing.T) *Policy {
	t.Helper()
	text := strings.Replace(string(defaultPolicy), `peers: {"3-7": hold, "8-11": hold, "12-14": hold, "15-17": hold}`,
		`peers: {"3-7": hold, "8-11": hold, "12-14": deliver, "15-17": deliver}`, 1)
	p, err := ParsePolicy([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func aged(years ...int) Item {
	it := Item{Kind: KindVoice, Sender: Person{ID: "a", Age: &years[0]}}
	for _, y := range years[1:] {
		it.Recipients = append(it.Recipients, Person{ID: "b", Age: &y})
	}
	return it
}

func TestSpeechThatWasNotHeardIsHeldOrDeliveredByAgeAndRelationAndAPersonAlwaysHears(t *testing.T) {
	unheard := Findings{Models: []ModelRef{{Name: "m"}}, Faults: []Fault{{Source: "speech/unlikely", Reason: "not_heard", Unheard: true}}}
	guardian := aged(8, 40)
	guardian.ToGuardian = true
	tests := []struct {
		name   string
		policy *Policy
		item   Item
		want   Action
	}{
		{"the default holds it between peers", DefaultPolicy(), aged(16, 15), Hold},
		{"the default holds it between strangers", DefaultPolicy(), aged(30, 10), Hold},
		{"a child's voice to their guardian goes out", DefaultPolicy(), guardian, Allow},
		{"a milder policy delivers between peers of 13", lenient(t), aged(13, 12), Allow},
		{"a milder policy holds between peers of 9", lenient(t), aged(9, 9), Hold},
		{"a milder policy holds from a grown-up to one of 13", lenient(t), aged(30, 13), Hold},
		{"a milder policy holds when an age is not known", lenient(t), Item{Kind: KindVoice, Sender: aged(13).Sender, Recipients: []Person{{ID: "b"}}}, Hold},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			v := tt.policy.Judge(tt.item, unheard, time.Time{})
			if v.Action != tt.want || !v.NeedsPerson() || v.Deadline == 0 {
				t.Errorf("got %s, person %t, deadline %s; want %s and a person in time", v.Action, v.NeedsPerson(), v.Deadline, tt.want)
			}
			if !slices.ContainsFunc(v.Reasons, func(r string) bool { return strings.HasPrefix(r, "fault: not_heard of ") }) {
				t.Errorf("the verdict does not say so: %q", v.Reasons)
			}
		})
	}
}

func TestWhatWasNotHeardNeverSoftensWhatWasFound(t *testing.T) {
	f := Findings{Models: []ModelRef{{Name: "m"}}, Faults: []Fault{{Source: "speech/loop", Reason: "not_heard", Unheard: true}},
		Signals: []Signal{{Label: BullyingThreat, Score: .99, Source: "m@"}}}
	if v := lenient(t).Judge(aged(13, 13), f, time.Time{}); v.Action != Hold {
		t.Errorf("got %s, want the threat held", v.Action)
	}
}

func TestAnotherFaultIsHeldUnderAnyRuleForWhatWasNotHeard(t *testing.T) {
	f := Findings{Models: []ModelRef{{Name: "m"}}, Faults: []Fault{{Source: "speech", Reason: "missing_model"}}}
	if v := lenient(t).Judge(aged(13, 13), f, time.Time{}); v.Action != Hold {
		t.Errorf("got %s, want hold", v.Action)
	}
}

func TestARuleForWhatWasNotHeardThatLeavesSomethingOpenIsRefused(t *testing.T) {
	for name, change := range map[string][2]string{
		"a band without a treatment": {`peers: {"3-7": hold, `, `peers: {`},
		"a treatment nobody knows":   {`others: {"3-7": hold`, `others: {"3-7": allow`},
		"a band that is none":        {`others: {"3-7": hold`, `others: {"3-8": hold, "3-7": hold`},
		"no grown-ups":               {`, "adult": hold}`, `}`},
	} {
		text := strings.Replace(string(defaultPolicy), change[0], change[1], 1)
		if text == string(defaultPolicy) {
			t.Fatalf("%s: nothing to change", name)
		}
		if _, err := ParsePolicy([]byte(text)); err == nil || !strings.Contains(err.Error(), "not_heard.") {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestAPolicyWithoutARuleForWhatWasNotHeardHoldsIt(t *testing.T) {
	text := string(defaultPolicy)
	from, to := strings.Index(text, "not_heard:\n"), strings.Index(text, "\nlabels:\n")
	p, err := ParsePolicy([]byte(text[:from] + text[to:]))
	if err != nil {
		t.Fatal(err)
	}
	v := p.Judge(aged(13, 13), Findings{Faults: []Fault{{Source: "speech/faint", Reason: "not_heard", Unheard: true}}}, time.Time{})
	if v.Action != Hold || !v.NeedsPerson() {
		t.Errorf("got %s, want hold", v.Action)
	}
}

func TestWhatNobodyCouldJudgeIsAsGraveAsPolicySaysAndNotMilderThanItsLabels(t *testing.T) {
	p := DefaultPolicy()
	p.Fault.Severity, p.NotHeard.Severity = 2, 3
	models := []ModelRef{{Name: "m"}}
	broken, unheard := Fault{Source: "speech", Reason: "missing_model"}, Fault{Source: "speech/loop", Reason: "not_heard", Unheard: true}
	mild, grave := Signal{Label: MarketAccountTrade, Score: .99, Source: "m@"}, Signal{Label: SexualExplicit, Score: .99, Source: "m@"}
	for name, tt := range map[string]struct {
		found Findings
		want  int
	}{
		"nothing is wrong":                  {Findings{Models: models}, 0},
		"a model was missing":               {Findings{Models: models, Faults: []Fault{broken}}, 2},
		"nobody understood it":              {Findings{Models: models, Faults: []Fault{unheard}}, 3},
		"both":                              {Findings{Models: models, Faults: []Fault{unheard, broken}}, 3},
		"a mild label beside what is not":   {Findings{Models: models, Faults: []Fault{broken}, Signals: []Signal{mild}}, 2},
		"a grave label beside what is not":  {Findings{Models: models, Faults: []Fault{broken}, Signals: []Signal{grave}}, 4},
		"a label that policy does not know": {Findings{Models: models, Signals: []Signal{{Label: "made.up", Score: .9, Source: "m@"}}}, 2},
	} {
		if got := p.Judge(aged(13, 13), tt.found, time.Time{}).Severity(); got != tt.want {
			t.Errorf("%s: got severity %d, want %d", name, got, tt.want)
		}
	}
}
