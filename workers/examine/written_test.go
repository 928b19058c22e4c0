package examine_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"image"
	"image/color/palette"
	"image/draw"
	"image/gif"
	"image/jpeg"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/makiuchi-d/gozxing"
	"github.com/makiuchi-d/gozxing/qrcode"

	"nightlight/models/modelstest"
	"nightlight/pipeline"
	"nightlight/pipeline/media"
	"nightlight/pipeline/ocr/ocrtest"
	"nightlight/pipeline/rules"
	"nightlight/workers/examine"
)

// reading gives an Examiner with the real models and rules.
func reading(t *testing.T) *examine.Examiner {
	t.Helper()
	set := modelstest.Load(t)
	d, err := media.NewDecoder(media.DecoderOptions{CPUSeconds: 30}) // the race detector slows the child too
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	e := &examine.Examiner{Rules: rules.New(), Text: set.Texts()[0], OCR: set.OCR(), Decoder: d}
	if e.OCR == nil {
		t.Fatal("the networks that read text are not loaded: run make setup")
	}
	return e
}

func encoded(t *testing.T, img image.Image) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := jpeg.Encode(&b, img, &jpeg.Options{Quality: 85}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

type writing struct {
	Text string
	Box  [4]int
	In   string
}

func written(t *testing.T, s examine.Sight) (all []writing) {
	t.Helper()
	if s.OCR == nil {
		return nil
	}
	if err := json.Unmarshal(s.OCR, &all); err != nil {
		t.Fatal(err)
	}
	return all
}

// tripped lists the labels that reach their decision point in a part.
func tripped(s examine.Sight, in string) (labels []pipeline.Label) {
	for _, sig := range s.Signals {
		if sig.In == in && sig.Score >= .5 && !slices.Contains(labels, sig.Label) {
			labels = append(labels, sig.Label)
		}
	}
	return labels
}

func TestAHarmlessTestPhraseInAPictureTripsItsLabel(t *testing.T) {
	e, font := reading(t), ocrtest.Font(t)
	tests := []struct {
		name  string
		look  int
		lines []string
		want  pipeline.Label
	}{
		{"English", 0, []string{"hello", rules.TestPhrase(pipeline.GroomingMeeting, "en")}, pipeline.GroomingMeeting},
		{"Chinese", 3, []string{rules.TestPhrase(pipeline.GroomingMeeting, "zh"), "今天天气很好"}, pipeline.GroomingMeeting},
		{"over two lines, on a photo", 5, []string{"nightlight test for", "scam fraud"}, pipeline.ScamFraud},
		{"turned", 7, []string{rules.TestPhrase(pipeline.PrivacyAsks, "zh")}, pipeline.PrivacyAsks},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			img := ocrtest.Page(t, font, ocrtest.Looks[tt.look], tt.lines...)
			s, err := e.Photo(t.Context(), encoded(t, img))
			if err != nil {
				t.Fatal(err)
			}
			if got := tripped(s, "ocr"); !slices.Contains(got, tt.want) {
				t.Errorf("got %v from %q, want %s", got, s.OCR, tt.want)
			}
			for _, sig := range s.Signals {
				if sig.In == "ocr" && sig.Label == tt.want && (sig.Box == nil || sig.Box[2] < 20 || !image.Rect(sig.Box[0], sig.Box[1], sig.Box[0]+sig.Box[2], sig.Box[1]+sig.Box[3]).In(img.Rect)) {
					t.Errorf("box %v, want one inside %v", sig.Box, img.Rect)
				}
			}
			if len(written(t, s)) != len(tt.lines) {
				t.Errorf("kept %s, want %d lines", s.OCR, len(tt.lines))
			}
		})
	}
}

