package console

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"unicode"
	"unicode/utf8"

	"nightlight/queue/review"
	"nightlight/queue/store"
)

var roles = [...]review.Role{review.RoleReviewer, review.Senior, review.Auditor, review.ML, review.Admin}

type usersPage struct {
	Users    []store.User
	Roles    []review.Role
	Tenants  []store.Tenant // to choose from, for an admin of every tenant
	Me       string
	Name     string // whose password is shown
	Password string // shown once
	Taken    bool
}

func (c *Console) usersPage(v *visit) error { return c.showUsers(v, http.StatusOK, usersPage{}) }

func (c *Console) showUsers(v *visit, status int, p usersPage) (err error) {
	if p.Users, err = c.Store.Users(v.ctx(), v.user().Tenant); err != nil {
		return err
	}
	if v.user().Tenant == "" {
		if p.Tenants, err = c.Store.Tenants(v.ctx()); err != nil {
			return err
		}
	}
	p.Roles, p.Me = roles[:], v.user().ID
	return c.render(v, status, "users", p)
}

// addUser makes a user with a password of our own choice, which is shown once.
func (c *Console) addUser(v *visit) error {
	u := store.User{Name: strings.TrimSpace(v.value("name")), Role: review.Role(v.value("role")), Tenant: v.user().Tenant}
	if !plainName(u.Name) || !u.Role.Known() {
		return errInput
	}
	if u.Tenant == "" {
		if err := c.pickTenant(v, &u); err != nil {
			return err
		}
	}
	password, hash, err := c.newPassword(v)
	if err != nil {
		return err
	}
	u.PasswordHash = hash
	_, err = c.Store.CreateUser(v.ctx(), u, v.user().ID)
	if errors.Is(err, store.ErrConflict) {
		return c.showUsers(v, http.StatusConflict, usersPage{Taken: true})
	}
	if err != nil {
		return err
	}
	return c.showUsers(v, http.StatusOK, usersPage{Name: u.Name, Password: password})
}

func (c *Console) pickTenant(v *visit, u *store.User) error {
	want := v.value("tenant")
	if want == "" {
		return nil // works for every tenant
	}
	tenants, err := c.Store.Tenants(v.ctx())
	if err != nil {
		return err
	}
	for _, t := range tenants {
		if t.ID == want {
			u.Tenant = want
			return nil
		}
	}
	return errInput
}

// plainName allows letters, digits and ". _ - @", up to 64 characters.
func plainName(name string) bool {
	if name == "" || utf8.RuneCountInString(name) > 64 {
		return false
	}
	for _, r := range name {
		if !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("._-@", r) {
			return false
		}
	}
	return true
}

// newPassword waits its turn, as logins do.
func (c *Console) newPassword(v *visit) (password, hash string, err error) {
	select {
	case c.hashing <- struct{}{}:
		defer func() { <-c.hashing }()
	case <-v.ctx().Done():
		return "", "", v.ctx().Err()
	}
	password = randomWord(15)
	hash, err = HashPassword(password)
	return password, hash, err
}

// theirs returns the user that a form is about, if the admin may change them.
// Nobody changes themself: the last admin could shut everybody out.
func (c *Console) theirs(v *visit) (store.User, error) {
	u, err := c.Store.User(v.ctx(), v.id())
	if err != nil {
		return u, err
	}
	if own := v.user().Tenant; own != "" && u.Tenant != own {
		return u, errMissing
	}
	if u.ID == v.user().ID {
		return u, errRole
	}
	return u, nil
}

func (c *Console) setRole(v *visit) error {
	u, err := c.theirs(v)
	if err != nil {
		return err
	}
	role := review.Role(v.value("role"))
	if !role.Known() {
		return errInput
	}
	if err := c.Store.SetRole(v.ctx(), u.ID, role, v.user().ID); err != nil {
		return fmt.Errorf("set role of %s: %w", u.ID, err)
	}
	return v.go303("/console/users")
}

func (c *Console) resetPassword(v *visit) error {
	u, err := c.theirs(v)
	if err != nil {
		return err
	}
	password, hash, err := c.newPassword(v)
	if err != nil {
		return err
	}
	if err := c.Store.SetPassword(v.ctx(), u.ID, hash, v.user().ID); err != nil {
		return fmt.Errorf("set password of %s: %w", u.ID, err)
	}
	return c.showUsers(v, http.StatusOK, usersPage{Name: u.Name, Password: password})
}

func (c *Console) disableUser(v *visit) error {
	u, err := c.theirs(v)
	if err != nil {
		return err
	}
	if err := c.Store.DisableUser(v.ctx(), u.ID, v.user().ID); err != nil {
		return fmt.Errorf("disable %s: %w", u.ID, err)
	}
	return v.go303("/console/users")
}
