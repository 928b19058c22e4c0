package models_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"strings"
	"sync"
	"testing"

	"nightlight/models/modelstest"
	"nightlight/pipeline"
)

func classifier(t testing.TB, name string) pipeline.TextClassifier {
	t.Helper()
	for _, c := range modelstest.Load(t).Texts() {
		if c.Ref().Name == name {
			return c
		}
	}
	t.Fatalf("%s is not loaded", name)
	return nil
}

// goldenText is one line of what the training said of a text.
type goldenText struct {
	Context []pipeline.Turn
	Text    string
	Logits  []float64
}

func goldenTexts(t testing.TB, path string) []goldenText {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var rows []goldenText
	if err := json.Unmarshal(text, &rows); err != nil {
		t.Fatal(err)
	}
	return rows
}

// line is a calibration as the training writes it.
type line struct{ A, B float64 }

func calibration(t testing.TB, path string) map[pipeline.Label]map[string]line {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Labels map[pipeline.Label]map[string]line
	}
	if err := json.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	return file.Labels
}

func TestTheLinearModelScoresEveryGoldenTextAsTheTrainingDid(t *testing.T) {
	c := classifier(t, "text-linear")
	lines := calibration(t, "weights/text-linear/calibration.json")
	rows := goldenTexts(t, "weights/text-linear/golden.json")
	if len(rows) < 50 {
		t.Fatalf("%d texts are stored, want 50", len(rows))
	}
	var worst float64
	for i, row := range rows {
		signals, err := c.ClassifyText(t.Context(), pipeline.Text{Text: row.Text, Context: row.Context})
		if err != nil {
			t.Fatal(err)
		}
		worst = max(worst, compare(t, i, row, signals, lines, 2e-3))
	}
	t.Logf("largest difference of a score %.2g", worst)
}

// compare holds signals to stored logits, and gives the largest difference. Stored logits are rounded, hence within.
func compare(t testing.TB, i int, row goldenText, signals []pipeline.Signal, lines map[pipeline.Label]map[string]line, within float64) float64 {
	t.Helper()
	if len(signals) != len(row.Logits) || len(signals) != len(pipeline.TextLabels) {
		t.Fatalf("text %d: %d signals and %d logits, want %d", i, len(signals), len(row.Logits), len(pipeline.TextLabels))
	}
	script := "en"
	if strings.ContainsFunc(row.Text, func(r rune) bool { return r >= 0x4E00 && r <= 0x9FFF }) {
		script = "zh"
	}
	var worst float64
	for k, s := range signals {
		l := lines[s.Label][script]
		want := 1 / (1 + math.Exp(-(l.A*row.Logits[k] + l.B)))
		diff := math.Abs(s.Score - want)
		worst = max(worst, diff)
		if !(diff <= within) {
			t.Errorf("text %d, %s: got %v, want %v", i, s.Label, s.Score, want)
		}
	}
	return worst
}

func TestEveryTextGetsASignalForEveryTextLabel(t *testing.T) {
	for _, c := range modelstest.Load(t).Texts() {
		for name, text := range map[string]string{
			"chat":      "周末一起打球吗",
			"nothing":   "",
			"blanks":    " \n\t ",
			"bad bytes": "\xff\xfe\x00",
			"very long": strings.Repeat("今天作业好多啊 see you tomorrow ", 60),
			"unknown":   "\U0001F9FF\U00013000",
		} {
			t.Run(c.Ref().Name+" "+name, func(t *testing.T) {
				signals, err := c.ClassifyText(t.Context(), pipeline.Text{Text: text})
				if err != nil {
					t.Fatal(err)
				}
				seen := map[pipeline.Label]bool{}
				for _, s := range signals {
					seen[s.Label] = true
					if !(s.Score >= 0 && s.Score <= 1) || s.Source != c.Ref().String() {
						t.Errorf("%s: score %v of %s", s.Label, s.Score, s.Source)
					}
				}
				for _, label := range pipeline.TextLabels {
					if !seen[label] {
						t.Errorf("no signal for %s", label)
					}
				}
			})
		}
	}
}

