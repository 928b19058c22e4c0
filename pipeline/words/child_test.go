package words

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"nightlight/pipeline"
)

// minors are the bands for which the words of what matters most differ.
var minors = []pipeline.AgeBand{pipeline.Band3to7, pipeline.Band8to11, pipeline.Band12to14, pipeline.Band15to17}

// keysOf are the text keys of the labels of these groups, or of these labels.
func keysOf(groups ...string) (keys []string) {
	for label, rule := range pipeline.DefaultPolicy().Labels {
		if !slices.Contains(groups, string(label)) && !slices.Contains(groups, strings.Split(string(label), ".")[0]) {
			continue
		}
		for _, i := range rule.Interventions {
			keys = append(keys, i.TextKey)
		}
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}

// eachChild says every sentence that a child may read.
func eachChild(t *testing.T, lib *Library, keys []string, say func(key, locale string, band pipeline.AgeBand, text string)) {
	t.Helper()
	if len(keys) == 0 {
		t.Fatal("no keys")
	}
	for _, key := range keys {
		for _, locale := range []string{"zh-CN", "en"} {
			for _, band := range minors {
				text, ok := lib.ForChild(key, locale, band)
				if !ok {
					t.Errorf("%s has no words in %s", key, locale)
				}
				say(key, locale, band, text)
			}
		}
	}
}

func TestWhatMattersMostIsSaidOtherwiseAtEveryAge(t *testing.T) {
	lib := open(t)
	heard := map[string]pipeline.AgeBand{}
	keys := keysOf("selfharm", "grooming", "bullying", "sexual.image_request", "sexual.image_offer", "sexual.extortion")
	eachChild(t, lib, keys, func(key, locale string, band pipeline.AgeBand, text string) {
		if before, ok := heard[key+locale+text]; ok {
			t.Errorf("%s in %s: aged %s hear what those aged %s hear", key, locale, band, before)
		}
		heard[key+locale+text] = band
		if lib.books[Language(locale)].Child[key][string(band)] == "" {
			t.Errorf("%s in %s: nothing of their own for those aged %s", key, locale, band)
		}
	})
}

func TestTheWordsAreShortAndShortestForTheSmallest(t *testing.T) {
	lib := open(t)
	most := map[pipeline.AgeBand][2]int{ // words in English, characters in Chinese
		pipeline.Band3to7: {32, 50}, pipeline.Band8to11: {42, 70}, pipeline.Band12to14: {46, 80}, pipeline.Band15to17: {50, 90},
	}
	eachChild(t, lib, lib.Keys(), func(key, locale string, band pipeline.AgeBand, text string) {
		got, want := len(strings.Fields(text)), most[band][0]
		if Language(locale) == "zh" {
			got, want = utf8.RuneCountInString(text), most[band][1]
		}
		if got > want {
			t.Errorf("%s in %s for %s: got %d words or characters, want at most %d", key, locale, band, got, want)
		}
	})
}

func TestAChildWhoWasAskedForAPictureOrMadeOneIsToldThatItIsNotTheirFault(t *testing.T) {
	lib := open(t)
	keys := []string{"picture.yours_to_keep", "pictures.say_no", "extortion.not_your_fault", "bullying.help"}
	comfort := []string{"not your fault", "did nothing wrong", "not in trouble", "不是你的错", "也不是你的错", "没有做错", "不会怪你"}
	eachChild(t, lib, keys, func(key, locale string, band pipeline.AgeBand, text string) {
		if !slices.ContainsFunc(comfort, func(c string) bool { return strings.Contains(text, c) }) {
			t.Errorf("%s in %s for %s does not say so: %s", key, locale, band, text)
		}
	})
}

func TestNoWordsBlameAChildOrSpeakOfPunishment(t *testing.T) {
	lib := open(t)
	eachChild(t, lib, lib.Keys(), func(key, locale string, band pipeline.AgeBand, text string) {
		plain := strings.NewReplacer("不会怪你", "", "没有人会怪你", "").Replace(strings.ToLower(text))
		for _, blame := range []string{"you should have", "should not have", "why did you", "stupid", "punish", "ashamed", "bad child", "怪你", "你不该", "惩罚", "羞", "坏孩子", "为什么要发"} {
			if strings.Contains(plain, blame) {
				t.Errorf("%s in %s for %s says %q", key, locale, band, blame)
			}
		}
	})
}

func TestNoWordsHoldANumberThatTheDatedFileDoesNotKeep(t *testing.T) {
	lib := open(t)
	eachChild(t, lib, lib.Keys(), func(key, locale string, band pipeline.AgeBand, text string) {
		if strings.Contains(strings.ReplaceAll(text, "under 18", ""), "1") || strings.Contains(text, "http") {
			t.Errorf("%s in %s for %s holds a number or a link: %s", key, locale, band, text)
		}
	})
}

func TestEverythingSaidAboutSelfHarmHasANumberToCall(t *testing.T) {
	lib := open(t)
	for _, key := range keysOf("selfharm") {
		for locale, want := range map[string]string{"zh-CN": "12356", "zh": "12356", "en": "988", "en-US": "988", "en-GB": "0800 1111", "fr": "988", "": "988"} {
			lines := lib.Beside(key, locale)
			if !slices.ContainsFunc(lines, func(h pipeline.Helpline) bool { return h.Phone == want }) {
				t.Errorf("%s in %q: got %v, want %s among them", key, locale, lines, want)
			}
		}
	}
	if lines := lib.Beside("words.leave_out", "en"); lines != nil {
		t.Errorf("got %v beside a tip about kind words, want none", lines)
	}
}

func TestEveryHelplineSaysHowToReachItAndWhenItWasListed(t *testing.T) {
	lib := open(t)
	for locale, lines := range lib.helplines {
		if len(lines) == 0 {
			t.Errorf("%s has no helpline", locale)
		}
		for _, h := range lines {
			if h.Name == "" || h.Hours == "" || h.Phone == "" && h.Link == "" || h.Link != "" && !strings.HasPrefix(h.Link, "https://") {
				t.Errorf("%s: %+v lacks something", locale, h)
			}
			if h.Listed != lib.Listed.Format("2006-01-02") {
				t.Errorf("%s: %s was listed %q, want the file's day", locale, h.Name, h.Listed)
			}
		}
	}
}

func TestNumbersAreThoseOfTheCountryWhereItIsListed(t *testing.T) {
	lib := open(t)
	for locale, want := range map[string]string{
		"zh-CN": "全国统一心理援助热线", "zh-Hans-CN": "全国统一心理援助热线", "zh-Hans": "全国统一心理援助热线",
		"zh-HK": "各地儿童热线（Child Helpline International）", "zh-Hant-TW": "各地儿童热线（Child Helpline International）",
		"en-us": "US Suicide and Crisis Lifeline", "en-GB": "UK Childline", "en-AU": "Child helplines by country (Child Helpline International)",
		"de-GB": "UK Childline", "de": "Child helplines by country (Child Helpline International)",
	} {
		if got := lib.Helplines(locale)[0].Name; got != want {
			t.Errorf("%s: got %s first, want %s", locale, got, want)
		}
	}
}

func TestALocaleThatWeDoNotSpeakIsAnsweredInEnglishAndATextWithoutOneInItsOwn(t *testing.T) {
	for locale, want := range map[string]string{"zh": "zh", "zh-Hant-HK": "zh", "ZH-cn": "zh", "en-IN": "en", "fr": "en", "": "en"} {
		if got := Language(locale); got != want {
			t.Errorf("%q: got %s, want %s", locale, got, want)
		}
	}
	for text, want := range map[string]string{"我的 phone 是": "zh", "see you": "en", "": "en", "😀": "en"} {
		if got := LanguageOf(text); got != want {
			t.Errorf("%q: got %s, want %s", text, got, want)
		}
	}
}

func TestABandThatNobodyIsInIsRefused(t *testing.T) {
	for name, b := range map[string]Book{
		"an unknown band":       {Child: map[string]map[string]string{"k": {"8-12": "x", "all": "x"}}},
		"nothing for the other": {Child: map[string]map[string]string{"k": {"3-7": "x"}}},
	} {
		if b.check() == nil {
			t.Errorf("%s is taken", name)
		}
	}
}
