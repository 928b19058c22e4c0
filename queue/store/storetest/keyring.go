package storetest

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"errors"
	"sync"
	"testing"

	"nightlight/queue/store"
)

// keyring is a Keyring whose wrapping key lives as long as the test.
type keyring struct{ kek cipher.AEAD }

// NewKeyring returns a real AES-256-GCM keyring with a key of its own.
func NewKeyring(t testing.TB) store.Keyring {
	t.Helper()
	var key [32]byte
	rand.Read(key[:])
	return keyring{aead(key[:])}
}

func aead(key []byte) cipher.AEAD {
	block, err := aes.NewCipher(key)
	if err != nil {
		panic(err)
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		panic(err)
	}
	return gcm
}

func seal(a cipher.AEAD, aad, plain []byte) []byte {
	nonce := make([]byte, a.NonceSize())
	rand.Read(nonce)
	return a.Seal(nonce, nonce, plain, aad)
}

var errShort = errors.New("sealed bytes are too short")

func open(a cipher.AEAD, aad, sealed []byte) ([]byte, error) {
	if len(sealed) < a.NonceSize() {
		return nil, errShort
	}
	return a.Open(nil, sealed[:a.NonceSize()], sealed[a.NonceSize():], aad)
}

func (k keyring) NewKey() ([]byte, error) {
	var key [32]byte
	rand.Read(key[:])
	return seal(k.kek, nil, key[:]), nil
}

func (k keyring) Seal(wrapped, aad, plain []byte) ([]byte, error) {
	key, err := open(k.kek, nil, wrapped)
	if err != nil {
		return nil, err
	}
	return seal(aead(key), aad, plain), nil
}

func (k keyring) Open(wrapped, aad, sealed []byte) ([]byte, error) {
	key, err := open(k.kek, nil, wrapped)
	if err != nil {
		return nil, err
	}
	return open(aead(key), aad, sealed)
}

// Torn is a Keyring that can lose the way into what it sealed.
type Torn struct {
	store.Keyring
	mu   sync.RWMutex
	torn []string
}

// NewTorn returns a Torn that still opens everything.
func NewTorn(t testing.TB) *Torn { return &Torn{Keyring: NewKeyring(t)} }

// Tear makes unreadable what was sealed about an id: an item's text, a
// guardian's channels.
func (k *Torn) Tear(id string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.torn = append(k.torn, id)
}

var errTorn = errors.New("sealed bytes do not open")

// Open implements store.Keyring.
func (k *Torn) Open(wrapped, aad, sealed []byte) ([]byte, error) {
	k.mu.RLock()
	defer k.mu.RUnlock()
	for _, id := range k.torn {
		if bytes.Contains(aad, []byte(id)) {
			return nil, errTorn
		}
	}
	return k.Keyring.Open(wrapped, aad, sealed)
}
