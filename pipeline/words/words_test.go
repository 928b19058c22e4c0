package words

import (
	"strings"
	"testing"
	"unicode/utf8"

	"nightlight/pipeline"
)

func open(t *testing.T) *Library {
	t.Helper()
	lib, err := Open()
	if err != nil {
		t.Fatal(err)
	}
	return lib
}

func TestEveryInterventionOfThePolicyHasWordsForEveryAgeInBothLanguages(t *testing.T) {
	lib := open(t)
	for label, rule := range pipeline.DefaultPolicy().Labels {
		for _, i := range rule.Interventions {
			for _, locale := range []string{"zh-CN", "en"} {
				for _, band := range pipeline.AgeBands {
					if s, ok := lib.ForChild(i.TextKey, locale, band); !ok || s == "" {
						t.Errorf("%s: %s has no words in %s for %s", label, i.TextKey, locale, band)
					}
				}
			}
		}
	}
}

func TestEveryLabelThatAGuardianHearsOfHasALetterInBothLanguages(t *testing.T) {
	lib := open(t)
	for label, rule := range pipeline.DefaultPolicy().Labels {
		for _, h := range rule.Hear {
			if h.Who != "guardian" {
				continue
			}
			for _, locale := range []string{"zh-CN", "en"} {
				letter, ok := lib.ForGuardian(LetterKey(label), locale)
				if !ok {
					t.Errorf("%s: no letter in %s", label, locale)
					continue
				}
				text := lib.Render(letter, locale, Fate{First: pipeline.Warn, Now: pipeline.Block, Helped: true}) // the longest one
				for _, part := range []string{letter.Seen, letter.Sure, letter.Done.Stopped, letter.Done.Delivered, letter.Done.Withdrawn, letter.Do, letter.DoNot} {
					if part == "" {
						t.Errorf("%s: the letter in %s lacks a part", label, locale)
					}
				}
				if words := len(strings.Fields(text)); words > 120 {
					t.Errorf("%s: %d words in %s, want at most 120", label, words, locale)
				}
				if locale == "zh-CN" && utf8.RuneCountInString(text) > 300 {
					t.Errorf("%s: %d characters, want at most 300", label, utf8.RuneCountInString(text))
				}
				if letter.Helpful && !strings.Contains(text, lib.Helplines(locale)[0].Phone) {
					t.Errorf("%s: the letter names no helpline", label)
				}
			}
		}
	}
}

func TestALockScreenNamesNoKindOfHarm(t *testing.T) {
	lib := open(t)
	for _, locale := range []string{"zh-CN", "en"} {
		for _, word := range []string{"sex", "harm", "groom", "bully", "性", "自残", "欺", "诱"} {
			if strings.Contains(strings.ToLower(lib.Subject(locale)), word) {
				t.Errorf("the subject in %s names %q", locale, word)
			}
		}
	}
}

func TestBothBooksHaveTheSameKeys(t *testing.T) {
	lib := open(t)
	zh, en := lib.books["zh"], lib.books["en"]
	for key := range zh.Child {
		if _, ok := en.Child[key]; !ok {
			t.Errorf("en lacks %s", key)
		}
	}
	for key := range en.Child {
		if _, ok := zh.Child[key]; !ok {
			t.Errorf("zh lacks %s", key)
		}
	}
	if len(zh.Guardian) != len(en.Guardian) {
		t.Errorf("letters: zh %d, en %d", len(zh.Guardian), len(en.Guardian))
	}
}

func TestNoGuardianHearsBeforeAPersonLookedBecauseTheLettersSaySo(t *testing.T) {
	for label, rule := range pipeline.DefaultPolicy().Labels {
		for _, h := range rule.Hear {
			if h.Who == "guardian" && h.After != "review" {
				t.Errorf("%s: a guardian would be told that a person has looked before one has", label)
			}
		}
	}
}

func TestALetterSaysWhatIsTrueOfTheItem(t *testing.T) {
	done := Done{Stopped: "stopped", Delivered: "delivered", Withdrawn: "withdrawn"}
	for _, c := range []struct {
		first, now pipeline.Action
		want       string
	}{
		{pipeline.Hold, pipeline.Block, "stopped"}, {pipeline.Block, pipeline.Block, "stopped"}, {pipeline.Hold, pipeline.Hold, "stopped"},
		{pipeline.Hold, pipeline.Warn, "delivered"}, {pipeline.Warn, pipeline.Warn, "delivered"}, {pipeline.Block, pipeline.Blur, "delivered"}, {pipeline.Allow, pipeline.Allow, "delivered"},
		{pipeline.Warn, pipeline.Block, "withdrawn"}, {pipeline.Allow, pipeline.Hold, "withdrawn"},
		{"", "", "stopped"}, // nobody knows: it was not let through
	} {
		if got := done.By(Fate{First: c.first, Now: c.now}); got != c.want {
			t.Errorf("%q, then %q: got %s, want %s", c.first, c.now, got, c.want)
		}
	}
	v := pipeline.Verdict{Action: pipeline.Warn, Interventions: []pipeline.Intervention{{To: "recipient", Kind: "help"}, {To: "sender", Kind: "warning"}}}
	if s, r := FateOf(&v, pipeline.Warn, true), FateOf(&v, pipeline.Warn, false); s.Helped || !r.Helped {
		t.Errorf("got help for the sender %t and the recipient %t, want it for the recipient alone", s.Helped, r.Helped)
	}
}
