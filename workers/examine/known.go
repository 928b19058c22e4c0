package examine

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"

	"nightlight/pipeline"
	"nightlight/pipeline/media"
	"nightlight/pipeline/pdq"
)

// Known looks pictures and files up in lists of known ones. Implementations are
// safe for concurrent use. Nothing found is no error; an error means that nobody
// looked, and one that wraps ErrAgain that looking again in a moment is right.
type Known interface {
	Ref() pipeline.ModelRef
	// File finds a file by its SHA-256 in hexadecimal.
	File(ctx context.Context, sha256 string) ([]pipeline.BankMatch, error)
	// Picture finds a picture or frame by its PDQ hash.
	Picture(ctx context.Context, p pdq.Print) ([]pipeline.BankMatch, error)
}

// recognise looks the file up, and every frame of it that was decoded, and says
// of each list that could not be asked that nobody looked. d is nil when the
// file could not be opened.
func (e *Examiner) recognise(ctx context.Context, data []byte, d *media.Decoded, s *Sight) error {
	sum := sha256.Sum256(data)
	for _, k := range e.Known {
		err := e.ask(ctx, k, hex.EncodeToString(sum[:]), d, s)
		switch {
		case err == nil:
			s.Add(pipeline.Findings{Models: []pipeline.ModelRef{k.Ref()}})
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, ErrAgain):
			return again(ctx, k.Ref(), err)
		default:
			s.Faults = append(s.Faults, pipeline.Fault{Source: k.Ref().Name, Reason: "not_looked_up"})
		}
	}
	return nil
}

func (e *Examiner) ask(ctx context.Context, k Known, sum string, d *media.Decoded, s *Sight) error {
	found, err := k.File(ctx, sum)
	if err != nil {
		return err
	}
	e.matched(k, found, s, func(sig *pipeline.Signal) { sig.In = "file" })
	if d == nil {
		return nil
	}
	for _, f := range d.Frames {
		found, err := k.Picture(ctx, f.PDQ)
		if err != nil {
			return err
		}
		e.matched(k, found, s, func(sig *pipeline.Signal) { place(sig, f.At, d.FrameCount > 1, media.Crop{}, d) })
	}
	return nil
}

// matched adds a signal for each match. What the bank's pictures show is for
// policy to say.
func (e *Examiner) matched(k Known, found []pipeline.BankMatch, s *Sight, place func(*pipeline.Signal)) {
	for _, m := range found {
		label := pipeline.SexualExplicit
		if e.BankLabel != nil {
			label = e.BankLabel(m.Name)
		}
		sig := pipeline.Signal{Label: label, Score: m.Score(), Source: "bank/" + m.Name + "@" + k.Ref().Version, Bank: &m}
		place(&sig)
		s.Signals = append(s.Signals, sig)
	}
}
