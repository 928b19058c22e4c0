package console

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"nightlight/pipeline/media"
	"nightlight/queue/review"
	"nightlight/queue/store"
)

// visit is one request with who makes it.
type visit struct {
	w       http.ResponseWriter
	r       *http.Request
	lang    string
	session store.Session // zero without a login
	token   string        // the session's
	form    string        // the token that every form of this page carries
}

func (v *visit) ctx() context.Context      { return v.r.Context() }
func (v *visit) user() store.User          { return v.session.User }
func (v *visit) reviewer() review.Reviewer { return v.session.User.Reviewer() }
func (v *visit) loggedIn() bool            { return v.session.User.ID != "" }
func (v *visit) id() string                { return v.r.PathValue("id") }
func (v *visit) value(name string) string  { return v.r.PostFormValue(name) }

// go303 sends the browser on after a form.
func (v *visit) go303(path string) error {
	http.Redirect(v.w, v.r, path, http.StatusSeeOther)
	return nil
}

// The refusals of this package; each has its status and its sentence in fail.
var (
	errMissing   = errors.New("no such page")
	errLoggedOut = errors.New("not logged in")
	errRole      = errors.New("role may not")
	errForged    = errors.New("form was not made by this page")
	errInput     = errors.New("form is incomplete")
	errBreak     = errors.New("time for a break")
	errSilent    = errors.New("no sound to play")
)

// maxForm is the largest form we read.
const maxForm = 64 << 10

// guard lets a request through to its route, or answers it.
func (c *Console) guard(rt route) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		secure(w.Header())
		v := c.visit(w, r)
		if err := c.admit(v, rt); err != nil {
			c.fail(v, err)
			return
		}
		if err := rt.handle(v); err != nil {
			c.fail(v, err)
		}
	})
}

// pagePolicy is what a page may load and do. No page plays sound but those that call
// playing.
const pagePolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; " +
	"connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// playing lets this answer play sound that came to it by a guarded form: source is
// "blob:", what its script made of an answer, or "data:", what is in the page.
func playing(h http.Header, source string) {
	h.Set("Content-Security-Policy", pagePolicy+"; media-src "+source)
}

// secure writes the headers of every answer.
func secure(h http.Header) {
	h.Set("Content-Security-Policy", pagePolicy)
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "same-origin") // no-referrer would turn the Origin of our own forms into null
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Permissions-Policy", "camera=(), microphone=(), geolocation=()")
}

// visit reads the language and, if it is good, the session.
func (c *Console) visit(w http.ResponseWriter, r *http.Request) *visit {
	return &visit{w: w, r: r, lang: languageOf(r)}
}

func (c *Console) admit(v *visit, rt route) error {
	if err := c.recognise(v); err != nil {
		return err
	}
	if !rt.access.public && !v.loggedIn() {
		return errLoggedOut
	}
	if !rt.access.allows(v.user().Role) {
		return errRole
	}
	if v.r.Method == http.MethodGet {
		return nil
	}
	v.r.Body = http.MaxBytesReader(v.w, v.r.Body, maxForm)
	if err := v.r.ParseForm(); err != nil {
		return errInput
	}
	if !c.ownOrigin(v.r) || !same(v.formToken(), v.form) {
		return errForged
	}
	return nil
}

// recognise finds the session, and the token that forms of this page carry.
func (c *Console) recognise(v *visit) error {
	if cookie, err := v.r.Cookie(c.cookie(sessionCookie)); err == nil && cookie.Value != "" {
		session, err := c.Store.Session(v.ctx(), cookie.Value)
		switch {
		case err == nil:
			v.session, v.token, v.form = session, cookie.Value, session.CSRF
			return nil
		case !errors.Is(err, store.ErrNotFound):
			return err
		}
	}
	// Before the login a form is bound to a cookie of its own.
	if cookie, err := v.r.Cookie(c.cookie(formCookie)); err == nil && len(cookie.Value) >= 20 {
		v.form = cookie.Value
		return nil
	}
	if v.r.Method == http.MethodGet {
		v.form = randomWord(18)
		c.setCookie(v.w, formCookie, v.form, 0)
	}
	return nil
}

func (v *visit) formToken() string {
	if t := v.r.Header.Get("X-Form-Token"); t != "" {
		return t
	}
	return v.value("form_token")
}

func same(got, want string) bool {
	return want != "" && subtle.ConstantTimeCompare([]byte(got), []byte(want)) == 1
}

// ownOrigin reports whether a page of this console sent the form. Every
// current browser says where a POST comes from; one that does not is refused.
func (c *Console) ownOrigin(r *http.Request) bool {
	if site := r.Header.Get("Sec-Fetch-Site"); site != "" && site != "same-origin" {
		return false
	}
	origin, err := url.Parse(r.Header.Get("Origin"))
	if err != nil || origin.Host == "" || origin.Host != r.Host {
		return false
	}
	return !c.SecureCookies || origin.Scheme == "https"
}

// The console's cookies.
const (
	sessionCookie  = "nightlight"
	formCookie     = "nightlight-form"
	languageCookie = "nightlight-lang"
)

// cookie is the name under which a browser keeps a cookie. With __Host- it
// takes it from this host and over TLS only.
func (c *Console) cookie(name string) string {
	if c.SecureCookies {
		return "__Host-" + name
	}
	return name
}

