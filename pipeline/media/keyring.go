package media

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

const keySize = 32 // bytes: AES-256

// Keyring wraps and unwraps the keys of items with key-encryption keys, which
// never leave it. New keys are wrapped with the primary one; older ones stay to
// unwrap what they wrapped. It is safe for concurrent use.
type Keyring struct {
	primary string
	keys    map[string]cipher.AEAD
}

// NewKeyring takes key-encryption keys of 32 bytes by id (1 to 64 letters,
// digits, ". _ -") and the id of the primary one.
func NewKeyring(primary string, keys map[string][]byte) (*Keyring, error) {
	k := &Keyring{primary: primary, keys: map[string]cipher.AEAD{}}
	for id, key := range keys {
		if len(key) != keySize || len(id) > 64 || checkKey(id) != nil || strings.Contains(id, "/") {
			return nil, fmt.Errorf("key %.64q: must be %d bytes under a plain id", id, keySize)
		}
		k.keys[id] = gcm(key)
	}
	if k.keys[primary] == nil {
		return nil, fmt.Errorf("primary key %.64q: %w", primary, ErrUnknownKey)
	}
	return k, nil
}

// OpenKeyFile reads a keyring from a JSON file {"primary":id,"keys":{id:base64}}
// and makes one with a fresh key, mode 0600, when there is none. A file that
// others may read is refused.
func OpenKeyFile(name string) (*Keyring, error) {
	var file struct {
		Primary string            `json:"primary"`
		Keys    map[string][]byte `json:"keys"`
	}
	info, err := os.Stat(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		file.Primary = "kek-" + randomName()[:8]
		file.Keys = map[string][]byte{file.Primary: randomBytes(keySize)}
		if err := writeKeyFile(name, file); err != nil {
			return nil, fmt.Errorf("make key file: %w", err)
		}
	case err != nil:
		return nil, fmt.Errorf("open key file: %w", err)
	case info.Mode().Perm()&0o077 != 0:
		return nil, fmt.Errorf("open key file: mode %o lets others read it, must be 600", info.Mode().Perm())
	}
	b, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("read key file: %w", err)
	}
	if err := json.Unmarshal(b, &file); err != nil {
		return nil, errors.New("read key file: malformed JSON") // the parser's error would quote it
	}
	return NewKeyring(file.Primary, file.Keys)
}

// writeKeyFile never replaces a file: two processes that start at once end with
// one key.
func writeKeyFile(name string, content any) error {
	b, err := json.MarshalIndent(content, "", "  ")
	if err != nil {
		return err
	}
	temp, err := os.CreateTemp(filepath.Dir(name), ".key-*")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(temp.Name()) }() // the link stays
	_, err = temp.Write(b)
	if err := errors.Join(err, temp.Sync(), temp.Close()); err != nil {
		return err
	}
	if err := os.Link(temp.Name(), name); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}

// ItemKey is the key of one item: everything of the item is sealed with it, and
// once its wrapped form is destroyed nothing of it opens again.
type ItemKey struct {
	item string
	key  [keySize]byte
}

// NewItemKey makes a key for an item and its wrapped form, which is stored with
// the item (text, about 100 letters). The item's id is bound in: a wrapped key
// moved to another item does not open.
func (k *Keyring) NewItemKey(item string) (key *ItemKey, wrapped string, err error) {
	key = &ItemKey{item: item}
	copy(key.key[:], randomBytes(keySize))
	wrapped, err = k.Wrap(key)
	return key, wrapped, err
}

// Wrap encrypts an item's key with the primary key.
func (k *Keyring) Wrap(key *ItemKey) (string, error) {
	if key.item == "" {
		return "", errors.New("wrap key: item has no id")
	}
	a := k.keys[k.primary]
	nonce := randomBytes(a.NonceSize())
	sealed := a.Seal(nonce, nonce, key.key[:], wrapAAD(k.primary, key.item))
	return "v1:" + k.primary + ":" + base64.RawURLEncoding.EncodeToString(sealed), nil
}

// Unwrap opens the wrapped key of an item: ErrUnknownKey when the keyring lacks
// what it was wrapped with, ErrTampered when it is not this item's.
func (k *Keyring) Unwrap(wrapped, item string) (*ItemKey, error) {
	part := strings.Split(wrapped, ":")
	if len(part) != 3 || part[0] != "v1" {
		return nil, fmt.Errorf("unwrap key: form: %w", ErrTampered)
	}
	a := k.keys[part[1]]
	if a == nil {
		return nil, fmt.Errorf("unwrap key: %w", ErrUnknownKey)
	}
	b, err := base64.RawURLEncoding.Strict().DecodeString(part[2])
	if err != nil || len(b) < a.NonceSize() {
		return nil, fmt.Errorf("unwrap key: form: %w", ErrTampered)
	}
	plain, err := a.Open(nil, b[:a.NonceSize()], b[a.NonceSize():], wrapAAD(part[1], item))
	if err != nil || len(plain) != keySize {
		return nil, fmt.Errorf("unwrap key: %w", ErrTampered)
	}
	key := &ItemKey{item: item}
	copy(key.key[:], plain)
	return key, nil
}

// Rewrap moves a wrapped key to the primary key, for when keys are rotated.
func (k *Keyring) Rewrap(wrapped, item string) (string, error) {
	key, err := k.Unwrap(wrapped, item)
	if err != nil {
		return "", err
	}
	return k.Wrap(key)
}

// Primary is the id of the key that new keys are wrapped with.
func (k *Keyring) Primary() string { return k.primary }

func wrapAAD(id, item string) []byte { return []byte("nightlight wrap v1\x00" + id + "\x00" + item) }

// Seal encrypts a small value of the item, such as a message's text. The field's
// name is bound in, so that a value cannot be moved to another field or item.
func (k *ItemKey) Seal(field string, plain []byte) []byte {
	a := k.value()
	nonce := randomBytes(a.NonceSize())
	return a.Seal(append([]byte{1}, nonce...), nonce, plain, k.valueAAD(field))
}

// Open decrypts what Seal gave for the same item and field, or gives ErrTampered.
func (k *ItemKey) Open(field string, sealed []byte) ([]byte, error) {
	a := k.value()
	if len(sealed) < 1+a.NonceSize() || sealed[0] != 1 {
		return nil, fmt.Errorf("open value: form: %w", ErrTampered)
	}
	n := 1 + a.NonceSize()
	plain, err := a.Open(nil, sealed[1:n], sealed[n:], k.valueAAD(field))
	if err != nil {
		return nil, fmt.Errorf("open value: %w", ErrTampered)
	}
	return plain, nil
}

func (k *ItemKey) valueAAD(field string) []byte {
	return []byte("nightlight value v1\x00" + k.item + "\x00" + field)
}

// value is the cipher for small values; objects use keys of their own, derived in
// sealed.go, so that no nonce is ever shared between the two.
func (k *ItemKey) value() cipher.AEAD { return gcm(derive(k.key[:], "value", nil)) }

func gcm(key []byte) cipher.AEAD {
	block, err := aes.NewCipher(key)
	if err != nil {
		panic(err) // the key's length is checked
	}
	a, err := cipher.NewGCM(block)
	if err != nil {
		panic(err) // AES has the block size of GCM
	}
	return a
}

func randomBytes(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails: it ends the program instead
	return b
}

func randomName() string { return hex.EncodeToString(randomBytes(12)) }
