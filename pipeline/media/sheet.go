package media

import (
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"math"
	"time"

	"github.com/disintegration/imaging"
	"golang.org/x/image/font"
	"golang.org/x/image/font/basicfont"
	"golang.org/x/image/math/fixed"
)

// SheetFrame is one frame of a sheet.
type SheetFrame struct {
	Picture *RGB
	At      time.Duration // when it is shown; stands below it
	Marked  bool          // the one to look at first: a frame is drawn around it
}

// Pixels around each frame of a sheet, and of the line below it.
const (
	sheetGap     = 8
	sheetCaption = 34
)

// Sheet lays frames of a film side by side, row by row in the order given, and
// gives two JPEGs: a plain one in which each has its second below it, and one
// without, in which each is as grey and blurred as the preview of a photo. They
// are at most so many pixels long, and no frame is enlarged.
func Sheet(frames []SheetFrame, plainSide, greySide int) (plain, grey []byte, err error) {
	s := sheet{frames: frames}
	for i, f := range frames {
		if p := f.Picture; p == nil || p.Width < 1 || p.Height < 1 || len(p.Pix) != 3*p.Width*p.Height {
			return nil, nil, fmt.Errorf("lay frame %d on a sheet: %w", i, ErrBroken)
		}
		s.cell.X, s.cell.Y = max(s.cell.X, f.Picture.Width), max(s.cell.Y, f.Picture.Height)
	}
	if len(frames) == 0 {
		return nil, nil, fmt.Errorf("a sheet without frames: %w", ErrBroken)
	}
	s.arrange()
	if plain, err = encodeJPEG(s.draw(plainSide, sheetCaption, func(img *image.NRGBA, _ int) *image.NRGBA { return img })); err != nil {
		return nil, nil, err
	}
	if grey, err = encodeJPEG(s.draw(greySide, 0, soften)); err != nil {
		return nil, nil, err
	}
	return plain, grey, nil
}

// sheet is a grid of frames of about one size.
type sheet struct {
	frames        []SheetFrame
	cell          image.Point // the largest frame, pixels
	columns, rows int
}

// arrange takes the grid that is most nearly a little wider than high, as screens
// are, whether the film was held upright or not.
func (s *sheet) arrange() {
	n, least := len(s.frames), math.Inf(1)
	for columns := 1; columns <= n; columns++ {
		rows := (n + columns - 1) / columns
		shape := float64(columns*s.cell.X) / float64(rows*s.cell.Y) / 1.5
		empty := float64(rows*columns-n) / float64(n)
		if off := math.Abs(math.Log(shape)) + empty; off < least {
			least, s.columns, s.rows = off, columns, rows
		}
	}
}

// size is that of each frame on a sheet with sides of at most so many pixels.
func (s *sheet) size(side, caption int) image.Point {
	w := float64(side-sheetGap*(s.columns+1)) / float64(s.columns*s.cell.X)
	h := float64(side-sheetGap-(sheetGap+caption)*s.rows) / float64(s.rows*s.cell.Y)
	k := min(w, h, 1)
	return image.Pt(max(1, int(k*float64(s.cell.X))), max(1, int(k*float64(s.cell.Y))))
}

// draw lays the frames out. treat gets each at its size, with its longest side.
// Only with captions is one marked.
func (s *sheet) draw(side, caption int, treat func(img *image.NRGBA, side int) *image.NRGBA) *image.NRGBA {
	size := s.size(side, caption)
	step := size.Add(image.Pt(sheetGap, sheetGap+caption))
	page := image.NewNRGBA(image.Rect(0, 0, sheetGap+s.columns*step.X, sheetGap+s.rows*step.Y))
	draw.Draw(page, page.Rect, image.White, image.Point{}, draw.Src)
	for i, f := range s.frames {
		at := image.Pt(sheetGap+i%s.columns*step.X, sheetGap+i/s.columns*step.Y)
		cell := image.Rectangle{Min: at, Max: at.Add(size)}
		if caption > 0 {
			below := image.Rect(cell.Min.X, cell.Max.Y, cell.Max.X, cell.Max.Y+caption)
			var ink color.Color = color.Black
			if f.Marked {
				draw.Draw(page, cell.Union(below).Inset(-sheetGap/2), image.Black, image.Point{}, draw.Src)
				ink = color.White
			}
			write(page, below, ink, fmt.Sprintf("%.1f s", f.At.Seconds()))
		}
		img := treat(imaging.Fit(f.Picture.image(), size.X, size.Y, imaging.Linear), max(size.X, size.Y))
		middle := cell.Min.Add(size.Sub(img.Rect.Size()).Div(2))
		draw.Draw(page, image.Rectangle{Min: middle, Max: middle.Add(img.Rect.Size())}, img, img.Rect.Min, draw.Src)
	}
	return page
}

// write puts a line into r, at twice the size of the face.
func write(page *image.NRGBA, r image.Rectangle, ink color.Color, line string) {
	face := basicfont.Face7x13
	small := image.NewNRGBA(image.Rect(0, 0, face.Advance*len(line), face.Height))
	d := font.Drawer{Dst: small, Src: image.NewUniform(ink), Face: face, Dot: fixed.P(0, face.Ascent)}
	d.DrawString(line)
	large := imaging.Resize(small, 2*small.Rect.Dx(), 2*small.Rect.Dy(), imaging.NearestNeighbor)
	at := image.Pt(r.Min.X+sheetGap/2, r.Min.Y+(r.Dy()-large.Rect.Dy())/2)
	draw.Draw(page, large.Rect.Add(at).Intersect(r), large, image.Point{}, draw.Over)
}

// image is the same pixels as an opaque picture.
func (p *RGB) image() *image.NRGBA {
	img := image.NewNRGBA(image.Rect(0, 0, p.Width, p.Height))
	for i := range p.Width * p.Height {
		copy(img.Pix[4*i:4*i+3], p.Pix[3*i:])
		img.Pix[4*i+3] = 255
	}
	return img
}