func TestALongTextScoresAsItsHighestWindowAndSaysWhichItIs(t *testing.T) {
	const window, stride = 256, 192 // of the linear model, in characters
	c := classifier(t, "text-linear")
	// Without blanks, a window of the text is a text of the same features.
	text := []rune(strings.Repeat("今天天气很好，我们去公园玩了滑梯。", 60) + "快去死吧，没人喜欢你，你这个废物" + strings.Repeat("晚上吃了面条，写完作业就睡觉了。", 60))
	score := func(text []rune) map[pipeline.Label]pipeline.Signal {
		signals, err := c.ClassifyText(t.Context(), pipeline.Text{Text: string(text)})
		if err != nil {
			t.Fatal(err)
		}
		byLabel := map[pipeline.Label]pipeline.Signal{}
		for _, s := range signals {
			byLabel[s.Label] = s
		}
		return byLabel
	}
	want := map[pipeline.Label]pipeline.Signal{}
	for at := 0; ; at += stride {
		end := min(at+window, len(text))
		for label, s := range score(text[at:end]) {
			if s.Start != 0 || s.End != 0 {
				t.Fatalf("a short text is evidence as a whole, got %d to %d", s.Start, s.End)
			}
			if best, ok := want[label]; !ok || s.Score > best.Score {
				s.Start, s.End = at, end
				want[label] = s
			}
		}
		if end == len(text) {
			break
		}
	}
	for label, got := range score(text) {
		if w := want[label]; math.Abs(got.Score-w.Score) > 1e-6 || got.Start != w.Start || got.End != w.End {
			t.Errorf("%s: got %.6f at %d to %d, want %.6f at %d to %d", label, got.Score, got.Start, got.End, w.Score, w.Start, w.End)
		}
	}
}

func TestManyAtOnceScoreTheSameAsOneAlone(t *testing.T) {
	rows := goldenTexts(t, "weights/text-linear/golden.json")[:20]
	for _, c := range modelstest.Load(t).Texts() {
		want := make([][]pipeline.Signal, len(rows))
		for i, row := range rows {
			var err error
			if want[i], err = c.ClassifyText(t.Context(), pipeline.Text{Text: row.Text, Context: row.Context}); err != nil {
				t.Fatal(err)
			}
		}
		var group sync.WaitGroup
		for g := range 4 {
			group.Go(func() {
				for k := range rows {
					i := (k + 5*g) % len(rows)
					got, err := c.ClassifyText(t.Context(), pipeline.Text{Text: rows[i].Text, Context: rows[i].Context})
					if err != nil {
						t.Error(err)
						return
					}
					for n := range got {
						if math.Abs(got[n].Score-want[i][n].Score) > 1e-4 {
							t.Errorf("%s of text %d: got %v, want %v", got[n].Label, i, got[n].Score, want[i][n].Score)
						}
					}
				}
			})
		}
		group.Wait()
	}
}

func TestJudgingATextEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, c := range modelstest.Load(t).Texts() {
		if signals, err := c.ClassifyText(ctx, pipeline.Text{Text: "hello"}); !errors.Is(err, context.Canceled) || signals != nil {
			t.Errorf("%s: got %v, %v, want no signals and context.Canceled", c.Ref(), signals, err)
		}
	}
}

func BenchmarkClassifyText(b *testing.B) {
	texts := map[string]pipeline.Text{
		"zh": {Text: "周六下午要不要出来打球，我在老地方等你", Context: []pipeline.Turn{{From: pipeline.Other, Text: "在吗"}}},
		"en": {Text: "are you coming to practice on saturday or not lol"},
	}
	for _, c := range modelstest.Load(b).Texts() {
		for name, text := range texts {
			b.Run(fmt.Sprint(c.Ref().Name, "/", name), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if _, err := c.ClassifyText(context.Background(), text); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
