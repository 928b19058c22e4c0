package qr

import (
	"fmt"
	"image"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/makiuchi-d/gozxing"
	"github.com/makiuchi-d/gozxing/qrcode"

	"nightlight/pipeline"
)

// paint draws a code of side pixels into an RGB picture at left, top.
func paint(t testing.TB, rgb []byte, width int, text string, left, top, side int) {
	t.Helper()
	m, err := qrcode.NewQRCodeWriter().EncodeWithoutHint(text, gozxing.BarcodeFormat_QR_CODE, side, side)
	if err != nil {
		t.Fatal(err)
	}
	for y := range side {
		for x := range side {
			v := byte(255)
			if m.Get(x, y) {
				v = 0
			}
			for c := range 3 {
				rgb[3*((top+y)*width+left+x)+c] = v
			}
		}
	}
}

func plain(w, h int, v byte) []byte {
	b := make([]byte, 3*w*h)
	for i := range b {
		b[i] = v
	}
	return b
}

func TestCodesInAPictureAreRead(t *testing.T) {
	rgb := plain(640, 320, 120)
	want := map[string]image.Rectangle{
		"https://u.wechat.com/made-up":   image.Rect(20, 40, 240, 260),
		"夜灯测试 http://example.test/a?b=c": image.Rect(340, 60, 560, 280),
	}
	for text, r := range want {
		paint(t, rgb, 640, text, r.Min.X, r.Min.Y, r.Dx())
	}
	codes, _, err := Read(640, 320, rgb)
	if err != nil {
		t.Fatal(err)
	}
	if len(codes) != len(want) {
		t.Errorf("got %d codes, want %d", len(codes), len(want))
	}
	for _, c := range codes {
		r, ok := want[c.Text]
		if !ok {
			t.Errorf("read %q", c.Text)
			continue
		}
		if middle := image.Pt(int(c.Box[0]+c.Box[2]/2), int(c.Box[1]+c.Box[3]/2)); !middle.In(r) {
			t.Errorf("%q: box %v is not in %v", c.Text, c.Box, r)
		}
	}
}

func TestPicturesWithoutACodeGiveNone(t *testing.T) {
	noise := plain(300, 200, 0)
	r := rand.New(rand.NewPCG(1, 1))
	for i := range noise {
		noise[i] = byte(r.UintN(256))
	}
	for name, p := range map[string]struct {
		w, h int
		rgb  []byte
	}{
		"black": {64, 64, plain(64, 64, 0)}, "noise": {300, 200, noise}, "one pixel": {1, 1, plain(1, 1, 9)}, "a thin line": {4000, 21, plain(4000, 21, 255)},
	} {
		codes, _, err := Read(p.w, p.h, p.rgb)
		if err != nil || len(codes) != 0 {
			t.Errorf("%s: got %d codes, %v", name, len(codes), err)
		}
	}
	if _, _, err := Read(10, 10, plain(9, 9, 0)); err == nil {
		t.Error("a picture with too few bytes was read")
	}
}

func TestAPictureFullOfFinderMarksIsGivenUp(t *testing.T) {
	const w, h, side = 1280, 960, 14
	rgb := plain(w, h, 255)
	for y := range h {
		for x := range w {
			dx, dy := x%(side+4)/2, y%(side+4)/2
			ring := max(max(dx, 6-dx), max(dy, 6-dy)) - 3 // 0 in the middle, 3 at the edge
			if dx < 7 && dy < 7 && ring != 2 {
				copy(rgb[3*(y*w+x):], []byte{0, 0, 0})
			}
		}
	}
	if !marked(w, h, greyOf(rgb)) {
		t.Fatal("the marks are not seen: the test shows nothing")
	}
	done := make(chan int, 1)
	go func() {
		codes, _, _ := Read(w, h, rgb)
		done <- len(codes)
	}()
	select {
	case n := <-done:
		if n != 0 {
			t.Errorf("got %d codes", n)
		}
	case <-time.After(30 * time.Second): // sorting out 3,800 marks by threes takes hours
		t.Fatal("still reading after 30 s")
	}
}

func TestWhatFollowingACodeDoes(t *testing.T) {
	tests := []struct {
		code string
		want pipeline.Label
	}{
		{"https://u.wechat.com/made-up", pipeline.PrivacyGives},
		{"HTTP://WEIXIN.QQ.COM/r/made-up", pipeline.PrivacyGives},
		{"BEGIN:VCARD\nN:Example", pipeline.PrivacyGives},
		{"wxp://made-up", pipeline.ScamPaymentRequest},
		{"HTTPS://QR.ALIPAY.COM/MADE-UP", pipeline.ScamPaymentRequest},
		{"https://example.test/", ""},
		{"tell me a story", ""},
	}
	for _, tt := range tests {
		s, ok := Signal(tt.code)
		if s.Label != tt.want || ok != (tt.want != "") {
			t.Errorf("%s: got %q, %v", tt.code, s.Label, ok)
		}
	}
}

func FuzzRead(f *testing.F) {
	rgb := plain(84, 84, 255)
	paint(f, rgb, 84, "hello", 0, 0, 84)
	f.Add(84, 84, rgb)
	f.Add(21, 30, []byte{1, 2, 3})
	f.Fuzz(func(t *testing.T, w, h int, rgb []byte) {
		if w < 1 || h < 1 || w > 256 || h > 256 {
			return
		}
		if n := 3 * w * h; len(rgb) > n {
			rgb = rgb[:n]
		} else {
			rgb = append(rgb, make([]byte, n-len(rgb))...)
		}
		if _, _, err := Read(w, h, rgb); err != nil {
			t.Error(err)
		}
	})
}

func BenchmarkReadOfAPictureWithoutACode(b *testing.B) {
	noise := plain(1280, 960, 0)
	for i := range noise {
		noise[i] = byte(i/3%1280/5 + i/3/1280/7)
	}
	for b.Loop() {
		if _, _, err := Read(1280, 960, noise); err != nil {
			b.Fatal(err)
		}
	}
}

func TestMoreCodesThanAreReadAreSaid(t *testing.T) {
	for _, rows := range []int{2, 6} {
		const side, perRow = 120, 6
		rgb := plain(side*perRow, side*rows, 255)
		for i := range perRow * rows {
			paint(t, rgb, side*perRow, fmt.Sprint("made up ", i), i%perRow*side, i/perRow*side, side)
		}
		codes, more, err := Read(side*perRow, side*rows, rgb)
		if want := perRow * rows; err != nil || more != (want > maxCodes) || len(codes) != min(want, maxCodes) {
			t.Errorf("of %d codes: got %d, more %v, %v", want, len(codes), more, err)
		}
	}
}
