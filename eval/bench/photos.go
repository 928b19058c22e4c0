package bench

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"math/rand/v2"
)

// photo draws hills below a sky and lays clouds over both: noise whose coarse
// parts are strong and whose fine parts are weak, as in real photos, so that
// decoding it costs about what a photo of the size costs. It shows nothing.
func photo(w, h int, seed uint64) ([]byte, error) {
	r := rand.New(rand.NewPCG(seed, 1))
	noise := clouds(w, h, r)
	sky, hills := [3]float64{110, 165, 225}, [3]float64{60, 125, 55}
	m := image.NewRGBA(image.Rect(0, 0, w, h))
	for y := range h {
		for x := range w {
			light, at := noise[y*w+x], sky
			if y > h/2+(x*x/w)%(h/3)-(x/3)%40 {
				at = hills
			}
			m.SetRGBA(x, y, color.RGBA{level(at[0] + light), level(at[1] + light), level(at[2] + light), 255})
		}
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, m, &jpeg.Options{Quality: 85}); err != nil {
		return nil, fmt.Errorf("draw a photo: %w", err)
	}
	return b.Bytes(), nil
}

func level(v float64) uint8 { return uint8(min(max(v, 0), 255)) }

// clouds sums grids of random heights, each finer and fainter than the one
// before.
func clouds(w, h int, r *rand.Rand) []float64 {
	sum := make([]float64, w*h)
	strength := 30.0
	for cell := 256; cell >= 1; cell, strength = cell/2, strength*0.87 {
		gw, gh := w/cell+2, h/cell+2
		grid := make([]float64, gw*gh)
		for i := range grid {
			grid[i] = (r.Float64()*2 - 1) * strength
		}
		for y := range h {
			gy, fy := y/cell, float64(y%cell)/float64(cell)
			for x := range w {
				gx, fx := x/cell, float64(x%cell)/float64(cell)
				g := grid[gy*gw+gx:]
				top := g[0] + (g[1]-g[0])*fx
				bottom := g[gw] + (g[gw+1]-g[gw])*fx
				sum[y*w+x] += top + (bottom-top)*fy
			}
		}
	}
	return sum
}

// marked returns a JPEG with a comment in it, so that no two files sent are
// the same bytes.
func marked(file []byte, n int) []byte {
	const size = 8
	out := make([]byte, 0, len(file)+4+size)
	out = append(out, file[:2]...) // start of image
	out = append(out, 0xff, 0xfe)
	out = binary.BigEndian.AppendUint16(out, 2+size)
	out = binary.BigEndian.AppendUint64(out, uint64(n))
	return append(out, file[2:]...)
}
