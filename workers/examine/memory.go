package examine

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"

	"nightlight/pipeline"
	"nightlight/pipeline/media"
	"nightlight/pipeline/pdq"
)

// Memory knows what the picture models said of earlier uploads of one tenant.
// models names the models exactly; what others said is not remembered. Nothing
// remembered is false and no error.
type Memory interface {
	// SameFile gives the scores of an earlier upload of the same bytes.
	SameFile(ctx context.Context, sha256, models string) (pipeline.Findings, bool, error)
	// SamePicture gives the scores of a still picture so near that they hold
	// for this one too.
	SamePicture(ctx context.Context, p pdq.Print, models string) (pipeline.Findings, bool, error)
}

// Remembering returns the Examiner with a memory. Both share everything else;
// only one of them must be closed.
func (e *Examiner) Remembering(m Memory) *Examiner {
	with := *e
	with.memory = m
	return &with
}

// Memorable is what of a sight can serve again: the picture models' scores, and
// under which name. What was read in the picture is read again each time: it is
// a child's words, which are kept nowhere but under their item's own key.
type Memorable struct {
	Models string
	Print  pdq.Print
	Still  bool // one picture, nothing that moves
	Scores pipeline.Findings
}

// looking is the version of how pictures are cut for the models; it counts up
// when place, frame or media.Squares change what a score means.
const looking = 1

// models names all that a picture's scores depend on: each model's weights,
// which its SHA-256 stands for together with its calibration in the manifest's
// version, the squares that it sees, when the second ones are asked, and looking.
func (e *Examiner) models() string {
	h := sha256.New()
	fmt.Fprintln(h, "looking", looking)
	fmt.Fprintln(h, "second", len(e.Second), e.Clear, e.Settled) // maps are printed in the order of their keys
	for _, eye := range slices.Concat(e.Eyes, e.Second) {
		ref := eye.Model.Ref()
		fmt.Fprintln(h, ref.Name, ref.Version, ref.SHA256, eye.Square)
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// scores are what the picture models say of the frames: remembered, or by
// looking.
func (e *Examiner) scores(ctx context.Context, d *media.Decoded, s *Sight, again func() (*media.Decoded, error)) (pipeline.Findings, error) {
	m := Memorable{Models: e.models(), Still: d.FrameCount == 1 && len(d.Frames) == 1}
	if m.Still {
		m.Print = d.Frames[0].PDQ
	}
	found, known, err := e.remember(ctx, d, m)
	if err != nil {
		return found, err
	}
	if !known {
		unsure := map[int]bool{}
		for _, f := range d.Frames {
			seen, err := frame(ctx, e.Eyes, f, d)
			if err != nil {
				return found, err
			}
			if e.unsure(seen.Signals) {
				unsure[f.Index] = true
			}
			found.Add(seen)
		}
		seen, err := e.second(ctx, again, unsure)
		if err != nil {
			return found, err
		}
		found.Add(seen)
	}
	m.Scores = found
	s.Memorable = &m
	return found, nil
}

func (e *Examiner) remember(ctx context.Context, d *media.Decoded, m Memorable) (found pipeline.Findings, ok bool, err error) {
	if e.memory == nil || len(e.Eyes) == 0 || len(e.MissingImage) > 0 {
		return found, false, nil
	}
	how := "file"
	if found, ok, err = e.memory.SameFile(ctx, d.SHA256, m.Models); err == nil && !ok && m.Still && d.TestCard == "" {
		how = "picture"
		found, ok, err = e.memory.SamePicture(ctx, m.Print, m.Models)
	}
	if err != nil {
		return found, false, again(ctx, pipeline.ModelRef{Name: "memory", Version: "1"}, err)
	}
	for i := range found.Signals {
		found.Signals[i].Reused = how
		if how == "picture" {
			found.Signals[i].Box = nil // of the other's pixels
		}
	}
	return found, ok, nil
}
