package webhook

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"strconv"
	"time"
)

// Message is one delivery: the same ID over all of its tries.
type Message struct {
	ID      string
	URL     string
	Body    []byte // JSON
	Secrets []string
}

// Answer is what the receiver said.
type Answer struct {
	Status  int
	Elapsed time.Duration
}

// Sender posts Messages.
type Sender struct {
	rules  Rules
	client *http.Client
	now    func() time.Time
}

// Limits on a single try.
const (
	tryTimeout = 20 * time.Second
	maxAnswer  = 64 << 10 // bytes read of a receiver's answer
	// MaxBody bounds a webhook's body in bytes.
	MaxBody = 20 << 10
)

// NewSender returns a Sender that obeys rules. It uses no proxy and keeps no
// cookies. How many send at once is the caller's to limit: a try that waited for
// another's connection would look like a receiver that does not answer.
func NewSender(rules Rules) *Sender {
	transport := &http.Transport{
		Proxy:                  nil,
		DialContext:            rules.dialer().DialContext,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:    5 * time.Second,
		ResponseHeaderTimeout:  15 * time.Second,
		MaxResponseHeaderBytes: 16 << 10,
		IdleConnTimeout:        30 * time.Second,
		DisableCompression:     true,
		ForceAttemptHTTP2:      true,
	}
	return &Sender{rules: rules, now: time.Now, client: &http.Client{
		Transport:     transport,
		Timeout:       tryTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// Outcome errors of Send.
var (
	// ErrGone is a receiver that answered 410: it wants no more.
	ErrGone = errors.New("webhook receiver is gone")
	// ErrRefused is an answer other than 2xx, redirects included.
	ErrRefused = errors.New("webhook receiver refused")
	// ErrUnreachable is no answer at all.
	ErrUnreachable = errors.New("webhook receiver not reached")
)

// Send makes one try. Errors wrap ErrGone, ErrRefused, ErrUnreachable or
// ErrAddress and never contain the address or the body.
func (s *Sender) Send(ctx context.Context, m Message) (Answer, error) {
	if err := s.rules.CheckURL(m.URL); err != nil {
		return Answer{}, err
	}
	if len(m.Body) > MaxBody {
		return Answer{}, fmt.Errorf("%w: body over %d bytes", ErrRefused, MaxBody)
	}
	at := s.now()
	signature, err := Sign(m.ID, at, m.Body, m.Secrets...)
	if err != nil {
		return Answer{}, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, m.URL, bytes.NewReader(m.Body))
	if err != nil {
		return Answer{}, fmt.Errorf("%w: unreadable", ErrAddress)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "Nightlight-Webhook/1")
	req.Header.Set(HeaderID, m.ID)
	req.Header.Set(HeaderTimestamp, strconv.FormatInt(at.Unix(), 10))
	req.Header.Set(HeaderSignature, signature)
	resp, err := s.client.Do(req)
	elapsed := s.now().Sub(at)
	if err != nil {
		if errors.Is(err, ErrAddress) {
			return Answer{Elapsed: elapsed}, ErrAddress
		}
		if os.IsTimeout(err) {
			return Answer{Elapsed: elapsed}, fmt.Errorf("%w: %w", ErrUnreachable, context.DeadlineExceeded)
		}
		return Answer{Elapsed: elapsed}, ErrUnreachable
	}
	defer resp.Body.Close()
	_, _ = io.CopyN(io.Discard, resp.Body, maxAnswer) // lets the connection be used again
	a := Answer{Status: resp.StatusCode, Elapsed: elapsed}
	switch {
	case resp.StatusCode == http.StatusGone:
		return a, ErrGone
	case resp.StatusCode < 200 || resp.StatusCode > 299:
		return a, fmt.Errorf("%w: status %d", ErrRefused, resp.StatusCode)
	}
	return a, nil
}

// backoff is the pause before each further try: ten tries over 75 h 35 m, the
// schedule that Standard Webhooks recommends, with one more try at the end.
var backoff = [...]time.Duration{
	5 * time.Second, 5 * time.Minute, 30 * time.Minute, 2 * time.Hour, 5 * time.Hour,
	10 * time.Hour, 14 * time.Hour, 20 * time.Hour, 24 * time.Hour,
}

// MaxTries is how often a delivery is tried before it is listed as dead.
const MaxTries = len(backoff) + 1

// Lasting is the time from the first of those tries to the last.
func Lasting() (d time.Duration) {
	for _, pause := range backoff {
		d += pause
	}
	return d
}

// Pause returns the time until the next try after tries failed ones, with up
// to a tenth added so that receivers that come back are not all met at once,
// and false when there is none.
func Pause(tries int) (time.Duration, bool) {
	if tries < 1 || tries > len(backoff) {
		return 0, false
	}
	d := backoff[tries-1]
	return d + rand.N(d/10+1), true
}
