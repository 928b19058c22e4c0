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
				text := lib.Render(letter, locale)
				for _, part := range []string{letter.Seen, letter.Sure, letter.Done, letter.Do, letter.DoNot} {
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
