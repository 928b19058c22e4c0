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
	wait, err := c.locked(v, keys)
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
	for _, k := range keys {
		if err := c.Store.LoginSucceeded(v.ctx(), k); err != nil {
			return err
		}
	}
	token, _, err := c.Store.CreateSession(v.ctx(), user.ID, c.Idle, c.Absolute)
	if err != nil {
		return err
	}
	c.setCookie(v.w, sessionCookie, token, 0)
	c.dropCookie(v.w, formCookie)
	return v.go303("/console/")
}

// throttleKeys are what failures are counted by: the name, known or not, and
// the address if it tells one client from another.
func (c *Console) throttleKeys(v *visit, name string) []string {
	keys := []string{"console/name/" + strings.ToLower(name)}
	if a := c.Address(v.r); a != "" {
		keys = append(keys, "console/address/"+a)
	}
	return keys
}

func (c *Console) locked(v *visit, keys []string) (wait time.Duration, err error) {
	now, err := c.Store.Now(v.ctx())
	if err != nil {
		return 0, err
	}
	for _, k := range keys {
		t, err := c.Store.LoginThrottle(v.ctx(), k)
		if err != nil {
			return 0, err
		}
		wait = max(wait, t.LockedUntil.Sub(now))
	}
	return wait, nil
}

func (c *Console) throttled(v *visit, wait time.Duration) error {
	seconds := int(wait/time.Second) + 1
	v.w.Header().Set("Retry-After", strconv.Itoa(seconds))
	return c.render(v, http.StatusTooManyRequests, "login", loginPage{Wait: seconds})
}

func (c *Console) wrongLogin(v *visit, keys []string) error {
	for _, k := range keys {
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
