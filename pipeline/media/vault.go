package media

import "fmt"

// Vault gives a Keyring in the form in which the database uses it: data keys
// travel only in their wrapped form, and what is sealed is bound to the
// caller's additional data, such as the item's id and the field. An upload has
// a key before any item takes it, so a Vault's keys are not bound to an item.
type Vault struct{ ring *Keyring }

// vaultName stands where a Keyring's own callers put an item's id.
const vaultName = "vault"

// NewVault returns a Vault over ring.
func NewVault(ring *Keyring) *Vault { return &Vault{ring} }

// NewKey makes a data key and returns its wrapped form.
func (v *Vault) NewKey() ([]byte, error) {
	_, wrapped, err := v.ring.NewItemKey(vaultName)
	if err != nil {
		return nil, fmt.Errorf("make data key: %w", err)
	}
	return []byte(wrapped), nil
}

// Seal encrypts plain; aad must be given again to open it.
func (v *Vault) Seal(wrapped, aad, plain []byte) ([]byte, error) {
	key, err := v.ring.Unwrap(string(wrapped), vaultName)
	if err != nil {
		return nil, err
	}
	return key.Seal(string(aad), plain), nil
}

// Open decrypts what Seal gave, or gives ErrTampered.
func (v *Vault) Open(wrapped, aad, sealed []byte) ([]byte, error) {
	key, err := v.ring.Unwrap(string(wrapped), vaultName)
	if err != nil {
		return nil, err
	}
	return key.Open(string(aad), sealed)
}

// Objects gives the view of store in which objects are sealed with this key.
func (v *Vault) Objects(store Store, wrapped []byte) (*Sealed, error) {
	key, err := v.ring.Unwrap(string(wrapped), vaultName)
	if err != nil {
		return nil, err
	}
	return NewSealed(store, key), nil
}
