package ocr

import (
	"context"
	"encoding/binary"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// blank gives a picture of one colour with a dark dot, so that it is not flat.
func blank(w, h int) Picture {
	p := Picture{Width: w, Height: h, Pix: make([]byte, 3*w*h)}
	for i := range p.Pix {
		p.Pix[i] = 230
	}
	p.Pix[0] = 0
	return p
}

// marks is a Detect network that finds the given boxes, as far as they are on the map.
func marks(all ...box) Network {
	return func(_ context.Context, shape []int64, _ []float32) ([]int64, []float32, error) {
		h, w := int(shape[2]), int(shape[3])
		out := make([]float32, w*h)
		for i := range out {
			at := point{float64(i%w) + .5, float64(i/w) + .5}
			for _, b := range all {
				d := at.plus(b.centre.times(-1))
				if math.Abs(d.dot(b.u)) <= b.hu && math.Abs(d.dot(b.u.quarter())) <= b.hv {
					out[i] = .9
				}
			}
		}
		return []int64{1, 1, shape[2], shape[3]}, out, nil
	}
}

func upright(context.Context, []int64, []float32) ([]int64, []float32, error) {
	return []int64{1, 2}, []float32{.99, .01}, nil
}

// says is a Read network that answers with steps of columns.
func says(columns int, steps ...int) Network {
	return func(context.Context, []int64, []float32) ([]int64, []float32, error) {
		out := make([]float32, columns*len(steps))
		for i, s := range steps {
			out[i*columns+s] = .95
		}
		return []int64{1, int64(len(steps)), int64(columns)}, out, nil
	}
}

var keys = []string{"你", "好", "a"}

func readerOf(t testing.TB, n Networks, s Settings) *Reader {
	t.Helper()
	n.Keys = keys
	if n.Turn == nil {
		n.Turn = upright
	}
	if n.Read == nil {
		n.Read = says(5, 1, 2)
	}
	r, err := New(n, s)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func level(x, y, w, h float64) box { return box{point{x, y}, point{1, 0}, w / 2, h / 2} }

func TestBoxesAreFoundWhereTheMapMarksThem(t *testing.T) {
	tilted := box{point{150, 100}, point{math.Cos(.2), math.Sin(.2)}, 90, 10}
	for name, want := range map[string]box{"level": level(100, 60, 120, 20), "tilted": tilted, "upright": level(40, 90, 16, 120)} {
		t.Run(name, func(t *testing.T) {
			_, m, _ := marks(want)(t.Context(), []int64{1, 1, 192, 320}, nil)
			found := boxes(m, 320, 192)
			if len(found) != 1 {
				t.Fatalf("got %d boxes, want 1", len(found))
			}
			got := found[0]
			out := 2 * want.hu * want.hv / (2 * (want.hu + want.hv)) * unclip
			near := func(a, b float64) bool { return math.Abs(a-b) < 2 }
			if !near(got.centre.x, want.centre.x) || !near(got.centre.y, want.centre.y) || math.Abs(got.u.dot(want.u)) < .99 || !near(got.hu, want.hu+out) || !near(got.hv, want.hv+out) {
				t.Errorf("got %+v, want %+v grown by %.1f", got, want, out)
			}
		})
	}
}

func TestATurnedLineIsLaidAlongItsLetters(t *testing.T) {
	tall, turns := level(40, 90, 16, 120).laid()
	if turns != 1 || tall.hu != 60 || tall.hv != 8 || tall.u != (point{0, 1}) {
		t.Errorf("got %+v, %d turns", tall, turns)
	}
	if _, turns := level(40, 90, 120, 16).laid(); turns != 0 {
		t.Errorf("a level line is turned by %d", turns)
	}
}

func TestPixelsAreCutOutTheWayTheLettersStand(t *testing.T) {
	p := blank(40, 30)
	p.Pix[0] = 230
	red := func(x, y int) { copy(p.Pix[3*(y*p.Width+x):], []byte{255, 0, 0}) }
	red(10, 5) // the top left of a box of 20 × 10 at 10, 5
	b := level(20, 10, 20, 10)
	for name, tt := range map[string]struct {
		b      box
		x, y   int
		w, h   int
		marked int
	}{
		"as it stands":             {b: b, w: 20, h: 10},
		"upside down":              {b: b.over(), x: 19, y: 9, w: 20, h: 10},
		"turned by a quarter":      {b: box{b.centre, point{0, 1}, b.hv, b.hu}, x: 0, y: 19, w: 10, h: 20},
		"turned by three quarters": {b: box{b.centre, point{0, -1}, b.hv, b.hu}, x: 9, y: 0, w: 10, h: 20},
	} {
		dst := make([]float32, 3*tt.w*tt.h)
		p.pack(dst, tt.w, tt.h, tt.b, tt.w, scale{by: [3]float32{1, 1, 1}})
		for y := range tt.h {
			for x := range tt.w {
				blue, r := dst[y*tt.w+x], dst[2*tt.w*tt.h+y*tt.w+x]
				if is, want := blue < 50 && r > 200, x == tt.x && y == tt.y; is != want {
					t.Errorf("%s: red at %d, %d is %v (blue %v, red %v)", name, x, y, is, blue, r)
				}
			}
		}
	}
}

func TestAPictureIsReducedToTheMeansOfItsPixels(t *testing.T) {
	p := Picture{Width: 5, Height: 4, Pix: make([]byte, 60)}
	for i := range p.Pix {
		p.Pix[i] = byte(10 * (i / 3 % 5))
	}
	got := p.reduced(2)
	if want := []byte{5, 5, 5, 25, 25, 25, 5, 5, 5, 25, 25, 25}; got.Width != 2 || got.Height != 2 || !slices.Equal(got.Pix, want) {
		t.Errorf("got %d × %d %v, want %v", got.Width, got.Height, got.Pix, want)
	}
	if same := p.reduced(5); same.Width != 5 {
		t.Errorf("reduced to nothing: %d × %d", same.Width, same.Height)
	}
}

func TestGreedyDecodingFoldsRunsAndDropsBlanks(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	step := func(i int) []float32 {
		s := make([]float32, 5)
		s[i] = .9
		return s
	}
	tests := []struct {
		name  string
		steps []float32
		want  string
	}{
		{"nothing", nil, ""},
		{"blanks", slices.Concat(step(0), step(0)), ""},
		{"a run is one character", slices.Concat(step(1), step(1), step(2)), "你好"},
		{"a blank parts two of the same", slices.Concat(step(3), step(0), step(3)), "aa"},
		{"the last column is a space", slices.Concat(step(3), step(4), step(3)), "a a"},
		{"no numbers are blanks", slices.Concat([]float32{nan, nan, nan, nan, nan}, step(1)), "你"},
		{"infinity is a number", []float32{0, inf, 0, 0, 0}, "你"},
		{"a step that is cut off is left out", slices.Concat(step(1), []float32{0, 0, 1}), "你"},
	}
	for _, tt := range tests {
		got, score := decode(tt.steps, keys)
		if got != tt.want || !(score >= 0 && score <= 1) {
			t.Errorf("%s: got %q with %v, want %q", tt.name, got, score, tt.want)
		}
	}
}

func TestLinesComeInReadingOrder(t *testing.T) {
	at := func(text string, x, y float64, turn int) Line {
		return Line{Text: text, middle: point{x, y}, across: 20, turn: turn}
	}
	tests := []struct {
		name  string
		lines []Line
	}{
		{"rows, and in a row from the left", []Line{at("c", 10, 50, 0), at("b", 200, 12, 0), at("a", 10, 10, 0), at("d", 10, 90, 0)}},
		{"upside down", []Line{at("c", 190, 40, 2), at("a", 190, 90, 2), at("b", 10, 88, 2), at("d", 190, 10, 2)}},
		{"turned clockwise", []Line{at("d", 10, 10, 1), at("c", 50, 10, 1), at("b", 88, 100, 1), at("a", 90, 10, 1)}},
	}
	for _, tt := range tests {
		text, starts := Join(order(tt.lines))
		if text != "a\nb\nc\nd" || !slices.Equal(starts, []int{0, 2, 4, 6}) {
			t.Errorf("%s: got %q, %v", tt.name, text, starts)
		}
	}
}

func TestASpanIsFoundInTheLinesThatItTouches(t *testing.T) {
	lines := []Line{{Text: "你好", Box: [4]float64{10, 10, 40, 20}}, {Text: "abc", Box: [4]float64{12, 50, 60, 20}}}
	_, starts := Join(lines)
	tests := []struct {
		from, to int
		want     [4]int
		ok       bool
	}{
		{0, 2, [4]int{20, 10, 80, 20}, true},
		{3, 5, [4]int{24, 50, 120, 20}, true},
		{1, 4, [4]int{20, 10, 124, 60}, true},
		{0, 0, [4]int{20, 10, 124, 60}, true},
		{9, 12, [4]int{}, false},
	}
	for _, tt := range tests {
		if got, ok := Around(lines, starts, tt.from, tt.to, 2, 1); got != tt.want || ok != tt.ok {
			t.Errorf("%d–%d: got %v, %v, want %v", tt.from, tt.to, got, ok, tt.want)
		}
	}
}

func TestAPictureWithoutTextCostsOneGlance(t *testing.T) {
	searched, read := 0, 0
	nets := Networks{
		Detect: func(ctx context.Context, shape []int64, in []float32) ([]int64, []float32, error) {
			searched++
			return marks()(ctx, shape, in)
		},
		Read: func(context.Context, []int64, []float32) ([]int64, []float32, error) {
			read++
			return nil, nil, errors.New("asked")
		},
	}
	r := readerOf(t, nets, Settings{})
	lines, err := r.Read(t.Context(), blank(1280, 960))
	if err != nil || len(lines) != 0 || searched != 1 || read != 0 {
		t.Errorf("got %d lines, %v, after %d searches and %d readings", len(lines), err, searched, read)
	}
	p := blank(1280, 960)
	p.Pix[0] = 230
	if _, err := r.Read(t.Context(), p); err != nil || searched != 1 {
		t.Errorf("a picture of one colour is searched (%v)", err)
	}
}

func TestFineStrokesAreLookedAtTwice(t *testing.T) {
	lettering := func(p Picture, x0, y0, w, h int) Picture { // strokes of two pixels, both ways, 12 high
		for y := y0; y < y0+h; y++ {
			for x := x0; x < x0+w; x++ {
				if (x/2+y/2)%2 == 0 {
					copy(p.Pix[3*(y*p.Width+x):], []byte{20, 20, 20})
				}
			}
		}
		return p
	}
	tests := []struct {
		name string
		p    Picture
		want bool
	}{
		{"a word", lettering(blank(1280, 960), 300, 400, 90, 20), true},
		{"a word that runs down", lettering(blank(1280, 960), 300, 400, 20, 90), true},
		{"a speck", lettering(blank(1280, 960), 300, 400, 20, 20), false},
		{"nothing", blank(1280, 960), false},
	}
	for _, tt := range tests {
		var sides []int64
		r := readerOf(t, Networks{Detect: func(ctx context.Context, shape []int64, in []float32) ([]int64, []float32, error) {
			sides = append(sides, shape[3])
			return marks()(ctx, shape, in)
		}}, Settings{})
		if _, err := r.Read(t.Context(), tt.p); err != nil {
			t.Fatal(err)
		}
		if twice := slices.Equal(sides, []int64{320, 640}); twice != tt.want {
			t.Errorf("%s: searched at %v", tt.name, sides)
		}
	}
}

func TestPicturesOfOddSizesAreReadOrRefused(t *testing.T) {
	r := readerOf(t, Networks{Detect: marks(level(100, 20, 150, 18))}, Settings{})
	for _, size := range [][2]int{{1, 1}, {1, 2000}, {2000, 1}, {16384, 2}, {31, 33}, {1280, 16}} {
		if _, err := r.Read(t.Context(), blank(size[0], size[1])); err != nil {
			t.Errorf("%v: %v", size, err)
		}
	}
	for _, p := range []Picture{{}, {Width: -1, Height: -3, Pix: make([]byte, 9)}, {Width: 2, Height: 2, Pix: make([]byte, 11)}, {Width: 20000, Height: 1, Pix: make([]byte, 60000)}, {Width: math.MaxInt, Height: 2}} {
		if _, err := r.Read(t.Context(), p); err == nil {
			t.Errorf("%d × %d with %d bytes was read", p.Width, p.Height, len(p.Pix))
		}
	}
}

func TestAnAnswerOfAnotherShapeIsAnError(t *testing.T) {
	short := func(context.Context, []int64, []float32) ([]int64, []float32, error) {
		return []int64{1, 1, 2, 2}, []float32{1}, nil
	}
	line := marks(level(100, 20, 150, 18))
	for name, n := range map[string]Networks{
		"detect": {Detect: short}, "turn": {Detect: line, Turn: short}, "read": {Detect: line, Read: short}, "read, other characters": {Detect: line, Read: says(9, 1)},
	} {
		if lines, err := readerOf(t, n, Settings{}).Read(t.Context(), blank(320, 64)); err == nil {
			t.Errorf("%s: got %d lines and no error", name, len(lines))
		}
	}
}

func TestAnErrorQuotesNoText(t *testing.T) {
	calls := 0
	nets := Networks{Detect: marks(level(100, 20, 150, 10), level(100, 50, 150, 10)), Read: func(ctx context.Context, shape []int64, in []float32) ([]int64, []float32, error) {
		if calls++; calls > 1 {
			return nil, nil, context.Canceled
		}
		return says(5, 1, 2)(ctx, shape, in)
	}}
	_, err := readerOf(t, nets, Settings{}).Read(t.Context(), blank(320, 64))
	if !errors.Is(err, context.Canceled) || strings.Contains(err.Error(), "你") {
		t.Errorf("got %v", err)
	}
}

func TestNoMoreLinesAreReadThanAllowed(t *testing.T) {
	var all []box
	for i := range 10 {
		all = append(all, level(150, 20+40*float64(i), 200, 8+2*float64(i)))
	}
	lines, err := readerOf(t, Networks{Detect: marks(all...)}, Settings{MaxLines: 4}).Read(t.Context(), blank(320, 416))
	if err != nil || len(lines) != 4 {
		t.Fatalf("got %d lines, %v, want 4", len(lines), err)
	}
	for _, l := range lines {
		if l.Box[1] < 6*40-20 {
			t.Errorf("a line at %v is read, want the tallest ones", l.Box)
		}
	}
}

func TestAPageTellsHowMuchOfItWasNotRead(t *testing.T) {
	var all []box
	for i := range 10 {
		all = append(all, level(150, 20+40*float64(i), 200, 20))
	}
	for most, want := range map[int]Page{10: {Tried: 10}, 4: {Tried: 4, Left: 6}} {
		page, err := readerOf(t, Networks{Detect: marks(all...)}, Settings{}).Page(t.Context(), blank(320, 416), most)
		if err != nil || page.Tried != want.Tried || page.Left != want.Left || len(page.Lines) != want.Tried {
			t.Errorf("at most %d: read %d places, left %d, %v", most, page.Tried, page.Left, err)
		}
	}
	searched := 0
	r := readerOf(t, Networks{Detect: func(ctx context.Context, shape []int64, in []float32) ([]int64, []float32, error) {
		searched++
		return marks(all...)(ctx, shape, in)
	}}, Settings{})
	if page, err := r.Page(t.Context(), blank(1280, 960), 0); err != nil || page.Tried != 0 || page.Left == 0 || searched != 1 {
		t.Errorf("a glance alone: %+v after %d searches, %v", page, searched, err)
	}
}

// FuzzBoxes gives any map to the search for boxes.
func FuzzBoxes(f *testing.F) {
	f.Add(uint8(32), uint8(32), []byte{0xff, 0xff, 0xff, 0x7f, 0, 0, 0x80, 0x7f, 0, 0, 0x80, 0xff})
	r := rand.New(rand.NewPCG(1, 1))
	noise := make([]byte, 4*64*64)
	for i := 0; i < len(noise); i += 4 {
		binary.LittleEndian.PutUint32(noise[i:], math.Float32bits(r.Float32()))
	}
	f.Add(uint8(64), uint8(64), noise)
	f.Fuzz(func(t *testing.T, w8, h8 uint8, raw []byte) {
		w, h := max(1, int(w8)), max(1, int(h8))
		m := make([]float32, w*h)
		for i := 0; i < len(m) && 4*i+4 <= len(raw); i++ {
			m[i] = math.Float32frombits(binary.LittleEndian.Uint32(raw[4*i:]))
		}
		p := blank(3*w, 2*h)
		for i, b := range boxes(m, w, h) {
			if !b.centre.finite() || !b.u.finite() || !(b.hu > 0 && b.hv > 0) || math.Abs(b.u.dot(b.u)-1) > 1e-6 {
				t.Fatalf("box %+v", b)
			}
			b, _ = b.scale(3, 2).laid()
			if a := b.around(p); a[0] < 0 || a[1] < 0 || a[2] < 0 || a[3] < 0 || a[0]+a[2] > float64(p.Width) || a[1]+a[3] > float64(p.Height) {
				t.Fatalf("around %v", a)
			}
			if i < 4 {
				p.pack(make([]float32, 3*48*32), 32, 48, b, min(max(lineWidth(b), 1), 32), centred)
			}
		}
	})
}

// FuzzDecode gives any answer to the decoder of characters.
func FuzzDecode(f *testing.F) {
	f.Add([]byte{0, 0, 0x80, 0x7f, 0, 0, 0xc0, 0x7f})
	f.Fuzz(func(t *testing.T, raw []byte) {
		steps := make([]float32, len(raw)/4)
		for i := range steps {
			steps[i] = math.Float32frombits(binary.LittleEndian.Uint32(raw[4*i:]))
		}
		text, score := decode(steps, keys)
		if !(score >= 0 && score <= 1) || len(text) > 3*len(steps) {
			t.Errorf("%d bytes of text, score %v", len(text), score)
		}
	})
}
