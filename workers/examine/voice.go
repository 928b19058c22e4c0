package examine

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"

	"nightlight/pipeline"
	"nightlight/pipeline/media"
	"nightlight/pipeline/speech"
)

// Voice listens to a voice note. said tells who speaks to whom; its own text,
// a caption, is not read here.
func (e *Examiner) Voice(ctx context.Context, data []byte, said pipeline.Text) (Sight, error) {
	sum := sha256.Sum256(data)
	s := Sight{SHA256: hex.EncodeToString(sum[:])}
	if e.Ear == nil {
		s.Faults = append(s.Faults, pipeline.Fault{Source: "speech", Reason: "missing_model"})
	}
	if err := e.recognise(ctx, data, nil, &s); err != nil {
		return s, err
	}
	sound, err := e.sound(ctx, data)
	if err != nil {
		err = s.closed(ctx, err)
		return s, err
	}
	if sound.Tracks == 0 {
		s.Faults = append(s.Faults, pipeline.Fault{Source: "media", Reason: "no_sound"})
	}
	if sound.Picture {
		s.Faults = append(s.Faults, pipeline.Fault{Source: "media", Reason: "picture_not_seen"})
	}
	err = e.listen(ctx, sound, said, &s)
	return s, err
}

// soundOf listens to a film, whose pictures were looked at.
func (e *Examiner) soundOf(ctx context.Context, data []byte, said pipeline.Text, s *Sight) error {
	if e.Ear == nil {
		s.merge(pipeline.Findings{Faults: []pipeline.Fault{{Source: "media", Reason: "sound_not_heard"}}})
		return nil
	}
	sound, err := e.sound(ctx, data)
	if err != nil {
		return s.closed(ctx, err)
	}
	return e.listen(ctx, sound, said, s)
}

func (e *Examiner) sound(ctx context.Context, data []byte) (*media.Sound, error) {
	if e.Video == nil {
		return nil, media.ErrNoFFmpeg
	}
	return e.Video.Sound(ctx, data)
}

// closed adds the fault of a file that does not open; what may open in a minute
// is an error.
func (s *Sight) closed(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	fault, ok := faultOf(err)
	if !ok {
		return ErrAgain
	}
	s.merge(pipeline.Findings{Faults: []pipeline.Fault{fault}})
	return nil
}

// listen hears the sound, keeps what was heard and judges it.
func (e *Examiner) listen(ctx context.Context, sound *media.Sound, said pipeline.Text, s *Sight) error {
	s.merge(pipeline.Findings{Faults: unheard(sound)})
	if e.Ear == nil || len(sound.Samples) == 0 {
		return nil
	}
	s.Add(pipeline.Findings{Models: e.Ear.Models()})
	heard, err := e.Ear.Listen(ctx, sound.Samples)
	if err != nil {
		return again(ctx, e.Ear.Models()[0], err)
	}
	for _, u := range heard.Unheard {
		s.merge(pipeline.Findings{Faults: []pipeline.Fault{{Source: "speech/" + string(u.Why), Reason: "not_heard", Unheard: true}}})
	}
	if len(heard.Passages) == 0 {
		return nil
	}
	if s.Transcript, err = json.Marshal(heard.Passages); err != nil {
		return fmt.Errorf("keep what was heard: %w", err)
	}
	found, err := e.readPassages(ctx, heard.Passages, said)
	if err != nil {
		return err
	}
	s.merge(found)
	return nil
}

// unheard lists what of the sound nobody listened to.
func unheard(sound *media.Sound) []pipeline.Fault {
	var faults []pipeline.Fault
	for _, f := range []struct {
		reason string
		is     bool
	}{{"damaged", sound.Damaged}, {"no_sound", sound.Tracks > 0 && len(sound.Samples) == 0}, {"more_sound_tracks", sound.Tracks > 1}, {"sound_longer_than_limit", sound.Long}} {
		if f.is {
			faults = append(faults, pipeline.Fault{Source: "media", Reason: f.reason})
		}
	}
	return faults
}

// readPassages judges what was said. The rules read all of it; a text model, which
// knows messages, reads each passage together with the one before it, because a
// recogniser cuts sentences where the speaker breathes. The highest score of each
// label and source is kept, with the time at which its words begin.
func (e *Examiner) readPassages(ctx context.Context, passages []speech.Passage, said pipeline.Text) (pipeline.Findings, error) {
	f := pipeline.Findings{Faults: slices.Clone(e.MissingText), Models: []pipeline.ModelRef{e.Rules.Ref()}}
	text, starts := speech.Join(passages)
	said.Text = text
	ruled, err := e.Rules.ClassifyText(ctx, said)
	if err != nil {
		return f, again(ctx, e.Rules.Ref(), err)
	}
	f.Signals = ruled
	for i := range passages {
		from := max(0, i-1)
		said.Text, _ = speech.Join(passages[from : i+1])
		found, err := e.views(ctx, said)
		if err != nil {
			return f, err
		}
		for k := range found.Signals {
			sig := &found.Signals[k]
			if sig.Start == 0 && sig.End == 0 {
				sig.End = len([]rune(said.Text))
			}
			sig.Start, sig.End = sig.Start+starts[from], sig.End+starts[from]
		}
		found.Faults = slices.DeleteFunc(found.Faults, func(fault pipeline.Fault) bool { return slices.Contains(f.Faults, fault) })
		f.Add(found)
	}
	for i := range f.Signals {
		sig := &f.Signals[i]
		if sig.Start == 0 && sig.End == 0 {
			sig.End = len([]rune(text))
		}
		sig.In, sig.At = "speech", timeOf(passages, starts, sig.Start)
	}
	f.Signals = highest(f.Signals)
	return f, nil
}

// timeOf gives when the passage begins in which a character stands.
func timeOf(passages []speech.Passage, starts []int, character int) *float64 {
	at := passages[0].Start
	for i, start := range starts {
		if start <= character {
			at = passages[i].Start
		}
	}
	return &at
}

// highest keeps the highest score of each label and source.
func highest(signals []pipeline.Signal) (best []pipeline.Signal) {
	for _, s := range signals {
		i := slices.IndexFunc(best, func(b pipeline.Signal) bool { return b.Label == s.Label && b.Source == s.Source })
		switch {
		case i < 0:
			best = append(best, s)
		case s.Score > best[i].Score:
			best[i] = s
		}
	}
	return best
}
