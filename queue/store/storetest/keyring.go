package storetest

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"errors"
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
