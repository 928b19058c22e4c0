package media

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/jpeg"
	"image/png"
	"math/rand/v2"
	"testing"

	"github.com/disintegration/imaging"
)

func card(t testing.TB, label string) image.Image {
	t.Helper()
	img, err := TestCard(label)
	if err != nil {
		t.Fatal(err)
	}
	return img
}

func throughJPEG(t testing.TB, img image.Image, quality int) image.Image {
	t.Helper()
	out, err := jpeg.Decode(bytes.NewReader(jpegBytes(t, img, quality)))
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func throughPNG(t testing.TB, img image.Image) image.Image {
	t.Helper()
	out, err := png.Decode(bytes.NewReader(pngBytes(t, img)))
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func pngBytes(t testing.TB, img image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func bordered(img image.Image, share float64, c color.Color) image.Image {
	pad := int(share * float64(img.Bounds().Dx()))
	out := image.NewNRGBA(image.Rect(0, 0, img.Bounds().Dx()+2*pad, img.Bounds().Dy()+2*pad))
	draw.Draw(out, out.Rect, image.NewUniform(c), image.Point{}, draw.Src)
	draw.Draw(out, img.Bounds().Add(image.Pt(pad, pad)), img, image.Point{}, draw.Src)
	return out
}

func resized(img image.Image, f float64) image.Image {
	return imaging.Resize(img, int(f*float64(img.Bounds().Dx())), 0, imaging.Linear)
}

func TestACardIsReadAfterWhatChatAppsDoToPictures(t *testing.T) {
	ways := map[string]func(image.Image) image.Image{
		"as it is":         func(i image.Image) image.Image { return i },
		"PNG":              func(i image.Image) image.Image { return throughPNG(t, i) },
		"JPEG 50":          func(i image.Image) image.Image { return throughJPEG(t, i, 50) },
		"quarter, JPEG 50": func(i image.Image) image.Image { return throughJPEG(t, resized(i, 0.25), 50) },
		"half, JPEG 75":    func(i image.Image) image.Image { return throughJPEG(t, resized(i, 0.5), 75) },
		"four times":       func(i image.Image) image.Image { return resized(i, 4) },
		"JPEG twice":       func(i image.Image) image.Image { return throughJPEG(t, resized(throughJPEG(t, i, 60), 0.7), 60) },
		"white border":     func(i image.Image) image.Image { return bordered(i, 0.1, color.White) },
		"black border":     func(i image.Image) image.Image { return bordered(i, 0.06, color.Black) },
		"red border": func(i image.Image) image.Image {
			return throughJPEG(t, bordered(i, 0.1, color.NRGBA{200, 30, 30, 255}), 50)
		},
		"turned left": func(i image.Image) image.Image { return imaging.Rotate90(i) },
		"upside down": func(i image.Image) image.Image { return imaging.Rotate180(i) },
		"stretched":   func(i image.Image) image.Image { return imaging.Resize(i, 900, 400, imaging.Linear) },
	}
	every := map[string]bool{"as it is": true, "PNG": true, "JPEG 50": true, "quarter, JPEG 50": true} // with all labels
	for name, way := range ways {
		t.Run(name, func(t *testing.T) {
			for i, label := range CardLabels {
				if i%12 != 0 && !every[name] {
					continue
				}
				if got, ok := ReadTestCard(way(card(t, label))); !ok || got != label {
					t.Errorf("got %q, %v; want %q", got, ok, label)
				}
			}
		})
	}
}

func TestALabelWithoutACardIsRefused(t *testing.T) {
	if img, err := TestCard("no.such"); err == nil || img != nil {
		t.Errorf("got %v, %v", img, err)
	}
}

func TestACardWithAWrongCellIsNotRead(t *testing.T) {
	img := card(t, "scam.fraud").(*image.NRGBA)
	x, y := 256, 256
	was := img.NRGBAAt(x, y)
	other := cardColours[0]
	if was == other {
		other = cardColours[1]
	}
	for dy := -40; dy < 40; dy++ {
		for dx := -40; dx < 40; dx++ {
			if img.NRGBAAt(x+dx, y+dy) == was {
				img.SetNRGBA(x+dx, y+dy, other)
			}
		}
	}
	if got, ok := ReadTestCard(img); ok {
		t.Errorf("read %q from a card that was painted over", got)
	}
}

func TestNothingElseIsTakenForACard(t *testing.T) {
	check := func(name string, img image.Image) {
		if got, ok := ReadTestCard(img); ok {
			t.Errorf("%s was read as %q", name, got)
		}
	}
	for name, b := range goImages(t) {
		if img, _, err := image.Decode(bytes.NewReader(b)); err == nil {
			check(name, img)
		}
	}
	r := rand.New(rand.NewPCG(1, 2))
	n := 3000
	if testing.Short() {
		n = 300
	}
	for i := range n {
		check(fmt.Sprintf("made picture %d", i), randomPicture(r, i))
	}
}

// randomPicture makes noise, gradients, and frames with coloured cells that are
// cards but for their content.
func randomPicture(r *rand.Rand, i int) image.Image {
	img := image.NewNRGBA(image.Rect(0, 0, 60+r.IntN(140), 60+r.IntN(140)))
	switch i % 3 {
	case 0:
		for k := range img.Pix {
			img.Pix[k] = uint8(r.Uint32())
		}
	case 1:
		a, b := r.Float64()*4, r.Float64()*4
		for y := range img.Rect.Dy() {
			for x := range img.Rect.Dx() {
				img.SetNRGBA(x, y, color.NRGBA{uint8(a * float64(x)), uint8(b * float64(y)), uint8(a*float64(y) + b*float64(x)), 255})
			}
		}
	case 2:
		n := 120 + r.IntN(80)
		img = image.NewNRGBA(image.Rect(0, 0, n, n))
		draw.Draw(img, img.Rect.Inset(n/32), image.Black, image.Point{}, draw.Src)
		in := img.Rect.Inset(n / 32).Inset(n / 12)
		for c := range cardCells * cardCells {
			col := cardColours[r.IntN(4)]
			if k, ok := cornerOf(c); ok {
				col = cardColours[cardCorners[k]]
			}
			x, y := c%cardCells, c/cardCells
			draw.Draw(img, image.Rect(in.Min.X+in.Dx()*x/6, in.Min.Y+in.Dy()*y/6, in.Min.X+in.Dx()*(x+1)/6, in.Min.Y+in.Dy()*(y+1)/6), image.NewUniform(col), image.Point{}, draw.Src)
		}
	}
	return img
}
