package media

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"image"
	"image/color"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

var bothSquares = []Square{{Size: 224, Mode: Stretch}, {Size: 224, Mode: OpenNSFW}}

func goImages(t testing.TB) map[string][]byte {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(runtime.GOROOT(), "src/image/testdata/*"))
	if err != nil || len(files) == 0 {
		t.Skip("Go's source tree with its test pictures is not here")
	}
	all := map[string][]byte{}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		all[filepath.Base(f)] = b
	}
	return all
}

func TestAChildDecodesAPictureToTensorsAndRenditions(t *testing.T) {
	d := newDecoder(t, DecoderOptions{Children: 1})
	b := withEXIF(jpegBytes(t, scenery(800, 600), 90), 1, true)
	b = append(b, "<script>trailing</script>"...)
	got, err := d.Decode(t.Context(), b, Want{Squares: bothSquares, Fit: 320, Thumbnail: 200, Preview: 128})
	if err != nil {
		t.Fatal(err)
	}
	if got.Type != JPEG || got.Width != 800 || got.Height != 600 || got.FrameCount != 1 || len(got.Frames) != 1 || len(got.Frames[0].Crops) != 2 || !got.HasGPS || got.SHA256 != sum(b) || got.DHash == 0 || got.PHash == 0 {
		t.Errorf("got %+v", got)
	}
	if p := got.Frames[0].Picture; p == nil || p.Width != 320 || p.Height != 240 || len(p.Pix) != 3*320*240 {
		t.Errorf("picture does not add up")
	}
	for name, r := range map[string][]byte{"thumbnail": got.Thumbnail, "preview": got.Preview} {
		img, _, err := image.Decode(bytes.NewReader(r))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if bytes.Contains(r, []byte("Exif")) || bytes.Contains(r, []byte("script")) {
			t.Errorf("%s carries what was in the original", name)
		}
		if want := map[string]int{"thumbnail": 200, "preview": 128}[name]; img.Bounds().Dx() != want {
			t.Errorf("%s is %v", name, img.Bounds())
		}
	}
	preview, _, _ := image.Decode(bytes.NewReader(got.Preview))
	for _, p := range []image.Point{{10, 10}, {64, 48}, {100, 80}} {
		r, g, b, _ := preview.At(p.X, p.Y).RGBA()
		if max(r, g, b)-min(r, g, b) > 0x300 {
			t.Errorf("preview has colour at %v: %x %x %x", p, r, g, b)
		}
	}
}

func TestTheWallsStand(t *testing.T) {
	d := newDecoder(t, DecoderOptions{Children: 1})
	s, err := d.Sandbox(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%+v", s)
	if runtime.GOOS == "linux" && (!s.Memory || !s.CPU || !s.Files) {
		t.Errorf("limits are missing: %+v", s)
	}
	if runtime.GOOS == "linux" && runtime.GOARCH == "amd64" && (!s.Seccomp || s.Network) {
		t.Errorf("a child could open a socket: %+v", s)
	}
}

func TestBehindTheWallsNothingElseCanBeDone(t *testing.T) {
	if runtime.GOOS != "linux" || runtime.GOARCH != "amd64" && runtime.GOARCH != "arm64" {
		t.Skip("no system call filter here")
	}
	t.Setenv("TMPDIR", t.TempDir())
	for name, args := range map[string][]string{
		"by a child":             {"escape"},
		"by a child made a tool": toolLimits{memory: 512 << 20, cpu: 5}.args(self(t), []string{"escape from tool"}),
	} {
		if got := runSelf(t, args...); got != "tried\n" {
			t.Errorf("%s: %s", name, got)
		}
	}
}

func TestEveryWrongFileIsRefusedWithItsReason(t *testing.T) {
	d := newDecoder(t, DecoderOptions{Children: 1, Limits: Limits{Bytes: 4 << 20, Frames: 10}})
	var many []image.Image
	for i := range 11 {
		many = append(many, flat(4, 4, color.Gray{uint8(i)}))
	}
	jpg := jpegBytes(t, scenery(300, 200), 80)
	for name, c := range map[string]struct {
		b    []byte
		want error
	}{
		"nothing":                {nil, ErrUnsupported},
		"HTML":                   {[]byte("<!DOCTYPE html>"), ErrUnsupported},
		"film":                   {[]byte("\x00\x00\x00\x18ftypisom\x00\x00\x02\x00isommp41"), ErrUnsupported},
		"HEIC":                   {[]byte("\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic"), ErrBroken},
		"too many bytes":         {append([]byte("\xff\xd8\xff"), make([]byte, 4<<20)...), ErrTooLarge},
		"bomb of 20000 by 20000": {bomb(t, 20000, 20000, 1, 0, 2500, 9), ErrTooLarge},
		"too many frames":        {gifBytes(t, many, 0), ErrTooLarge},
		"cut JPEG":               {jpg[:len(jpg)/2], ErrBroken},
		"cut PNG":                {pngBytes(t, scenery(60, 60))[:200], ErrBroken},
		"cut GIF":                {gifBytes(t, many[:3], 0)[:60], ErrBroken},
		"PNG of no pixels":       {append(appendPNG([]byte("\x89PNG\r\n\x1a\n"), "IHDR", []byte{0, 0, 0, 0, 0, 0, 0, 0, 8, 6, 0, 0, 0}), appendPNG(nil, "IEND", nil)...), ErrBroken},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := d.Decode(t.Context(), c.b, Want{Squares: bothSquares})
			if !errors.Is(err, c.want) || got != nil {
				t.Errorf("got %v, want %v", err, c.want)
			}
		})
	}
}

