package console

import (
	"errors"
	"strings"
	"testing"
)

func TestAPasswordFitsItsOwnHashOnly(t *testing.T) {
	hash, err := HashPassword(password)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(hash, "$argon2id$v=19$m=19456,t=2,p=1$") || strings.Contains(hash, password) {
		t.Errorf("got hash %q, want argon2id with OWASP's parameters", hash)
	}
	for given, want := range map[string]bool{password: true, password + " ": false, strings.ToUpper(password): false, "": false, strings.Repeat("x", MaxPassword+1): false} {
		if got, err := CheckPassword(hash, given); got != want || err != nil {
			t.Errorf("got %v, %v for a password of %d bytes, want %v", got, err, len(given), want)
		}
	}
	if again, err := HashPassword(password); err != nil || again == hash {
		t.Errorf("got the same hash twice, %v, want another salt", err)
	}
}

func TestAPasswordHasBounds(t *testing.T) {
	for _, bad := range []string{"", "elevenchars", "夜灯夜灯夜灯", strings.Repeat("x", MaxPassword+1)} {
		if _, err := HashPassword(bad); !errors.Is(err, ErrPassword) {
			t.Errorf("got %v for %d bytes, want ErrPassword", err, len(bad))
		}
	}
	if _, err := HashPassword("夜灯照着我们大家回家的路"); err != nil {
		t.Errorf("got %v for twelve characters, want a hash", err)
	}
}

func TestAHashThatIsNotOursIsAnErrorAndNeverALogin(t *testing.T) {
	good, err := HashPassword(password)
	if err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{
		"", "x", password, strings.Replace(good, "argon2id", "argon2i", 1), strings.Replace(good, "v=19", "v=16", 1),
		strings.Replace(good, "m=19456", "m=99999999", 1), strings.Replace(good, "t=2", "t=0", 1), strings.Replace(good, "p=1", "p=0", 1),
		strings.Replace(good, "$v=19", "", 1), good[:len(good)-30] + "!!", good + "$",
	} {
		if ok, err := CheckPassword(bad, password); ok || err == nil {
			t.Errorf("got %v, %v for hash %q, want an error", ok, err, bad)
		}
	}
}
