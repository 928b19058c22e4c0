// Package score judges lines and files outside of the queue: `nightlight
// score`. It uses the very Examiner and Policy of the workers.
package score

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"
	"unicode/utf8"

	"nightlight/pipeline"
	"nightlight/workers/examine"
)

// Line is one line of input.
type Line struct {
	ID           json.RawMessage `json:"id"`
	Text         *string         `json:"text"`
	Locale       string          `json:"locale"`
	SenderAge    *int            `json:"sender_age"`
	RecipientAge *int            `json:"recipient_age"`
	Context      []pipeline.Turn `json:"context"`
}

// Signal is a label's score as it is written: one for each label.
type Signal struct {
	Label  pipeline.Label `json:"label"`
	Score  float64        `json:"score"`
	Source string         `json:"source"`
	Start  int            `json:"start"`
	End    int            `json:"end"`
	View   string         `json:"view,omitempty"`
	At     *float64       `json:"at,omitempty"`
	In     string         `json:"in,omitempty"`
}

// Answer is one line of output.
type Answer struct {
	ID      json.RawMessage `json:"id"`
	Action  pipeline.Action `json:"action,omitempty"`
	Signals []Signal        `json:"signals,omitempty"`
	Faults  []string        `json:"faults,omitempty"`
	Error   string          `json:"error,omitempty"`
}

// Scorer judges. Policy nil leaves the action out.
type Scorer struct {
	Examiner *examine.Examiner
	Policy   *pipeline.Policy
	// Parallel is how many lines are judged at once (default 1). It never
	// changes a score or the order.
	Parallel int
}

// maxLine is the longest line in bytes: 100,000 characters of text, escaped,
// with context.
const maxLine = 4 << 20

// Lines reads JSON lines from r and writes one answer a line to w, in order,
// with memory that does not grow with the number of lines. A bad line gets an
// answer with an error. bad counts those; err is a failure to read or write, or
// the end of ctx, which does not wait for the next line.
func (s *Scorer) Lines(ctx context.Context, r io.Reader, w io.Writer) (bad int, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	out := bufio.NewWriterSize(w, 64<<10)
	queue := make(chan chan Answer, max(1, s.Parallel))
	readErr := make(chan error, 1)
	go func() {
		defer close(queue)
		readErr <- s.read(ctx, r, queue)
	}()
	enc := json.NewEncoder(out)
	enc.SetEscapeHTML(false)
	for {
		var slot chan Answer
		open := false
		select {
		case slot, open = <-queue:
		case <-ctx.Done(): // the reader may wait for a line that never comes
		}
		if !open {
			break
		}
		a := <-slot
		if ctx.Err() != nil {
			break // a line that was cut short gets no answer
		}
		if a.Error != "" {
			bad++
		}
		err := enc.Encode(a)
		if err == nil && len(queue) == 0 {
			err = out.Flush()
		}
		if err != nil {
			cancel()
			s.settle(queue)
			return bad, fmt.Errorf("write answer: %w", err)
		}
	}
	if ctx.Err() != nil {
		s.settle(queue)
		return bad, errors.Join(ctx.Err(), out.Flush())
	}
	return bad, errors.Join(<-readErr, out.Flush())
}

// settle waits for the lines that are being judged, whose context has ended.
func (s *Scorer) settle(queue <-chan chan Answer) {
	for {
		select {
		case slot, open := <-queue:
			if !open {
				return
			}
			<-slot
		default:
			return
		}
	}
}

// read starts one judging a line. The queue's capacity bounds how many run.
func (s *Scorer) read(ctx context.Context, r io.Reader, queue chan<- chan Answer) error {
	in := bufio.NewReaderSize(r, 64<<10)
	for {
		line, tooLong, err := readLine(in)
		if err != nil && !errors.Is(err, io.EOF) {
			return fmt.Errorf("read line: %w", err)
		}
		if len(bytes.TrimSpace(line)) > 0 || tooLong {
			slot := make(chan Answer, 1)
			select {
			case queue <- slot:
			case <-ctx.Done():
				return ctx.Err()
			}
			go func() { slot <- s.line(ctx, line, tooLong) }()
		}
		if err != nil {
			return nil
		}
	}
}

