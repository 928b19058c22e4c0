// Package ocrtest draws pages of made-up, harmless text, so that tests know what a picture says. It needs a font with
// Chinese characters on the machine.
package ocrtest

import (
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"math"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	xdraw "golang.org/x/image/draw"
	"golang.org/x/image/font"
	"golang.org/x/image/font/opentype"
	"golang.org/x/image/math/f64"
	"golang.org/x/image/math/fixed"

	"nightlight/pipeline/ocr"
)

// fontFile is where Debian's fonts-noto-cjk puts the font.
const fontFile = "/usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc"

// Font reads the font. Without it the test is skipped, or fails if CI=true.
func Font(t testing.TB) *opentype.Font {
	t.Helper()
	data, err := os.ReadFile(fontFile)
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("no font with Chinese characters: install fonts-noto-cjk")
		}
		t.Skip("no font with Chinese characters: install fonts-noto-cjk")
	}
	c, err := opentype.ParseCollection(data)
	if err != nil {
		t.Fatal(err)
	}
	for i := range c.NumFonts() { // the collection's faces differ in regional forms
		f, err := c.Font(i)
		if err != nil {
			t.Fatal(err)
		}
		if name, err := f.Name(nil, 1); err == nil && strings.Contains(name, "SC") {
			return f
		}
	}
	f, err := c.Font(0)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// Look says how a page is drawn.
type Look struct {
	Name       string
	Size       float64 // of the letters, in pixels
	Ink, Paper color.NRGBA
	Noise      int     // each value of each pixel is moved by at most so much
	Photo      bool    // on soft coloured shapes and not on plain paper
	Quarters   int     // turned clockwise by so many quarters
	Tilt       float64 // turned clockwise by so many degrees besides
}

// Looks are the ways in which tests draw pages.
var Looks = []Look{
	{Name: "plain", Size: 30, Ink: color.NRGBA{0, 0, 0, 255}, Paper: color.NRGBA{255, 255, 255, 255}},
	{Name: "small", Size: 20, Ink: color.NRGBA{40, 40, 40, 255}, Paper: color.NRGBA{240, 240, 235, 255}},
	{Name: "light on dark", Size: 32, Ink: color.NRGBA{250, 250, 250, 255}, Paper: color.NRGBA{20, 30, 60, 255}},
	{Name: "coloured", Size: 36, Ink: color.NRGBA{180, 20, 40, 255}, Paper: color.NRGBA{255, 235, 170, 255}},
	{Name: "on noise", Size: 34, Ink: color.NRGBA{10, 10, 10, 255}, Paper: color.NRGBA{200, 200, 200, 255}, Noise: 50},
	{Name: "on a photo", Size: 36, Ink: color.NRGBA{255, 255, 255, 255}, Paper: color.NRGBA{60, 90, 70, 255}, Photo: true, Noise: 12},
	{Name: "upside down", Size: 30, Ink: color.NRGBA{0, 0, 0, 255}, Paper: color.NRGBA{255, 255, 255, 255}, Quarters: 2},
	{Name: "turned right", Size: 32, Ink: color.NRGBA{0, 0, 0, 255}, Paper: color.NRGBA{250, 250, 240, 255}, Quarters: 1},
	{Name: "turned left", Size: 32, Ink: color.NRGBA{20, 20, 90, 255}, Paper: color.NRGBA{250, 250, 250, 255}, Quarters: 3},
	{Name: "tilted", Size: 34, Ink: color.NRGBA{0, 0, 0, 255}, Paper: color.NRGBA{255, 255, 255, 255}, Tilt: 7},
}

// Page draws lines below each other.
func Page(t testing.TB, f *opentype.Font, look Look, lines ...string) *image.NRGBA {
	t.Helper()
	face, err := opentype.NewFace(f, &opentype.FaceOptions{Size: look.Size, DPI: 72, Hinting: font.HintingFull})
	if err != nil {
		t.Fatal(err)
	}
	defer face.Close()
	step := int(look.Size * 1.9)
	w := 64
	for _, l := range lines {
		w = max(w, font.MeasureString(face, l).Ceil())
	}
	margin := int(look.Size * 1.5)
	img := image.NewNRGBA(image.Rect(0, 0, w+2*margin, step*len(lines)+2*margin))
	paper(img, look)
	d := font.Drawer{Dst: img, Src: image.NewUniform(look.Ink), Face: face}
	for i, l := range lines {
		d.Dot = fixed.P(margin, margin+step*i+step*2/3)
		d.DrawString(l)
	}
	img = turned(img, look)
	speckle(img, look.Noise)
	return img
}

