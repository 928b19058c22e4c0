package examine

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"nightlight/pipeline"
	"nightlight/pipeline/media"
	"nightlight/pipeline/ocr"
	"nightlight/pipeline/qr"
)

// ReadSide is the longest side in pixels at which pictures are read.
const ReadSide = 1280

// writing is a line of text or a QR code as it is kept for reviewers.
type writing struct {
	Text string   `json:"text"`
	Box  [4]int   `json:"box"` // left, top, width, height in pixels of the shown picture
	At   *float64 `json:"at,omitempty"`
	In   string   `json:"in,omitempty"` // "qr" for a code
}

// Of all frames of a file together at most mostRead different lines are read, in
// mostTried tries. Two lines of captions that change every second of a minute are
// fewer, and so are ten before a scene that moves.
const (
	mostRead  = 320
	mostTried = 2 * mostRead
)

// read judges what is written in the frames. Words that stand still through a
// film are judged once. Writing that is left out is a fault.
func (e *Examiner) read(ctx context.Context, d *media.Decoded, s *Sight) error {
	var kept []writing
	seen := map[string]bool{}
	pages := 0 // that say something which none did before
	var film *ocr.Film
	if e.OCR != nil {
		film = e.OCR.Film(mostRead, mostTried)
		s.Add(pipeline.Findings{Models: e.OCR.Models()})
	}
	for _, f := range d.Frames {
		if f.Picture == nil {
			s.leftOut("picture")
			continue
		}
		p := page{picture: ocr.Picture(*f.Picture), sx: float64(d.Width) / float64(f.Picture.Width), sy: float64(d.Height) / float64(f.Picture.Height), card: f.TestCard}
		if d.FrameCount > 1 {
			at := f.At.Seconds()
			p.at = &at
		}
		lines, err := e.lines(ctx, film, p)
		if err != nil {
			return err
		}
		for _, look := range []struct {
			in   string
			page ocr.Page
		}{{"ocr", lines}, {"qr", codes(p)}} {
			if look.page.Left > 0 {
				s.leftOut(look.in)
			}
			text, _ := ocr.Join(look.page.Lines)
			if len(look.page.Lines) == 0 || seen[look.in+text] {
				continue
			}
			seen[look.in+text] = true
			if look.in == "ocr" {
				pages++
			}
			found, err := e.judgeLines(ctx, p, look.in, look.page.Lines)
			if err != nil {
				return err
			}
			s.merge(found)
			kept = append(kept, p.writings(look.in, look.page.Lines)...)
		}
	}
	if d.Thinned > 0 && 2*pages > len(d.Frames) { // then those left out say other things too
		s.leftOut("ocr")
	}
	if len(kept) == 0 {
		return nil
	}
	b, err := json.Marshal(kept)
	if err != nil {
		return fmt.Errorf("keep what was read: %w", err)
	}
	s.OCR = b
	return nil
}

// leftOut notes that there is writing which nobody read.
func (s *Sight) leftOut(source string) {
	s.merge(pipeline.Findings{Faults: []pipeline.Fault{{Source: source, Reason: "not_all_read"}}})
}

// page is a frame to read: how much larger the shown picture is, and when it
// is shown.
type page struct {
	picture ocr.Picture
	sx, sy  float64
	at      *float64
	card    string // label of a test card in it
}

// lines reads the text of a page of a film; without a reader there is none.
func (e *Examiner) lines(ctx context.Context, film *ocr.Film, p page) (ocr.Page, error) {
	if film == nil {
		return ocr.Page{}, nil
	}
	read, err := film.Page(ctx, p.picture)
	if err != nil {
		return read, again(ctx, e.OCR.Models()[0], err)
	}
	if p.card != "" { // a card trips its label alone, and its caption none
		read.Lines = slices.DeleteFunc(read.Lines, func(l ocr.Line) bool { return captionOf(p.card, l.Text) })
	}
	return read, nil
}

// captionOf tells whether a line is what media.TestCard writes below the card
// of a label, give or take a few misread letters.
func captionOf(label, line string) bool {
	letters := func(s string) string {
		return strings.Map(func(r rune) rune {
			if unicode.IsLetter(r) {
				return unicode.ToLower(r)
			}
			return -1
		}, s)
	}
	return ocr.Edits(letters(line), letters("Nightlight test card, harmless: "+label)) <= 5
}

