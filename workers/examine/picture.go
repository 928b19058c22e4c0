package examine

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"nightlight/pipeline"
	"nightlight/pipeline/media"
)

// Sight is what looking at a photo or film gave besides the findings.
type Sight struct {
	pipeline.Findings
	// Shown is what people look at of a film; of a photo Renditions makes it.
	Shown
	Frames int
	SHA256 string
	PHash  uint64
	// Place is true when the file tells where it was taken. Nobody is shown the
	// place itself: it is in no rendition, and nothing here reads it.
	Place bool
	// Times is JSON of each model's highest score for each label in each frame
	// that was looked at, with its time; nil for a still.
	Times []byte
	// Transcript and OCR are JSON of what was heard and read, nil when there
	// was nothing.
	Transcript, OCR []byte
	// Memorable is nil when the content could not be opened.
	Memorable *Memorable
}

// Photo looks at every frame of a picture that policy samples.
func (e *Examiner) Photo(ctx context.Context, data []byte) (Sight, error) {
	return e.look(ctx, data, media.Want{Fit: ReadSide}, func(want media.Want) (*media.Decoded, error) { return e.Decoder.Decode(ctx, data, want) })
}

// VideoFile looks at the frames of a video and listens to its sound. said tells
// who sends it to whom.
func (e *Examiner) VideoFile(ctx context.Context, data []byte, said pipeline.Text) (Sight, error) {
	var film *media.Decoded
	s, err := e.look(ctx, data, media.Want{Fit: ReadSide}, func(want media.Want) (*media.Decoded, error) {
		if e.Video == nil {
			return nil, media.ErrNoFFmpeg
		}
		d, err := e.Video.Frames(ctx, data, want)
		if film == nil { // not what second eyes get, which has no pictures
			film = d
		}
		return d, err
	})
	if err != nil || film == nil {
		return s, err
	}
	if s.Shown, err = sheetOf(film.Frames, s.Signals); err != nil {
		return s, err
	}
	sounds := film.HasSound
	film = nil // listening takes long, and its frames are large
	if sounds {
		err = e.soundOf(ctx, data, said, &s)
	}
	return s, err
}

func (e *Examiner) look(ctx context.Context, data []byte, want media.Want, decode func(media.Want) (*media.Decoded, error)) (Sight, error) {
	s := Sight{Findings: pipeline.Findings{Faults: append([]pipeline.Fault{}, e.MissingImage...)}}
	if len(e.Eyes) == 0 && len(s.Faults) == 0 {
		s.Faults = append(s.Faults, pipeline.Fault{Source: "image", Reason: "missing_model"})
	}
	for _, eye := range e.Eyes {
		want.Squares = append(want.Squares, eye.Square)
	}
	d, err := decode(want)
	if err != nil {
		if ctx.Err() != nil {
			return s, ctx.Err()
		}
		fault, ok := faultOf(err)
		if !ok {
			return s, ErrAgain
		}
		s.Faults = append(s.Faults, fault)
		return s, e.recognise(ctx, data, nil, &s)
	}
	if err := e.recognise(ctx, data, d, &s); err != nil {
		return s, err
	}
	s.Frames, s.SHA256, s.PHash, s.Place = len(d.Frames), d.SHA256, d.PHash, d.HasGPS
	found, err := e.scores(ctx, d, &s, func() (*media.Decoded, error) { return decode(e.secondWant(want)) })
	if err != nil {
		return s, err
	}
	s.Add(found)
	if s.Times, err = times(s.Signals, d); err != nil {
		return s, err
	}
	if err := e.read(ctx, d, &s); err != nil {
		return s, err
	}
	s.Faults = append(s.Faults, unseen(d)...)
	return s, nil
}

// moment is what one model thought of one frame.
type moment struct {
	At     float64        `json:"at"` // seconds
	Label  pipeline.Label `json:"label"`
	Score  float64        `json:"score"`
	Source string         `json:"source"`
}

// times keeps the scores over time, low ones too: a reviewer sees when something
// begins and ends.
func times(signals []pipeline.Signal, d *media.Decoded) ([]byte, error) {
	if d.FrameCount < 2 {
		return nil, nil
	}
	list := []moment{}
	for _, s := range signals {
		if s.At != nil {
			list = append(list, moment{*s.At, s.Label, math.Round(s.Score*1000) / 1000, s.Source})
		}
	}
	b, err := json.Marshal(list)
	if err != nil {
		return nil, fmt.Errorf("keep scores over time: %w", err)
	}
	return b, nil
}

// metadata is the source of what a file tells beside its picture.
var metadata = pipeline.ModelRef{Name: "metadata", Version: "1"}

// placeTold is how much a place in a file counts as giving private facts: as
// much as an address in words.
const placeTold = 0.75

// Public adds what only matters when everybody can see the item: a picture that
// tells where it was taken gives the place away.
func (s *Sight) Public() {
	if s.Place {
		s.Add(pipeline.Findings{
			Signals: []pipeline.Signal{{Label: pipeline.PrivacyGives, Score: placeTold, Source: metadata.String(), In: "metadata"}},
			Models:  []pipeline.ModelRef{metadata},
		})
	}
}

