package eval

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"nightlight/pipeline"
)

func corpus(t *testing.T, folders ...string) map[string]string {
	t.Helper()
	seen := map[string]string{}
	for _, folder := range folders {
		files, err := filepath.Glob(filepath.Join("..", folder, "*.txt"))
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: %d files, %v", folder, len(files), err)
		}
		for _, f := range files {
			b, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			for line := range strings.Lines(string(b)) {
				e, err := parseSeed(strings.TrimRight(line, "\r\n"), "", true)
				if err != nil {
					continue // context-free comment lines do not exist; TestTheOwnCorpus reads all
				}
				if len(e.Context) == 0 {
					seen[bare(e)] = filepath.Base(f)
				}
			}
		}
	}
	return seen
}

func TestTheOwnTestSeedsCoverEveryLabelAndAreWellFormed(t *testing.T) {
	list, err := readCorpus("testdata")
	if err != nil {
		t.Fatal(err)
	}
	seeds, hard := map[pipeline.Label]int{}, map[pipeline.Label]int{}
	for _, e := range list {
		if e.Hard {
			hard[e.Of]++
		} else {
			seeds[e.Of]++
		}
	}
	for _, l := range pipeline.TextLabels {
		if seeds[l] < 40 || hard[l] < 12 {
			t.Errorf("%s: %d seeds and %d hard negatives, want 40 and 12", l, seeds[l], hard[l])
		}
	}
}

func TestLongTestTextsDoNotStandInTheTrainingCorpus(t *testing.T) {
	train := corpus(t, "models/train/corpus/train", "models/train/corpus/hard", "models/train/corpus/benign",
		"models/train/corpus/tune/train", "models/train/corpus/tune/hard", "models/train/contrast/train", "models/train/contrast/hard")
	test := corpus(t, "eval/testdata/seeds", "eval/testdata/hard")
	shared := 0
	for text, file := range test {
		if in, ok := train[text]; ok {
			shared++
			// Two people may both type "下楼"; the trainer drops such lines. A
			// whole sentence in common would be a copy.
			if len([]rune(text)) > 12 {
				t.Errorf("a text of %s stands in the training file %s too", file, in)
			}
		}
	}
	t.Logf("%d short texts are in both and are dropped from training and tuning", shared)
}

func TestASeedLineIsReadWithItsContextAndLabels(t *testing.T) {
	e, err := parseSeed("o:周六有空吗 || s:有 ⟂ 好呀 几点\t+privacy.asks", pipeline.GroomingMeeting, false)
	if err != nil {
		t.Fatal(err)
	}
	if e.Text != "好呀 几点" || len(e.Context) != 2 || e.Context[0] != (pipeline.Turn{From: pipeline.Other, Text: "周六有空吗"}) {
		t.Errorf("got %+v", e)
	}
	if !slices.Equal(e.Labels, []pipeline.Label{pipeline.GroomingMeeting, pipeline.PrivacyAsks}) {
		t.Errorf("labels: got %v", e.Labels)
	}
	for _, bad := range []string{"x\t+no.label", "hello ⟂ x", "o:a ⟂  "} {
		if _, err := parseSeed(bad, pipeline.GroomingMeeting, false); err == nil {
			t.Errorf("%q passes", bad)
		}
	}
}

func TestEveryKnownSetSaysItsLicence(t *testing.T) {
	sets, err := Sets()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range sets {
		if s.Licence == "" || s.About == "" {
			t.Errorf("%s lacks licence or purpose", s.Name)
		}
		for _, l := range s.By {
			if !l.Known() {
				t.Errorf("%s: unknown label %s", s.Name, l)
			}
		}
	}
}

func TestTheGateSeesAWorseRun(t *testing.T) {
	card := func(auc, recall float64, n int) *Scorecard {
		return &Scorecard{N: n, AUC: Interval{auc, auc - .01, auc + .01}, RecallAt1: Interval{recall, recall - .02, recall + .02}}
	}
	evasion := func(loss float64) map[string]*Evasion {
		return map[string]*Evasion{"leet": {Texts: 500, Plain: .85, Rewritten: .85 - loss, Loss: Interval{loss, loss - .01, loss + .01}}}
	}
	good := []Result{{Set: "a", Card: card(.9, .8, 500), Held: &Interval{.01, .005, .015}}, {Set: "b", Evasions: evasion(.02)}}
	tests := []struct {
		name string
		new  []Result
		bad  bool
	}{
		{"the same run passes", good, false},
		{"a better run passes", []Result{{Set: "a", Card: card(.95, .9, 500), Held: &Interval{0, 0, .001}}, {Set: "b", Evasions: evasion(.01)}}, false},
		{"a lower AUC fails", []Result{{Set: "a", Card: card(.85, .8, 500), Held: good[0].Held}, good[1]}, true},
		{"a lower recall fails", []Result{{Set: "a", Card: card(.9, .7, 500), Held: good[0].Held}, good[1]}, true},
		{"more benign texts held fails", []Result{{Set: "a", Card: good[0].Card, Held: &Interval{.05, .04, .06}}, good[1]}, true},
		{"a way of rewriting that costs more fails", []Result{good[0], {Set: "b", Evasions: evasion(.2)}}, true},
		{"a way of rewriting that is gone fails", []Result{good[0], {Set: "b"}}, true},
		{"a set that is gone fails", nil, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got, err := Gate(good, tt.new); err != nil || (len(got) > 0) != tt.bad {
				t.Errorf("got %v, %v", got, err)
			}
		})
	}
	if got, err := Gate([]Result{{Set: "a", Card: card(.9, .8, 50)}}, []Result{{Set: "a", Card: card(.1, .1, 50)}}); err != nil || len(got) != 0 {
		t.Errorf("a card with too few examples decides: %v, %v", got, err)
	}
	if _, err := Gate(nil, good); err == nil {
		t.Error("an old run without a figure lets everything pass")
	}
}

func TestTheHalvesOfASetShareNoWordsAndLoseNone(t *testing.T) {
	dir := t.TempDir()
	var lines strings.Builder
	for i := range 200 {
		fmt.Fprintf(&lines, "message %d\tham\nMESSAGE  %d\tham\n", i, i)
	}
	if err := os.WriteFile(filepath.Join(dir, "set.txt"), []byte(lines.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	in, n := map[string]int{}, 0
	for which := 1; which <= 2; which++ {
		list, err := Set{Name: "mine", Kind: "tsv", Text: "0", Truth: "1", Path: "set.txt", Half: which}.Load("", dir)
		if err != nil {
			t.Fatal(err)
		}
		if len(list) < 120 {
			t.Errorf("half %d has %d of 400 texts", which, len(list))
		}
		for _, e := range list {
			if other, ok := in[bare(e)]; ok && other != which {
				t.Errorf("%q is in both halves", e.Text)
			}
			in[bare(e)] = which
		}
		n += len(list)
	}
	if n != 400 {
		t.Errorf("both halves have %d texts, want 400", n)
	}
}

func TestASetKeptApartFromAnotherSharesNoTextWithIt(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"mine.txt": "好 的\t晚 上 吃 啥\nＯＫ\t再 见\n", "other.txt": "ok\t好 的\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	list, err := Set{Name: "mine", Kind: "lccc", Path: "mine.txt", Apart: "other.txt"}.Load("", dir)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range list {
		got = append(got, e.Text)
	}
	if want := []string{"晚上吃啥", "再见"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if _, err := (Set{Name: "mine", Kind: "lccc", Path: "mine.txt", Apart: "gone.txt"}).Load("", dir); err == nil {
		t.Error("a set is read without the one that it is to be kept apart from")
	}
}
