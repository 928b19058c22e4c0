package media

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"math"
	"os"
	"testing"

	"nightlight/pipeline/pdq"
)

var update = flag.Bool("update", false, "write golden files anew")

// slowTensor is the definition of Stretch, written as directly as possible: in
// double precision, two-dimensional, one output value at a time.
func slowTensor(img *image.NRGBA, size, x, y, c int) float64 {
	weigh := func(src, i int) (first int, w []float64) {
		scale := float64(src) / float64(size)
		reach, center := math.Max(1, scale), (float64(i)+0.5)*scale
		first = -1
		sum := 0.0
		for p := range src {
			if v := 1 - math.Abs(float64(p)+0.5-center)/reach; v > 0 {
				if first < 0 {
					first = p
				}
				w = append(w, v)
				sum += v
			}
		}
		for k := range w {
			w[k] /= sum
		}
		return first, w
	}
	x0, wx := weigh(img.Rect.Dx(), x)
	y0, wy := weigh(img.Rect.Dy(), y)
	total := 0.0
	for j, v := range wy {
		for i, u := range wx {
			total += u * v * float64(img.Pix[img.PixOffset(x0+i, y0+j)+c])
		}
	}
	return total / 255
}

func TestTheResamplerIsWhatItsWordsSay(t *testing.T) {
	for _, size := range []image.Point{{300, 200}, {224, 224}, {100, 90}, {1000, 31}, {1, 1}, {449, 673}} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			img := scenery(size.X, size.Y)
			got, err := tensor(img, img.Rect, Square{Size: 32})
			if err != nil {
				t.Fatal(err)
			}
			for i, v := range got {
				want := slowTensor(img, 32, i/3%32, i/96, i%3)
				if math.Abs(float64(v)-want) > 2e-6 {
					t.Fatalf("value %d is %v, want %v", i, v, want)
				}
			}
		})
	}
}

func TestAGradientStaysAGradient(t *testing.T) {
	img := image.NewNRGBA(image.Rect(0, 0, 256, 64))
	for y := range 64 {
		for x := range 256 {
			img.SetNRGBA(x, y, color.NRGBA{uint8(x), uint8(4 * y), 255, 255})
		}
	}
	got, err := tensor(img, img.Rect, Square{Size: 64})
	if err != nil {
		t.Fatal(err)
	}
	for y := 1; y < 63; y++ {
		for x := 1; x < 63; x++ {
			p := got[3*(64*y+x):]
			r, g := (4*float64(x)+1.5)/255, 4*float64(y)/255
			if math.Abs(float64(p[0])-r) > 1e-5 || math.Abs(float64(p[1])-g) > 1e-5 || math.Abs(float64(p[2])-1) > 1e-6 {
				t.Fatalf("at %d,%d got %v, want %v %v 1", x, y, p[:3], r, g)
			}
		}
	}
}

func TestOpenNSFWFollowsItsScript(t *testing.T) {
	img := flat(500, 300, color.NRGBA{200, 100, 50, 255})
	got, err := tensor(img, img.Rect, Square{Size: 224, Mode: OpenNSFW})
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 224*224*3 {
		t.Fatalf("%d values", len(got))
	}
	for c, want := range []float32{50 - 104, 100 - 117, 200 - 123} { // blue first
		if d := got[c] - want; d > 2 || d < -2 {
			t.Errorf("channel %d is %v, want %v", c, got[c], want)
		}
	}
	pic := scenery(500, 300)
	got, err = tensor(pic, pic.Rect, Square{Size: 224, Mode: OpenNSFW})
	if err != nil {
		t.Fatal(err)
	}
	again, err := jpeg.Decode(bytes.NewReader(jpegBytes(t, toImage(resample(pic, pic.Rect, 256, 256), 256, 256), 75)))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range []image.Point{{0, 0}, {111, 57}, {223, 223}} {
		r, g, b, _ := again.At(16+p.X, 16+p.Y).RGBA()
		want := [3]float32{float32(b>>8) - 104, float32(g>>8) - 117, float32(r>>8) - 123}
		if v := [3]float32(got[3*(224*p.Y+p.X):]); v != want {
			t.Errorf("at %v got %v, want %v", p, v, want)
		}
	}
}

