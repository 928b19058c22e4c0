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

	"nightlight/models"
	"nightlight/models/modelstest"
	"nightlight/models/onnx"
	"nightlight/models/tokenizer"
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
			"very long": strings.Repeat("今天作业好多啊 see you tomorrow ", 400),
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

func TestWhatStandsLateInAVeryLongTextIsFoundWhereItStands(t *testing.T) {
	const once = "快去死吧，没人喜欢你，你这个废物"
	needle := strings.Repeat(once, 20) // the linear model sees 256 characters at a time and needs most of them
	front := strings.Repeat("今天天气很好，我们去公园玩了滑梯。", 100)
	text := front + needle + strings.Repeat("晚上吃了面条，写完作业就睡觉了。", 100)
	at := len([]rune(front))
	for _, c := range modelstest.Load(t).Texts() {
		t.Run(c.Ref().Name, func(t *testing.T) {
			alone := strongest(t, c, once)
			inside := strongest(t, c, text)
			if alone.Score < 0.5 || inside.Score < 0.5 {
				t.Fatalf("alone %s %.2f, inside a long text %s %.2f, want both at least 0.5", alone.Label, alone.Score, inside.Label, inside.Score)
			}
			if inside.Start > at+320 || inside.End <= at || inside.End-inside.Start > 400 {
				t.Errorf("found at %d to %d, it stands at %d", inside.Start, inside.End, at)
			}
			if alone.Start != 0 || alone.End != 0 {
				t.Errorf("a short text is evidence as a whole, got %d to %d", alone.Start, alone.End)
			}
		})
	}
}

func strongest(t testing.TB, c pipeline.TextClassifier, text string) pipeline.Signal {
	t.Helper()
	signals, err := c.ClassifyText(t.Context(), pipeline.Text{Text: text})
	if err != nil {
		t.Fatal(err)
	}
	var best pipeline.Signal
	for _, s := range signals {
		if s.Score > best.Score {
			best = s
		}
	}
	return best
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

// tinyEncoder is a graph that answers, for every label, a thousandth of the highest id it reads.
func tinyEncoder(t testing.TB, labels []string) []byte {
	t.Helper()
	g := onnx.NewGraph("tiny")
	shape := []onnx.Dim{{Name: "B"}, {Name: "T"}}
	g.Input("ids", onnx.Int64, shape)
	g.Input("mask", onnx.Int64, shape)
	ones := make([]float32, len(labels))
	for i := range ones {
		ones[i] = 0.001
	}
	g.Float32("thousandth", []int64{1, int64(len(labels))}, ones)
	g.Node("Mul", []string{"ids", "mask"}, []string{"seen"})
	g.Node("Cast", []string{"seen"}, []string{"real"}, onnx.Int("to", int64(onnx.Float32)))
	g.Node("ReduceMax", []string{"real"}, []string{"top"}, onnx.Ints("axes", 1), onnx.Int("keepdims", 1))
	g.Node("MatMul", []string{"top", "thousandth"}, []string{"logits"})
	g.Output("logits", onnx.Float32, []onnx.Dim{{Name: "B"}, {Size: int64(len(labels))}})
	g.Property("labels", strings.Join(labels, ","))
	return marshal(t, g)
}

func textLabels() []string {
	names := make([]string, len(pipeline.TextLabels))
	for i, l := range pipeline.TextLabels {
		names[i] = string(l)
	}
	return names
}

// flat is a calibration that leaves logits as they are.
func flat(t testing.TB, labels []string) []byte {
	t.Helper()
	file := map[string]map[string]map[string]line{"labels": {}}
	for _, l := range labels {
		file["labels"][l] = map[string]line{"en": {1, 0}, "zh": {1, -100}}
	}
	b, err := json.Marshal(file)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func readTokenizer(t testing.TB) *tokenizer.Tokenizer {
	t.Helper()
	vocabulary, err := os.ReadFile("weights/text-encoder/vocab.tsv.gz")
	if err != nil {
		t.Fatal(err)
	}
	fold, err := os.ReadFile("weights/text-encoder/fold.tsv.gz")
	if err != nil {
		t.Fatal(err)
	}
	tok, err := tokenizer.New(vocabulary, fold)
	if err != nil {
		t.Fatal(err)
	}
	return tok
}

func TestTheEncoderTakesTheHighestOfAllWindowsAndSaysWhere(t *testing.T) {
	tok := readTokenizer(t)
	s := session(t, tinyEncoder(t, textLabels()), models.SessionOptions{Name: "tiny", AnyShape: true})
	c, err := models.NewTextEncoder(pipeline.ModelRef{Name: "tiny", Version: "1"}, s, flat(t, textLabels()), tok)
	if err != nil {
		t.Fatal(err)
	}
	// The rarest word has the highest id; it stands in the last window.
	text := strings.Repeat("a ", 130) + "ῳ"
	var top int32
	for _, token := range tok.Append(nil, text) {
		top = max(top, token.ID)
	}
	signals, err := c.ClassifyText(t.Context(), pipeline.Text{Text: text})
	if err != nil {
		t.Fatal(err)
	}
	want := 1 / (1 + math.Exp(-float64(top)/1000))
	for _, s := range signals {
		if math.Abs(s.Score-want) > 1e-6 || s.End != 261 || s.Start < 100 {
			t.Errorf("%s: got %v at %d to %d, want %v in the last window", s.Label, s.Score, s.Start, s.End, want)
		}
	}
	chinese, err := c.ClassifyText(t.Context(), pipeline.Text{Text: "你好"})
	if err != nil {
		t.Fatal(err)
	}
	if chinese[0].Score > 1e-20 {
		t.Errorf("a Chinese text got %v, so it was not calibrated as Chinese", chinese[0].Score)
	}
}

func TestAModelWhoseLabelsOrCalibrationDoNotFitIsRefused(t *testing.T) {
	tok := readTokenizer(t)
	r := modelstest.Runtime(t)
	all := textLabels()
	for name, tc := range map[string]struct {
		labels      []string
		calibration []byte
	}{
		"a label is unknown":              {append(all[:29:29], "sexual.nonsense"), flat(t, all)},
		"a label stands twice":            {append(all[:29:29], all[0]), flat(t, all)},
		"a label is missing":              {all[:29], flat(t, all)},
		"a label has no calibration":      {all, flat(t, all[1:])},
		"a calibration falls":             {all, []byte(strings.ReplaceAll(string(flat(t, all)), `"A":1`, `"A":-1`))},
		"the calibration is no JSON":      {all, []byte("{")},
		"the file names no labels at all": {nil, flat(t, all)},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := r.NewSession(tinyEncoder(t, append([]string{}, tc.labels...)), models.SessionOptions{Name: "tiny"})
			if len(tc.labels) == 0 {
				s, err = r.NewSession(doubling(t), models.SessionOptions{Name: "tiny"})
			}
			if err != nil {
				t.Fatal(err)
			}
			if _, err := models.NewTextEncoder(pipeline.ModelRef{Name: "tiny"}, s, tc.calibration, tok); err == nil {
				t.Error("got no error")
			}
		})
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
