// Package tokenizer turns text into what our own text models read. It folds each code point by a table (width, case,
// traditional characters, accents, what has no shape), cuts words into the pieces of a pruned Unigram vocabulary by
// the path of the highest score, cuts long texts into windows and puts the conversation before them. Every token
// knows which bytes of the text it came from. It is held to a reference by golden vectors: models/weights/text-encoder
// TOKENIZER.md is the specification. It needs no C.
package tokenizer

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxTable bounds what a compressed table may unpack to.
const maxTable = 16 << 20

// Fold is the table that says, for each code point by itself, which code points are read in its place.
type Fold struct {
	pages  [(utf8.MaxRune >> 8) + 1]uint16 // which page holds a code point; page 0 changes nothing
	page   [][256]uint32                   // 0: stays; else 1 + offset<<8 + length
	folded []rune
}

// ParseFold reads a gzipped table: lines "CP TAB CP CP …" in hexadecimal, where nothing after the TAB means that the
// code point is dropped. What is not listed stays.
func ParseFold(compressed []byte) (*Fold, error) {
	f := &Fold{page: make([][256]uint32, 1)}
	err := lines(compressed, func(n int, line string) error {
		from, to, ok := strings.Cut(line, "\t")
		cp, err := strconv.ParseUint(from, 16, 32)
		if !ok || err != nil || cp > utf8.MaxRune {
			return fmt.Errorf("line %d is no entry", n)
		}
		at := len(f.folded)
		for _, hex := range strings.Fields(to) {
			r, err := strconv.ParseUint(hex, 16, 32)
			if err != nil || !utf8.ValidRune(rune(r)) {
				return fmt.Errorf("line %d has no code point in %q", n, hex)
			}
			f.folded = append(f.folded, rune(r))
		}
		if len(f.folded)-at > 0xFF {
			return fmt.Errorf("line %d is too long", n)
		}
		f.set(rune(cp), uint32(at)<<8|uint32(len(f.folded)-at))
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read fold table: %w", err)
	}
	return f, nil
}

func (f *Fold) set(r rune, entry uint32) {
	page := &f.pages[r>>8]
	if *page == 0 {
		f.page = append(f.page, [256]uint32{})
		*page = uint16(len(f.page) - 1)
	}
	f.page[*page][r&0xFF] = entry + 1
}

// Rune gives what is read in place of r. The second value is false if r stays as it is; otherwise the slice, which
// must not be changed, says what stands for it, and may be empty.
func (f *Fold) Rune(r rune) ([]rune, bool) {
	entry := f.page[f.pages[r>>8]][r&0xFF]
	if entry == 0 {
		return nil, false
	}
	entry--
	return f.folded[entry>>8:][:entry&0xFF], true
}

// String gives the folded text. A byte that starts no valid UTF-8 sequence reads as U+FFFD.
func (f *Fold) String(text string) string {
	out := make([]byte, 0, len(text))
	for _, r := range text {
		folded, changed := f.Rune(r)
		if !changed {
			out = utf8.AppendRune(out, r)
			continue
		}
		for _, c := range folded {
			out = utf8.AppendRune(out, c)
		}
	}
	return string(out)
}

// HasHan tells whether the folded text holds a Chinese character (U+4E00 to U+9FFF), by which a text counts as
// Chinese when its scores are calibrated.
func (f *Fold) HasHan(text string) bool {
	for _, r := range text {
		folded, changed := f.Rune(r)
		if !changed && isHan(r) || slices.ContainsFunc(folded, isHan) {
			return true
		}
	}
	return false
}

func isHan(r rune) bool { return r >= 0x4E00 && r <= 0x9FFF }

// lines calls visit for each line of a gzipped text, without its line end.
func lines(compressed []byte, visit func(n int, line string) error) error {
	gz, err := gzip.NewReader(bytes.NewReader(compressed))
	if err != nil {
		return err
	}
	in := bufio.NewReader(io.LimitReader(gz, maxTable))
	for n := 0; ; n++ {
		line, err := in.ReadString('\n')
		if err == io.EOF && line == "" {
			return nil
		}
		if err != nil && err != io.EOF {
			return err
		}
		if err := visit(n, strings.TrimSuffix(line, "\n")); err != nil {
			return err
		}
	}
}
