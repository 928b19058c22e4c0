// Package whisper turns OpenAI's Whisper, as CTranslate2 stores it, into two ONNX models: an encoder, which reads the
// log-mel picture of a window of sound, and a decoder, which says the next token and keeps keys and values of those
// before, so that each step costs one token. It reads the one file of the original and writes graphs; it needs no C
// and no Python, and the same file gives the same bytes on every machine.
//
// Weights are written as they are, or in eight bits. The whole-number form keeps seven of them, because the product of
// eight unsigned and eight signed bits overflows sixteen on processors without VNNI.
package whisper

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// The only file that is read: its version, and the numbers of the element types in it.
const (
	fileVersion = 6
	typeFloat16 = 4
)

// variable is one tensor of the file, still in its own bytes.
type variable struct {
	shape []int64
	elem  byte
	raw   []byte
}

// file is a model as CTranslate2 stores it: named tensors, and names that stand for others.
type file struct {
	spec      string
	revision  uint32
	variables map[string]variable
}

// readFile reads all variables. Their bytes stay where they are in b.
func readFile(b []byte) (*file, error) {
	r := reader{rest: b}
	if v := r.u32(); v != fileVersion {
		return nil, fmt.Errorf("read model: version %d, want %d", v, fileVersion)
	}
	f := &file{spec: r.text(), revision: r.u32(), variables: map[string]variable{}}
	for n := r.u32(); n > 0 && r.err == nil; n-- {
		name := r.text()
		f.variables[name] = r.variable()
	}
	for n := r.u32(); n > 0 && r.err == nil; n-- {
		alias, name := r.text(), r.text()
		v, ok := f.variables[name]
		if !ok {
			return nil, fmt.Errorf("read model: %q stands for %q, which is not there", alias, name)
		}
		f.variables[alias] = v
	}
	if r.err == nil && len(r.rest) > 0 {
		r.err = fmt.Errorf("%d bytes too many", len(r.rest))
	}
	if r.err != nil {
		return nil, fmt.Errorf("read model: %w", r.err)
	}
	return f, nil
}

// half gives a tensor's bits, which are sixteen a number.
func (f *file) half(name string, shape ...int64) ([]uint16, error) {
	v, ok := f.variables[name]
	if !ok {
		return nil, fmt.Errorf("%s is not in the file", name)
	}
	n := int64(1)
	for i, d := range v.shape {
		if i >= len(shape) || d != shape[i] {
			return nil, fmt.Errorf("%s has shape %v, want %v", name, v.shape, shape)
		}
		n *= d
	}
	if v.elem != typeFloat16 || len(v.shape) != len(shape) || int64(len(v.raw)) != 2*n {
		return nil, fmt.Errorf("%s has shape %v, element type %d and %d bytes, want %v of half precision", name, v.shape, v.elem, len(v.raw), shape)
	}
	bits := make([]uint16, n)
	for i := range bits {
		bits[i] = binary.LittleEndian.Uint16(v.raw[2*i:])
	}
	return bits, nil
}

// floats gives a tensor's numbers.
func (f *file) floats(name string, shape ...int64) ([]float32, error) {
	bits, err := f.half(name, shape...)
	if err != nil {
		return nil, err
	}
	values := make([]float32, len(bits))
	for i, b := range bits {
		values[i] = fromHalf(b)
	}
	return values, nil
}

// fromHalf widens an IEEE 754 half precision number, which is exact.
func fromHalf(h uint16) float32 {
	sign, exponent, fraction := uint32(h>>15)<<31, uint32(h>>10&31), uint32(h&1023)
	switch exponent {
	case 0: // zero and the numbers below the smallest normal one: fraction × 2⁻²⁴
		v := float32(fraction) / (1 << 24)
		return math.Float32frombits(math.Float32bits(v) | sign)
	case 31:
		return math.Float32frombits(sign | 255<<23 | fraction<<13)
	}
	return math.Float32frombits(sign | (exponent+112)<<23 | fraction<<13)
}

// reader takes little-endian numbers from the front; the first mistake stays.
type reader struct {
	rest []byte
	err  error
}

func (r *reader) take(n int) []byte {
	if r.err != nil || n > len(r.rest) {
		if r.err == nil {
			r.err = errors.New("cut short")
		}
		return make([]byte, min(n, 8))
	}
	b := r.rest[:n]
	r.rest = r.rest[n:]
	return b
}

func (r *reader) u8() byte    { return r.take(1)[0] }
func (r *reader) u16() uint16 { return binary.LittleEndian.Uint16(r.take(2)) }
func (r *reader) u32() uint32 { return binary.LittleEndian.Uint32(r.take(4)) }

// text is a length that counts the zero byte at its end, and the bytes.
func (r *reader) text() string {
	b := r.take(int(r.u16()))
	if len(b) == 0 || b[len(b)-1] != 0 {
		if r.err == nil {
			r.err = errors.New("a name without its end")
		}
		return ""
	}
	return string(b[:len(b)-1])
}

func (r *reader) variable() variable {
	v := variable{shape: make([]int64, r.u8())}
	for i := range v.shape {
		v.shape[i] = int64(r.u32())
	}
	v.elem = r.u8()
	v.raw = r.take(int(r.u32()))
	return v
}
