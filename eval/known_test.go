package eval

import (
	"bytes"
	"image"
	"image/color"
	"image/jpeg"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/disintegration/imaging"

	"nightlight/api/client"
	"nightlight/pipeline"
)

// hills is a made picture with enough shapes for a hash; other seeds give others.
func hills(seed float64) image.Image {
	m := image.NewNRGBA(image.Rect(0, 0, 640, 480))
	for y := range 480 {
		for x := range 640 {
			u, v := float64(x)/640, float64(y)/480
			a := math.Sin(7*u*seed+3*v) * math.Cos(5*v*seed-2*u)
			b := math.Sin(13*u*v*seed) + math.Sin(3*seed*u)
			m.Set(x, y, color.NRGBA{uint8(127 + 90*a), uint8(127 + 60*b), uint8(127 + 80*a*b), 255})
		}
	}
	return m
}

func jpegOf(t *testing.T, m image.Image, quality int) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := jpeg.Encode(&b, m, &jpeg.Options{Quality: quality}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestACopyOfAPictureInABankOfOneHashIsHeldByItsBanksName imports one
// hash while the system runs and sends the picture, a smaller copy of it that was
// compressed anew, and another picture.
func TestACopyOfAPictureInABankOfOneHashIsHeldByItsBanksName(t *testing.T) {
	s := newSystem(t, backends{database: "sqlite", redis: "memory", media: "folder"})
	s.up(t)
	file, bank := filepath.Join(t.TempDir(), "known.jpg"), filepath.Join(t.TempDir(), "bank.csv")
	known := jpegOf(t, hills(1.7), 90)
	if err := os.WriteFile(file, known, 0o600); err != nil {
		t.Fatal(err)
	}
	check := func() (string, int) {
		return s.command(t, append([]string{"hashes", "check", file}, s.recordFlags()...)...)
	}
	said, code := check()
	if code != 0 {
		t.Fatalf("hashes check before the import: exit %d\n%s", code, said)
	}
	fields := strings.Fields(said)
	if len(fields) < 2 || fields[0] != "pdq" || len(fields[1]) != 64 {
		t.Fatalf("hashes check says %q", said)
	}
	if err := os.WriteFile(bank, []byte("hash,reference\n"+fields[1]+",made for a test\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if said, code := s.command(t, append([]string{"hashes", "import", "--bank", "ours", bank}, s.recordFlags()...)...); code != 0 {
		t.Fatalf("hashes import: exit %d\n%s", code, said)
	}
	if said, code := check(); code != 1 || !strings.Contains(said, "ours") {
		t.Fatalf("hashes check: exit %d\n%s", code, said)
	}
	time.Sleep(1200 * time.Millisecond) // workers ask once a second whether a bank has changed
	send := func(data []byte) client.Status {
		it := message("")
		it.Kind, it.Text = pipeline.KindPhoto, ""
		got, err := s.client.SubmitMedia(t.Context(), it, bytes.NewReader(data), 20*time.Second)
		if err == nil && got.Verdict == nil {
			got, err = s.client.Wait(t.Context(), got.ID)
		}
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	named := func(got client.Status) bool {
		for _, r := range got.Verdict.Reasons {
			if strings.Contains(r, "ours") {
				return true
			}
		}
		return false
	}
	smaller := jpegOf(t, imaging.Resize(hills(1.7), 400, 0, imaging.Lanczos), 70)
	for name, data := range map[string][]byte{"the picture": known, "a smaller copy": smaller} {
		if got := send(data); got.Verdict.Action != pipeline.Hold || !named(got) {
			t.Errorf("%s: %s, %v", name, got.Verdict.Action, got.Verdict.Reasons)
		}
	}
	if got := send(jpegOf(t, hills(4.3), 90)); got.Verdict.Action != pipeline.Allow {
		t.Errorf("another picture: %s, %v", got.Verdict.Action, got.Verdict.Reasons)
	}
	said, code = s.command(t, append([]string{"audit", "verify"}, s.recordFlags()...)...)
	if code != 0 {
		t.Errorf("audit verify: exit %d\n%s", code, said)
	}
}
