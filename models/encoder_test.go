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
	"nightlight/pipeline"
)

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

// compareConversations holds a classifier to what its own graph says of the inputs that the reference made.
func compareConversations(t *testing.T, c pipeline.TextClassifier, s *models.Session, lines map[pipeline.Label]map[string]line) {
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
		compare(t, i, goldenText{conv.Context, conv.Text, highestOf(t, s, conv.Inputs)}, signals, lines, 1e-6)
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
	compareConversations(t, c, s, lines)
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
	compareConversations(t, set.Texts()[0], s, calibration(t, "weights/text-encoder/calibration.json"))
}

func TestWhatWasSaidBeforeChangesWhatATextMeans(t *testing.T) {
	c := modelstest.Load(t).Texts()[0]
	if !strings.HasPrefix(c.Ref().Name, "text-encoder") {
		t.Skip("models/weights/text-encoder/model.onnx is not there")
	}
	meeting := func(context ...pipeline.Turn) float64 {
		signals, err := c.ClassifyText(t.Context(), pipeline.Text{Text: "好呀 几点", Context: context})
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
	alone := meeting()
	after := meeting(pipeline.Turn{From: pipeline.Other, Text: "周末出来见一面，就我们两个，别告诉你爸妈"})
	if after <= alone {
		t.Errorf("after an invitation got %.3f, want more than %.3f without it", after, alone)
	}
}
