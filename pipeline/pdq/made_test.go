package pdq_test

import "math/rand/v2"

// made is a picture of our own: discs, boxes and a slope in colours drawn by
// seed, in whole numbers, so that it is the same everywhere.
type made struct {
	Name string `json:"name"`
	W    int    `json:"w"`
	H    int    `json:"h"`
	Seed uint64 `json:"seed"`
	// Shapes is how many are drawn; 0 leaves the slope alone.
	Shapes int `json:"shapes"`
	// Noise is added to each value, up to so much.
	Noise int `json:"noise"`
}

// pixels are rows of red, green, blue.
func (m made) pixels() []byte {
	r := rand.New(rand.NewPCG(m.Seed, 20))
	pix := make([]byte, 3*m.W*m.H)
	for y := range m.H {
		for x := range m.W {
			p := pix[3*(y*m.W+x):]
			p[0], p[1], p[2] = byte(255*x/m.W), byte(255*y/m.H), byte(128+127*(x+y)/(m.W+m.H))
		}
	}
	for range m.Shapes {
		cx, cy, size := r.IntN(m.W), r.IntN(m.H), 1+r.IntN(1+min(m.W, m.H)/3)
		colour := [3]byte{byte(r.IntN(256)), byte(r.IntN(256)), byte(r.IntN(256))}
		disc := r.IntN(2) == 0
		for y := max(0, cy-size); y < min(m.H, cy+size); y++ {
			for x := max(0, cx-size); x < min(m.W, cx+size); x++ {
				if disc && (x-cx)*(x-cx)+(y-cy)*(y-cy) > size*size {
					continue
				}
				copy(pix[3*(y*m.W+x):], colour[:])
			}
		}
	}
	if m.Noise > 0 {
		for i, v := range pix {
			pix[i] = byte(min(255, int(v)+r.IntN(m.Noise+1)))
		}
	}
	return pix
}

// pictures are what the golden file is about. There is no slope without shapes
// among them: its frequencies are all but equal, so that the bits hang on the
// last digit of luma, which the wrapper that made the file computes in float64
// and the reference's own reader, as we do, in float32.
var pictures = []made{
	{"the smallest", 5, 5, 1, 2, 0},
	{"one pixel too small", 4, 90, 1, 2, 0},
	{"narrow", 9, 700, 2, 6, 0},
	{"flat and wide", 1000, 37, 3, 9, 0},
	{"exactly 64 by 64", 64, 64, 4, 8, 0},
	{"65 by 63", 65, 63, 5, 8, 0},
	{"127 by 129", 127, 129, 6, 12, 0},
	{"a square", 512, 512, 7, 14, 0},
	{"a photo's shape", 640, 480, 8, 20, 0},
	{"a photo's shape with grain", 640, 480, 8, 20, 24},
	{"upright", 480, 853, 9, 25, 8},
	{"full", 1280, 960, 10, 40, 16},
	{"odd sides", 1003, 771, 11, 30, 3},
	{"grain alone", 256, 256, 13, 0, 255},
}
