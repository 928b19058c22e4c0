package api

import (
	"strings"
	"time"
)

// Limits of single values. They are part of the contract.
const (
	maxID         = 128     // characters of an id that a backend chose
	maxText       = 100_000 // characters of a message or caption
	maxNote       = 2_000   // characters of a report's or appeal's note
	maxAge        = 120
	maxRecipients = 500
	maxAhead      = 24 * time.Hour // how far a sender's clock may be ahead
)

// id reads a pseudonymous id: 1 to 128 printable ASCII characters.
func (s *scan) id() string {
	v, ok := s.text(maxID)
	if ok && !printable(v) {
		s.wrong("want 1 to 128 printable ASCII characters")
		return ""
	}
	return v
}

// printable reports whether v is 1 to maxID visible ASCII characters.
func printable(v string) bool {
	if len(v) == 0 || len(v) > maxID {
		return false
	}
	for i := range len(v) {
		if v[i] <= ' ' || v[i] > '~' {
			return false
		}
	}
	return true
}

// age reads whole years.
func (s *scan) age() *int {
	n, ok := s.whole(0, maxAge)
	if !ok {
		return nil
	}
	years := int(n)
	return &years
}

// moment reads an RFC 3339 time.
func (s *scan) moment() time.Time {
	v, ok := s.text(64)
	if !ok {
		return time.Time{}
	}
	t, err := time.Parse(time.RFC3339Nano, v)
	if err != nil || t.Year() < 1970 {
		s.wrong("want a time as in RFC 3339, such as 2026-05-04T16:20:00Z")
		return time.Time{}
	}
	return t.UTC()
}

// locale reads a language tag.
func (s *scan) locale() string {
	v, ok := s.text(maxID)
	if ok && !wellFormedTag(v) {
		s.wrong("want a BCP 47 language tag, such as zh-CN")
		return ""
	}
	return v
}

// oneOf reads one of a few words.
func oneOf[T ~string](s *scan, allowed ...T) T {
	v, ok := s.text(64)
	if !ok {
		return ""
	}
	names := make([]string, len(allowed))
	for i, a := range allowed {
		if string(a) == v {
			return a
		}
		names[i] = string(a)
	}
	s.wrong("want one of " + strings.Join(names, ", "))
	return ""
}

// wellFormedTag reports whether v has the form of a language tag (RFC 5646,
// section 2.1): language, script, region, variants, extensions, private use.
func wellFormedTag(v string) bool {
	if len(v) > 64 {
		return false
	}
	parts := strings.Split(v, "-")
	for _, p := range parts {
		if !alphanumeric(p, 1, 8) {
			return false
		}
	}
	if strings.EqualFold(parts[0], "x") {
		return len(parts) > 1
	}
	if !alphabetic(parts[0], 2, 8) {
		return false
	}
	rest := parts[1:]
	next := func(fits bool) bool {
		if fits {
			rest = rest[1:]
		}
		return fits
	}
	if len(parts[0]) <= 3 {
		for range 3 {
			if !next(len(rest) > 0 && alphabetic(rest[0], 3, 3)) {
				break
			}
		}
	}
	next(len(rest) > 0 && alphabetic(rest[0], 4, 4))
	next(len(rest) > 0 && (alphabetic(rest[0], 2, 2) || numeric(rest[0]) && len(rest[0]) == 3))
	for next(len(rest) > 0 && (len(rest[0]) >= 5 || len(rest[0]) == 4 && numeric(rest[0][:1]))) {
	}
	return extensions(rest)
}

// extensions reads singletons, each with its subtags; x takes all that follows.
func extensions(rest []string) bool {
	for len(rest) > 0 {
		if len(rest[0]) != 1 || len(rest) < 2 {
			return false
		}
		if strings.EqualFold(rest[0], "x") {
			return true
		}
		n := 1
		for n < len(rest) && len(rest[n]) >= 2 {
			n++
		}
		if n == 1 {
			return false
		}
		rest = rest[n:]
	}
	return true
}

func alphabetic(v string, least, most int) bool {
	return len(v) >= least && len(v) <= most && strings.IndexFunc(v, func(r rune) bool { return !letter(r) }) < 0
}

func alphanumeric(v string, least, most int) bool {
	return len(v) >= least && len(v) <= most && strings.IndexFunc(v, func(r rune) bool { return !letter(r) && !digit(r) }) < 0
}

func numeric(v string) bool {
	return v != "" && strings.IndexFunc(v, func(r rune) bool { return !digit(r) }) < 0
}

func letter(r rune) bool { return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' }
func digit(r rune) bool  { return r >= '0' && r <= '9' }
