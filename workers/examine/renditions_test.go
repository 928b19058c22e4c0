package examine

import (
	"bytes"
	"encoding/json"
	"fmt"
	"image"
	"image/color"
	"image/color/palette"
	"image/gif"
	"image/jpeg"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"nightlight/pipeline"
	"nightlight/pipeline/media"
)

// red is an eye that finds the more, the redder a frame is.
func red() Eye {
	return Eye{eye{"red", func(tensor []float32) ([]pipeline.Signal, error) {
		score := 0.0
		for i := 0; i < len(tensor); i += 3 {
			score += max(0, float64(tensor[i]-tensor[i+1])) / float64(len(tensor)/3)
		}
		return []pipeline.Signal{{Label: pipeline.SexualExplicit, Score: min(1, score), Source: "red@1"}}, nil
	}}, media.Square{Size: 32}}
}

// laterRed is a film of 20 seconds that counts on, red between 12 and 14 s.
func laterRed(t *testing.T) []byte {
	t.Helper()
	ffmpeg, err := exec.LookPath("ffmpeg")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("no ffmpeg")
		}
		t.Skip("no ffmpeg")
	}
	film := filepath.Join(t.TempDir(), "film.mp4")
	source := "testsrc=size=320x180:rate=5:duration=20,hue=s=0,drawbox=color=red:t=fill:enable='between(t,12,14)'"
	if out, err := exec.CommandContext(t.Context(), ffmpeg, "-loglevel", "error", "-f", "lavfi", "-i", source, "-c:v", "mpeg4", "-g", "5", film).CombinedOutput(); err != nil {
		t.Fatalf("make a film: %v\n%s", err, out)
	}
	data, err := os.ReadFile(film)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func shotsOf(t *testing.T, s Shown) (shots []shot) {
	t.Helper()
	if err := json.Unmarshal(s.Sheet, &shots); err != nil {
		t.Fatalf("read the frames of the sheet %q: %v", s.Sheet, err)
	}
	return shots
}

