package console

import (
	"io/fs"
	"maps"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"

	"nightlight/pipeline"
	"nightlight/queue/store"
)

func catalogues(t *testing.T) map[string]catalogue {
	t.Helper()
	all := map[string]catalogue{}
	for _, lang := range languages {
		c, err := openCatalogue(lang)
		if err != nil {
			t.Fatal(err)
		}
		all[lang] = c
	}
	return all
}

var verbs = regexp.MustCompile(`%[a-z]`)

func TestBothLanguagesSayTheSameThings(t *testing.T) {
	all := catalogues(t)
	en, zh := all["en"], all["zh"]
	if got, want := slices.Sorted(maps.Keys(zh)), slices.Sorted(maps.Keys(en)); !slices.Equal(got, want) {
		for _, k := range append(got, want...) {
			if !zh.has(k) || !en.has(k) {
				t.Errorf("%s: in only one language", k)
			}
		}
	}
	for k := range en {
		if got, want := verbs.FindAllString(zh[k], -1), verbs.FindAllString(en[k], -1); !slices.Equal(got, want) {
			t.Errorf("%s: got blanks %v in zh, want %v", k, got, want)
		}
		if strings.TrimSpace(en[k]) == "" || strings.TrimSpace(zh[k]) == "" {
			t.Errorf("%s: is empty", k)
		}
	}
}

// template is one page's source.
func templates(t *testing.T) map[string]string {
	t.Helper()
	names, err := fs.Glob(templateFiles, "templates/*.html")
	if err != nil || len(names) < 8 {
		t.Fatalf("got %d templates, %v", len(names), err)
	}
	all := map[string]string{}
	for _, name := range names {
		text, err := templateFiles.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		all[name] = string(text)
	}
	return all
}

var (
	templateAction = regexp.MustCompile(`\{\{.*?\}\}`)
	tag            = regexp.MustCompile(`<[^>]*>`)
	keycap         = regexp.MustCompile(`<kbd>.</kbd>`)
	spoken         = regexp.MustCompile(`\b(?:alt|title|placeholder|aria-label|label|data-shown|data-hidden|data-minutes|data-late|data-th)="([^"]*)"`)
	saying         = regexp.MustCompile(`\bt "([^"]+)"`)
	dynamic        = regexp.MustCompile(`printf "([^"%]+)%[sd]([^"]*)"`)
)

func TestNoTemplateHasWordsOfItsOwn(t *testing.T) {
	for name, text := range templates(t) {
		bare := templateAction.ReplaceAllString(text, "")
		for _, m := range spoken.FindAllStringSubmatch(bare, -1) {
			if strings.ContainsFunc(m[1], unicode.IsLetter) {
				t.Errorf("%s: attribute %q is not from the catalogue", name, m[0])
			}
		}
		for line := range strings.SplitSeq(tag.ReplaceAllString(keycap.ReplaceAllString(bare, ""), "\n"), "\n") {
			if strings.ContainsFunc(line, unicode.IsLetter) {
				t.Errorf("%s: %q is not from the catalogue", name, line)
			}
		}
	}
}

