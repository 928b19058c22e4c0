package media

import (
	"bytes"
	"os"
	"path/filepath"
	"runtime"
	"testing"
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
	got, err := d.Decode(t.Context(), goImages(t)["video-001.jpeg"], Want{Squares: bothSquares, Fit: 640, Thumbnail: 100, Preview: 64})
	if err != nil {
		t.Fatal(err)
	}
	if got.Width != 150 || got.Height != 103 || got.FrameCount != 1 || len(got.Frames) != 1 || len(got.Frames[0].Crops) != 2 {
		t.Errorf("got %+v", got)
	}
	if n := len(got.Frames[0].Crops[0].Tensor); n != 224*224*3 {
		t.Errorf("tensor of %d values", n)
	}
	if p := got.Frames[0].Picture; p == nil || len(p.Pix) != 3*p.Width*p.Height {
		t.Errorf("picture %+v does not add up", p)
	}
	for name, b := range map[string][]byte{"thumbnail": got.Thumbnail, "preview": got.Preview} {
		if !bytes.HasPrefix(b, []byte("\xff\xd8\xff")) {
			t.Errorf("%s is not a JPEG: %d bytes", name, len(b))
		}
	}
	s, err := d.Sandbox(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("sandbox %+v, decoder %s", s, got.Decoder)
}
