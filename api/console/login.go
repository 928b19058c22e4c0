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
	try, wait, err := c.Store.TryLogin(v.ctx(), c.loginKeys(v, name)...)
	if err != nil {
		return err
	}
	if wait > 0 {
		return c.throttled(v, wait)
	}
	user, ok, err := c.checkLogin(v, name, password)
	if err != nil {
		return errors.Join(err, c.untried(v, try))
	}
	if !ok {
		return c.render(v, http.StatusUnauthorized, "login", loginPage{Wrong: true})
	}
	if err := c.Store.LoginSucceeded(v.ctx(), try); err != nil {
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

// A name alone and an address alone are locked after many failures, and not for
// long: whoever keeps the lock up from many addresses slows the name's owner
// down and cannot lock them out for good.
const (
	aloneFree = 99
	aloneLock = time.Minute
)

func alone(key string) store.LoginKey {
	return store.LoginKey{Key: key, Free: aloneFree, First: aloneLock, Most: aloneLock}
}

// loginKeys are what failures are counted by. The pair of a name, known or
// not, and an address is locked after few: who guesses there locks out nobody
// but those who share the address. The name alone and the address alone are
// locked after many, so that guessing from everywhere, or at every name, is
// slow as well. The address alone is left out where it does not tell one client
// from another.
func (c *Console) loginKeys(v *visit, name string) []store.LoginKey {
	name = strings.ToLower(name)
	address := c.Address(v.r)
	keys := []store.LoginKey{
		{Key: "console/pair/" + address + "/" + name, Free: 4, First: time.Second, Most: 15 * time.Minute, Cleared: true},
		alone("console/name/" + name),
	}
	if address != "" {
		keys = append(keys, alone("console/address/"+address))
	}
	return keys
}

func (c *Console) throttled(v *visit, wait time.Duration) error {
	seconds := int(wait/time.Second) + 1
	v.w.Header().Set("Retry-After", strconv.Itoa(seconds))
	return c.render(v, http.StatusTooManyRequests, "login", loginPage{Wait: seconds})
}

// untried takes back a try whose password nobody looked at, also for a browser
// that did not wait.
func (c *Console) untried(v *visit, try store.LoginTry) error {
	ctx, cancel := detached(v.ctx())
	defer cancel()
	return c.Store.LoginUntried(ctx, try)
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
