package media

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
)

// The worker and its decoding child speak in messages over two pipes: four bytes
// "NLm1", a JSON part and a raw part, each with its length in front (32 and 64
// bit, little-endian). The worker does not trust the child: it bounds both parts
// and checks every number that the JSON part gives about the raw part.

const wireMagic = "NLm1"

const maxWireJSON = 4 << 20 // bytes

// request is the JSON part that the worker sends; the raw part is the file.
type request struct {
	Want   Want
	Limits Limits
}

// response is the JSON part that the child sends. The raw part holds, in order,
// the thumbnail, the preview, and for each frame its picture and its tensors.
type response struct {
	Error     string // name of a sentinel, empty when all went well
	Why       string // what it wraps
	Decoded   *Decoded
	Thumbnail int   // bytes
	Preview   int   // bytes
	Tensors   []int // length of each crop's tensor, frame by frame
}

// named are the sentinels that may cross the pipe.
var named = map[string]error{
	"too large": ErrTooLarge, "unsupported": ErrUnsupported, "broken": ErrBroken,
}

func writeMessage(w io.Writer, head any, parts ...[]byte) error {
	text, err := json.Marshal(head)
	if err != nil {
		return fmt.Errorf("encode message: %w", err)
	}
	var n uint64
	for _, p := range parts {
		n += uint64(len(p))
	}
	out := append(make([]byte, 0, 16+len(text)), wireMagic...)
	out = binary.LittleEndian.AppendUint32(out, uint32(len(text)))
	out = binary.LittleEndian.AppendUint64(out, n)
	for _, p := range append([][]byte{append(out, text...)}, parts...) {
		if _, err := w.Write(p); err != nil {
			return fmt.Errorf("write message: %w", err)
		}
	}
	return nil
}

// readMessage reads one message whose raw part is at most limit bytes.
func readMessage(r io.Reader, head any, limit int64) (raw []byte, err error) {
	var fixed [16]byte
	if _, err := io.ReadFull(r, fixed[:]); err != nil {
		return nil, fmt.Errorf("read message: %w", err)
	}
	text, body := binary.LittleEndian.Uint32(fixed[4:]), binary.LittleEndian.Uint64(fixed[8:])
	if string(fixed[:4]) != wireMagic || text > maxWireJSON || body > uint64(limit) {
		return nil, errors.New("read message: not one of ours, or larger than agreed")
	}
	b := make([]byte, text)
	if _, err := io.ReadFull(r, b); err != nil {
		return nil, fmt.Errorf("read message: %w", err)
	}
	if err := json.Unmarshal(b, head); err != nil {
		return nil, errors.New("read message: malformed JSON")
	}
	if raw, err = readExactly(r, int64(body)); err != nil {
		return nil, fmt.Errorf("read message: %w", err)
	}
	return raw, nil
}

// readExactly grows with what really comes, so that a length alone costs nothing.
func readExactly(r io.Reader, n int64) ([]byte, error) {
	const block = 4 << 20
	if n <= block {
		b := make([]byte, n)
		_, err := io.ReadFull(r, b)
		return b, err
	}
	b := make([]byte, 0, block)
	for int64(len(b)) < n {
		if cap(b) == len(b) {
			b = append(make([]byte, 0, min(2*int64(cap(b)), n)), b...)
		}
		k, err := io.ReadFull(r, b[len(b):min(int64(cap(b)), n)])
		b = b[:len(b)+k]
		if err != nil {
			return nil, err
		}
	}
	return b, nil
}

// respond writes what decoding gave.
func respond(w io.Writer, d *Decoded, err error) error {
	if err != nil {
		re := response{Error: "broken", Why: "unnamed fault"}
		for name, sentinel := range named {
			if errors.Is(err, sentinel) {
				re.Error, re.Why = name, err.Error()
			}
		}
		return writeMessage(w, re)
	}
	re := response{Decoded: d, Thumbnail: len(d.Thumbnail), Preview: len(d.Preview)}
	parts := [][]byte{d.Thumbnail, d.Preview}
	for _, f := range d.Frames {
		if f.Picture != nil {
			parts = append(parts, f.Picture.Pix)
		}
		for _, c := range f.Crops {
			re.Tensors = append(re.Tensors, len(c.Tensor))
			parts = append(parts, floatBytes(c.Tensor))
		}
	}
	return writeMessage(w, re, parts...)
}

// parse puts a response together again and refuses one that does not add up.
func parse(re response, raw []byte) (*Decoded, error) {
	if re.Error != "" {
		sentinel, ok := named[re.Error]
		if !ok {
			return nil, errors.New("answer with an unknown error")
		}
		return nil, childError{sentinel, re.Why}
	}
	d := re.Decoded
	if d == nil || len(d.Frames) == 0 {
		return nil, errors.New("answer without frames")
	}
	take := func(n int) (b []byte) {
		if n < 0 || n > len(raw) {
			n = 0
			raw = nil
			return nil
		}
		b, raw = raw[:n:n], raw[n:]
		return b
	}
	d.Thumbnail, d.Preview = take(re.Thumbnail), take(re.Preview)
	for i := range d.Frames {
		f := &d.Frames[i]
		if p := f.Picture; p != nil {
			if p.Width < 1 || p.Height < 1 || p.Width > 1<<14 || p.Height > 1<<14 || 3*p.Width*p.Height > len(raw) {
				return nil, errors.New("answer with a picture that does not add up")
			}
			p.Pix = take(3 * p.Width * p.Height)
		}
		for j := range f.Crops {
			if len(re.Tensors) == 0 || re.Tensors[0] < 0 || re.Tensors[0] > len(raw)/4 {
				return nil, errors.New("answer with a tensor that does not add up")
			}
			f.Crops[j].Tensor = bytesFloat(take(4 * re.Tensors[0]))
			re.Tensors = re.Tensors[1:]
		}
	}
	if len(raw) != 0 || len(re.Tensors) != 0 {
		return nil, errors.New("answer with more than it names")
	}
	return d, nil
}

// agrees holds an answer against what was asked, so that a child that was taken
// over cannot hand tensors of another shape to a model.
func (d *Decoded) agrees(want Want) error {
	for _, f := range d.Frames {
		for _, c := range f.Crops {
			if c.Square < 0 || c.Square >= len(want.Squares) {
				return errors.New("answer with a crop that nobody asked for")
			}
			if s := want.Squares[c.Square].Size; len(c.Tensor) != s*s*3 {
				return errors.New("answer with a tensor of another size")
			}
			for _, v := range c.Tensor {
				if !(v >= -256 && v <= 256) { // catches NaN too
					return errors.New("answer with a tensor out of range")
				}
			}
		}
		if len(want.Squares) > 0 && len(f.Crops) < len(want.Squares) {
			return errors.New("answer without every crop")
		}
	}
	return nil
}

// childError carries the child's words behind a sentinel.
type childError struct {
	sentinel error
	why      string
}

func (e childError) Error() string { return e.why }
func (e childError) Unwrap() error { return e.sentinel }

func floatBytes(f []float32) []byte {
	b := make([]byte, 4*len(f))
	for i, v := range f {
		binary.LittleEndian.PutUint32(b[4*i:], math.Float32bits(v))
	}
	return b
}

func bytesFloat(b []byte) []float32 {
	f := make([]float32, len(b)/4)
	for i := range f {
		f[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
	}
	return f
}
