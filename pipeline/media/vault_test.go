package media

import (
	"bytes"
	"errors"
	"testing"
)

func TestAVaultOpensOnlyWithTheSameKeyAndPlace(t *testing.T) {
	ring, err := NewKeyring("a", map[string][]byte{"a": bytes.Repeat([]byte{1}, 32)})
	if err != nil {
		t.Fatal(err)
	}
	v := NewVault(ring)
	one, _ := v.NewKey()
	two, _ := v.NewKey()
	sealed, err := v.Seal(one, []byte("item1.text"), []byte("hello"))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := v.Open(one, []byte("item1.text"), sealed); err != nil || string(got) != "hello" {
		t.Errorf("got %q, %v", got, err)
	}
	if _, err := v.Open(one, []byte("item2.text"), sealed); !errors.Is(err, ErrTampered) {
		t.Errorf("another place: got %v, want ErrTampered", err)
	}
	if _, err := v.Open(two, []byte("item1.text"), sealed); !errors.Is(err, ErrTampered) {
		t.Errorf("another key: got %v, want ErrTampered", err)
	}
}