func (c *Console) setCookie(w http.ResponseWriter, name, value string, lasts time.Duration) {
	http.SetCookie(w, &http.Cookie{
		Name: c.cookie(name), Value: value, Path: "/", MaxAge: int(lasts.Seconds()),
		HttpOnly: true, Secure: c.SecureCookies, SameSite: http.SameSiteLaxMode,
	})
}

func (c *Console) dropCookie(w http.ResponseWriter, name string) {
	http.SetCookie(w, &http.Cookie{
		Name: c.cookie(name), Path: "/", MaxAge: -1,
		HttpOnly: true, Secure: c.SecureCookies, SameSite: http.SameSiteLaxMode,
	})
}

// randomWord returns n random bytes as URL-safe text.
func randomWord(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails: it ends the program instead
	return base64.RawURLEncoding.EncodeToString(b)
}

// ClientAddress returns what tells one client's address from another's, fit
// for Settings.Address. Only a connection from a trusted proxy is asked for
// X-Forwarded-For, in which anybody can write: the address is the last hop
// there that is no trusted proxy itself, for all before it is hearsay. An IPv6
// address stands for its /64, of which a client can have every one; loopback
// for nobody, since a proxy that was not named may speak for everybody.
func ClientAddress(trusted []netip.Prefix) func(*http.Request) string {
	known := func(a netip.Addr) bool {
		return slices.ContainsFunc(trusted, func(p netip.Prefix) bool { return p.Contains(a) })
	}
	return func(r *http.Request) string {
		peer, ok := parseAddress(r.RemoteAddr)
		if !ok {
			return ""
		}
		if known(peer) {
			peer = lastStranger(r.Header.Values("X-Forwarded-For"), known, peer)
		}
		switch {
		case peer.IsLoopback():
			return ""
		case peer.Is6():
			return netip.PrefixFrom(peer, 64).Masked().String()
		}
		return peer.String()
	}
}

// lastStranger walks the hops from our end to the first that is not known, and
// gives peer when there is none or a hop cannot be read.
func lastStranger(headers []string, known func(netip.Addr) bool, peer netip.Addr) netip.Addr {
	hops := strings.Split(strings.Join(headers, ","), ",")
	for _, hop := range slices.Backward(hops) {
		a, ok := parseAddress(strings.TrimSpace(hop))
		if !ok {
			return peer
		}
		if !known(a) {
			return a
		}
	}
	return peer
}

// parseAddress reads an address with or without a port.
func parseAddress(s string) (netip.Addr, bool) {
	a, err := netip.ParseAddr(s)
	if err != nil {
		ap, err := netip.ParseAddrPort(s)
		if err != nil {
			return netip.Addr{}, false
		}
		a = ap.Addr()
	}
	return a.Unmap().WithZone(""), true
}

// refusal is how an error is answered: a status and the key of a sentence.
type refusal struct {
	status int
	key    string
}

// refusalOf is the one place where errors become answers. What it does not
// know is ours to mend: 500, and the log hears of it.
func refusalOf(err error) refusal {
	for _, known := range []struct {
		err error
		refusal
	}{
		{errMissing, refusal{http.StatusNotFound, "missing"}},
		{errRole, refusal{http.StatusForbidden, "role"}},
		{errForged, refusal{http.StatusForbidden, "forged"}},
		{errInput, refusal{http.StatusBadRequest, "input"}},
		{errBreak, refusal{http.StatusTooManyRequests, "break"}},
		{errSilent, refusal{http.StatusUnprocessableEntity, "silent"}},
		{store.ErrCapped, refusal{http.StatusTooManyRequests, "cap"}},
		{errThrottled, refusal{http.StatusTooManyRequests, "throttled"}},
		{errBusy, refusal{http.StatusServiceUnavailable, "busy"}},
		{ErrPassword, refusal{http.StatusBadRequest, "input"}},
		{store.ErrNotFound, refusal{http.StatusNotFound, "missing"}},
		{store.ErrForbidden, refusal{http.StatusForbidden, "eyes"}}, // roles are errRole: the case itself says no
		{store.ErrClaimed, refusal{http.StatusConflict, "claimed"}},
		{store.ErrLost, refusal{http.StatusConflict, "lost"}},
		{store.ErrDone, refusal{http.StatusConflict, "done"}},
		{store.ErrConflict, refusal{http.StatusConflict, "conflict"}},
		{store.ErrIllegal, refusal{http.StatusConflict, "conflict"}},
		{store.ErrTooLate, refusal{http.StatusConflict, "too_late"}},
		{store.ErrErased, refusal{http.StatusGone, "erased"}},
		{media.ErrNotFound, refusal{http.StatusGone, "erased"}},
	} {
		if errors.Is(err, known.err) {
			return known.refusal
		}
	}
	return refusal{http.StatusInternalServerError, "internal"}
}

// fail answers an error with a fixed sentence.
func (c *Console) fail(v *visit, err error) {
	if errors.Is(err, context.Canceled) && v.ctx().Err() != nil {
		return // the browser left
	}
	if errors.Is(err, errLoggedOut) {
		if v.r.Method == http.MethodGet {
			_ = v.go303("/console/login")
			return
		}
		err = errForged
	}
	no := refusalOf(err)
	if no.status == http.StatusInternalServerError {
		c.Log.Error("console page failed", "pattern", v.r.Pattern, "user", v.user().ID, "error", err)
	}
	page := errorPage{Status: no.status, Key: no.key}
	if err := c.render(v, no.status, "error", page); err != nil {
		http.Error(v.w, http.StatusText(no.status), no.status)
	}
}

type errorPage struct {
	Status int
	Key    string
}
