package api

import (
	"bytes"
	"errors"
	"io"
	"mime"
	"net/http"
	"strings"
	"sync/atomic"
)

// flight counts the bytes that bodies may take at one moment, so that many
// large requests at once are turned away and memory stays flat.
type flight struct {
	most int64
	used atomic.Int64
}

// take reserves n bytes until free is called.
func (f *flight) take(n int64) (free func(), err error) {
	if f.used.Add(n) > f.most {
		f.used.Add(-n)
		p := problem(http.StatusServiceUnavailable, "busy", "Try again later", "Too much is being sent at this moment.")
		p.retryAfter = 1
		return nil, p
	}
	return func() { f.used.Add(-n) }, nil
}

// limit is the largest body that this call may send.
func (c *call) limit(most int64) int64 {
	if c.key.BodyLimit > 0 {
		return min(most, c.key.BodyLimit)
	}
	return most
}

// reserve takes room for a body and bounds it. It looks at the stated length
// first, so that nothing of a body that is too large is read.
func (a *API) reserve(c *call, most int64) (free func(), err error) {
	most = c.limit(most)
	if c.r.ContentLength > most {
		return nil, tooLarge(most)
	}
	need := c.r.ContentLength
	if need < 0 {
		need = most
	}
	free, err = a.flight.take(need)
	if err != nil {
		return nil, err
	}
	c.r.Body = http.MaxBytesReader(c.w, c.r.Body, most)
	return free, nil
}

// body reads a whole JSON body. free must be called when it is no longer used.
func (a *API) body(c *call) (b []byte, free func(), err error) {
	if !plainType(c.r.Header, "application/json") {
		return nil, nil, unsupported("application/json")
	}
	free, err = a.reserve(c, a.Limits.JSONBytes)
	if err != nil {
		return nil, nil, err
	}
	b, err = readAll(c.r.Body, c.r.ContentLength)
	if err != nil {
		free()
		return nil, nil, unread(err)
	}
	return b, free, nil
}

// readAll reads into a buffer of the stated size, when there is one.
func readAll(r io.Reader, size int64) ([]byte, error) {
	var buf bytes.Buffer
	if size > 0 {
		buf.Grow(int(size) + bytes.MinRead)
	}
	_, err := buf.ReadFrom(r)
	return buf.Bytes(), err
}

// unread is the answer when a body could not be read.
func unread(err error) error {
	var big *http.MaxBytesError
	if errors.As(err, &big) {
		return tooLarge(big.Limit)
	}
	return problem(http.StatusBadRequest, "cut-short", "The body ended early", "")
}

// plainType reports whether a request has one of these content types, in
// UTF-8, and no content encoding.
func plainType(h http.Header, want ...string) bool {
	if len(h.Values("Content-Type")) != 1 || h.Get("Content-Encoding") != "" && !strings.EqualFold(h.Get("Content-Encoding"), "identity") {
		return false
	}
	value := h.Get("Content-Type")
	for _, w := range want {
		if value == w {
			return true
		}
	}
	kind, params, err := mime.ParseMediaType(value)
	if err != nil {
		return false
	}
	for k, v := range params {
		if k != "charset" || !strings.EqualFold(v, "utf-8") {
			return false
		}
	}
	for _, w := range want {
		if kind == w {
			return true
		}
	}
	return false
}

// noBody refuses a body where none belongs.
func (c *call) noBody() error {
	if c.r.ContentLength > 0 {
		return invalidField("body", "this call takes none")
	}
	return nil
}