func paper(img *image.NRGBA, look Look) {
	draw.Draw(img, img.Rect, image.NewUniform(look.Paper), image.Point{}, draw.Src)
	if !look.Photo {
		return
	}
	for y := range img.Rect.Dy() {
		for x := range img.Rect.Dx() {
			wave := math.Sin(float64(x)/37) + math.Cos(float64(y)/23+float64(x)/91)
			c := look.Paper
			img.SetNRGBA(x, y, color.NRGBA{c.R + uint8(30*wave+60)/2, c.G + uint8(20*wave+40)/2, c.B + uint8(35*wave+70)/2, 255})
		}
	}
}

func turned(img *image.NRGBA, look Look) *image.NRGBA {
	angle := (float64(look.Quarters)*90 + look.Tilt) * math.Pi / 180
	if angle == 0 {
		return img
	}
	sin, cos := math.Sincos(angle)
	w, h := float64(img.Rect.Dx()), float64(img.Rect.Dy())
	nw, nh := math.Abs(w*cos)+math.Abs(h*sin), math.Abs(w*sin)+math.Abs(h*cos)
	out := image.NewNRGBA(image.Rect(0, 0, int(nw+.5), int(nh+.5)))
	draw.Draw(out, out.Rect, image.NewUniform(look.Paper), image.Point{}, draw.Src)
	m := f64.Aff3{cos, -sin, nw/2 - cos*w/2 + sin*h/2, sin, cos, nh/2 - sin*w/2 - cos*h/2}
	xdraw.BiLinear.Transform(out, m, img, img.Rect, draw.Over, nil)
	return out
}

func speckle(img *image.NRGBA, by int) {
	if by == 0 {
		return
	}
	r := rand.New(rand.NewPCG(1, 2))
	for i := range img.Pix {
		if i%4 != 3 {
			img.Pix[i] = uint8(min(max(int(img.Pix[i])+r.IntN(2*by+1)-by, 0), 255))
		}
	}
}

// Lines gives n different harmless lines in "zh", "en" or "mixed".
func Lines(lang string, n int) []string {
	r := rand.New(rand.NewPCG(7, uint64(len(lang))))
	pick := func(words string) string {
		all := strings.Fields(words)
		return strings.ReplaceAll(all[r.IntN(len(all))], "_", " ")
	}
	seen := map[string]bool{}
	var lines []string
	for len(lines) < n {
		var l string
		switch lang {
		case "zh":
			l = pick("今天下午 明天早上 星期六 放学以后 春天的时候 上个周末 晚饭之前 下雨的日子") + pick("我和妈妈 同学们 老师带我们 小猫 哥哥姐姐 爷爷奶奶 邻居家的孩子 全班同学") +
				pick("去公园 在图书馆 到操场 在厨房 坐地铁 沿着河边 回到家里 在花园") + pick("放风筝 看了三本书 踢足球 做蛋糕 画彩虹 数星星 听故事 种向日葵 学骑自行车 写数学作业")
		case "en":
			l = pick("Tomorrow_morning After_school On_Saturday In_the_spring Before_dinner Last_weekend") + " " +
				pick("my_brother the_whole_class our_teacher a_small_cat Grandma the_neighbours") + " " +
				pick("painted_a_rainbow reads_three_books played_football bakes_a_cake counted_stars flew_a_kite") + " " + pick("in_the_park at_home by_the_river near_the_library")
		default:
			l = pick("今天的 我们的 新学期的 周五的 同学的") + pick("homework English_class music_课 project 手工_DIY PE_课 science_作业") + pick("很有意思 要交了 已经完成 特别简单 需要准备") +
				fmt.Sprint(" ", 10+r.IntN(90), " ") + pick("分钟 pages 个单词 minutes 道题")
		}
		if !seen[l] {
			seen[l] = true
			lines = append(lines, l)
		}
	}
	return lines
}

// Distance gives the edits that make a into b, white space left out of both, and the number of characters of b.
func Distance(a, b string) (edits, length int) {
	a, b = strings.Join(strings.Fields(a), ""), strings.Join(strings.Fields(b), "")
	return ocr.Edits(a, b), len([]rune(b))
}
