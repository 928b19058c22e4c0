package pipeline

import (
	"strings"
	"testing"
	"time"
)

func inBank(name string, distance int) Signal {
	m := BankMatch{Name: name, Kind: "pdq", Distance: distance, Threshold: 31}
	return Signal{Label: SexualExplicit, Score: m.Score(), Source: "bank/" + name + "@1", In: "picture", Bank: &m}
}

func photo(age int) Item {
	return Item{Kind: KindPhoto, Sender: Person{ID: "a", Age: &age}, Recipients: []Person{{ID: "b", Age: &age}}}
}

func judgedAs(t *testing.T, p *Policy, age int, signals ...Signal) Verdict {
	t.Helper()
	return p.Judge(photo(age), Findings{Signals: signals, Models: []ModelRef{{Name: "m", Version: "1"}}}, time.Unix(0, 0))
}

func withBanks(t *testing.T, banks string) *Policy {
	t.Helper()
	text := strings.Replace(string(defaultPolicy), "\nbanks:\n", "\nbanks:\n"+banks, 1)
	p, err := ParsePolicy([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestAMatchIsHeldWithTheBanksNameAndDistance(t *testing.T) {
	for _, age := range []int{6, 16, 40} {
		v := judgedAs(t, DefaultPolicy(), age, inBank("police", 31), inBank("police", 7))
		if v.Action != Hold || !v.NeedsPerson() || v.Severity() != 4 || v.Deadline == 0 || v.Priority == 0 {
			t.Errorf("aged %d: got %s, severity %d, %v", age, v.Action, v.Severity(), v.Escalations)
		}
		if want := "bank police: the same picture, 7 bits away ≤ 31 → hold"; len(v.Reasons) != 1 || v.Reasons[0] != want {
			t.Errorf("aged %d: got %q, want the nearest alone: %q", age, v.Reasons, want)
		}
		if len(v.Signals) != 2 || v.Signals[0].Bank.Name != "police" {
			t.Errorf("aged %d: got %+v, want the matches as signals of their own", age, v.Signals)
		}
	}
}

func TestABanksOwnRuleIsUsedForItAlone(t *testing.T) {
	p := withBanks(t, "  strict: {label: unsupported.gore, severity: 3, action: block, hear: [{who: reviewer, urgency: soon, from: warn}]}\n  mild: {label: unsupported.weapons, severity: 1, action: blur}\n")
	for name, want := range map[string]Action{"strict": Block, "mild": Blur, "another": Hold} {
		if v := judgedAs(t, p, 10, inBank(name, 0)); v.Action != want {
			t.Errorf("%s: got %s, want %s", name, v.Action, want)
		}
	}
}

func TestABankThatPolicyKnowsNothingOfHolds(t *testing.T) {
	p := DefaultPolicy()
	p.Banks = nil
	if v := judgedAs(t, p, 10, inBank("x", 31)); v.Action != Hold || !v.NeedsPerson() {
		t.Errorf("got %s, %v", v.Action, v.Escalations)
	}
}

func TestNoBankMakesAPicturePass(t *testing.T) {
	for _, wrong := range []string{
		"  x: {label: sexual.explicit, severity: 1, action: allow}\n", "  x: {label: sexual.explicit, severity: 1}\n",
		"  x: {label: nonsense, severity: 1, action: block}\n", "  x: {label: sexual.explicit, severity: 9, action: block}\n",
		"  x: {label: sexual.explicit, severity: 1, action: hold}\n", "  x: {label: sexual.explicit, severity: 1, action: block, hear: [{who: nobody, urgency: soon, from: hold}]}\n",
	} {
		text := strings.Replace(string(defaultPolicy), "\nbanks:\n", "\nbanks:\n"+wrong, 1)
		if _, err := ParsePolicy([]byte(text)); err == nil || !strings.Contains(err.Error(), "banks.x") {
			t.Errorf("%s: got %v, want a mistake in banks.x", wrong, err)
		}
	}
}

func TestWordToGuardiansAboutABanksPictureNeverWaitsForNobody(t *testing.T) {
	const guardian = "{who: guardian, urgency: soon, from: warn, after: review}"
	for rule, wrong := range map[string]bool{
		"action: block, hear: [" + guardian + "]":                                              true,
		"action: warn, hear: [{who: reviewer, urgency: soon, from: hold}, " + guardian + "]":   true,
		"action: block, hear: [{who: reviewer, urgency: soon, from: block}, " + guardian + "]": false,
		"action: warn, hear: [{who: guardian, urgency: soon, from: hold, after: review}]":      false, // it never comes that far
		"action: block, hear: [{who: guardian, urgency: soon, from: warn}]":                    false, // it waits for nobody
		"action: hold, hear: [" + guardian + ", {who: reviewer, urgency: soon, from: hold}]":   false,
	} {
		text := strings.Replace(string(defaultPolicy), "\nbanks:\n", "\nbanks:\n  x: {label: sexual.explicit, severity: 1, "+rule+"}\n", 1)
		_, err := ParsePolicy([]byte(text))
		if (err != nil) != wrong || err != nil && !strings.Contains(err.Error(), "banks.x.hear") {
			t.Errorf("%s: got %v, want a mistake in banks.x.hear: %t", rule, err, wrong)
		}
	}
}

func TestCopiesStandOnTheSameGroundsOnlyWhenEverythingWeighedIsTheSame(t *testing.T) {
	p := DefaultPolicy()
	see := func(score float64) Signal {
		return Signal{Label: SexualExplicit, Score: score, Source: "m@1", In: "picture"}
	}
	first := judgedAs(t, p, 10, see(.61))
	for name, c := range map[string]struct {
		other Verdict
		want  bool
	}{
		"the same":           {judgedAs(t, p, 10, see(.61)), true},
		"a near score":       {judgedAs(t, p, 10, see(.66)), true},
		"a far score":        {judgedAs(t, p, 10, see(.80)), false},
		"another action":     {judgedAs(t, p, 10, see(.90)), false},
		"a younger child":    {judgedAs(t, p, 6, see(.61)), false},
		"one label more":     {judgedAs(t, p, 10, see(.61), Signal{Label: SexualText, Score: .8}), false},
		"in a bank besides":  {judgedAs(t, p, 10, see(.61), inBank("x", 3)), false},
		"a fault besides":    {p.Judge(photo(10), Findings{Signals: []Signal{see(.61)}, Faults: []Fault{{Source: "text", Reason: "missing_model"}}}, time.Unix(0, 0)), false},
		"another policy":     {func() Verdict { v := judgedAs(t, p, 10, see(.61)); v.PolicyVersion = "x"; return v }(), false},
		"bytes not openable": {func() Verdict { v := judgedAs(t, p, 10, see(.61)); v.Quarantine = true; return v }(), false},
	} {
		if got := first.SameGrounds(c.other, .1); got != c.want {
			t.Errorf("%s: got %t\n%q\n%q", name, got, first.Reasons, c.other.Reasons)
		}
	}
	near, far := judgedAs(t, p, 10, inBank("x", 2)), judgedAs(t, p, 10, inBank("x", 5))
	if !near.SameGrounds(far, .1) || near.SameGrounds(judgedAs(t, p, 10, inBank("y", 2)), .1) {
		t.Error("one bank at two distances is one ground; two banks are two")
	}
}

func TestTwoItemsHaveTheSamePartiesOnlyWhenAllAgesAndTheAudienceAreOfOneKind(t *testing.T) {
	who := func(ages ...int) (list []Person) {
		for _, n := range ages {
			p := Person{ID: "p", Age: age(n)}
			if n < 0 {
				p.Age = nil
			}
			list = append(list, p)
		}
		return list
	}
	between := func(a Audience, from int, to ...int) Item {
		return Item{Audience: a, Sender: who(from)[0], Recipients: who(to...)}
	}
	children := between(AudienceDirect, 9, 9, 13)
	for name, c := range map[string]struct {
		other Item
		want  bool
	}{
		"the same":                  {children, true},
		"others of these bands":     {between(AudienceDirect, 11, 12, 14, 8, 8), true},
		"a grown-up sends":          {between(AudienceDirect, 30, 9, 13), false},
		"nobody knows who sends":    {between(AudienceDirect, -1, 9, 13), false},
		"a grown-up gets it":        {between(AudienceDirect, 9, 9, 30), false},
		"a grown-up gets it too":    {between(AudienceDirect, 9, 9, 13, 30), false},
		"nobody knows who gets it":  {between(AudienceDirect, 9, -1, 13), false},
		"fewer bands get it":        {between(AudienceDirect, 9, 9), false},
		"the other way round":       {between(AudienceDirect, 13, 9, 9), false},
		"a group sees it":           {between(AudienceGroup, 9, 9, 13), false},
		"everybody sees it":         {between(AudiencePublic, 9, 9, 13), false},
		"nobody is named to get it": {between(AudienceDirect, 9), false},
	} {
		if got := children.SameParties(c.other); got != c.want {
			t.Errorf("%s: got %t, want %t", name, got, c.want)
		}
		if got := c.other.SameParties(children); got != c.want {
			t.Errorf("%s, seen from the other: got %t, want %t", name, got, c.want)
		}
	}
}