func TestAPolyglotIsWhatItsPixelsSay(t *testing.T) {
	d := newDecoder(t, DecoderOptions{Children: 1})
	b := append(pngBytes(t, scenery(40, 40)), "PK\x03\x04<script>alert(1)</script>"...)
	got, err := d.Decode(t.Context(), b, Want{Thumbnail: 40})
	if err != nil || got.Type != PNG || bytes.Contains(got.Thumbnail, []byte("script")) {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestALostChildIsNamedAndReplaced(t *testing.T) {
	good := pngBytes(t, scenery(30, 30))
	for name, c := range map[string]struct {
		deed string
		want error
		says string
	}{
		"that panics":             {"panic", ErrChildKilled, "exit status 2"},
		"that is out of memory":   {"memory", ErrChildKilled, "process ended"},
		"that computes for ever":  {"spin", ErrChildKilled, "processor time"},
		"that hangs":              {"hang", ErrChildKilled, "out of time"},
		"that answers nonsense":   {"nonsense", ErrChildKilled, ""},
		"that answers too much":   {"flood", ErrChildKilled, ""},
		"that lies about tensors": {"lie", ErrChildKilled, ""},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDecoder(t, DecoderOptions{Children: 1, Command: []string{self(t), "misbehave", c.deed}, CPUSeconds: 1, Timeout: 2 * time.Minute})
			if c.deed == "hang" {
				d.opts.Timeout = 500 * time.Millisecond
			}
			_, err := d.Decode(t.Context(), append(good, "misbehave"...), Want{Squares: []Square{{Size: 8}}})
			if !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("got %v, want %v that says %q", err, c.want, c.says)
			}
			if _, err := d.Decode(t.Context(), good, Want{}); err != nil {
				t.Errorf("the next file: %v", err)
			}
		})
	}
}

func TestACallerThatGoesAwayFreesItsPlace(t *testing.T) {
	d := newDecoder(t, DecoderOptions{Children: 1, Command: []string{self(t), "misbehave", "hang"}})
	good := pngBytes(t, scenery(30, 30))
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if _, err := d.Decode(ctx, append(good, "misbehave"...), Want{}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("in work: %v", err)
	}
	if _, err := d.Decode(t.Context(), good, Want{}); err != nil {
		t.Errorf("after it: %v", err)
	}
	d.slots <- struct{}{} // all children are busy
	ctx, cancel = context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := d.Decode(ctx, good, Want{}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("waiting: %v", err)
	}
	<-d.slots
}

func TestAChildServesManyFilesAndIsThenReplaced(t *testing.T) {
	d := newDecoder(t, DecoderOptions{Children: 1, FilesPerChild: 3})
	good := pngBytes(t, scenery(30, 30))
	pids := map[int]int{}
	for range 7 {
		if _, err := d.Decode(t.Context(), good, Want{}); err != nil {
			t.Fatal(err)
		}
		d.mu.Lock()
		if len(d.idle) == 1 {
			pids[d.idle[0].cmd.Process.Pid]++
		}
		d.mu.Unlock()
	}
	if len(pids) != 3 {
		t.Errorf("files by idle child: %v", pids)
	}
}

func TestManyCallersShareFewChildren(t *testing.T) {
	d := newDecoder(t, DecoderOptions{Children: 2})
	files := goImages(t)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for name, b := range files {
				if strings.Contains(name, "truncated") {
					continue
				}
				got, err := d.Decode(t.Context(), b, Want{Squares: []Square{{Size: 32}}})
				if err != nil {
					t.Errorf("%s: %v", name, err)
				} else if got.SHA256 != sum(b) || len(got.Frames) == 0 {
					t.Errorf("%s: another file's answer", name)
				}
			}
		})
	}
	wg.Wait()
	if len(d.idle) > 2 {
		t.Errorf("%d children", len(d.idle))
	}
}

func TestAClosedDecoderSaysSo(t *testing.T) {
	d := newDecoder(t, DecoderOptions{Children: 1})
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Decode(t.Context(), pngBytes(t, scenery(9, 9)), Want{}); !errors.Is(err, ErrNoChild) {
		t.Errorf("got %v", err)
	}
	d = newDecoder(t, DecoderOptions{Command: []string{"/no/such/program"}})
	if _, err := d.Decode(t.Context(), pngBytes(t, scenery(9, 9)), Want{}); !errors.Is(err, ErrNoChild) {
		t.Errorf("without a program: %v", err)
	}
}

func TestAFileThatAsksForMoreThanIsOfferedIsRefused(t *testing.T) {
	d := newDecoder(t, DecoderOptions{Children: 1})
	for _, w := range []Want{{Squares: []Square{{Size: 0}}}, {Squares: []Square{{Size: 5000}}}, {Squares: []Square{{Size: 8, Mode: "other"}}}, {Fit: 1 << 20}, {MaxFrames: -1}, {Thumbnail: 9999}} {
		if _, err := d.Decode(t.Context(), pngBytes(t, scenery(9, 9)), w); !errors.Is(err, ErrUnsupported) {
			t.Errorf("%+v: %v", w, err)
		}
	}
}

func TestErrorsNeverQuoteTheFile(t *testing.T) {
	d := newDecoder(t, DecoderOptions{Children: 1})
	secret := "q7Zk3canary"
	b := append(pngBytes(t, scenery(20, 20))[:60], secret...)
	_, err := d.Decode(t.Context(), b, Want{})
	if err == nil || strings.Contains(err.Error(), secret) || strings.Contains(err.Error(), hex.EncodeToString([]byte(secret))) {
		t.Errorf("got %v", err)
	}
}
