package score

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"

	"nightlight/pipeline"
	"nightlight/pipeline/media"
	"nightlight/workers/examine"
)

// MediaAnswer is the line about one file.
type MediaAnswer struct {
	Answer
	Kind       pipeline.Kind   `json:"kind,omitempty"`
	OCR        json.RawMessage `json:"ocr"`
	Transcript json.RawMessage `json:"transcript"`
	Frames     int             `json:"frames"`
}

// Files judges each file and writes one line a file, in order. bad counts the
// files that could not be judged.
func (s *Scorer) Files(ctx context.Context, files []string, limits media.Limits, w io.Writer) (bad int, err error) {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	for _, name := range files {
		a := s.file(ctx, name, limits)
		if ctx.Err() != nil {
			return bad, ctx.Err() // a file that was cut short gets no answer
		}
		if a.Error != "" {
			bad++
		}
		if err := enc.Encode(a); err != nil {
			return bad, fmt.Errorf("write answer: %w", err)
		}
	}
	return bad, nil
}

func (s *Scorer) file(ctx context.Context, name string, limits media.Limits) (a MediaAnswer) {
	id, _ := json.Marshal(name)
	a = MediaAnswer{Answer: Answer{ID: id}, OCR: json.RawMessage("[]"), Transcript: json.RawMessage("[]")}
	defer func() {
		if recover() != nil {
			a.Error, a.Signals, a.Action = "panic", nil, ""
		}
	}()
	data, kind, err := readMedia(name, limits)
	a.Kind = kind
	if err != nil {
		a.Error = err.Error()
		return a
	}
	sight, err := s.look(ctx, kind, data)
	if err != nil {
		a.Error = "could not be judged: " + examine.Class(err)
		return a
	}
	a.Frames = sight.Frames
	if sight.OCR != nil {
		a.OCR = sight.OCR
	}
	if sight.Transcript != nil {
		a.Transcript = sight.Transcript
	}
	it := pipeline.Item{Kind: kind, Audience: pipeline.AudienceDirect, Sender: pipeline.Person{ID: "self"}, Recipients: []pipeline.Person{{ID: "other"}}}
	s.answer(&a.Answer, it, sight.Findings, slices.Concat(pipeline.ImageLabels, pipeline.TextLabels), 0)
	for _, f := range sight.Faults {
		if f.Quarantine {
			a.Error = "could not be opened: " + f.Reason
		}
	}
	return a
}

func (s *Scorer) look(ctx context.Context, kind pipeline.Kind, data []byte) (examine.Sight, error) {
	switch kind {
	case pipeline.KindVideo:
		return s.Examiner.VideoFile(ctx, data, pipeline.Text{})
	case pipeline.KindVoice:
		return s.Examiner.Voice(ctx, data, pipeline.Text{})
	}
	return s.Examiner.Photo(ctx, data)
}

// readMedia reads a file of an allowed type and size. Errors do not quote it.
func readMedia(name string, limits media.Limits) ([]byte, pipeline.Kind, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, "", fmt.Errorf("open file: %w", err)
	}
	defer f.Close()
	head := make([]byte, 4096)
	n, err := io.ReadFull(f, head)
	if err != nil && n == 0 {
		return nil, "", fmt.Errorf("read file: %w", err)
	}
	typ, err := media.Sniff(head[:n])
	if err != nil {
		return nil, "", fmt.Errorf("type of file: %w", err)
	}
	limit := limits.BytesFor(typ.Kind())
	rest, err := io.ReadAll(io.LimitReader(f, limit+1-int64(n)))
	if err != nil {
		return nil, "", fmt.Errorf("read file: %w", err)
	}
	if int64(n+len(rest)) > limit {
		return nil, kindOf(typ.Kind()), fmt.Errorf("file is over %d bytes", limit)
	}
	return append(head[:n], rest...), kindOf(typ.Kind()), nil
}

func kindOf(k media.Kind) pipeline.Kind {
	switch k {
	case media.Film:
		return pipeline.KindVideo
	case media.Voice:
		return pipeline.KindVoice
	}
	return pipeline.KindPhoto
}
