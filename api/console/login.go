package console

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"nightlight/queue/store"
)

var (
	errThrottled = errors.New("too many failed logins")
	errBusy      = errors.New("too many logins at once")
)

type loginPage struct {
	Wrong bool
	Wait  int // seconds, when the name or the address is locked
}

func (c *Console) loginPage(v *visit) error {
	if v.loggedIn() {
		return v.go303("/console/")
	}
	return c.render(v, http.StatusOK, "login", loginPage{})
}

// login answers a wrong name and a wrong password alike, in words and in time.
func (c *Console) login(v *visit) error {
	name, password := strings.TrimSpace(v.value("name")), v.value("password")
	if name == "" || len(name) > 200 || password == "" {
		return c.render(v, http.StatusUnauthorized, "login", loginPage{Wrong: true})
	}
	keys := c.throttleKeys(v, name)
	wait, err := c.lockedFor(v, keys)
	if err != nil {
		return err
	}
	if wait > 0 {
		return c.throttled(v, wait)
	}
	user, ok, err := c.checkLogin(v, name, password)
	if err != nil {
		return err
	}
	if !ok {
		return c.wrongLogin(v, keys)
	}
	if err := c.Store.LoginSucceeded(v.ctx(), keys.pair); err != nil {
		return err
	}
	token, _, err := c.Store.CreateSession(v.ctx(), user.ID, c.Idle, c.Absolute)
	if err != nil {
		return err
	}
	c.setCookie(v.w, sessionCookie, token, 0)
	c.dropCookie(v.w, formCookie)
	return v.go303("/console/")
}

// throttleKeys are what failures are counted by. The pair of a name, known or
// not, and an address is locked after few: who guesses there locks out nobody
// but those who share the address. The name alone and the address alone are
// locked after many, so that guessing from everywhere, or at every name, is
// slow as well.
type throttleKeys struct {
	pair  string
	alone []string
}

// The bounds of a name alone and of an address alone. The lock is short:
// whoever keeps it up from many addresses slows the name's owner down and
// cannot lock them out for good.
const (
	aloneFree = 100 // failures, as the store counts them
	aloneLock = time.Minute
	// storeLock is how long the store locks a key that failed so often.
	storeLock = 15 * time.Minute
)

// throttleKeys leaves the address alone out where it does not tell one client
// from another.
func (c *Console) throttleKeys(v *visit, name string) throttleKeys {
	name = strings.ToLower(name)
	address := c.Address(v.r)
	keys := throttleKeys{pair: "console/pair/" + address + "/" + name, alone: []string{"console/name/" + name}}
	if address != "" {
		keys.alone = append(keys.alone, "console/address/"+address)
	}
	return keys
}

// lockedFor is how long the login is still locked.
func (c *Console) lockedFor(v *visit, keys throttleKeys) (time.Duration, error) {
	now, err := c.Store.Now(v.ctx())
	if err != nil {
		return 0, err
	}
	pair, err := c.Store.LoginThrottle(v.ctx(), keys.pair)
	if err != nil {
		return 0, err
	}
	wait := pair.LockedUntil.Sub(now)
	for _, k := range keys.alone {
		t, err := c.Store.LoginThrottle(v.ctx(), k)
		if err != nil {
			return 0, err
		}
		if t.Failures >= aloneFree && t.LockedUntil.After(now) {
			wait = max(wait, t.LockedUntil.Sub(now)-storeLock+aloneLock)
		}
	}
	return wait, nil
}

func (c *Console) throttled(v *visit, wait time.Duration) error {
	seconds := int(wait/time.Second) + 1
	v.w.Header().Set("Retry-After", strconv.Itoa(seconds))
	return c.render(v, http.StatusTooManyRequests, "login", loginPage{Wait: seconds})
}

func (c *Console) wrongLogin(v *visit, keys throttleKeys) error {
	for _, k := range append(keys.alone, keys.pair) {
		if _, err := c.Store.LoginFailed(v.ctx(), k); err != nil {
			return err
		}
	}
	return c.render(v, http.StatusUnauthorized, "login", loginPage{Wrong: true})
}

// checkLogin spends one argon2id whether the name is known or not.
func (c *Console) checkLogin(v *visit, name, password string) (user store.User, ok bool, err error) {
	user, err = c.Store.UserByName(v.ctx(), name)
	known := err == nil
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return store.User{}, false, err
	}
	hash := c.decoy
	if known {
		hash = user.PasswordHash
	}
	fits, err := c.checkPassword(v, hash, password)
	if err != nil {
		return store.User{}, false, fmt.Errorf("check login of %s: %w", user.ID, err)
	}
	return user, fits && known && user.DisabledAt.IsZero(), nil
}

// checkPassword waits its turn, so that many logins at once cost no more
// memory than a few.
func (c *Console) checkPassword(v *visit, hash, password string) (bool, error) {
	turn := time.NewTimer(5 * time.Second)
	defer turn.Stop()
	select {
	case c.hashing <- struct{}{}:
		defer func() { <-c.hashing }()
		return CheckPassword(hash, password)
	case <-turn.C:
		return false, errBusy
	case <-v.ctx().Done():
		return false, v.ctx().Err()
	}
}

func (c *Console) logout(v *visit) error {
	if err := c.Store.EndSession(v.ctx(), v.token); err != nil {
		return err
	}
	c.dropCookie(v.w, sessionCookie)
	return v.go303("/console/login")
}

func (c *Console) logoutEverywhere(v *visit) error {
	if err := c.Store.EndSessions(v.ctx(), v.user().ID); err != nil {
		return err
	}
	c.dropCookie(v.w, sessionCookie)
	return v.go303("/console/login")
}
