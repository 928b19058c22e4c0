package examine

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"

	"nightlight/pipeline"
	"nightlight/pipeline/media"
)

// Shown is what people look at of a photo or film. It is empty when the content
// could not be opened.
type Shown struct {
	// Preview is grey and blurred, Thumbnail plain; both JPEG. Of what moves both
	// are sheets of frames.
	Preview, Thumbnail []byte
	// Sheet is JSON of the frames on a sheet, in their order; nil for a still.
	Sheet []byte
}

// shot is one frame of a sheet, with the strongest signal that was found in it.
type shot struct {
	At        float64        `json:"at"` // seconds
	Label     pipeline.Label `json:"label,omitempty"`
	Score     float64        `json:"score,omitempty"`
	Strongest bool           `json:"strongest,omitempty"` // no frame has a stronger one
}

// Longest sides of renditions in pixels.
const (
	previewSide      = 480
	thumbnailSide    = 1280
	sheetPreviewSide = 960
	sheetSide        = 1920
)

// Of what moves at most sheetFrames frames are shown: for each label from
// worthShowing on the one in which it is strongest, at most mostFound of them, and
// others spread over the time. As on the verdict, what scores less is no evidence.
const (
	sheetFrames  = 9
	mostFound    = 6
	worthShowing = 0.2
)

// ErrUnshowable is a file that gives no picture to look at, now or later. One on
// which the decoder was killed, on a busy machine perhaps, or for which ffmpeg is
// missing, may give one later.
var ErrUnshowable = errors.New("cannot be shown")

// Renditions makes what a reviewer looks at of a photo or film in which signals
// were found. Few need it and it costs several times what judging a photo does, so
// it is asked for only when a person must look. An error wraps ErrUnshowable, or
// ErrAgain.
func (e *Examiner) Renditions(ctx context.Context, kind pipeline.Kind, data []byte, signals []pipeline.Signal) (Shown, error) {
	var d *media.Decoded
	var err error
	moving := kind == pipeline.KindVideo
	switch {
	case kind == pipeline.KindPhoto:
		want := media.Want{Preview: previewSide, Thumbnail: thumbnailSide}
		if h, err := media.Inspect(data); err == nil && h.Frames > 1 {
			moving, want = true, media.Want{Fit: ReadSide} // the frames that were judged
		}
		d, err = e.Decoder.Decode(ctx, data, want)
	case moving && e.Video != nil:
		d, err = e.Video.Frames(ctx, data, media.Want{Fit: ReadSide})
	case moving:
		err = media.ErrNoFFmpeg
	default:
		err = media.ErrUnsupported
	}
	switch {
	case err == nil && moving:
		return sheetOf(d.Frames, signals)
	case err == nil:
		return Shown{Preview: d.Preview, Thumbnail: d.Thumbnail}, nil
	}
	passing := errors.Is(err, media.ErrChildKilled) || errors.Is(err, media.ErrNoFFmpeg)
	if fault, ok := faultOf(err); ok && !passing && ctx.Err() == nil {
		return Shown{}, fmt.Errorf("renditions: %s: %w", fault.Reason, ErrUnshowable)
	}
	return Shown{}, again(ctx, pipeline.ModelRef{Name: "renditions", Version: "1"}, err)
}

// sheetOf lays those frames on a sheet that a person must see.
func sheetOf(frames []media.Frame, signals []pipeline.Signal) (Shown, error) {
	frames = slices.DeleteFunc(slices.Clone(frames), func(f media.Frame) bool { return f.Picture == nil })
	if len(frames) == 0 {
		return Shown{}, nil
	}
	chosen := choose(frames, signals)
	var shots []shot
	var cells []media.SheetFrame
	for i, f := range frames {
		if s, ok := chosen[i]; ok {
			shots = append(shots, s)
			cells = append(cells, media.SheetFrame{Picture: f.Picture, At: f.At, Marked: s.Strongest})
		}
	}
	plain, grey, err := media.Sheet(cells, sheetSide, sheetPreviewSide)
	if err != nil {
		return Shown{}, fmt.Errorf("lay frames on a sheet: %w", err)
	}
	list, err := json.Marshal(shots)
	if err != nil {
		return Shown{}, fmt.Errorf("name the frames of a sheet: %w", err)
	}
	return Shown{Preview: grey, Thumbnail: plain, Sheet: list}, nil
}

// choose gives the frames of a sheet by their place in frames.
func choose(frames []media.Frame, signals []pipeline.Signal) map[int]shot {
	chosen := map[int]shot{}
	take := func(i int) {
		if _, ok := chosen[i]; !ok {
			chosen[i] = shot{At: frames[i].At.Seconds()}
		}
	}
	for n, s := range seenBest(signals) {
		i := nearest(frames, *s.At)
		take(i)
		if s.Score >= worthShowing && chosen[i].Label == "" {
			chosen[i] = shot{At: chosen[i].At, Label: s.Label, Score: math.Round(s.Score*1000) / 1000, Strongest: n == 0}
		}
	}
	take(0)
	take(len(frames) - 1)
	for len(chosen) < min(sheetFrames, len(frames)) {
		take(loneliest(frames, chosen))
	}
	return chosen
}

// seenBest gives the strongest signal of each label that was seen at some time, the
// strongest first. The first comes whatever its score, though it is then not named;
// others from worthShowing on.
func seenBest(signals []pipeline.Signal) (best []pipeline.Signal) {
	var seen []pipeline.Signal
	for _, s := range signals {
		if s.At != nil && s.In != "speech" && s.Label.Known() && s.Score >= 0 && s.Score <= 1 {
			seen = append(seen, s)
		}
	}
	slices.SortStableFunc(seen, func(a, b pipeline.Signal) int { return cmp.Compare(b.Score, a.Score) })
	for _, s := range seen {
		known := slices.ContainsFunc(best, func(b pipeline.Signal) bool { return b.Label == s.Label })
		if !known && len(best) < mostFound && (len(best) == 0 || s.Score >= worthShowing) {
			best = append(best, s)
		}
	}
	return best
}

// nearest is the frame that is shown nearest to a second.
func nearest(frames []media.Frame, at float64) int {
	best, least := 0, math.Inf(1)
	for i, f := range frames {
		if off := math.Abs(f.At.Seconds() - at); off < least {
			best, least = i, off
		}
	}
	return best
}

// loneliest is the frame that is farthest in time from all that are chosen.
func loneliest(frames []media.Frame, chosen map[int]shot) int {
	best, most := 0, -1.0
	for i, f := range frames {
		if _, ok := chosen[i]; ok {
			continue
		}
		off := math.Inf(1)
		for _, s := range chosen {
			off = min(off, math.Abs(s.At-f.At.Seconds()))
		}
		if off > most {
			best, most = i, off
		}
	}
	return best
}
