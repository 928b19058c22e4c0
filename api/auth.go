package api

import (
	"context"
	"crypto/sha256"
	"errors"
	"net/http"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"nightlight/queue/store"
)

const (
	// keyFresh is how long a key is believed without asking the database
	// again; a revoked key is refused after this at the latest.
	keyFresh = 5 * time.Second
	// maxKeys bounds the cache. Only keys that exist are kept.
	maxKeys = 10_000
	// maxSecret bounds what is hashed, bytes.
	maxSecret = 256
)

// keyCache remembers keys by the hash of their secret, each with its rate
// limit.
type keyCache struct {
	store  authenticator
	limits Limits
	now    func() time.Time

	mu    sync.Mutex
	known map[[32]byte]*knownKey
}

// authenticator is the part of the store that keys come from.
type authenticator interface {
	// Authenticate gives store.ErrNotFound for an unknown, wrong or revoked
	// secret.
	Authenticate(ctx context.Context, secret string) (store.APIKey, error)
}

type knownKey struct {
	key   store.APIKey
	seen  time.Time
	limit *rate.Limiter
}

func newKeyCache(s authenticator, l Limits) *keyCache {
	return &keyCache{store: s, limits: l, now: time.Now, known: map[[32]byte]*knownKey{}}
}

// get returns the key that a secret belongs to, and its limiter.
func (k *keyCache) get(ctx context.Context, secret string) (store.APIKey, *rate.Limiter, error) {
	hash := sha256.Sum256([]byte(secret))
	k.mu.Lock()
	have := k.known[hash]
	if have != nil && k.now().Sub(have.seen) < keyFresh {
		key, limit := have.key, have.limit
		k.mu.Unlock()
		return key, limit, nil
	}
	k.mu.Unlock()
	key, err := k.store.Authenticate(ctx, secret)
	k.mu.Lock()
	defer k.mu.Unlock()
	if err != nil {
		if errors.Is(err, store.ErrNotFound) {
			delete(k.known, hash)
		}
		return store.APIKey{}, nil, err
	}
	return key, k.keep(hash, key), nil
}

// keep stores a key and returns its limiter, which lives on while the limits
// stay the same.
func (k *keyCache) keep(hash [32]byte, key store.APIKey) *rate.Limiter {
	perSecond, burst := key.RatePerSecond, key.Burst
	def(&perSecond, k.limits.RatePerSecond)
	def(&burst, max(k.limits.Burst, int(perSecond)))
	if key.RatePerSecond > 0 && key.Burst == 0 {
		burst = max(1, int(2*perSecond))
	}
	have := k.known[hash]
	if have == nil || have.limit.Limit() != rate.Limit(perSecond) || have.limit.Burst() != burst {
		have = &knownKey{limit: rate.NewLimiter(rate.Limit(perSecond), burst)}
		k.makeRoom()
		k.known[hash] = have
	}
	have.key, have.seen = key, k.now()
	return have.limit
}

// makeRoom drops what is stale, or anything when all is fresh.
func (k *keyCache) makeRoom() {
	if len(k.known) < maxKeys {
		return
	}
	for hash, have := range k.known {
		if k.now().Sub(have.seen) >= keyFresh {
			delete(k.known, hash)
		}
	}
	for hash := range k.known {
		if len(k.known) < maxKeys {
			return
		}
		delete(k.known, hash)
	}
}

// bearer takes the secret out of an Authorization header.
func bearer(h http.Header) (string, bool) {
	values := h.Values("Authorization")
	if len(values) != 1 {
		return "", false
	}
	scheme, secret, ok := strings.Cut(values[0], " ")
	if !ok || !strings.EqualFold(scheme, "Bearer") || secret == "" || len(secret) > maxSecret || strings.ContainsAny(secret, " \t") {
		return "", false
	}
	return secret, true
}

// admit lets a call through whose key is good, has the scope and keeps to its
// rate.
func (a *API) admit(c *call) error {
	if c.route.open {
		return nil
	}
	if c.route.token {
		if token := c.r.Header.Get(uploadToken); token != "" && c.r.Header.Get("Authorization") == "" {
			c.guest = true // the handler holds the token against the upload
			return nil
		}
	}
	secret, ok := bearer(c.r.Header)
	if !ok {
		return unauthorized()
	}
	key, limit, err := a.keys.get(c.r.Context(), secret)
	if errors.Is(err, store.ErrNotFound) {
		return unauthorized()
	}
	if err != nil {
		return fromStore(err)
	}
	c.key, c.rate = key, limit
	if !key.Allows(c.route.scope) {
		return forbidden(c.route.scope)
	}
	return spend(limit, 1)
}

// spend takes n from a key's rate. A batch larger than the burst takes all of
// it.
func spend(l *rate.Limiter, n int) error {
	n = min(n, l.Burst())
	if n <= 0 || l.AllowN(time.Now(), n) {
		return nil
	}
	p := problem(http.StatusTooManyRequests, "rate", "Too many requests", "This key sends faster than it may.")
	p.retryAfter = max(1, int(float64(n)/float64(l.Limit())+0.5))
	return p
}
