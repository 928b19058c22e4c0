package rules

import (
	"strings"
	"testing"

	"nightlight/pipeline"
)

// tripped returns the labels of test phrases and of ordinary rules.
func tripped(signals []pipeline.Signal) (test, other []pipeline.Label) {
	for _, s := range signals {
		if s.Source == TestSource && s.Score == TestScore {
			test = append(test, s.Label)
		} else if s.Score >= 0.5 {
			other = append(other, s.Label)
		}
	}
	return test, other
}

func TestATestPhraseTripsExactlyItsLabelHoweverItWasReadOut(t *testing.T) {
	r := New()
	spellings := map[string]func(string) string{
		"as written":         func(s string) string { return s },
		"shouted":            strings.ToUpper,
		"as speech gives it": func(s string) string { return "Um, " + strings.Replace(s, "nightlight", "night light", 1) + "." },
		"as speech mishears it": func(s string) string {
			return strings.Replace(strings.Replace(s, "nightlight", "Knight light", 1), " for ", " four ", 1)
		},
		"with underscores":        func(s string) string { return strings.ReplaceAll(s, " ", "_") },
		"with dots":               func(s string) string { return strings.ReplaceAll(s, " ", ".") },
		"with hyphens":            func(s string) string { return strings.ReplaceAll(s, " ", "-") },
		"as a camera reads it":    func(s string) string { return strings.NewReplacer("o", "0", "l", "1", "i", "l", "m", "rn").Replace(s) },
		"with a letter lost":      func(s string) string { return strings.Replace(s, "nightlight", "nightligt", 1) },
		"over two lines":          func(s string) string { return strings.Replace(s, " for ", "\nfor ", 1) },
		"without blanks":          func(s string) string { return strings.ReplaceAll(s, " ", "") },
		"in full width":           fullWidth,
		"inside a message":        func(s string) string { return "hello, this is the " + s + ", thank you" },
		"in traditional writing":  func(s string) string { return strings.NewReplacer("灯", "燈", "测", "測", "试", "試").Replace(s) },
		"with blanks all over it": func(s string) string { return strings.Join(strings.Split(s, ""), " ") },
	}
	for _, label := range pipeline.TextLabels {
		for _, lang := range []string{"en", "zh"} {
			for name, spell := range spellings {
				text := spell(TestPhrase(label, lang))
				test, other := tripped(classify(t, r, text))
				if len(test) != 1 || test[0] != label || len(other) > 0 {
					t.Errorf("%s, %s: %q: got %v and %v, want only %s", name, lang, text, test, other, label)
				}
			}
		}
	}
}

func TestATestPhraseSaidAloudTripsItsLabel(t *testing.T) {
	r := New()
	for _, label := range pipeline.TextLabels {
		text := strings.Replace(TestPhrase(label, "en"), "nightlight test", "This is a safety test", 1) + "."
		test, other := tripped(classify(t, r, text))
		if len(test) != 1 || test[0] != label || len(other) > 0 {
			t.Errorf("%q: got %v and %v, want only %s", text, test, other, label)
		}
	}
}

func fullWidth(s string) string {
	return strings.Map(func(r rune) rune {
		if r > 0x20 && r < 0x7f {
			return r + 0xfee0
		}
		return r
	}, s)
}

func TestOrdinaryTalkOfTestsAndLightsIsNoTestPhrase(t *testing.T) {
	r := New()
	for _, text := range []string{
		"I have a test tonight and need more light",
		"we test the night light for grooming the dog",
		"night light test",
		"is there a safety test for grooming the dog",
		"this is a safety test for the new swing",
		"nightlight test for nothing at all",
		"this nightlight is bright, test it",
		"夜灯坏了",
		"夜里灯光测试",
		"夜灯测试",
		"老师说要测试夜灯的亮度",
	} {
		if test, _ := tripped(classify(t, r, text)); len(test) > 0 {
			t.Errorf("%q: got %v, want nothing", text, test)
		}
	}
}

func TestEveryTextLabelHasATestPhraseAndNoOtherLabelHas(t *testing.T) {
	for _, l := range pipeline.TextLabels {
		if TestPhrase(l, "zh") == "" || TestPhrase(l, "en") == "" {
			t.Errorf("%s: no phrase", l)
		}
	}
	if got := TestPhrase(pipeline.SexualExplicit, "en"); got != "" {
		t.Errorf("a label of pictures: got %q, want nothing", got)
	}
}
