package console

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"
)

// What OWASP's password storage cheat sheet asks of argon2id: 19 MiB, two
// passes, one lane.
const (
	argonMemory  = 19 * 1024 // KiB
	argonTime    = 2
	argonThreads = 1
	argonSalt    = 16
	argonKey     = 32
)

// The bounds of a password: long enough that guessing fails, short enough that
// hashing it is no way to wear us out.
const (
	MinPassword = 12  // characters
	MaxPassword = 256 // bytes
)

// ErrPassword says that a password is shorter or longer than is allowed.
var ErrPassword = errors.New("password must have 12 characters or more and at most 256 bytes")

// errHash says that a stored hash is not one that we made.
var errHash = errors.New("password hash: malformed")

// HashPassword returns the argon2id hash of a password in its PHC form. It
// takes 19 MiB and some tens of milliseconds.
func HashPassword(password string) (string, error) {
	if utf8.RuneCountInString(password) < MinPassword || len(password) > MaxPassword {
		return "", ErrPassword
	}
	salt := make([]byte, argonSalt)
	_, _ = rand.Read(salt) // never fails: it ends the program instead
	key := argon2.IDKey([]byte(password), salt, argonTime, argonMemory, argonThreads, argonKey)
	b64 := base64.RawStdEncoding.EncodeToString
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, argonMemory, argonTime, argonThreads, b64(salt), b64(key)), nil
}

// CheckPassword reports whether a password belongs to a hash. A hash that
// cannot be read, or that asks for more than 256 MiB or 16 passes, is an error.
func CheckPassword(hash, password string) (bool, error) {
	if len(password) > MaxPassword {
		return false, nil
	}
	part := strings.Split(hash, "$")
	if len(part) != 6 || part[0] != "" || part[1] != "argon2id" {
		return false, errHash
	}
	var version, threads int
	var memory, passes uint32
	if n, err := fmt.Sscanf(part[2], "v=%d", &version); n != 1 || err != nil || version != argon2.Version {
		return false, errHash
	}
	if n, err := fmt.Sscanf(part[3], "m=%d,t=%d,p=%d", &memory, &passes, &threads); n != 3 || err != nil {
		return false, errHash
	}
	if memory < 8 || memory > 256*1024 || passes < 1 || passes > 16 || threads < 1 || threads > 16 {
		return false, errHash
	}
	salt, err := base64.RawStdEncoding.Strict().DecodeString(part[4])
	if err != nil || len(salt) < 8 {
		return false, errHash
	}
	want, err := base64.RawStdEncoding.Strict().DecodeString(part[5])
	if err != nil || len(want) < 16 || len(want) > 128 {
		return false, errHash
	}
	got := argon2.IDKey([]byte(password), salt, passes, memory, uint8(threads), uint32(len(want)))
	return subtle.ConstantTimeCompare(got, want) == 1, nil
}