// unseen lists what of a file nobody looked at.
func unseen(d *media.Decoded) []pipeline.Fault {
	var faults []pipeline.Fault
	for reason, is := range map[string]bool{"longer_than_limit": d.Cut, "damaged": d.Damaged, "too_fine": d.Coarse} {
		if is {
			faults = append(faults, pipeline.Fault{Source: "media", Reason: reason})
		}
	}
	slices.SortFunc(faults, func(a, b pipeline.Fault) int { return cmp.Compare(a.Reason, b.Reason) })
	return faults
}

// unsure tells whether second eyes shall look too.
func (e *Examiner) unsure(signals []pipeline.Signal) bool {
	clear := true
	for _, s := range signals {
		if s.Source == testCard.String() {
			continue
		}
		if at, ok := e.Settled[string(s.Label)]; ok && s.Score >= at {
			return false
		}
		if !(s.Score < e.Clear[string(s.Label)]) {
			clear = false
		}
	}
	return !clear
}

// secondWant is what is wanted of a file for the second eyes. Fit stays: frames that
// are as large are told apart alike.
func (e *Examiner) secondWant(want media.Want) media.Want {
	want.Squares, want.Preview, want.Thumbnail, want.Pictures = nil, 0, 0, 1
	for _, eye := range e.Second {
		want.Squares = append(want.Squares, eye.Square)
	}
	return want
}

// second opens the file once more for the second eyes and asks them about the
// frames that the first were unsure of. It happens to few, and preparing for it
// would cost every picture more than it costs those.
func (e *Examiner) second(ctx context.Context, decode func() (*media.Decoded, error), unsure map[int]bool) (found pipeline.Findings, err error) {
	if len(unsure) == 0 || len(e.Second) == 0 {
		return found, nil
	}
	d, err := decode()
	if ctx.Err() != nil {
		return found, ctx.Err()
	}
	if err != nil {
		return found, fmt.Errorf("look a second time: %w", ErrAgain)
	}
	for _, f := range d.Frames {
		if !unsure[f.Index] {
			continue
		}
		delete(unsure, f.Index)
		f.TestCard = ""
		seen, err := frame(ctx, e.Second, f, d)
		if err != nil {
			return found, err
		}
		found.Add(seen)
	}
	if len(unsure) > 0 {
		return found, fmt.Errorf("a frame is not there a second time: %w", ErrAgain)
	}
	return found, nil
}

// frame asks every eye about every crop of one frame and keeps each model's
// highest score a label.
func frame(ctx context.Context, eyes []Eye, f media.Frame, d *media.Decoded) (pipeline.Findings, error) {
	moving := d.FrameCount > 1
	var out pipeline.Findings
	best := map[string]int{}
	for _, crop := range f.Crops {
		eye := eyes[crop.Square]
		signals, err := eye.Model.Classify(ctx, crop.Tensor)
		if err != nil {
			return out, again(ctx, eye.Model.Ref(), err)
		}
		out.Add(pipeline.Findings{Models: []pipeline.ModelRef{eye.Model.Ref()}})
		for _, s := range signals {
			place(&s, f.At, moving, crop, d)
			key := string(s.Label) + s.Source
			if i, ok := best[key]; !ok {
				best[key] = len(out.Signals)
				out.Signals = append(out.Signals, s)
			} else if s.Score > out.Signals[i].Score {
				out.Signals[i] = s
			}
		}
	}
	if f.TestCard != "" {
		s := pipeline.Signal{Label: pipeline.Label(f.TestCard), Score: 0.99, Source: testCard.String()}
		place(&s, f.At, moving, media.Crop{}, d)
		out.Add(pipeline.Findings{Signals: []pipeline.Signal{s}, Models: []pipeline.ModelRef{testCard}})
	}
	return out, nil
}

// testCard is the source of signals that a harmless test card trips.
var testCard = pipeline.ModelRef{Name: "testcard", Version: "1"}

func place(s *pipeline.Signal, at time.Duration, moving bool, c media.Crop, d *media.Decoded) {
	s.In = "picture"
	if moving {
		s.In = "frame"
		seconds := at.Seconds()
		s.At = &seconds
	}
	if c.Part != "" && c.Part != "whole" {
		w, h := float64(d.Width), float64(d.Height)
		s.Box = &[4]int{int(c.Box[0] * w), int(c.Box[1] * h), int((c.Box[2] - c.Box[0]) * w), int((c.Box[3] - c.Box[1]) * h)}
	}
}

// faultOf maps a decoder's error to what policy shall know. It is false for
// errors that trying again may mend.
func faultOf(err error) (pipeline.Fault, bool) {
	switch {
	case errors.Is(err, media.ErrTooLarge):
		return pipeline.Fault{Source: "decode", Reason: "too_large", Quarantine: true}, true
	case errors.Is(err, media.ErrBroken):
		return pipeline.Fault{Source: "decode", Reason: "broken", Quarantine: true}, true
	case errors.Is(err, media.ErrChildKilled):
		return pipeline.Fault{Source: "decode", Reason: "decoder_killed", Quarantine: true}, true
	case errors.Is(err, media.ErrUnsupported):
		return pipeline.Fault{Source: "decode", Reason: "unsupported_type"}, true
	case errors.Is(err, media.ErrNoFFmpeg):
		return pipeline.Fault{Source: "decode", Reason: "no_ffmpeg"}, true
	}
	return pipeline.Fault{}, false
}
