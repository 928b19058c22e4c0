package ocr

import (
	"context"
	"errors"
	"math"
	"strings"
)

// Sizes of the pictures of a line, in pixels.
const (
	lineHeight   = 48
	turnWidth    = 192
	minLineWidth = 64
	maxLineWidth = 2560
)

// upsideDown asks the network which way up a line is.
func (r *Reader) upsideDown(ctx context.Context, p Picture, b box) (bool, error) {
	in := make([]float32, 3*lineHeight*turnWidth)
	p.pack(in, turnWidth, lineHeight, b, min(max(lineWidth(b), 1), turnWidth), centred)
	_, out, err := r.nets.Turn(ctx, []int64{1, 3, lineHeight, turnWidth}, in)
	if err != nil {
		return false, err
	}
	if len(out) != 2 {
		return false, errors.New("not two answers about which way up a line is")
	}
	return out[1] > 0.9, nil
}

// text reads one line. The score is the mean probability of its characters.
func (r *Reader) text(ctx context.Context, p Picture, b box) (string, float64, error) {
	used := min(max(lineWidth(b), 1), maxLineWidth)
	w := max(minLineWidth, (used+31)/32*32)
	in := make([]float32, 3*lineHeight*w)
	p.pack(in, w, lineHeight, b, used, centred)
	shape, out, err := r.nets.Read(ctx, []int64{1, 3, lineHeight, int64(w)}, in)
	if err != nil {
		return "", 0, err
	}
	columns := len(r.nets.Keys) + 2
	if len(shape) != 3 || shape[0] != 1 || shape[2] != int64(columns) || shape[1] < 0 || int64(len(out)) != shape[1]*int64(columns) {
		return "", 0, errors.New("the answer about a line is of another size than its characters need")
	}
	text, score := decode(out, r.nets.Keys)
	return text, score, nil
}

// lineWidth gives the width of a line when it is lineHeight tall.
func lineWidth(b box) int {
	w := math.Ceil(lineHeight * b.hu / b.hv)
	if !(w < maxLineWidth) {
		return maxLineWidth
	}
	return int(w)
}

// decode takes the likeliest character of each step, once for each run of the same one, and leaves out blanks
// (greedy CTC). Columns are a blank, the keys, a space. Answers that are no probabilities count as blanks.
func decode(steps []float32, keys []string) (string, float64) {
	columns := len(keys) + 2
	var text strings.Builder
	var sum float64
	n, last := 0, 0
	for ; len(steps) >= columns; steps = steps[columns:] {
		best, p := 0, float32(0)
		for i, v := range steps[:columns] {
			if v > p {
				best, p = i, v
			}
		}
		if best != 0 && best != last {
			if best == columns-1 {
				text.WriteByte(' ')
			} else {
				text.WriteString(keys[best-1])
			}
			sum += float64(min(p, 1))
			n++
		}
		last = best
	}
	if n == 0 {
		return "", 0
	}
	return strings.TrimSpace(text.String()), sum / float64(n)
}