func TestWordsOnAnySlideOfAnAnimationAreRead(t *testing.T) {
	e, font := reading(t), ocrtest.Font(t)
	look := ocrtest.Looks[0]
	look.Size = 20
	slides := []string{"hello from the garden", "the cat sat on the mat", "we went to the beach", rules.TestPhrase(pipeline.GroomingMeeting, "en"),
		"my brother likes trains", "今天天气很好我们去玩", "老师说明天不用上学了", "a fine day for kites"}
	var g gif.GIF
	for _, words := range slides {
		img := image.NewPaletted(image.Rect(0, 0, 640, 360), palette.WebSafe)
		draw.Draw(img, img.Rect, image.White, image.Point{}, draw.Src)
		page := ocrtest.Page(t, font, look, words)
		draw.Draw(img, page.Rect.Add(image.Pt(40, 240)), page, image.Point{}, draw.Src)
		g.Image, g.Delay = append(g.Image, img), append(g.Delay, 100)
	}
	var b bytes.Buffer
	if err := gif.EncodeAll(&b, &g); err != nil {
		t.Fatal(err)
	}
	s, err := e.Photo(t.Context(), b.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	if got := tripped(s, "ocr"); !slices.Contains(got, pipeline.GroomingMeeting) || len(written(t, s)) != len(slides) {
		t.Errorf("got %v from %s", got, s.OCR)
	}
	if slices.ContainsFunc(s.Faults, func(f pipeline.Fault) bool { return f.Reason == "not_all_read" }) {
		t.Errorf("faults %v", s.Faults)
	}
}

func TestTheBoxOfAWordLiesInTheShownPicture(t *testing.T) {
	e, font := reading(t), ocrtest.Font(t)
	page := ocrtest.Page(t, font, ocrtest.Look{Size: 120, Ink: ocrtest.Looks[0].Ink, Paper: ocrtest.Looks[0].Paper}, rules.TestPhrase(pipeline.ScamFraud, "en"))
	large := image.NewNRGBA(image.Rect(0, 0, 2560, 1800)) // twice the size at which it is read
	draw.Draw(large, large.Rect, image.White, image.Point{}, draw.Src)
	at := image.Pt(300, 1200)
	draw.Draw(large, page.Rect.Add(at), page, image.Point{}, draw.Src)
	s, err := e.Photo(t.Context(), encoded(t, large))
	if err != nil {
		t.Fatal(err)
	}
	lines := written(t, s)
	if len(lines) != 1 {
		t.Fatalf("kept %s, want one line", s.OCR)
	}
	b := lines[0].Box
	middle := image.Pt(b[0]+b[2]/2, b[1]+b[3]/2)
	if want := page.Rect.Add(at).Inset(60); !middle.In(want) || b[2] < 1000 {
		t.Errorf("box %v, want its middle in %v", b, want)
	}
}

func TestTheCaptionOfATestCardTripsNothing(t *testing.T) {
	e := reading(t)
	labels := []string{"sexual.explicit", "grooming.meeting", "scam.payment_request", "selfharm.encouraged", "bullying.insult", "violence.threat_other"}
	for _, label := range labels {
		img, err := media.TestCard(label)
		if err != nil {
			t.Fatal(err)
		}
		var b bytes.Buffer
		if err := png.Encode(&b, img); err != nil {
			t.Fatal(err)
		}
		s, err := e.Photo(t.Context(), b.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		if got := tripped(s, "ocr"); len(got) > 0 {
			t.Errorf("%s: the caption trips %v: %s", label, got, s.OCR)
		}
		if strings.Contains(string(s.OCR), "test card") {
			t.Errorf("%s: kept %s", label, s.OCR)
		}
	}
}

func TestOtherWordsBesideATestCardAreJudged(t *testing.T) {
	e, font := reading(t), ocrtest.Font(t)
	card, err := media.TestCard("spam.flood")
	if err != nil {
		t.Fatal(err)
	}
	look := ocrtest.Looks[0]
	look.Size = 16
	words := ocrtest.Page(t, font, look, rules.TestPhrase(pipeline.ScamFraud, "en"))
	img := image.NewNRGBA(card.Bounds())
	draw.Draw(img, img.Rect, card, image.Point{}, draw.Src)
	draw.Draw(img, image.Rect(0, 514, 512, 552), words, image.Pt(0, 20), draw.Src) // over the caption
	s, err := e.Photo(t.Context(), encoded(t, img))
	if err != nil {
		t.Fatal(err)
	}
	if got := tripped(s, "ocr"); !slices.Contains(got, pipeline.ScamFraud) || !slices.ContainsFunc(s.Signals, func(s pipeline.Signal) bool { return s.Source == "testcard@1" }) {
		t.Errorf("got %v from %s, want the card's label and %s", got, s.OCR, pipeline.ScamFraud)
	}
}

func TestAQRCodeIsJudgedByWhatItSaysAndDoes(t *testing.T) {
	e := reading(t)
	e.OCR = nil // codes need no model
	tests := []struct {
		code string
		want pipeline.Label
	}{
		{"https://u.wechat.com/made-up", pipeline.PrivacyGives},
		{rules.TestPhrase(pipeline.GroomingSecrecy, "en"), pipeline.GroomingSecrecy},
	}
	for _, tt := range tests {
		m, err := qrcode.NewQRCodeWriter().EncodeWithoutHint(tt.code, gozxing.BarcodeFormat_QR_CODE, 200, 200)
		if err != nil {
			t.Fatal(err)
		}
		img := image.NewNRGBA(image.Rect(0, 0, 500, 400))
		draw.Draw(img, img.Rect, image.White, image.Point{}, draw.Src)
		draw.Draw(img, image.Rect(250, 100, 450, 300), m, image.Point{}, draw.Src)
		s, err := e.Photo(t.Context(), encoded(t, img))
		if err != nil {
			t.Fatal(err)
		}
		if got := tripped(s, "qr"); !slices.Contains(got, tt.want) {
			t.Errorf("%s: got %v", tt.code, got)
		}
		if lines := written(t, s); len(lines) != 1 || lines[0].Text != tt.code || lines[0].In != "qr" || lines[0].Box[0] < 240 {
			t.Errorf("%s: kept %s", tt.code, s.OCR)
		}
	}
}

func TestWordsInAFilmAreJudgedWithTheirTime(t *testing.T) {
	ffmpeg, err := exec.LookPath("ffmpeg")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("no ffmpeg")
		}
		t.Skip("no ffmpeg")
	}
	e, font := reading(t), ocrtest.Font(t)
	e.Video = media.NewVideo(media.VideoOptions{})
	dir := t.TempDir()
	for i, words := range []string{"hello from the garden", rules.TestPhrase(pipeline.GroomingMeeting, "en")} {
		page := ocrtest.Page(t, font, ocrtest.Looks[3*i], words)
		img := image.NewNRGBA(image.Rect(0, 0, 854, 480))
		draw.Draw(img, img.Rect, image.NewUniform(ocrtest.Looks[3*i].Paper), image.Point{}, draw.Src)
		draw.Draw(img, page.Rect.Add(image.Pt(20, 100+150*i)), page, image.Point{}, draw.Src)
		var b bytes.Buffer
		if err := png.Encode(&b, img); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprint(i)+".png"), b.Bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	film := filepath.Join(dir, "film.mp4")
	out, err := exec.CommandContext(t.Context(), ffmpeg, "-loglevel", "error", "-framerate", "1/3", "-i", filepath.Join(dir, "%d.png"), "-r", "10", "-g", "10", "-c:v", "mpeg4", "-q:v", "3", film).CombinedOutput()
	if err != nil {
		t.Fatalf("make a film: %v\n%s", err, out)
	}
	data, err := os.ReadFile(film)
	if err != nil {
		t.Fatal(err)
	}
	s, err := e.VideoFile(t.Context(), data, pipeline.Text{})
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(s.Signals, func(s pipeline.Signal) bool {
		return s.Label == pipeline.GroomingMeeting && s.In == "ocr" && s.Score > .9
	})
	if i < 0 {
		t.Fatalf("read %s, faults %v: the phrase did not trip its label", s.OCR, s.Faults)
	}
	if sig := s.Signals[i]; sig.At == nil || *sig.At < 2.9 || *sig.At > 6 || sig.Box == nil || sig.Box[1] < 230 {
		t.Errorf("got %+v at %v, want it after 3 s in the lower half", sig.Box, sig.At)
	}
}