func TestEveryKeyOfTheTemplatesHasWords(t *testing.T) {
	all := catalogues(t)
	families := map[string]bool{}
	for name, text := range templates(t) {
		for _, m := range saying.FindAllStringSubmatch(text, -1) {
			for lang, c := range all {
				if !c.has(m[1]) {
					t.Errorf("%s: no words in %s for %q", name, lang, m[1])
				}
			}
		}
		for _, m := range dynamic.FindAllStringSubmatch(text, -1) {
			families[m[1]] = true
		}
	}
	members := map[string][]string{
		"action.": {"", "allow", "warn", "blur", "hold", "block", "keep"}, "severity.": {"0", "1", "2", "3", "4"}, "age.": {"0", "1", "2", "3", "4"},
		"role.": {"reviewer", "senior", "auditor", "ml", "admin"}, "home.role.": {"auditor", "ml", "admin"}, "state.": {"open", "closed"},
		"did.": {"allow", "warn", "blur", "block", "keep", didVote}, "skip.": skipReasons[:], "escalate.": escalateReasons[:],
		"heard.": {"ocr", "transcript"}, "kind.": {}, "content.": {}, "audience.": {"direct", "group", "public"}, "delivery.": {}, "error.": {}, "group.": {}, "label.": {},
	}
	for _, k := range caseKinds {
		members["kind."] = append(members["kind."], string(k))
	}
	for _, k := range pipeline.Kinds {
		members["content."] = append(members["content."], string(k))
	}
	for _, s := range deliveryStates {
		members["delivery."] = append(members["delivery."], string(s))
	}
	for _, g := range otherLabels(nil) {
		members["group."] = append(members["group."], g.Key)
	}
	for _, l := range pipeline.Labels() {
		members["label."] = append(members["label."], string(l))
	}
	for _, err := range []error{errMissing, errRole, errForged, errInput, errBreak, errSilent, errThrottled, errBusy, store.ErrCapped, store.ErrClaimed, store.ErrLost,
		store.ErrDone, store.ErrConflict, store.ErrTooLate, store.ErrErased, http.ErrAbortHandler} {
		members["error."] = append(members["error."], refusalOf(err).key+".title", refusalOf(err).key+".text")
	}
	for family := range families {
		if _, ok := members[family]; !ok {
			t.Errorf("%q: the test does not know what may follow", family)
		}
	}
	for family, ends := range members {
		for _, end := range ends {
			for lang, c := range all {
				if !c.has(family + end) {
					t.Errorf("no words in %s for %q", lang, family+end)
				}
			}
		}
	}
}

func TestPolicysReasonsAreSaidInPlainWords(t *testing.T) {
	pages, err := openPages()
	if err != nil {
		t.Fatal(err)
	}
	c := &Console{pages: pages}
	for reason, want := range map[string]string{
		"grooming.meeting 0.93 ≥ 0.50 for recipient aged 8-11 → hold": "Asks to meet alone: 93 %. Rule for the recipient (aged 8–11): from 50 %, Held",
		"fault: not_heard of voice → hold":                            "What is said could not be understood, so a person looks.",
		"fault: something_new of probe → hold":                        "Not judged in full (something_new, probe), so a person looks.",
		"report of bullying.insult":                                   "Somebody reported it. (Insult)",
		"guardian not reached":                                        "No guardian could be reached on any channel.",
		"a form that nobody knows":                                    "a form that nobody knows",
	} {
		if got := c.reason(&visit{lang: "en"}, reason); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestTheLanguageIsTheVisitorsChoice(t *testing.T) {
	for _, test := range []struct{ cookie, header, want string }{
		{"", "", "en"}, {"", "zh-CN,zh;q=0.9,en;q=0.8", "zh"}, {"", "en-GB,zh;q=0.5", "en"}, {"", "fr,zh;q=0.3", "zh"}, {"", "fr", "en"},
		{"en", "zh-CN", "en"}, {"zh", "en", "zh"}, {"xx", "zh", "zh"}, {"", ";;q=x,,", "en"},
	} {
		r := httptest.NewRequest(http.MethodGet, "/console/", nil)
		r.Header.Set("Accept-Language", test.header)
		if test.cookie != "" {
			r.AddCookie(&http.Cookie{Name: languageCookie, Value: test.cookie})
		}
		if got := languageOf(r); got != test.want {
			t.Errorf("cookie %q, header %q: got %s, want %s", test.cookie, test.header, got, test.want)
		}
	}
}

func TestSwitchingTheLanguageGoesBackToAPageOfTheConsoleOnly(t *testing.T) {
	h := openHouse(t)
	v := h.visitor()
	v.get("/console/login")
	for back, want := range map[string]string{"/console/login": "/console/login", "//example.org": "/console/", "https://example.org/console/": "/console/", "/console//example.org": "/console/", "": "/console/"} {
		if got := v.post("/console/language", "lang", "zh", "back", back); got.status != http.StatusSeeOther || got.to() != want {
			t.Errorf("back to %q: got %d to %q, want %q", back, got.status, got.to(), want)
		}
	}
	if page := v.get("/console/login"); !strings.Contains(page.body, `lang="zh-CN"`) || !strings.Contains(page.body, "夜灯") {
		t.Error("got another language than chosen")
	}
}
