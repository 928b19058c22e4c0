// Package webhook sends signed webhooks to addresses that tenants choose, and
// trusts none of them: it signs by the Standard Webhooks specification
// (standardwebhooks.com, version 1), follows no redirect, reads a bounded
// answer, and checks the address that is really dialled, so that no name can
// lead it into the network it runs in.
package webhook

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// The headers of Standard Webhooks.
const (
	HeaderID        = "webhook-id"
	HeaderTimestamp = "webhook-timestamp"
	HeaderSignature = "webhook-signature"
)

// Tolerance is how far a receiver lets the timestamp lie from its own clock.
const Tolerance = 5 * time.Minute

// secretPrefix marks a secret in its text form.
const secretPrefix = "whsec_"

// NewSecret returns a random secret of 32 bytes in text form.
func NewSecret() string {
	key := make([]byte, 32)
	_, _ = rand.Read(key) // crypto/rand.Read never fails
	return secretPrefix + base64.StdEncoding.EncodeToString(key)
}

// ErrSecret is a secret that is not whsec_ followed by base64 of 24 to 64
// bytes.
var ErrSecret = errors.New("webhook secret: want whsec_ and base64 of 24 to 64 bytes")

func secretKey(secret string) ([]byte, error) {
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, secretPrefix))
	if err != nil || len(key) < 24 || len(key) > 64 {
		return nil, ErrSecret
	}
	return key, nil
}

// Sign returns the signature header for a body: one signature for each secret,
// so that a receiver can change its secret without losing a delivery.
func Sign(id string, at time.Time, body []byte, secrets ...string) (string, error) {
	if len(secrets) == 0 {
		return "", ErrSecret
	}
	parts := make([]string, len(secrets))
	for i, s := range secrets {
		key, err := secretKey(s)
		if err != nil {
			return "", err
		}
		parts[i] = "v1," + base64.StdEncoding.EncodeToString(mac(key, id, at.Unix(), body))
	}
	return strings.Join(parts, " "), nil
}

func mac(key []byte, id string, unix int64, body []byte) []byte {
	h := hmac.New(sha256.New, key)
	fmt.Fprintf(h, "%s.%d.", id, unix)
	h.Write(body)
	return h.Sum(nil)
}

// ErrSignature is a webhook that none of the secrets signed, or whose time is
// off by more than Tolerance.
var ErrSignature = errors.New("webhook signature does not match")

// Verify checks what Sign made. Receivers may copy it; now is their clock.
func Verify(header http.Header, body []byte, now time.Time, secrets ...string) error {
	unix, err := strconv.ParseInt(header.Get(HeaderTimestamp), 10, 64)
	if err != nil || now.Sub(time.Unix(unix, 0)).Abs() > Tolerance {
		return ErrSignature
	}
	for _, s := range secrets {
		key, err := secretKey(s)
		if err != nil {
			return err
		}
		want := mac(key, header.Get(HeaderID), unix, body)
		for part := range strings.FieldsSeq(header.Get(HeaderSignature)) {
			encoded, ok := strings.CutPrefix(part, "v1,")
			if !ok {
				continue
			}
			got, err := base64.StdEncoding.DecodeString(encoded)
			if err == nil && subtle.ConstantTimeCompare(got, want) == 1 {
				return nil
			}
		}
	}
	return ErrSignature
}
