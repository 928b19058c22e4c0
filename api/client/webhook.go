package client

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Event is what a webhook brings. ID stays the same over all tries of one
// delivery: act on each once.
type Event struct {
	ID        string          `json:"-"`
	Type      string          `json:"type"` // such as item.judged
	Timestamp time.Time       `json:"timestamp"`
	Data      json.RawMessage `json:"data"`
}

// Tolerance is how far a webhook's time may lie from this machine's clock.
const Tolerance = 5 * time.Minute

// ErrSignature says that a webhook was not signed with any of the secrets, or
// is too old, and must not be believed.
var ErrSignature = errors.New("webhook signature does not match")

// VerifyWebhook checks a webhook by Standard Webhooks, version 1, and returns
// its event. Give the secrets that are good now: two while one is rotated.
func VerifyWebhook(header http.Header, body []byte, secrets ...string) (Event, error) {
	return verifyAt(time.Now(), header, body, secrets...)
}

func verifyAt(now time.Time, header http.Header, body []byte, secrets ...string) (Event, error) {
	id := header.Get("webhook-id")
	unix, err := strconv.ParseInt(header.Get("webhook-timestamp"), 10, 64)
	if err != nil || id == "" || now.Sub(time.Unix(unix, 0)).Abs() > Tolerance {
		return Event{}, ErrSignature
	}
	for _, s := range secrets {
		key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(s, "whsec_"))
		if err != nil || len(key) < 24 {
			return Event{}, errors.New("webhook secret: want whsec_ and base64 of 24 bytes or more")
		}
		h := hmac.New(sha256.New, key)
		fmt.Fprintf(h, "%s.%d.", id, unix)
		h.Write(body)
		if !signed(header.Get("webhook-signature"), h.Sum(nil)) {
			continue
		}
		e := Event{ID: id}
		if err := json.Unmarshal(body, &e); err != nil {
			return Event{}, fmt.Errorf("read webhook: %w", err)
		}
		return e, nil
	}
	return Event{}, ErrSignature
}

func signed(header string, want []byte) bool {
	for part := range strings.FieldsSeq(header) {
		encoded, ok := strings.CutPrefix(part, "v1,")
		if !ok {
			continue
		}
		got, err := base64.StdEncoding.DecodeString(encoded)
		if err == nil && hmac.Equal(got, want) {
			return true
		}
	}
	return false
}
