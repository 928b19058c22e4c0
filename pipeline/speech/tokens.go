package speech

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// Tokens are the pieces that Whisper writes in: words and parts of them, languages, orders and times.
type Tokens struct {
	pieces    []string // of text, as bytes
	languages map[int]string

	end, start, transcribe, noSpeech, noTimes, firstTime int

	never, notFirst []int // never chosen; not chosen first
}

// NewTokens reads the vocabulary, a list of pieces, and the settings that name those which are never chosen. Both are
// JSON files that come with the model.
func NewTokens(vocabulary, config []byte) (*Tokens, error) {
	var pieces []string
	if err := json.Unmarshal(vocabulary, &pieces); err != nil {
		return nil, errors.New("read vocabulary: it is no list of words")
	}
	var c struct {
		Languages []int `json:"lang_ids"`
		Never     []int `json:"suppress_ids"`
		NotFirst  []int `json:"suppress_ids_begin"`
	}
	if err := json.Unmarshal(config, &c); err != nil {
		return nil, errors.New("read settings of the vocabulary: not as expected")
	}
	t := &Tokens{languages: map[int]string{}, never: c.Never, notFirst: c.NotFirst}
	for name, id := range map[string]*int{
		"<|endoftext|>": &t.end, "<|startoftranscript|>": &t.start, "<|transcribe|>": &t.transcribe,
		"<|nospeech|>": &t.noSpeech, "<|notimestamps|>": &t.noTimes, "<|0.00|>": &t.firstTime,
	} {
		if *id = slices.Index(pieces, name); *id < 0 {
			return nil, fmt.Errorf("read vocabulary: no %s in it", name)
		}
	}
	for _, id := range slices.Concat(c.Languages, c.Never, c.NotFirst) {
		if id < 0 || id >= len(pieces) {
			return nil, fmt.Errorf("read settings of the vocabulary: %d is no piece", id)
		}
	}
	for _, id := range c.Languages {
		t.languages[id] = strings.Trim(pieces[id], "<|>")
	}
	if t.language("zh") < 0 || t.language("en") < 0 {
		return nil, errors.New("read settings of the vocabulary: Chinese or English is missing")
	}
	bytesOf := byteLetters()
	for _, p := range pieces[:t.end] {
		t.pieces = append(t.pieces, spelled(p, bytesOf))
	}
	// The times go on to 30 s in steps of 0.02; nothing comes after them.
	if len(pieces) != t.firstTime+timesCount || len(t.pieces) != t.end {
		return nil, fmt.Errorf("read vocabulary: %d pieces, want %d", len(pieces), t.firstTime+timesCount)
	}
	return t, nil
}

// timesCount is how many times there are, from 0 to MaxWindow.
const timesCount = MaxWindow*timeSteps + 1

// timeSteps is how many of Whisper's times there are in a second.
const timeSteps = 50

func (t *Tokens) size() int { return t.firstTime + timesCount }

func (t *Tokens) language(code string) int {
	for id, l := range t.languages {
		if l == code {
			return id
		}
	}
	return -1
}

// text joins pieces. Bytes that are no whole character, which a model may leave, are dropped.
func (t *Tokens) text(ids []int) string {
	var b strings.Builder
	for _, id := range ids {
		if id >= 0 && id < len(t.pieces) {
			b.WriteString(t.pieces[id])
		}
	}
	return strings.ToValidUTF8(b.String(), "")
}

// spelled turns a piece, in which each byte is written as a letter, into its bytes.
func spelled(piece string, bytesOf map[rune]byte) string {
	out := make([]byte, 0, len(piece))
	for _, r := range piece {
		if b, ok := bytesOf[r]; ok {
			out = append(out, b)
			continue
		}
		out = utf8.AppendRune(out, r)
	}
	return string(out)
}

// byteLetters is the alphabet of byte-level pieces: printable bytes stand for themselves, the rest for the letters
// from U+0100 on.
func byteLetters() map[rune]byte {
	letters := map[rune]byte{}
	next := rune(256)
	for b := range 256 {
		r := rune(b)
		if !(r >= '!' && r <= '~' || r >= 0xa1 && r <= 0xac || r >= 0xae && r <= 0xff) {
			r = next
			next++
		}
		letters[r] = byte(b)
	}
	return letters
}