// codes reads the QR codes of a page. One that the decoder stumbles over is
// no code to a phone either.
func codes(p page) (read ocr.Page) {
	found, more, err := qr.Read(p.picture.Width, p.picture.Height, p.picture.Pix)
	if err != nil {
		return read
	}
	if more {
		read.Left = 1
	}
	for _, c := range found {
		read.Lines = append(read.Lines, ocr.Line{Text: c.Text, Box: c.Box, Score: 1})
	}
	return read
}

// judgeLines judges what was read, and each code by what it does. It keeps the
// highest score a label of each source.
func (e *Examiner) judgeLines(ctx context.Context, p page, in string, lines []ocr.Line) (pipeline.Findings, error) {
	f, err := e.readLines(ctx, lines)
	if err != nil {
		return f, err
	}
	text, starts := ocr.Join(lines)
	if in == "qr" {
		f.Models = append(f.Models, qr.Ref)
		for i, l := range lines {
			if s, ok := qr.Signal(l.Text); ok {
				s.Start, s.End = starts[i], starts[i]+len([]rune(l.Text))
				f.Signals = append(f.Signals, s)
			}
		}
	}
	for i := range f.Signals {
		s := &f.Signals[i]
		if s.Start == 0 && s.End == 0 {
			s.End = len([]rune(text))
		}
		s.In, s.At = in, p.at
		if box, ok := ocr.Around(lines, starts, s.Start, s.End, p.sx, p.sy); ok {
			s.Box = &box
		}
	}
	f.Signals = highest(f.Signals)
	return f, nil
}

const (
	// writtenOdds is how much rarer harm is in what is written in pictures,
	// signs and worksheets and shirts, than in the messages on which the text
	// models' scores are calibrated. By Bayes, odds are multiplied by it. Of
	// 320 harmless drawn lines and signs 5 then reach a decision point, instead
	// of 21; of 16 harmful lines 13, as with twice and more of it.
	writtenOdds = 0.2
	// piece is how many characters a text model gets at least. It knows
	// messages, and one line is more like a message than a whole page is.
	piece = 12
	// maxPieces bounds the pieces of one picture; the last takes all the rest.
	maxPieces = 40
)

// readLines gives all lines to the rules as one text, and to a text model piece
// by piece.
func (e *Examiner) readLines(ctx context.Context, lines []ocr.Line) (pipeline.Findings, error) {
	f := pipeline.Findings{Faults: slices.Clone(e.MissingText), Models: []pipeline.ModelRef{e.Rules.Ref()}}
	text, starts := ocr.Join(lines)
	ruled, err := e.Rules.ClassifyText(ctx, pipeline.Text{Text: text})
	if err != nil {
		return f, again(ctx, e.Rules.Ref(), err)
	}
	f.Signals = ruled
	pieces := 0
	for from := 0; from < len(lines); pieces++ {
		to := from + 1
		for to < len(lines) && (pieces == maxPieces-1 || starts[to]-starts[from] <= piece) {
			to++
		}
		part, _ := ocr.Join(lines[from:to])
		found, err := e.views(ctx, pipeline.Text{Text: part})
		if err != nil {
			return f, err
		}
		for i := range found.Signals {
			s := &found.Signals[i]
			if s.Start == 0 && s.End == 0 {
				s.End = len([]rune(part))
			}
			s.Start, s.End = s.Start+starts[from], s.End+starts[from]
			s.Score = s.Score * writtenOdds / (s.Score*writtenOdds + 1 - s.Score)
		}
		found.Faults = slices.DeleteFunc(found.Faults, func(fault pipeline.Fault) bool { return slices.Contains(f.Faults, fault) })
		f.Add(found)
		from = to
	}
	return f, nil
}

func (p page) writings(in string, lines []ocr.Line) []writing {
	if in == "ocr" {
		in = ""
	}
	var out []writing
	for i := range lines {
		box, _ := ocr.Around(lines[i:i+1], []int{0}, 0, 0, p.sx, p.sy)
		out = append(out, writing{Text: lines[i].Text, Box: box, At: p.at, In: in})
	}
	return out
}

// merge adds findings; a fault that is known already is not said twice.
func (s *Sight) merge(f pipeline.Findings) {
	f.Faults = slices.DeleteFunc(f.Faults, func(fault pipeline.Fault) bool { return slices.Contains(s.Faults, fault) })
	s.Add(f)
}