// readLine returns the next line as its own copy. What is over maxLine is
// read past and reported.
func readLine(in *bufio.Reader) (line []byte, tooLong bool, err error) {
	for {
		part, err := in.ReadSlice('\n')
		if len(line)+len(part) > maxLine {
			tooLong, line = true, nil
		} else if !tooLong {
			line = append(line, part...)
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return line, tooLong, err
		}
	}
}

func (s *Scorer) line(ctx context.Context, raw []byte, tooLong bool) (a Answer) {
	a.ID = json.RawMessage("null")
	defer func() {
		if recover() != nil {
			a = Answer{ID: a.ID, Error: "panic"}
		}
	}()
	if tooLong {
		a.Error = fmt.Sprintf("line is over %d bytes", maxLine)
		return a
	}
	l, err := parse(raw)
	if len(l.ID) > 0 {
		a.ID = l.ID
	}
	if err != nil {
		a.Error = err.Error()
		return a
	}
	t := pipeline.Text{Text: *l.Text, Context: l.Context, Locale: l.Locale, SenderAge: l.SenderAge, RecipientAge: l.RecipientAge}
	found, err := s.Examiner.ReadText(ctx, t)
	if err != nil {
		a.Error = "could not be judged: " + examine.Class(err)
		return a
	}
	s.answer(&a, itemOf(l), found, pipeline.TextLabels, utf8.RuneCountInString(*l.Text))
	return a
}

// parse reads a line. Its errors name the field and never quote the line.
func parse(raw []byte) (Line, error) {
	var l Line
	if !utf8.Valid(raw) {
		return l, errors.New("line is not valid UTF-8")
	}
	raw = bytes.TrimSpace(bytes.TrimPrefix(raw, []byte("\ufeff"))) // editors on Windows begin a file with a mark
	if len(raw) == 0 || raw[0] != '{' {
		return l, errors.New("line is not a JSON object")
	}
	if err := json.Unmarshal(raw, &l); err != nil {
		var te *json.UnmarshalTypeError
		if errors.As(err, &te) {
			return l, fmt.Errorf("%s: wrong type", te.Field)
		}
		return Line{}, errors.New("line is not a JSON object")
	}
	if l.Text == nil {
		return l, errors.New("text: is missing")
	}
	for field, age := range map[string]*int{"sender_age": l.SenderAge, "recipient_age": l.RecipientAge} {
		if age != nil && (*age < 0 || *age > 120) {
			return l, fmt.Errorf("%s: want 0 to 120", field)
		}
	}
	for i, t := range l.Context {
		if t.From != pipeline.Self && t.From != pipeline.Other {
			return l, fmt.Errorf("context[%d].from: want self or other", i)
		}
	}
	return l, nil
}

func itemOf(l Line) pipeline.Item {
	return pipeline.Item{
		Kind: pipeline.KindMessage, Text: *l.Text, Locale: l.Locale, Context: l.Context, Audience: pipeline.AudienceDirect,
		Sender: pipeline.Person{ID: "self", Age: l.SenderAge}, Recipients: []pipeline.Person{{ID: "other", Age: l.RecipientAge}},
	}
}

// answer fills in the highest score of every label and the action.
func (s *Scorer) answer(a *Answer, it pipeline.Item, found pipeline.Findings, labels []pipeline.Label, length int) {
	best := map[pipeline.Label]pipeline.Signal{}
	for _, sig := range found.Signals {
		if have, ok := best[sig.Label]; !ok || sig.Score > have.Score {
			best[sig.Label] = sig
		}
	}
	for _, l := range labels {
		sig, ok := best[l]
		if !ok {
			sig = pipeline.Signal{Label: l, Source: "none"} // nobody spoke of it
		}
		if sig.Start == 0 && sig.End == 0 {
			sig.End = length
		}
		a.Signals = append(a.Signals, Signal{sig.Label, sig.Score, sig.Source, sig.Start, sig.End, sig.View, sig.At, sig.In})
	}
	for _, f := range found.Faults {
		a.Faults = append(a.Faults, f.Source+": "+f.Reason)
	}
	if s.Policy != nil {
		a.Action = s.Policy.Judge(it, found, time.Time{}).Action
	}
}
