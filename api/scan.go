package api

import (
	"bytes"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// FieldError is one thing that is wrong with a request: which field, and why.
// It never holds a value.
type FieldError struct {
	Field  string `json:"field"`
	Reason string `json:"reason"`
}

const (
	maxDepth  = 32 // nesting of a JSON document
	maxErrors = 16 // reported for one document
)

// scan reads one JSON document (RFC 8259) strictly. Mistakes of meaning are
// gathered and reading goes on; a mistake of syntax ends it. No reason quotes
// the document.
type scan struct {
	b     []byte
	i     int
	depth int
	path  []byte // of the value being read, such as recipients[2].id
	errs  []FieldError
	ended bool // a syntax error was found
	buf   []byte
}

// document reads a whole document into what read fills and returns what is
// wrong with it.
func document(b []byte, read func(*scan)) []FieldError {
	s := scan{b: b}
	s.space()
	read(&s)
	s.space()
	if !s.ended && s.i < len(s.b) {
		s.path = s.path[:0]
		s.fail("nothing may follow the JSON value")
	}
	return s.errs
}

// wrong records what is wrong with the value at the current path.
func (s *scan) wrong(reason string) { s.wrongAt("", reason) }

// wrongAt records what is wrong with a field of the object at the current path.
func (s *scan) wrongAt(name, reason string) {
	if len(s.errs) >= maxErrors {
		return
	}
	field := string(s.path)
	switch {
	case field == "" && name == "":
		field = "body"
	case field == "":
		field = name
	case name != "":
		field += "." + name
	}
	s.errs = append(s.errs, FieldError{field, reason})
}

// fail ends the reading: the document is not JSON from here on.
func (s *scan) fail(reason string) {
	if !s.ended {
		if len(s.errs) >= maxErrors {
			s.errs = s.errs[:maxErrors-1]
		}
		s.wrong(reason)
		s.ended = true
	}
	s.i = len(s.b)
}

const malformed = "malformed JSON"

func (s *scan) space() {
	for s.i < len(s.b) {
		switch s.b[s.i] {
		case ' ', '\t', '\n', '\r':
			s.i++
		default:
			return
		}
	}
}

// next is the byte that comes, 0 at the end.
func (s *scan) next() byte {
	if s.i < len(s.b) {
		return s.b[s.i]
	}
	return 0
}

func (s *scan) take(c byte) bool {
	if s.next() != c || s.i >= len(s.b) {
		return false
	}
	s.i++
	return true
}

func (s *scan) literal(word string) bool {
	if len(s.b)-s.i < len(word) || string(s.b[s.i:s.i+len(word)]) != word {
		return false
	}
	s.i += len(word)
	return true
}

// enter goes one level deeper, or ends the reading when that is too deep.
func (s *scan) enter() bool {
	s.i++ // the bracket
	if s.depth++; s.depth > maxDepth {
		s.fail("nested more than 32 deep")
		return false
	}
	return true
}

// text reads a string of at most most code points. ok is false when it is
// none; what is wrong is recorded.
func (s *scan) text(most int) (string, bool) {
	if s.next() != '"' {
		s.mistyped("want a string")
		return "", false
	}
	raw, ok := s.quoted()
	if !ok {
		return "", false
	}
	if len(raw) > most && utf8.RuneCount(raw) > most {
		s.wrong("longer than " + strconv.Itoa(most) + " characters")
		return "", false
	}
	if bytes.IndexByte(raw, 0) >= 0 {
		s.wrong("must not hold the NUL character")
		return "", false
	}
	return string(raw), true
}

// quoted reads a string and returns its bytes, which hold until the next call.
func (s *scan) quoted() ([]byte, bool) {
	s.i++ // the quote
	start := s.i
	for s.i < len(s.b) {
		switch c := s.b[s.i]; {
		case c == '"':
			s.i++
			return s.b[start : s.i-1], true
		case c == '\\':
			return s.escaped(start)
		case c < 0x20:
			s.fail("control character in a string")
			return nil, false
		case c < utf8.RuneSelf:
			s.i++
		default:
			if !s.rune() {
				return nil, false
			}
		}
	}
	s.fail(malformed)
	return nil, false
}

// rune steps over one character that is not ASCII.
func (s *scan) rune() bool {
	r, n := utf8.DecodeRune(s.b[s.i:])
	if r == utf8.RuneError && n <= 1 {
		s.fail("not valid UTF-8")
		return false
	}
	s.i += n
	return true
}

// escaped is the slow half of quoted: it copies from start on.
func (s *scan) escaped(start int) ([]byte, bool) {
	s.buf = append(s.buf[:0], s.b[start:s.i]...)
	for s.i < len(s.b) {
		switch c := s.b[s.i]; {
		case c == '"':
			s.i++
			return s.buf, true
		case c == '\\':
			s.i++
			if !s.escape() {
				return nil, false
			}
		case c < 0x20:
			s.fail("control character in a string")
			return nil, false
		case c < utf8.RuneSelf:
			s.buf = append(s.buf, c)
			s.i++
		default:
			from := s.i
			if !s.rune() {
				return nil, false
			}
			s.buf = append(s.buf, s.b[from:s.i]...)
		}
	}
	s.fail(malformed)
	return nil, false
}

// escape reads what follows a backslash.
func (s *scan) escape() bool {
	c := s.next()
	s.i++
	switch c {
	case '"', '\\', '/':
		s.buf = append(s.buf, c)
	case 'b':
		s.buf = append(s.buf, '\b')
	case 'f':
		s.buf = append(s.buf, '\f')
	case 'n':
		s.buf = append(s.buf, '\n')
	case 'r':
		s.buf = append(s.buf, '\r')
	case 't':
		s.buf = append(s.buf, '\t')
	case 'u':
		return s.unicode()
	default:
		s.fail(malformed)
		return false
	}
	return true
}

// unicode reads the digits of \uXXXX, and the second half of a surrogate pair.
func (s *scan) unicode() bool {
	r, ok := s.hex()
	if !ok {
		return false
	}
	if utf16.IsSurrogate(r) {
		if !s.literal(`\u`) {
			s.fail("lone surrogate in a string")
			return false
		}
		low, ok := s.hex()
		if !ok {
			return false
		}
		if r = utf16.DecodeRune(r, low); r == utf8.RuneError {
			s.fail("lone surrogate in a string")
			return false
		}
	}
	s.buf = utf8.AppendRune(s.buf, r)
	return true
}

func (s *scan) hex() (rune, bool) {
	if len(s.b)-s.i < 4 {
		s.fail(malformed)
		return 0, false
	}
	var r rune
	for _, c := range s.b[s.i : s.i+4] {
		switch {
		case c >= '0' && c <= '9':
			r = r<<4 | rune(c-'0')
		case c >= 'a' && c <= 'f':
			r = r<<4 | rune(c-'a'+10)
		case c >= 'A' && c <= 'F':
			r = r<<4 | rune(c-'A'+10)
		default:
			s.fail(malformed)
			return 0, false
		}
	}
	s.i += 4
	return r, true
}

// whole reads a whole number between least and most. A fraction or an exponent
// is refused even when its value is whole.
func (s *scan) whole(least, most int64) (int64, bool) {
	if c := s.next(); c != '-' && (c < '0' || c > '9') {
		s.mistyped("want a whole number")
		return 0, false
	}
	digits, whole, ok := s.number()
	if !ok {
		return 0, false
	}
	n, err := strconv.ParseInt(string(digits), 10, 64)
	switch {
	case !whole:
		s.wrong("want a whole number")
	case err != nil || n < least || n > most:
		s.wrong("want " + strconv.FormatInt(least, 10) + " to " + strconv.FormatInt(most, 10))
	default:
		return n, true
	}
	return 0, false
}

// number steps over a number and reports whether it has neither fraction nor
// exponent.
func (s *scan) number() (digits []byte, whole, ok bool) {
	start := s.i
	s.take('-')
	if s.take('0') {
		// no digit may follow
	} else if !s.digits() {
		return nil, false, false
	}
	whole = true
	if s.take('.') {
		whole = false
		if !s.digits() {
			return nil, false, false
		}
	}
	if c := s.next(); c == 'e' || c == 'E' {
		whole = false
		s.i++
		if !s.take('+') {
			s.take('-')
		}
		if !s.digits() {
			return nil, false, false
		}
	}
	if c := s.next(); c >= '0' && c <= '9' {
		s.fail(malformed)
		return nil, false, false
	}
	return s.b[start:s.i], whole, true
}

func (s *scan) digits() bool {
	start := s.i
	for c := s.next(); c >= '0' && c <= '9'; c = s.next() {
		s.i++
	}
	if s.i == start {
		s.fail(malformed)
		return false
	}
	return true
}

// mistyped records a value of the wrong type and steps over it.
func (s *scan) mistyped(reason string) {
	s.wrong(reason)
	s.skip()
}

// skip steps over any value, checking its syntax all the same.
func (s *scan) skip() {
	switch c := s.next(); {
	case c == '{' || c == '[':
		s.skipNested(c == '{')
	case c == '"':
		s.quoted()
	case c == '-' || c >= '0' && c <= '9':
		s.number()
	case s.literal("true"), s.literal("false"), s.literal("null"):
	default:
		s.fail(malformed)
	}
}

func (s *scan) skipNested(object bool) {
	if !s.enter() {
		return
	}
	closing := byte(']')
	if object {
		closing = '}'
	}
	s.space()
	for first := true; !s.take(closing); first = false {
		if !first {
			if !s.take(',') {
				s.fail(malformed)
				return
			}
			s.space()
		}
		if object && !s.skipName() {
			return
		}
		s.skip()
		if s.ended {
			return
		}
		s.space()
	}
	s.depth--
}

func (s *scan) skipName() bool {
	if s.next() != '"' {
		s.fail(malformed)
		return false
	}
	if _, ok := s.quoted(); !ok {
		return false
	}
	return s.colon()
}

func (s *scan) colon() bool {
	s.space()
	if !s.take(':') {
		s.fail(malformed)
		return false
	}
	s.space()
	return true
}
