package media

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"image/color"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// seeds are small whole files of every type that is decoded.
func seeds(t testing.TB) map[string][]byte {
	all := map[string][]byte{}
	for name, b := range goImages(t) {
		all["go/"+name] = b
	}
	frames := []image.Image{flat(40, 40, red), flat(40, 40, green), flat(40, 40, blue)}
	all["made.gif"] = gifBytes(t, frames, 3)
	all["made.apng"] = apngBytes(t, 40, 40, flat(40, 40, red), pngFrameMade{img: frames[0]}, pngFrameMade{img: frames[1], dispose: 2, blend: 1})
	all["made.webp"] = webpBytes(40, 40, webpFrameMade{w: 40, h: 40, c: red}, webpFrameMade{w: 10, h: 10, x: 4, y: 4, c: blue, flags: 3})
	all["made.bmp"] = bmpBytes(30, 30)
	all["made.heic"], all["made.avif"] = heifFile(t, "made.heic"), heifFile(t, "made.avif")
	for name, b := range pngSuite(t) {
		all["pngsuite/"+name] = b
	}
	all["exif.jpeg"] = withEXIF(jpegBytes(t, scenery(60, 40), 80), 6, true)
	return all
}

// pngSuite is PngSuite as Go's source tree carries it.
func pngSuite(t testing.TB) map[string][]byte {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(runtime.GOROOT(), "src/image/png/testdata/pngsuite/*.png"))
	if err != nil {
		t.Fatal(err)
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

// polyglots are files that are two things, or say one thing and are another.
func polyglots(t testing.TB) map[string][]byte {
	jpg, png := jpegBytes(t, scenery(48, 32), 80), pngBytes(t, scenery(30, 30))
	gif := gifBytes(t, []image.Image{flat(20, 20, red), flat(20, 20, blue)}, 0)
	endless := bytes.Clone(gif[:len(gif)-1]) // no trailer, and its last frame again and again
	frame := bytes.LastIndex(gif, []byte{0x21, 0xf9})
	for range 2000 {
		endless = append(endless, gif[frame:len(gif)-1]...)
	}
	playlist := "#EXTM3U\n#EXTINF:1,\nfile:///etc/hostname\n"
	return map[string][]byte{
		"a photo with an archive behind it": append(bytes.Clone(jpg), "PK\x03\x04\x14\x00 a.txt PK\x05\x06"...),
		"a photo with a page behind it":     append(bytes.Clone(png), "<html><script>alert(1)</script>"...),
		"a GIF that is a script":            append([]byte("GIF89a/*"), "*/=1;alert(1)//"...),
		"a document before a photo":         append([]byte("%PDF-1.7\n"), jpg...),
		"two photos in one":                 append(bytes.Clone(jpg), png...),
		"a PNG's head on a photo":           append([]byte("\x89PNG\r\n\x1a\n"), jpg...),
		"a photo's head on a PNG":           append([]byte("\xff\xd8\xff"), png...),
		"an endless GIF":                    endless,
		"a playlist":                        []byte(playlist),
		"a playlist that claims to be MP4":  append([]byte("\x00\x00\x00\x18ftypisom\x00\x00\x02\x00isomiso2"), playlist...),
		"a drawing in words":                []byte(`<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/hostname"/></svg>`),
		"nothing":                           {},
		"one byte":                          {0xff},
	}
}

// hostileFolder may name a folder of further broken and odd files, such as the
// test pictures of packages; hostileTotal how many files there are to be in all.
const (
	hostileFolder = "NIGHTLIGHT_HOSTILE_DIR"
	hostileTotal  = "NIGHTLIGHT_HOSTILE"
)

func folderFiles(t testing.TB) map[string][]byte {
	t.Helper()
	all := map[string][]byte{}
	root := os.Getenv(hostileFolder)
	if root == "" {
		return all
	}
	err := filepath.WalkDir(root, func(path string, f fs.DirEntry, err error) error {
		if err != nil || !f.Type().IsRegular() {
			return err
		}
		b, err := os.ReadFile(path)
		if err == nil {
			all["folder/"+path] = b
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func bmpBytes(w, h int) []byte {
	b := make([]byte, 54+w*h*4)
	copy(b, "BM")
	le := binary.LittleEndian
	le.PutUint32(b[2:], uint32(len(b)))
	le.PutUint32(b[10:], 54)
	le.PutUint32(b[14:], 40)
	le.PutUint32(b[18:], uint32(w))
	le.PutUint32(b[22:], uint32(h))
	le.PutUint16(b[26:], 1)
	le.PutUint16(b[28:], 32)
	for i := 54; i < len(b); i++ {
		b[i] = byte(i)
	}
	return b
}

// jpegOf claims another size in a JPEG's frame header.
func jpegOf(b []byte, w, h int) []byte {
	b = bytes.Clone(b)
	at := bytes.Index(b, []byte{0xff, 0xc0, 0, 17})
	binary.BigEndian.PutUint16(b[at+5:], uint16(h))
	binary.BigEndian.PutUint16(b[at+7:], uint16(w))
	return b
}

// bombs are files that cost far more than they weigh, with whether they may be judged.
func bombs(t testing.TB) map[string][]byte {
	small := jpegBytes(t, scenery(64, 64), 80)
	sos := bytes.LastIndex(small, []byte{0xff, 0xda})
	scans := bytes.Clone(small[:len(small)-2])
	for range 1000 {
		scans = append(scans, small[sos:len(small)-2]...)
	}
	var gifs []image.Image
	var pngs []pngFrameMade
	var webps []webpFrameMade
	for i := range 301 {
		gifs = append(gifs, flat(2, 2, []color.Color{red, blue}[i%2]))
		pngs = append(pngs, pngFrameMade{img: gifs[i]})
		webps = append(webps, webpFrameMade{w: 2, h: 2, c: red})
	}
	page := pngBytes(t, scenery(30, 30))
	text := appendPNG(nil, "iCCP", append([]byte("x\x00\x00"), pixels(t, flat(4000, 4000, red))...))
	return map[string][]byte{
		"PNG of 20000 by 20000":          bomb(t, 20000, 20000, 1, 0, 2500, 9),
		"RGBA of 12000 by 12000":         bomb(t, 12000, 12000, 8, 6, 1, 9), // its pixels end early: they are never looked at
		"RGBA16 of 8000 by 8000":         bomb(t, 8000, 8000, 16, 6, 1, 9),
		"JPEG of 16000 by 16000":         jpegOf(small, 16000, 16000),
		"PNG of 30000 by 30000":          bomb(t, 30000, 30000, 1, 3, 1, 9),
		"JPEG of 65535 by 65535":         jpegOf(small, 65535, 65535),
		"JPEG of 1000 scans":             append(scans, 0xff, 0xd9),
		"GIF of 301 frames":              gifBytes(t, gifs, 0),
		"APNG of 301 frames":             apngBytes(t, 2, 2, nil, pngs...),
		"WebP of 301 frames":             webpBytes(2, 2, webps...),
		"WebP frame off its canvas":      webpBytes(8, 8, webpFrameMade{w: 8, h: 8, x: 30000, y: 30000, c: red}),
		"PNG with a deflate bomb beside": slices.Concat(page[:33], text, page[33:]),
	}
}

// broken versions of a file: cut at points and with single bits flipped.
func wrecks(r *rand.Rand, b []byte, cuts, flips int) (all [][]byte) {
	for i := range cuts {
		all = append(all, b[:len(b)*i/cuts])
	}
	for range flips {
		c := bytes.Clone(b)
		at := r.IntN(len(c))
		if r.IntN(2) == 0 {
			at = r.IntN(min(len(c), 200)) // headers matter most
		}
		c[at] ^= 1 << r.IntN(8)
		all = append(all, c)
	}
	return all
}

// TestEachHostileFileEndsJudgedOrWithItsReason gives a child whole, cut, bent,
// oversized and misnamed files, the same each time. A few hundred always; make
// hostile asks for thousands.
func TestEachHostileFileEndsJudgedOrWithItsReason(t *testing.T) {
	d := newDecoder(t, DecoderOptions{Children: 1})
	r := rand.New(rand.NewPCG(7, 7))
	ends := map[string]int{}
	var children tallest
	judge := func(name string, b []byte) {
		got, err := d.Decode(t.Context(), b, Want{Squares: []Square{{Size: 64}}, Thumbnail: 64, Preview: 64})
		switch {
		case err == nil && len(got.Frames) > 0:
			ends["judged"]++
		case errors.Is(err, ErrTooLarge):
			ends["too large"]++
		case errors.Is(err, ErrUnsupported):
			ends["unsupported"]++
		case errors.Is(err, ErrBroken):
			ends["broken"]++
		case errors.Is(err, ErrChildKilled) && !strings.HasPrefix(name, "made."):
			ends["child killed"]++ // the file is quarantined and the next child goes on
			t.Logf("%s: %v", name, err)
		default:
			t.Errorf("%s: %v", name, err)
		}
		if err != nil && got != nil {
			t.Errorf("%s: an answer with an error", name)
		}
		children.see(d)
	}
	whole := seeds(t)
	all := maps.Clone(whole)
	maps.Copy(all, folderFiles(t))
	names := slices.Sorted(maps.Keys(all))
	total := 0
	if n := os.Getenv(hostileTotal); n != "" {
		var err error
		if total, err = strconv.Atoi(n); err != nil {
			t.Fatal(err)
		}
	}
	each := max(4, (total-len(all)-len(bombs(t))-len(polyglots(t)))/len(whole)+1)
	for _, name := range names {
		judge(name, all[name])
		if _, ok := whole[name]; !ok {
			continue
		}
		for i, b := range wrecks(r, all[name], each/3, each-each/3) {
			judge(fmt.Sprintf("%s, wreck %d", name, i), b)
		}
	}
	for name, b := range bombs(t) {
		judge(name, b)
	}
	for name, b := range polyglots(t) {
		judge(name, b)
	}
	count := 0
	for _, n := range ends {
		count += n
	}
	t.Logf("%d files: %v; largest child %d MiB, most processor time of one file %v", count, ends, children.memory>>20, children.cpu)
	if count < total || ends["judged"] < len(whole)*3/4 || ends["broken"] < len(whole) || ends["too large"] < 10 {
		t.Errorf("ends are not as such a corpus must end: %v", ends)
	}
	if children.memory > 256<<20 && !raceDetector {
		t.Errorf("a child had %d MiB", children.memory>>20)
	}
}

// tallest is the most that a living child was seen to use.
type tallest struct {
	memory int64
	cpu    time.Duration
	last   time.Duration
	child  *child
}

func (m *tallest) see(d *Decoder) {
	if len(d.idle) == 0 {
		return // killed; its limits are known
	}
	c := d.idle[0]
	memory, cpu := usedBy(c.cmd.Process.Pid)
	if c != m.child {
		m.child, m.last = c, 0
	}
	m.memory, m.cpu, m.last = max(m.memory, memory), max(m.cpu, cpu-m.last), cpu
}

func TestBombsAreRefusedBeforeTheirPixels(t *testing.T) {
	for name, b := range bombs(t) {
		h, err := Inspect(b)
		if err == nil {
			err = Limits{}.Check(h)
		}
		if want := !strings.Contains(name, "beside"); want != errors.Is(err, ErrTooLarge) {
			t.Errorf("%s: %+v, %v", name, h, err)
		}
	}
}

// TestTheLargestFilesFitTheirChild decodes what the limits just allow and looks
// at the most memory that the child ever had.
func TestTheLargestFilesFitTheirChild(t *testing.T) {
	if testing.Short() || raceDetector {
		t.Skip("takes seconds; and the race detector's own memory is many times the pixels'")
	}
	files := map[string][]byte{
		"RGBA of 40 megapixels":   bomb(t, 8000, 5000, 8, 6, 4*8000, 1),
		"RGBA16 of 25 megapixels": bomb(t, 5000, 5000, 16, 6, 8*5000, 1),
		"JPEG of 40 megapixels":   jpegBytes(t, image.NewYCbCr(image.Rect(0, 0, 8000, 5000), image.YCbCrSubsampleRatio420), 80),
	}
	for name, b := range files {
		t.Run(name, func(t *testing.T) {
			d := newDecoder(t, DecoderOptions{Children: 1})
			got, err := d.Decode(t.Context(), b, Want{Squares: bothSquares})
			if err != nil {
				t.Fatal(err)
			}
			c := d.idle[0]
			if err := d.Close(); err != nil {
				t.Fatal(err)
			}
			peak := peakBytes(c.cmd.ProcessState)
			t.Logf("%s by %s: peak %d MiB", name, got.Decoder, peak>>20)
			if peak > 256<<20 {
				t.Errorf("child had %d MiB", peak>>20)
			}
		})
	}
}
