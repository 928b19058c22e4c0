package models_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"math"
	"os"
	"strings"
	"testing"

	"nightlight/models"
	"nightlight/models/catalog"
	"nightlight/models/modelstest"
	"nightlight/models/onnx"
	"nightlight/models/tokenizer"
	"nightlight/pipeline"
)

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
		"the linear model's share is mad": {all, []byte(strings.Replace(string(flat(t, all)), "{", `{"linear":7,`, 1))},
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

// conversation is a line of the tokenizer's golden vectors that has finished inputs.
type conversation struct {
	Context []pipeline.Turn
	Text    string
	Inputs  [][]int64
}

func conversations(t testing.TB, most int) []conversation {
	t.Helper()
	file, err := os.ReadFile("weights/text-encoder/golden.jsonl.gz")
	if err != nil {
		t.Fatal(err)
	}
	gz, err := gzip.NewReader(bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	var all []conversation
	lines := bufio.NewScanner(gz)
	lines.Buffer(nil, 1<<22)
	for len(all) < most && lines.Scan() {
		var c conversation
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
			t.Fatal(err)
		}
		if c.Inputs != nil {
			all = append(all, c)
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	if len(all) < most {
		t.Fatalf("%d conversations are stored, want %d", len(all), most)
	}
	return all
}

// highestOf runs a graph on finished inputs and keeps the highest logit of each label.
func highestOf(t testing.TB, s *models.Session, inputs [][]int64) []float64 {
	t.Helper()
	best := make([]float64, len(pipeline.TextLabels))
	for i := range best {
		best[i] = math.Inf(-1)
	}
	for _, ids := range inputs {
		mask := make([]int64, len(ids))
		for i := range mask {
			mask[i] = 1
		}
		shape := []int64{1, int64(len(ids))}
		out := make([]models.Tensor, 1)
		if err := s.Run(t.Context(), []models.Tensor{{Shape: shape, Int64: ids}, {Shape: shape, Int64: mask}}, out); err != nil {
			t.Fatal(err)
		}
		for i, l := range out[0].Float32 {
			best[i] = max(best[i], float64(l))
		}
	}
	return best
}

// compareConversations holds a classifier to what its own graph says of the inputs that the reference made, and
// what is added to that.
func compareConversations(t *testing.T, c pipeline.TextClassifier, s *models.Session, lines map[pipeline.Label]map[string]line, add func(pipeline.Text) []float64) {
	t.Helper()
	long := 0
	for i, conv := range conversations(t, 80) {
		if len(conv.Inputs) > 1 {
			long++
		}
		signals, err := c.ClassifyText(t.Context(), pipeline.Text{Text: conv.Text, Context: conv.Context})
		if err != nil {
			t.Fatal(err)
		}
		logits := highestOf(t, s, conv.Inputs)
		for k, more := range add(pipeline.Text{Text: conv.Text, Context: conv.Context}) {
			logits[k] += more
		}
		compare(t, i, goldenText{conv.Context, conv.Text, logits}, signals, lines, 1e-5)
	}
	if long == 0 {
		t.Error("no text of several windows is among them")
	}
}

func TestAnEncoderReadsTheInputsOfTheReference(t *testing.T) {
	s := session(t, tinyEncoder(t, textLabels()), models.SessionOptions{Name: "tiny", AnyShape: true})
	c, err := models.NewTextEncoder(pipeline.ModelRef{Name: "tiny", Version: "1"}, s, flat(t, textLabels()), readTokenizer(t))
	if err != nil {
		t.Fatal(err)
	}
	lines := map[pipeline.Label]map[string]line{}
	for _, label := range pipeline.TextLabels {
		lines[label] = map[string]line{"en": {1, 0}, "zh": {1, -100}}
	}
	compareConversations(t, c, s, lines, func(pipeline.Text) []float64 { return nil })
}

func TestTheShippedEncoderScoresTheInputsOfTheReference(t *testing.T) {
	set := modelstest.Load(t)
	s, err := set.Session("text-encoder", models.SessionOptions{AnyShape: true})
	if errors.Is(err, catalog.ErrMissing) {
		t.Skip("models/weights/text-encoder/model.onnx is not there")
	}
	if err != nil {
		t.Fatal(err)
	}
	compareConversations(t, set.Texts()[0], s, calibration(t, "weights/text-encoder/calibration.json"), linearShare(t, set.Texts()[1]))
}

// linearShare gives what the calibration says that the linear model adds: its share of the logits that the linear
// model's scores stand for.
func linearShare(t *testing.T, linear pipeline.TextClassifier) func(pipeline.Text) []float64 {
	t.Helper()
	text, err := os.ReadFile("weights/text-encoder/calibration.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ Linear float64 }
	if err := json.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	lines := calibration(t, "weights/text-linear/calibration.json")
	return func(text pipeline.Text) []float64 {
		signals, err := linear.ClassifyText(t.Context(), text)
		if err != nil {
			t.Fatal(err)
		}
		script := "en"
		if strings.ContainsFunc(text.Text, func(r rune) bool { return r >= 0x4E00 && r <= 0x9FFF }) {
			script = "zh"
		}
		out := make([]float64, len(signals))
		for i, s := range signals {
			l := lines[s.Label][script]
			out[i] = file.Linear * (math.Log(s.Score/(1-s.Score)) - l.B) / l.A
		}
		return out
	}
}

func TestWhatWasSaidBeforeChangesWhatATextMeans(t *testing.T) {
	c := modelstest.Load(t).Texts()[0]
	if !strings.HasPrefix(c.Ref().Name, "text-encoder") {
		t.Skip("models/weights/text-encoder/model.onnx is not there")
	}
	meeting := func(text string, context ...pipeline.Turn) float64 {
		signals, err := c.ClassifyText(t.Context(), pipeline.Text{Text: text, Context: context})
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range signals {
			if s.Label == pipeline.GroomingMeeting {
				return s.Score
			}
		}
		t.Fatal("no signal for grooming.meeting")
		return 0
	}
	for before, text := range map[string]string{
		"出来见一面":                              "好呀 几点",
		"我妈不让我出去见你":                          "八点 老地方 别跟她说",
		"can i bring my friend when we meet": "no just u",
	} {
		alone := meeting(text)
		after := meeting(text, pipeline.Turn{From: pipeline.Other, Text: before})
		if odds := func(p float64) float64 { return p / (1 - p) }; odds(after) <= 2*odds(alone) {
			t.Errorf("%q after %q got %.3f, want more than twice the odds of the %.3f without it", text, before, after, alone)
		}
	}
}