func decoded(t *testing.T, b []byte) image.Image {
	t.Helper()
	m, err := jpeg.Decode(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// reds is how much of a picture is red, and how much of it has any colour.
func reds(m image.Image) (red, coloured float64) {
	b := m.Bounds()
	for y := b.Min.Y; y < b.Max.Y; y++ {
		for x := b.Min.X; x < b.Max.X; x++ {
			c := color.NRGBAModel.Convert(m.At(x, y)).(color.NRGBA)
			if c.R > 180 && c.G < 80 && c.B < 80 {
				red++
			}
			if max(c.R, c.G, c.B)-min(c.R, c.G, c.B) > 24 {
				coloured++
			}
		}
	}
	area := float64(b.Dx() * b.Dy())
	return red / area, coloured / area
}

func TestAFilmsSheetHoldsTheFrameWithTheStrongestSignalAndOthersFromStartToEnd(t *testing.T) {
	e, data := examiner(t, red()), laterRed(t)
	e.Video = media.NewVideo(media.VideoOptions{CPUSeconds: 60})
	judged, err := e.VideoFile(t.Context(), data, pipeline.Text{})
	if err != nil {
		t.Fatal(err)
	}
	later, err := e.Renditions(t.Context(), pipeline.KindVideo, data, judged.Signals)
	if err != nil {
		t.Fatal(err)
	}
	for name, s := range map[string]Shown{"made while it is judged": judged.Shown, "made when it is reported": later} {
		t.Run(name, func(t *testing.T) {
			shots := shotsOf(t, s)
			if len(shots) != sheetFrames || shots[0].At != 0 || shots[len(shots)-1].At < 18 {
				t.Errorf("got frames %+v, want %d from start to end", shots, sheetFrames)
			}
			gap, strongest := 0.0, 0
			for i, one := range shots {
				if i > 0 {
					gap = max(gap, one.At-shots[i-1].At)
				}
				if one.Strongest {
					strongest++
					if one.At < 12 || one.At > 14.2 || one.Label != pipeline.SexualExplicit || one.Score < .5 {
						t.Errorf("got %+v as the strongest, want the red that begins at 12 s", one)
					}
				}
			}
			if strongest != 1 || gap > 5 {
				t.Errorf("got %d strongest and nothing for %.1f s, want one, and frames spread over the film: %+v", strongest, gap, shots)
			}
			if red, _ := reds(decoded(t, s.Thumbnail)); red < .04 {
				t.Errorf("got a plain sheet that is red by %.3f, want the red frame on it", red)
			}
			if _, coloured := reds(decoded(t, s.Preview)); coloured > .001 {
				t.Errorf("got a preview that is coloured by %.3f, want it grey", coloured)
			}
		})
	}
}

func TestAnAnimatedPictureIsShownAsASheetTooAndAStillIsNot(t *testing.T) {
	var b bytes.Buffer
	moving := &gif.GIF{}
	for _, c := range []color.Color{color.White, color.Gray{90}, color.NRGBA{255, 0, 0, 255}} {
		m := image.NewPaletted(image.Rect(0, 0, 320, 200), palette.WebSafe)
		for i := range m.Pix {
			m.Pix[i] = uint8(m.Palette.Index(c))
		}
		moving.Image, moving.Delay = append(moving.Image, m), append(moving.Delay, 150)
	}
	if err := gif.EncodeAll(&b, moving); err != nil {
		t.Fatal(err)
	}
	e := examiner(t, red())
	judged, err := e.Photo(t.Context(), b.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	shown, err := e.Renditions(t.Context(), pipeline.KindPhoto, b.Bytes(), judged.Signals)
	if err != nil {
		t.Fatal(err)
	}
	if shots := shotsOf(t, shown); len(shots) != 3 || !shots[2].Strongest || shots[2].At != 3 {
		t.Errorf("got frames %+v, want all three, the third as the strongest", shots)
	}
	still, err := e.Renditions(t.Context(), pipeline.KindPhoto, plain(t, 64, 48), nil)
	if err != nil || still.Sheet != nil {
		t.Errorf("got a sheet %q of a still, %v, want none", still.Sheet, err)
	}
}

func TestASheetIsChosenByWhatWasSeenAndNotByWhatWasSaid(t *testing.T) {
	var frames []media.Frame
	for i := range 40 {
		frames = append(frames, media.Frame{At: time.Duration(i) * time.Second})
	}
	at := func(v float64) *float64 { return &v }
	many := []pipeline.Signal{
		{Label: pipeline.GroomingMeeting, Score: .99, At: at(5), In: "speech"}, {Label: "made.up", Score: .98, At: at(6)}, {Label: pipeline.SpamFlood, Score: 1.5, At: at(7)},
		{Label: pipeline.SexualSuggestive, Score: .8, At: at(31)}, {Label: pipeline.SexualSuggestive, Score: .7, At: at(30)}, {Label: pipeline.SexualExplicit, Score: .3, At: at(11)},
		{Label: pipeline.SexualText, Score: .1, At: at(17), In: "ocr"},
	}
	for name, c := range map[string]struct {
		signals []pipeline.Signal
		want    string
	}{
		"nothing was found: spread evenly":                    {nil, "0 4 9 14 19 24 29 34 39"},
		"the strongest frame of each label, and others":       {many, "0 5 11 16 21 26 31! 35 39"},
		"what hardly anybody would call found is still there": {many[6:], "0 4 8 12 17 22 28 33 39"},
	} {
		chosen := choose(frames, c.signals)
		var got []string
		for i := range frames {
			if s, ok := chosen[i]; ok {
				mark := ""
				if s.Strongest {
					mark = "!"
				}
				got = append(got, fmt.Sprintf("%g%s", s.At, mark))
			}
		}
		if fmt.Sprint(got) != "["+c.want+"]" {
			t.Errorf("%s: got %v, want %s", name, got, c.want)
		}
	}
	if s := choose(frames, many)[31]; s.Label != pipeline.SexualSuggestive || s.Score != .8 {
		t.Errorf("got %+v for second 31, want its label", s)
	}
	if s := choose(frames, many[6:])[17]; s.Label != "" {
		t.Errorf("got the label %s for a score of a tenth, want none", s.Label)
	}
	if got := choose(frames[:1], many); len(got) != 1 || !slices.Contains([]float64{0}, got[0].At) {
		t.Errorf("got %v of a film of one frame", got)
	}
}
