package notify

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"nightlight/pipeline"
)

// bar is the lowest score at which guardians of a child of this age hear of a
// label; 0 when they never do.
func bar(r pipeline.Rule, band pipeline.AgeBand) (low float64) {
	for _, h := range r.Hear {
		for _, a := range pipeline.Actions {
			at, ok := r.Act[a][band]
			if h.Who == "guardian" && ok && !h.From.StricterThan(a) && (low == 0 || at < low) {
				low = at
			}
		}
	}
	return low
}

func TestThePageForGuardiansNamesWhatNarrowsAsAChildGrows(t *testing.T) {
	page, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, after, found := strings.Cut(string(page), "The older the child")
	sentence, _, closed := strings.Cut(after, ")")
	if !found || !closed {
		t.Fatal("the page does not say what narrows")
	}
	var got, want []string
	for _, m := range regexp.MustCompile("`([a-z_]+\\.[a-z_]+)`").FindAllStringSubmatch(sentence, -1) {
		got = append(got, m[1])
	}
	for l, r := range pipeline.DefaultPolicy().Labels {
		if bar(r, "3-7") != bar(r, "15-17") {
			want = append(want, string(l))
		}
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("the page says that %v narrow, and the policy narrows %v", got, want)
	}
}
