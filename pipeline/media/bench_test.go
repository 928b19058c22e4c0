package media

import (
	"image"
	"math/rand/v2"
	"testing"
)

// photo is made-up detail at about the bits a pixel of a camera's picture.
func photo(t testing.TB, w, h int) []byte {
	r := rand.New(rand.NewPCG(3, 4))
	img := scenery(w, h)
	for i := range img.Pix {
		if i%4 != 3 {
			img.Pix[i] = uint8(min(255, max(0, int(img.Pix[i])+r.IntN(24)-12)))
		}
	}
	return jpegBytes(t, img, 88)
}

// BenchmarkDecode is bytes to tensor through a child, libjpeg-turbo where it is.
func BenchmarkDecode(b *testing.B) {
	for name, size := range map[string]image.Point{"2MP": {1600, 1200}, "12MP": {4000, 3000}} {
		file := photo(b, size.X, size.Y)
		for mode, want := range map[string]Want{
			"tensor":              {Squares: bothSquares[:1]},
			"tensor oversample 1": {Squares: bothSquares[:1], Oversample: 1},
			"both and renditions": {Squares: bothSquares, Thumbnail: 512, Preview: 256},
		} {
			b.Run(name+"/"+mode, func(b *testing.B) {
				d := newDecoder(b, DecoderOptions{Children: 1})
				for b.Loop() {
					if _, err := d.Decode(b.Context(), file, want); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
		b.Run(name+"/standard decoder alone", func(b *testing.B) {
			for b.Loop() {
				if _, err := standard(file, JPEG); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkSquare(b *testing.B) {
	img := scenery(600, 450)
	for _, s := range bothSquares {
		b.Run(string(s.Mode), func(b *testing.B) {
			for b.Loop() {
				if _, err := tensor(img, img.Rect, s); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkReadTestCard(b *testing.B) {
	img := scenery(600, 450)
	for b.Loop() {
		ReadTestCard(img)
	}
}

func BenchmarkHashes(b *testing.B) {
	img := scenery(600, 450)
	for b.Loop() {
		DHash(img)
		PHash(img)
	}
}

// BenchmarkChildWork is what a child does with a photo, without the pipes.
func BenchmarkChildWork(b *testing.B) {
	file := photo(b, 4000, 3000)
	for b.Loop() {
		d := &decoder{want: Want{Squares: bothSquares[:1]}, limits: Limits{}, turbo: loadTurbo()}
		if _, err := d.decode(file); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkFilm reports the processor time of ffmpeg and ffprobe for a whole film.
func BenchmarkFilm(b *testing.B) {
	for name, src := range map[string]string{
		"30 s 480p, GOP 60": "testsrc2=size=854x480:rate=30:duration=30",
		"20 s 720p, GOP 60": "testsrc2=size=1280x720:rate=30:duration=20",
	} {
		b.Run(name, func(b *testing.B) {
			clip := film(b, "clip.mp4", "-f", "lavfi", "-i", src, "-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p", "-g", "60")
			v := NewVideo(VideoOptions{})
			before := childrenCPU()
			n := 0
			for b.Loop() {
				n++
				if _, err := v.Frames(b.Context(), clip, Want{Squares: bothSquares[:1]}); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric((childrenCPU()-before).Seconds()*1000/float64(n), "child-cpu-ms/op")
		})
	}
}
