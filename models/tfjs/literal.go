// Package tfjs reads models as the npm package nsfwjs carries them (TensorFlow.js graph models whose topology is a
// minified JavaScript literal and whose 8-bit weights are base64 text inside JavaScript files) and writes them as
// ONNX. No JavaScript is run: the literal is parsed by the small reader in this file, and only the operators that
// such a model uses are known. Anything else is an error, never a guess.
package tfjs

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"unicode/utf8"
)

// maxLiteralDepth bounds nesting, so that a hostile file cannot exhaust the stack.
const maxLiteralDepth = 64

// exported gives the text that follows the innermost "exports=" whose value begins with start.
func exported(js []byte, start string) ([]byte, error) {
	i := bytes.Index(js, []byte("exports="+start))
	if i < 0 {
		return nil, fmt.Errorf("no value that begins with %s is exported", start)
	}
	return js[i+len("exports="):], nil
}

// literal parses a JavaScript literal at the start of b: objects with bare or quoted keys, arrays, strings,
// numbers, !0, !1 and null. It gives map[string]any, []any, string, float64, bool or nil.
func literal(b []byte) (any, error) {
	r := literalReader{b: b}
	v, err := r.value(0)
	if err != nil {
		return nil, fmt.Errorf("read literal at byte %d: %w", r.i, err)
	}
	return v, nil
}

type literalReader struct {
	b []byte
	i int
}

var errCutOff = errors.New("text ends early")

func (r *literalReader) value(depth int) (any, error) {
	if depth > maxLiteralDepth {
		return nil, fmt.Errorf("nests deeper than %d", maxLiteralDepth)
	}
	if r.i >= len(r.b) {
		return nil, errCutOff
	}
	switch c := r.b[r.i]; {
	case c == '{':
		return r.object(depth)
	case c == '[':
		return r.array(depth)
	case c == '"' || c == '\'':
		return r.text()
	case r.skip("!0"):
		return true, nil
	case r.skip("!1"):
		return false, nil
	case r.skip("null"):
		return nil, nil
	default:
		return r.number()
	}
}

func (r *literalReader) object(depth int) (any, error) {
	r.i++
	object := map[string]any{}
	for !r.skip("}") {
		if len(object) > 0 && !r.skip(",") {
			return nil, errors.New("wanted , or } in an object")
		}
		key, err := r.key()
		if err != nil {
			return nil, err
		}
		if !r.skip(":") {
			return nil, fmt.Errorf("wanted : after %q", key)
		}
		if _, twice := object[key]; twice {
			return nil, fmt.Errorf("key %q stands twice", key)
		}
		if object[key], err = r.value(depth + 1); err != nil {
			return nil, err
		}
	}
	return object, nil
}

func (r *literalReader) array(depth int) (any, error) {
	r.i++
	array := []any{}
	for !r.skip("]") {
		if len(array) > 0 && !r.skip(",") {
			return nil, errors.New("wanted , or ] in an array")
		}
		v, err := r.value(depth + 1)
		if err != nil {
			return nil, err
		}
		array = append(array, v)
	}
	return array, nil
}

func (r *literalReader) key() (string, error) {
	if r.i < len(r.b) && (r.b[r.i] == '"' || r.b[r.i] == '\'') {
		return r.text()
	}
	from := r.i
	for r.i < len(r.b) && isWord(r.b[r.i]) {
		r.i++
	}
	if r.i == from {
		return "", errors.New("wanted a key")
	}
	return string(r.b[from:r.i]), nil
}

func (r *literalReader) text() (string, error) {
	quote := r.b[r.i]
	r.i++
	var out []byte
	for r.i < len(r.b) {
		c := r.b[r.i]
		r.i++
		switch {
		case c == quote:
			return string(out), nil
		case c != '\\':
			out = append(out, c)
		default:
			var err error
			if out, err = r.escape(out); err != nil {
				return "", err
			}
		}
	}
	return "", errCutOff
}

func (r *literalReader) escape(out []byte) ([]byte, error) {
	if r.i >= len(r.b) {
		return nil, errCutOff
	}
	c := r.b[r.i]
	r.i++
	switch c {
	case 'n':
		return append(out, '\n'), nil
	case 't':
		return append(out, '\t'), nil
	case '\\', '"', '\'', '/':
		return append(out, c), nil
	case 'u':
		if r.i+4 > len(r.b) {
			return nil, errCutOff
		}
		n, err := strconv.ParseUint(string(r.b[r.i:r.i+4]), 16, 32)
		if err != nil {
			return nil, errors.New("bad \\u escape")
		}
		r.i += 4
		return utf8.AppendRune(out, rune(n)), nil
	}
	return nil, fmt.Errorf("escape \\%c is not known", c)
}

func (r *literalReader) number() (any, error) {
	from := r.i
	for r.i < len(r.b) && (isWord(r.b[r.i]) || r.b[r.i] == '.' || r.b[r.i] == '-' || r.b[r.i] == '+') {
		r.i++
	}
	n, err := strconv.ParseFloat(string(r.b[from:r.i]), 64)
	if err != nil {
		return nil, errors.New("wanted a value")
	}
	return n, nil
}

func (r *literalReader) skip(s string) bool {
	if !bytes.HasPrefix(r.b[r.i:], []byte(s)) {
		return false
	}
	r.i += len(s)
	return true
}

func isWord(c byte) bool {
	return c == '_' || c == '$' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}
