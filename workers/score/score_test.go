package score

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"nightlight/pipeline"
	"nightlight/workers/examine"
)

// reader answers with the length of the text, after a pause that depends on
// it, so that answers come back out of order.
type reader struct{ pause bool }

func (reader) Ref() pipeline.ModelRef { return pipeline.ModelRef{Name: "reader", Version: "1"} }

func (r reader) ClassifyText(_ context.Context, t pipeline.Text) ([]pipeline.Signal, error) {
	if t.Text == "fail" {
		return nil, errors.New("no")
	}
	if t.Text == "panic" {
		panic("no")
	}
	if r.pause {
		time.Sleep(time.Duration(len(t.Text)%3) * time.Millisecond)
	}
	var out []pipeline.Signal
	for _, l := range pipeline.TextLabels {
		out = append(out, pipeline.Signal{Label: l, Score: float64(len(t.Text)%10) / 100, Source: "reader@1"})
	}
	return out, nil
}

type mute struct{}

func (mute) Ref() pipeline.ModelRef { return pipeline.ModelRef{Name: "rules", Version: "1"} }
func (mute) ClassifyText(context.Context, pipeline.Text) ([]pipeline.Signal, error) {
	return nil, nil
}

func scorer(parallel int) *Scorer {
	return &Scorer{Examiner: &examine.Examiner{Text: reader{true}, Rules: mute{}}, Policy: pipeline.DefaultPolicy(), Parallel: parallel}
}

func run(t *testing.T, s *Scorer, in string) ([]Answer, int) {
	t.Helper()
	var out bytes.Buffer
	bad, err := s.Lines(t.Context(), strings.NewReader(in), &out)
	if err != nil {
		t.Fatal(err)
	}
	var list []Answer
	for line := range strings.Lines(out.String()) {
		var a Answer
		if err := json.Unmarshal([]byte(line), &a); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		list = append(list, a)
	}
	return list, bad
}

func TestAnswersComeInTheOrderOfTheLinesWhateverTheParallelism(t *testing.T) {
	var in strings.Builder
	for i := range 300 {
		fmt.Fprintf(&in, `{"id":%d,"text":"%s"}`+"\n", i, strings.Repeat("a", i%17))
	}
	one, _ := run(t, scorer(1), in.String())
	many, bad := run(t, scorer(8), in.String())
	if bad != 0 || len(many) != 300 {
		t.Fatalf("got %d answers, %d bad", len(many), bad)
	}
	for i := range many {
		if string(many[i].ID) != fmt.Sprint(i) {
			t.Fatalf("answer %d has id %s", i, many[i].ID)
		}
		if fmt.Sprint(one[i].Signals) != fmt.Sprint(many[i].Signals) {
			t.Errorf("line %d: parallelism changes the scores", i)
		}
	}
}

func TestEveryTextLabelHasOneScore(t *testing.T) {
	list, _ := run(t, scorer(1), `{"id":"x","text":"hello"}`)
	if got := len(list[0].Signals); got != len(pipeline.TextLabels) {
		t.Fatalf("signals: got %d, want %d", got, len(pipeline.TextLabels))
	}
	for i, s := range list[0].Signals {
		if s.Label != pipeline.TextLabels[i] || s.End != 5 {
			t.Errorf("signal %d: %+v", i, s)
		}
	}
	if list[0].Action != pipeline.Allow {
		t.Errorf("action: got %q", list[0].Action)
	}
}

func TestABadLineIsAnsweredAndTheRestGoesOn(t *testing.T) {
	tests := []struct{ name, line, want string }{
		{"no JSON", `{"id":1`, "JSON"},
		{"null", `null`, "JSON object"},
		{"a list", `[{"id":1,"text":"a"}]`, "JSON object"},
		{"a byte-order mark alone", "\ufeff", "JSON object"},
		{"no text", `{"id":1}`, "text"},
		{"text of the wrong type", `{"id":1,"text":5}`, "text"},
		{"age of the wrong type", `{"id":1,"text":"a","sender_age":"SECRET"}`, "sender_age"},
		{"age out of range", `{"id":1,"text":"a","sender_age":121}`, "sender_age"},
		{"a speaker whom nobody knows", `{"id":1,"text":"a","context":[{"from":"SECRET","text":"b"}]}`, "context[0].from"},
		{"invalid UTF-8", "{\"id\":1,\"text\":\"\xff\"}", "UTF-8"},
		{"a classifier that fails", `{"id":1,"text":"fail"}`, "could not be judged"},
		{"a classifier that panics", `{"id":1,"text":"panic"}`, "panic"},
		{"a line without end", `{"id":1,"text":"` + strings.Repeat("a", maxLine) + `"}`, "over"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			list, bad := run(t, scorer(4), tt.line+"\n"+`{"id":2,"text":"good"}`+"\n")
			if bad != 1 || len(list) != 2 {
				t.Fatalf("got %d answers, %d bad", len(list), bad)
			}
			if !strings.Contains(list[0].Error, tt.want) || strings.Contains(list[0].Error, "SECRET") {
				t.Errorf("error: got %q, want one about %q", list[0].Error, tt.want)
			}
			if list[1].Error != "" || len(list[1].Signals) == 0 {
				t.Errorf("the next line suffers: %+v", list[1])
			}
		})
	}
}

func TestASignalEndsItWhileItWaitsForTheNextLine(t *testing.T) {
	in, feed := io.Pipe()
	defer feed.Close()
	ctx, cancel := context.WithCancel(t.Context())
	out, answers := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		_, err := scorer(2).Lines(ctx, in, answers)
		ended <- err
	}()
	if _, err := fmt.Fprintln(feed, `{"id":1,"text":"a"}`); err != nil {
		t.Fatal(err)
	}
	var a Answer
	if err := json.NewDecoder(out).Decode(&a); err != nil || len(a.Signals) == 0 {
		t.Fatalf("first line: %+v, %v", a, err)
	}
	cancel()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want that it was cancelled", err)
	}
}

func TestMemoryDoesNotGrowWithTheInput(t *testing.T) {
	// The reader may be at most Parallel lines ahead of the writer: a writer
	// that stops must stop the reader.
	in, feed := io.Pipe()
	fed := make(chan int, 1)
	go func() {
		n := 0
		for ; n < 100_000; n++ {
			if _, err := fmt.Fprintf(feed, `{"id":%d,"text":"a"}`+"\n", n); err != nil {
				break
			}
		}
		fed <- n
	}()
	_, err := scorer(2).Lines(t.Context(), in, brokenWriter{})
	_ = in.CloseWithError(io.ErrClosedPipe)
	if err == nil {
		t.Error("a writer that fails is no error")
	}
	if n := <-fed; n > 20_000 {
		t.Errorf("%d lines were read for a writer that takes none", n)
	}
}

func TestAFileWithAByteOrderMarkKeepsItsFirstLine(t *testing.T) {
	if list, bad := run(t, scorer(4), "\ufeff"+`{"id":1,"text":"good"}`+"\r\n"); bad != 0 || len(list) != 1 || string(list[0].ID) != "1" {
		t.Errorf("got %+v, %d bad", list, bad)
	}
}

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, errors.New("full") }

func FuzzParse(f *testing.F) {
	f.Add([]byte(`{"id":1,"text":"a","context":[{"from":"self","text":"b"}]}`))
	f.Add([]byte(`{"id":{"a":[1]},"text":"\ud800"}`))
	f.Fuzz(func(t *testing.T, line []byte) {
		l, err := parse(line)
		if err == nil && l.Text == nil {
			t.Error("a line without text passes")
		}
	})
}
