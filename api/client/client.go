// Package client is the Go client of Nightlight's API, for backends that send
// what children send and act on the verdict.
//
// A Client tries again what may be tried again: every item is sent under an
// Idempotency-Key of its own, so that a lost answer never makes a second item.
// Errors of the API come back as *Error with its fields. VerifyWebhook checks
// what a webhook brought before anything of it is believed.
package client

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	mathrand "math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Client talks to one Nightlight. Set the fields before the first call; it is
// safe for concurrent use.
type Client struct {
	// URL is where Nightlight is, such as http://127.0.0.1:8080.
	URL string
	// Key is an API key.
	Key string
	// HTTP makes the requests (default: a client with a time-out of a minute).
	HTTP *http.Client
	// Tries is how often one call is sent at most (default 4).
	Tries int
	// Pause is the wait before the second try; it doubles and is spread by
	// half, and a Retry-After of the server is kept (default 200 ms).
	Pause time.Duration
}

// New returns a Client with the defaults.
func New(address, key string) *Client { return &Client{URL: address, Key: key} }

// Error is an answer that is no success.
type Error struct {
	Status    int     `json:"status"`
	Title     string  `json:"title"`
	Detail    string  `json:"detail"`
	Fields    []Field `json:"errors"`
	RequestID string  `json:"request_id"`
}

// Field is one thing that is wrong with a request.
type Field struct {
	Name   string `json:"field"`
	Reason string `json:"reason"`
}

// Error says status, title and the fields, none of which quotes content.
func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "nightlight: %d %s", e.Status, e.Title)
	for _, f := range e.Fields {
		fmt.Fprintf(&b, "; %s: %s", f.Name, f.Reason)
	}
	return b.String()
}

// Temporary reports whether the same call may succeed later.
func (e *Error) Temporary() bool {
	return e.Status == http.StatusTooManyRequests || e.Status >= 500
}

// IsNotFound reports whether err says that there is no such thing for this key.
func IsNotFound(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.Status == http.StatusNotFound
}

// maxAnswer bounds what is read of an answer, bytes.
const maxAnswer = 16 << 20

// request is one call, ready to be sent more than once.
type request struct {
	method, path string
	content      string
	body         []byte
	headers      map[string]string
}

// call sends a request until it succeeds, cannot succeed or ran out of tries,
// and reads the answer into out.
func (c *Client) call(ctx context.Context, r request, out any) (status int, err error) {
	tries := cmp.Or(c.Tries, 4)
	pause := cmp.Or(c.Pause, 200*time.Millisecond)
	for n := 1; ; n++ {
		var after time.Duration
		status, after, err = c.once(ctx, r, out)
		if err == nil || n >= tries || !again(err) || ctx.Err() != nil {
			return status, err
		}
		wait := max(after, pause/2+mathrand.N(pause))
		pause *= 2
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return status, errors.Join(err, ctx.Err())
		}
	}
}

// again reports whether a failed try may be repeated: the connection broke, or
// the server says later.
func again(err error) bool {
	var e *Error
	if errors.As(err, &e) {
		return e.Temporary()
	}
	var u *url.Error
	return errors.As(err, &u)
}

func (c *Client) once(ctx context.Context, r request, out any) (status int, after time.Duration, err error) {
	req, err := http.NewRequestWithContext(ctx, r.method, strings.TrimSuffix(c.URL, "/")+r.path, bytes.NewReader(r.body))
	if err != nil {
		return 0, 0, fmt.Errorf("make request: %w", err)
	}
	req.Header.Set("Authorization", "Bearer "+c.Key)
	if r.content != "" {
		req.Header.Set("Content-Type", r.content)
	}
	for name, value := range r.headers {
		req.Header.Set(name, value)
	}
	res, err := c.http().Do(req)
	if err != nil {
		return 0, 0, err
	}
	defer func() { _ = res.Body.Close() }() // read to its end or not wanted
	b, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		return res.StatusCode, 0, &url.Error{Op: r.method, URL: r.path, Err: err}
	}
	if res.StatusCode >= 300 {
		e := &Error{Title: http.StatusText(res.StatusCode)}
		_ = json.Unmarshal(b, e) // a proxy may answer otherwise
		e.Status = res.StatusCode
		seconds, _ := strconv.Atoi(res.Header.Get("Retry-After"))
		return res.StatusCode, time.Duration(min(max(seconds, 0), 60)) * time.Second, e
	}
	if out != nil && len(b) > 0 {
		if err := json.Unmarshal(b, out); err != nil {
			return res.StatusCode, 0, fmt.Errorf("read answer of %s: %w", r.method, err)
		}
	}
	return res.StatusCode, 0, nil
}

func (c *Client) http() *http.Client {
	if c.HTTP != nil {
		return c.HTTP
	}
	return &http.Client{Timeout: time.Minute} // shares the default transport
}

func (c *Client) sendJSON(ctx context.Context, method, path string, in, out any, headers map[string]string) (int, error) {
	r := request{method: method, path: path, headers: headers}
	if in != nil {
		body, err := json.Marshal(in)
		if err != nil {
			return 0, fmt.Errorf("write request: %w", err)
		}
		r.body, r.content = body, "application/json"
	}
	return c.call(ctx, r, out)
}

func newKey() string {
	var b [16]byte
	rand.Read(b[:])
	return hex.EncodeToString(b[:])
}