// TestTensorsStayAsTheyWere pins the whole way of a file through a child, with
// the standard decoder's formats, to values in testdata.
func TestTensorsStayAsTheyWere(t *testing.T) {
	d := newDecoder(t, DecoderOptions{Children: 1})
	pic := scenery(900, 600)
	files := map[string][]byte{
		"png":            pngBytes(t, pic),
		"png small":      pngBytes(t, scenery(150, 100)),
		"png large":      pngBytes(t, scenery(2400, 1600)),
		"gif":            gifBytes(t, []image.Image{scenery(300, 200)}, 0),
		"png panorama":   pngBytes(t, scenery(1200, 240)),
		"png tall strip": pngBytes(t, scenery(120, 900)),
	}
	got := map[string][]string{}
	for name, b := range files {
		dec, err := d.Decode(t.Context(), b, Want{Squares: bothSquares})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for _, c := range dec.Frames[0].Crops {
			line := fmt.Sprintf("square %d %s %s %.3f:", c.Square, c.Part, c.Background, c.Box)
			for _, at := range []int{0, 1, 2, 75_263, 75_264, 75_265, 100_000, 150_525, 150_526, 150_527} {
				line += fmt.Sprintf(" %.4f", c.Tensor[at])
			}
			got[name] = append(got[name], line)
		}
	}
	text, err := json.MarshalIndent(got, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	golden := "testdata/tensors.golden.json"
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(golden, append(text, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(bytes.TrimSpace(want), text) {
		t.Errorf("tensors differ from %s:\n%s", golden, text)
	}
}

func TestAScaledJPEGGivesNearlyTheTensorOfAWholeOne(t *testing.T) {
	if loadTurbo() == nil {
		t.Skip("libjpeg-turbo is not here")
	}
	pic := scenery(2000, 1500)
	d := &decoder{want: Want{Squares: bothSquares}.withDefaults(), limits: Limits{}.WithDefaults(), turbo: loadTurbo()}
	b := jpegBytes(t, pic, 90)
	fast, err := d.decode(b)
	if err != nil {
		t.Fatal(err)
	}
	std, err := standard(b, JPEG)
	if err != nil {
		t.Fatal(err)
	}
	whole, err := toNRGBA(std)
	if err != nil {
		t.Fatal(err)
	}
	want, err := tensor(whole, whole.Rect, bothSquares[0])
	if err != nil {
		t.Fatal(err)
	}
	var sum, worst float64
	for i, v := range fast.Frames[0].Crops[0].Tensor {
		diff := math.Abs(float64(v - want[i]))
		sum, worst = sum+diff, max(worst, diff)
	}
	mean := sum / float64(len(want))
	t.Logf("mean difference %.5f, largest %.4f", mean, worst)
	if fast.Decoder != "libjpeg-turbo" || mean > 0.01 || worst > 0.25 {
		t.Errorf("by %s: mean difference %.5f, largest %.4f", fast.Decoder, mean, worst)
	}
}

func TestExtremeShapesAreSeenInTiles(t *testing.T) {
	for _, c := range []struct {
		w, h, limit, tiles int
		coarse             bool
	}{
		{100, 100, 24, 0, false}, {250, 100, 24, 0, false}, {260, 100, 24, 2, false}, {100, 1000, 24, 9, false}, {16000, 100, 24, 24, true}, {1000, 100, 3, 3, true},
	} {
		all, coarse := parts(image.Rect(0, 0, c.w, c.h), c.limit)
		if len(all)-1 != c.tiles || coarse != c.coarse {
			t.Errorf("%d by %d: %d tiles, coarse %v", c.w, c.h, len(all)-1, coarse)
		}
		seen := make([]int, max(c.w, c.h))
		for _, p := range all[1:] {
			r := p.rect
			if !r.In(image.Rect(0, 0, c.w, c.h)) || r.Dx() < c.w && r.Dy() < c.h {
				t.Errorf("%d by %d: tile %v", c.w, c.h, r)
			}
			lo, hi := r.Min.X, r.Max.X
			if c.h > c.w {
				lo, hi = r.Min.Y, r.Max.Y
			}
			for i := lo; i < hi; i++ {
				seen[i]++
			}
		}
		for i, n := range seen {
			if c.tiles > 0 && n == 0 {
				t.Errorf("%d by %d: nothing covers %d", c.w, c.h, i)
				break
			}
		}
	}
}

func TestATransparentPictureIsSeenOnBothGrounds(t *testing.T) {
	hidden := flat(64, 64, color.NRGBA{255, 255, 255, 0})
	for y := 20; y < 40; y++ {
		for x := 20; x < 40; x++ {
			hidden.SetNRGBA(x, y, color.NRGBA{255, 255, 255, 255})
		}
	}
	crops, _, err := Squares(hidden, []Square{{Size: 64}}, 4)
	if err != nil || len(crops) != 2 {
		t.Fatalf("%d crops, %v", len(crops), err)
	}
	at := 3 * (64*30 + 30)
	if w, b := crops[0], crops[1]; w.Background != "white" || b.Background != "black" || w.Tensor[0] != 1 || b.Tensor[0] != 0 || b.Tensor[at] != 1 {
		t.Errorf("grounds %s %s, values %v %v %v", w.Background, b.Background, w.Tensor[0], b.Tensor[0], b.Tensor[at])
	}
}

func TestEveryOrientationIsTurnedUpright(t *testing.T) {
	d := newDecoder(t, DecoderOptions{Children: 1})
	upright := flat(64, 32, color.White)
	for y := range 16 { // one dark corner, top left
		for x := range 32 {
			upright.SetNRGBA(x, y, color.NRGBA{0, 0, 0, 255})
		}
	}
	undo := []int{0, 1, 2, 3, 4, 5, 8, 7, 6} // the turn that a camera made
	for o := 1; o <= 8; o++ {
		got, err := d.Decode(t.Context(), withEXIF(jpegBytes(t, orient(upright, undo[o]), 95), o, false), Want{Squares: []Square{{Size: 8}}})
		if err != nil {
			t.Fatal(err)
		}
		p := got.Frames[0].Crops[0].Tensor
		if got.Width != 64 || got.Height != 32 || got.Orientation != o || p[3*(8+1)] > 0.1 || p[3*(8+6)] < 0.9 || p[3*(6*8+1)] < 0.9 {
			t.Errorf("orientation %d: %dx%d, corners %v %v %v", o, got.Width, got.Height, p[3*(8+1)], p[3*(8+6)], p[3*(6*8+1)])
		}
	}
}

func TestAPictureThatLiesAboutItsPaletteIsAnError(t *testing.T) {
	img := image.NewPaletted(image.Rect(0, 0, 50, 50), color.Palette{color.Black})
	img.Pix[100] = 200
	if _, err := toNRGBA(img); err == nil {
		t.Error("copied a picture with an index outside its palette")
	}
}

func TestNearDuplicatesHaveNearHashes(t *testing.T) {
	a := scenery(640, 480)
	same, err := toNRGBA(throughJPEG(t, resized(a, 0.4), 40))
	if err != nil {
		t.Fatal(err)
	}
	other := imagingFlip(a)
	for name, hash := range map[string]func(*image.NRGBA) uint64{"dHash": DHash, "pHash": PHash} {
		if d := HashDistance(hash(a), hash(same)); d > 6 {
			t.Errorf("%s: %d bits between a picture and its copy", name, d)
		}
		if d := HashDistance(hash(a), hash(other)); d < 16 {
			t.Errorf("%s: only %d bits between different pictures", name, d)
		}
	}
}

func TestACopyIsWithinTheDistanceAtWhichPDQCallsTwoPicturesOne(t *testing.T) {
	of := func(img image.Image) pdq.Print {
		flat, err := toNRGBA(img)
		if err != nil {
			t.Fatal(err)
		}
		p, err := printOf(flat)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	a := scenery(1600, 1200)
	print := of(a)
	full := pdq.Of(a.Pix, 1600, 1200, a.Stride, 4)
	if d := print.Hash.Distance(full.Hash); d > 6 {
		t.Errorf("%d bits between the averaged picture and the full one", d)
	}
	for name, copied := range map[string]image.Image{
		"compressed hard":       throughJPEG(t, a, 40),
		"scaled and compressed": throughJPEG(t, resized(a, 0.4), 60),
	} {
		if d := of(copied).Hash.Distance(print.Hash); d > pdq.Match/2 {
			t.Errorf("%s: %d bits away", name, d)
		}
	}
	turned := of(orient(a, 6))
	best := 256
	for _, h := range turned.Turned {
		best = min(best, h.Distance(print.Hash))
	}
	if best > pdq.Match/2 {
		t.Errorf("turned on its side: %d bits away at best", best)
	}
	if d := of(imagingFlip(a)).Hash.Distance(print.Hash); d <= pdq.Match {
		t.Errorf("only %d bits between different pictures", d)
	}
}

func imagingFlip(img *image.NRGBA) *image.NRGBA { return orient(img, 2) }

func TestWithoutTheFastDecoderPhotosAreReadAllTheSame(t *testing.T) {
	for name, b := range goImages(t) {
		if !bytes.HasPrefix(b, []byte("\xff\xd8")) || bytes.Contains([]byte(name), []byte("truncated")) {
			continue
		}
		slow := &decoder{want: Want{Squares: bothSquares[:1]}}
		got, err := slow.decode(b)
		if err != nil || got.Decoder != "image/jpeg" {
			t.Errorf("%s: got %+v, %v", name, got, err)
			continue
		}
		if loadTurbo() == nil {
			continue
		}
		fast := &decoder{want: Want{Squares: bothSquares[:1]}, turbo: loadTurbo()}
		want, err := fast.decode(b)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		var sum float64
		for i, v := range got.Frames[0].Crops[0].Tensor {
			sum += math.Abs(float64(v - want.Frames[0].Crops[0].Tensor[i]))
		}
		if mean := sum / (224 * 224 * 3); mean > 0.02 {
			t.Errorf("%s: the two decoders differ by %.4f on average", name, mean)
		}
	}
}
