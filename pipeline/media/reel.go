package media

import (
	"image"
	"math"
	"slices"
	"time"
)

// shot is one decoded frame of a film or animation.
type shot struct {
	index int
	at    time.Duration
	hash  uint64
	tiny  []float32 // 16 by 16 averages
	fine  []float32 // fineSide by fineSide averages of the three colours' sum
	img   *image.NRGBA
}

// reel keeps the frames that differ from the one kept before, so that a still with
// one other frame in it is two frames and not that one left to chance. It is
// bounded: when it overflows, the frame goes that is most like the one before it,
// so that what was cut in stays and what only moves is thinned.
type reel struct {
	limit int // frames wanted in the end
	same  int // bits of DHash up to which a frame counts as the one before; negative: none does
	kept  []shot
	lost  bool // a frame had to go that shows something else than the one before
	gone  int  // frames that had to go
	count int
	last  time.Duration
	hole  time.Duration
}

// reelBytes is how much memory the frames in a reel may take beyond those wanted.
const reelBytes = 64 << 20

// add takes a frame, which must not change afterwards.
func (r *reel) add(img *image.NRGBA, at time.Duration) error {
	r.hole = max(r.hole, at-r.last)
	r.last = max(r.last, at)
	s, err := newShot(r.count, at, img)
	if err != nil {
		return err
	}
	r.count++
	if n := len(r.kept); n > 0 && r.same >= 0 && s.like(r.kept[n-1], r.same) {
		return nil
	}
	r.kept = append(r.kept, s)
	if len(r.kept) > max(r.limit, min(4*r.limit, reelBytes/(len(img.Pix)+1))) {
		r.thin()
	}
	return nil
}

func newShot(index int, at time.Duration, img *image.NRGBA) (shot, error) {
	small, err := shrink(img, min(max(1, min(img.Rect.Dx(), img.Rect.Dy())/72), 128))
	if err != nil {
		return shot{}, err
	}
	if !small.Opaque() {
		small = flatten(small, 255)
	}
	colours := resample(small, small.Rect, fineSide, fineSide)
	fine := make([]float32, len(colours)/3)
	for i := range fine {
		fine[i] = colours[3*i] + colours[3*i+1] + colours[3*i+2]
	}
	return shot{index: index, at: at, hash: DHash(small), tiny: resample(small, small.Rect, 16, 16), fine: fine, img: img}, nil
}

// Other words in the place of some change a few fine places by much. Set on one
// line in letters of 20 pixels in 640 by 360.
const (
	fineSide   = 64
	fineChange = 3 * 20 // of 3 * 255
	finePlaces = 4
)

// rewritten tells whether as many fine places changed as other words change.
func (s shot) rewritten(o shot) bool {
	changed := 0
	for i, v := range s.fine {
		if d := v - o.fine[i]; d > fineChange || d < -fineChange {
			changed++
		}
	}
	return changed >= finePlaces
}

// like holds averages against each other besides the hash, since flat frames of
// any colour have the same one, and fine averages, since a page has the same one
// whatever is written on it.
func (s shot) like(o shot, bits int) bool {
	if HashDistance(s.hash, o.hash) > bits || s.rewritten(o) {
		return false
	}
	for i, v := range s.tiny {
		if d := v - o.tiny[i]; d > 16 || d < -16 {
			return false
		}
	}
	return true
}

// far is the difference from which on two frames show different things: a cut
// gives 40 and more, movement within a scene less than 30.
const far = 32

// thin drops the frame that differs least from the one before it. The first and
// the last stay.
func (r *reel) thin() {
	least, at := math.Inf(1), 1
	for i := 1; i < len(r.kept)-1; i++ {
		if d := r.kept[i].difference(r.kept[i-1]); d < least {
			least, at = d, i
		}
	}
	if len(r.kept) < 3 {
		at, least = len(r.kept)-1, r.kept[len(r.kept)-1].difference(r.kept[0])
	}
	r.lost = r.lost || least > far
	r.gone++
	r.kept = slices.Delete(r.kept, at, at+1)
}

// difference is the number of differing bits and a quarter of the largest
// difference of colour, 0 to 128.
func (s shot) difference(o shot) float64 {
	var most float32
	for i, v := range s.tiny {
		most = max(most, v-o.tiny[i], o.tiny[i]-v)
	}
	return float64(HashDistance(s.hash, o.hash)) + float64(most)/4
}

// apart is the difference up to which two frames of one scene may be although they
// are seconds apart. Of 7,626 pairs out of 124 pictures that have nothing to do with
// each other, 96 in 100 differ by more.
const apart = 44

// shows tells whether any of those kept shows the same as s, but for movement.
func (r *reel) shows(s shot) bool {
	return slices.ContainsFunc(r.kept, func(k shot) bool { return s.difference(k) <= apart })
}

// gap is the longest time without a decoded frame.
func (r *reel) gap(end time.Duration) time.Duration {
	if r.count == 0 {
		return 1 << 62
	}
	return max(r.hole, end-r.last)
}

// pick gives the wanted number of those kept, first and last among them.
func (r *reel) pick() []shot {
	for len(r.kept) > max(r.limit, 1) {
		r.thin()
	}
	return r.kept
}
