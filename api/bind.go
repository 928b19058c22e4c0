package api

import (
	"strconv"
	"strings"
)

// field is one field of a JSON object: its exact name, whether it must be
// there, and how it is read. null means that an optional field is not given.
type field[T any] struct {
	name string
	must bool
	read func(s *scan, into *T)
}

// object reads an object with exactly these fields. At most 64 of them.
func object[T any](s *scan, fields []field[T], into *T) {
	if s.next() != '{' {
		s.mistyped("want an object")
		return
	}
	if !s.enter() {
		return
	}
	var seen, given uint64
	mark := len(s.path)
	s.space()
	for first := true; !s.take('}'); first = false {
		if !first {
			if !s.take(',') {
				s.fail(malformed)
				return
			}
			s.space()
		}
		if s.next() != '"' {
			s.fail(malformed)
			return
		}
		name, ok := s.quoted()
		if !ok {
			return
		}
		at := indexOf(fields, name)
		switch bit := uint64(1) << (at & 63); {
		case at < 0:
			s.wrongAt(safeName(name), unknownReason(fields, name))
			s.colonAndSkip()
		case seen&bit != 0:
			s.wrongAt(fields[at].name, "is there twice")
			s.colonAndSkip()
		default:
			seen |= bit
			if !s.colon() {
				return
			}
			if s.literal("null") {
				break
			}
			given |= bit
			s.push(fields[at].name)
			fields[at].read(s, into)
			if s.ended {
				return // the path of the mistake stays
			}
			s.path = s.path[:mark]
		}
		if s.ended {
			return
		}
		s.space()
	}
	s.depth--
	for i, f := range fields {
		if f.must && given&(1<<i) == 0 {
			s.wrongAt(f.name, "is missing")
		}
	}
}

func (s *scan) push(name string) {
	if len(s.path) > 0 {
		s.path = append(s.path, '.')
	}
	s.path = append(s.path, name...)
}

func (s *scan) colonAndSkip() {
	if s.colon() {
		s.skip()
	}
}

func indexOf[T any](fields []field[T], name []byte) int {
	for i := range fields {
		if fields[i].name == string(name) {
			return i
		}
	}
	return -1
}

func unknownReason[T any](fields []field[T], name []byte) string {
	for _, f := range fields {
		if strings.EqualFold(f.name, string(name)) {
			return "wrong case: the field is written " + f.name
		}
	}
	return "unknown field"
}

// safeName returns the name of an unknown field when it looks like one, and
// "?" for anything that may be a child's words in the wrong place.
func safeName(name []byte) string {
	if len(name) == 0 || len(name) > 32 {
		return "?"
	}
	for _, c := range name {
		if !(c == '_' || c == '-' || c == '$' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z') {
			return "?"
		}
	}
	return string(name)
}

// list reads an array of at most most elements.
func (s *scan) list(most int, element func(i int)) {
	if s.next() != '[' {
		s.mistyped("want a list")
		return
	}
	if !s.enter() {
		return
	}
	mark := len(s.path)
	s.space()
	n := 0
	for ; !s.take(']'); n++ {
		if n > 0 {
			if !s.take(',') {
				s.fail(malformed)
				return
			}
			s.space()
		}
		s.path = append(s.path, '[')
		s.path = strconv.AppendInt(s.path, int64(n), 10)
		s.path = append(s.path, ']')
		if n < most {
			element(n)
		} else {
			s.skip()
		}
		if s.ended {
			return
		}
		s.path = s.path[:mark]
		s.space()
	}
	s.depth--
	if n > most {
		s.wrong("more than " + strconv.Itoa(most) + " elements")
	}
}
