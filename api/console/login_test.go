package console

import (
	"context"
	"database/sql"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"nightlight/queue/review"
	"nightlight/queue/store"
)

func (v *visitor) logIn(name, password string) answer {
	v.Helper()
	v.get("/console/login")
	return v.post("/console/login", "name", name, "password", password)
}

func TestAWrongNameAndAWrongPasswordGetTheSameAnswer(t *testing.T) {
	h := openHouse(t)
	h.must(h.store.DisableUser(t.Context(), h.users[review.ML].ID, "test"))
	plain := func(a answer) string {
		return formToken.ReplaceAllString(strings.ReplaceAll(a.body, `value="`, ""), "")
	}
	strip := func(v *visitor, a answer) string { return strings.ReplaceAll(plain(a), v.form, "") }
	v := h.visitor()
	want := v.logIn("nobody", password)
	wantBody := strip(v, want)
	for name, given := range map[string]string{"reviewer": "a wrong password", "ml": password, "": "x", "admin": ""} {
		v := h.visitor()
		got := v.logIn(name, given)
		if got.status != http.StatusUnauthorized || want.status != http.StatusUnauthorized || strip(v, got) != wantBody {
			t.Errorf("name %q: got %d and another page than for an unknown name", name, got.status)
		}
	}
	if got := h.visitor().logIn("reviewer", password); got.status != http.StatusSeeOther || got.to() != "/console/" {
		t.Errorf("got %d to %q for the right password, want home", got.status, got.to())
	}
}

func TestFailedLoginsAreSlowedDownWhetherTheNameIsKnownOrNot(t *testing.T) {
	h := openHouse(t)
	for _, name := range []string{"reviewer", "nobody"} {
		v := h.visitor()
		for range 5 {
			if got := v.logIn(name, "wrong").status; got != http.StatusUnauthorized {
				t.Fatalf("%s: got %d, want 401", name, got)
			}
		}
		got := v.logIn(name, password)
		if got.status != http.StatusTooManyRequests || got.header.Get("Retry-After") == "" {
			t.Errorf("%s: got %d after five failures, want 429 and when to try again", name, got.status)
		}
	}
	h.clock.pass(time.Minute)
	if got := h.visitor().logIn("reviewer", password).status; got != http.StatusSeeOther {
		t.Errorf("got %d after a minute, want a login", got)
	}
}

// behindAProxy has the console believe what a proxy on loopback says.
func behindAProxy(s *Settings, _ *store.Options) {
	s.Address = ClientAddress([]netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")})
}

// from is a visitor whom the proxy hears from at an address.
func (h *house) from(address string) *visitor {
	v := h.visitor()
	v.client.Transport = forwarded(address)
	return v
}

// forwarded sends requests with the hops that a proxy writes.
type forwarded string

func (f forwarded) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("X-Forwarded-For", string(f))
	return http.DefaultTransport.RoundTrip(r)
}

func TestWrongPasswordsFromOneAddressLockNobodyOutElsewhere(t *testing.T) {
	h := openHouse(t, behindAProxy)
	guesser := h.from("203.0.113.9")
	for range 5 {
		guesser.logIn("admin", "a wrong password")
	}
	if got := guesser.logIn("admin", password).status; got != http.StatusTooManyRequests {
		t.Errorf("got %d for who guessed, want 429", got)
	}
	if got := h.from("198.51.100.7").logIn("admin", password).status; got != http.StatusSeeOther {
		t.Errorf("got %d for the admin at another address, want a login", got)
	}
	for _, name := range []string{"a", "b", "c"} { // 15 in all
		for range 5 {
			guesser.logIn(name, "a wrong password")
		}
	}
	if got := h.from("203.0.113.9").logIn("reviewer", password).status; got != http.StatusSeeOther {
		t.Errorf("got %d for a reviewer at the guesser's address, want a login", got)
	}
	if got := h.from("203.0.113.9, 127.0.0.2").logIn("admin", password).status; got != http.StatusTooManyRequests {
		t.Errorf("got %d for who guessed, by way of a second proxy, want 429", got)
	}
}

func TestManyGuessesAtOnceAreNoFasterThanOneAfterTheOther(t *testing.T) {
	h := openHouse(t, behindAProxy, func(s *Settings, _ *store.Options) { s.Hashers = 5 }) // nobody waits so long that they are busy
	guessers := make([]*visitor, 40)
	for i := range guessers {
		guessers[i] = h.from("203.0.113.9")
		guessers[i].get("/console/login")
	}
	answers := make([]int, len(guessers))
	var all sync.WaitGroup
	for i, v := range guessers {
		all.Go(func() { answers[i] = v.post("/console/login", "name", "admin", "password", "a wrong password").status })
	}
	all.Wait()
	got := map[int]int{}
	for _, status := range answers {
		got[status]++
	}
	if got[http.StatusUnauthorized] != 5 || got[http.StatusTooManyRequests] != len(guessers)-5 {
		t.Errorf("got answers %v, want five passwords looked at and every other guess refused", got)
	}
	if got := h.from("198.51.100.7").logIn("admin", password).status; got != http.StatusSeeOther {
		t.Errorf("got %d for the admin at another address, want a login", got)
	}
}

func TestALoginThatNobodyCameToLookAtIsNoFailure(t *testing.T) {
	h := openHouse(t)
	console := h.door.Config.Handler.(*Console)
	v := h.visitor()
	v.get("/console/login")
	at, err := url.Parse(h.door.URL)
	h.must(err)
	for range cap(console.hashing) {
		console.hashing <- struct{}{}
	}
	for range 6 { // each leaves before its turn
		ctx, leave := context.WithTimeout(t.Context(), 20*time.Millisecond)
		q := v.request("/console/login", "name", "reviewer", "password", "a wrong password").WithContext(ctx)
		for _, cookie := range v.client.Jar.Cookies(at) {
			q.AddCookie(cookie)
		}
		console.ServeHTTP(httptest.NewRecorder(), q)
		leave()
	}
	for range cap(console.hashing) {
		<-console.hashing
	}
	for range 5 {
		if got := v.logIn("reviewer", "wrong").status; got != http.StatusUnauthorized {
			t.Fatalf("got %d, want 401: none of those was a guess", got)
		}
	}
	if got := v.logIn("reviewer", password).status; got != http.StatusTooManyRequests {
		t.Errorf("got %d after five failures, want 429", got)
	}
}

func TestManyFailuresForANameOrFromAnAddressCostAMinuteEachAndNoMore(t *testing.T) {
	h := openHouse(t, behindAProxy)
	for name, tt := range map[string]struct{ key, guesser, guessed, locked, free string }{
		"for a name":      {"console/name/admin", "192.0.2.1", "admin", "203.0.113.1 admin", "203.0.113.1 senior"},
		"from an address": {"console/address/198.51.100.1", "198.51.100.1", "nobody", "198.51.100.1 reviewer", "203.0.113.1 reviewer"},
	} {
		logIn := func(who string) answer {
			address, user, _ := strings.Cut(who, " ")
			return h.from(address).logIn(user, password)
		}
		for range aloneFree {
			_, _, err := h.store.TryLogin(t.Context(), alone(tt.key))
			h.must(err)
		}
		if got := logIn(tt.locked).status; got != http.StatusSeeOther {
			t.Errorf("%s: got %d before there were many, want a login", name, got)
		}
		h.from(tt.guesser).logIn(tt.guessed, "a wrong password")
		if got := logIn(tt.locked); got.status != http.StatusTooManyRequests || got.header.Get("Retry-After") != "61" {
			t.Errorf("%s: got %d and Retry-After %q, want 429 and a minute", name, got.status, got.header.Get("Retry-After"))
		}
		if got := logIn(tt.free).status; got != http.StatusSeeOther {
			t.Errorf("%s: got %d for somebody else, want a login", name, got)
		}
		h.clock.pass(time.Minute)
		if got := logIn(tt.locked).status; got != http.StatusSeeOther {
			t.Errorf("%s: got %d after a minute, want a login", name, got)
		}
	}
}

func TestAClientsAddressIsTheLastHopThatIsNoTrustedProxy(t *testing.T) {
	proxies := []netip.Prefix{netip.MustParsePrefix("10.1.0.0/24"), netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("fd00::/64")}
	for name, tt := range map[string]struct {
		trusted []netip.Prefix
		peer    string
		hops    []string
		want    string
	}{
		"without the setting the header is ignored":         {nil, "203.0.113.5:1", []string{"198.51.100.1"}, "203.0.113.5"},
		"and loopback tells nobody apart":                   {nil, "127.0.0.1:1", []string{"198.51.100.1"}, ""},
		"from a stranger it is ignored":                     {proxies, "203.0.113.5:1", []string{"198.51.100.1"}, "203.0.113.5"},
		"a proxy tells whom it heard from":                  {proxies, "10.1.0.7:1", []string{"198.51.100.1"}, "198.51.100.1"},
		"what the client made up before that is hearsay":    {proxies, "10.1.0.7:1", []string{"192.0.2.1, 10.1.0.8, 198.51.100.1"}, "198.51.100.1"},
		"a chain of proxies is walked to its end":           {proxies, "10.1.0.7:1", []string{"192.0.2.1, 198.51.100.1, 10.1.0.9", "127.0.0.1"}, "198.51.100.1"},
		"an address with a port is one":                     {proxies, "10.1.0.7:1", []string{"198.51.100.1:4711"}, "198.51.100.1"},
		"a hop that cannot be read ends it at the proxy":    {proxies, "10.1.0.7:1", []string{"198.51.100.1, unknown"}, "10.1.0.7"},
		"a proxy that says nothing counts itself":           {proxies, "10.1.0.7:1", nil, "10.1.0.7"},
		"so does one that names proxies alone":              {proxies, "10.1.0.7:1", []string{"10.1.0.8"}, "10.1.0.7"},
		"an address of version 4 in one of 6 is the same":   {proxies, "[::ffff:10.1.0.7]:1", []string{"::ffff:198.51.100.1"}, "198.51.100.1"},
		"one of version 6 stands for its network":           {proxies, "[fd00::1]:1", []string{"2001:db8:1:2:3:4:5:6"}, "2001:db8:1:2::/64"},
		"a client on the machine itself tells nobody apart": {proxies, "10.1.0.7:1", []string{"::1"}, ""},
	} {
		r := httptest.NewRequest(http.MethodPost, "/console/login", nil)
		r.RemoteAddr = tt.peer
		for _, h := range tt.hops {
			r.Header.Add("X-Forwarded-For", h)
		}
		if got := ClientAddress(tt.trusted)(r); got != tt.want {
			t.Errorf("%s: got %q, want %q", name, got, tt.want)
		}
	}
}

func TestASessionEndsWhenNobodyIsThereAndAfterEightHours(t *testing.T) {
	h := openHouse(t)
	v := h.visitor()
	v.logIn("reviewer", password)
	for range 3 {
		h.clock.pass(14 * time.Minute)
		if got := v.get("/console/").status; got != http.StatusOK {
			t.Fatalf("got %d while somebody is there, want 200", got)
		}
	}
	h.clock.pass(15 * time.Minute)
	if got := v.get("/console/"); got.to() != "/console/login" {
		t.Errorf("got %d after 15 idle minutes, want the login", got.status)
	}
	v.logIn("reviewer", password)
	for range 8 * 60 / 10 {
		h.clock.pass(10 * time.Minute)
		v.get("/console/")
	}
	if got := v.get("/console/"); got.to() != "/console/login" {
		t.Errorf("got %d after eight hours, want the login", got.status)
	}
}

func TestLoggingOutEndsOneSessionOrAll(t *testing.T) {
	h := openHouse(t)
	one, two, three := h.role(review.Senior), h.role(review.Senior), h.role(review.Senior)
	one.post("/console/logout")
	if one.get("/console/").status == http.StatusOK || two.get("/console/").status != http.StatusOK {
		t.Error("got the wrong session ended")
	}
	two.post("/console/logout-everywhere")
	if two.get("/console/").status == http.StatusOK || three.get("/console/").status == http.StatusOK {
		t.Error("got a session that is still open")
	}
}

func TestTheSessionsCookieIsKeptFromScriptsAndOtherSites(t *testing.T) {
	h := openHouse(t)
	for _, secure := range []bool{false, true} {
		c, err := New(Settings{Store: h.store, SecureCookies: secure})
		h.must(err)
		page := httptest.NewRecorder()
		c.ServeHTTP(page, httptest.NewRequest(http.MethodGet, "https://nightlight.example/console/login", nil))
		form := page.Result().Cookies()[0]
		q := httptest.NewRequest(http.MethodPost, "https://nightlight.example/console/login",
			strings.NewReader(url.Values{"form_token": {form.Value}, "name": {"senior"}, "password": {password}}.Encode()))
		q.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		q.Header.Set("Origin", "https://nightlight.example")
		q.AddCookie(form)
		got := httptest.NewRecorder()
		c.ServeHTTP(got, q)
		if got.Code != http.StatusSeeOther {
			t.Fatalf("secure %v: got %d, want a login", secure, got.Code)
		}
		cookie := got.Result().Cookies()[0]
		want := map[bool]string{false: sessionCookie, true: "__Host-" + sessionCookie}[secure]
		if cookie.Name != want || cookie.Secure != secure || !cookie.HttpOnly || cookie.SameSite != http.SameSiteLaxMode || cookie.Path != "/" || cookie.Domain != "" {
			t.Errorf("secure %v: got cookie %v", secure, cookie)
		}
	}
}

func TestAnAdminLooksAfterPeople(t *testing.T) {
	h := openHouse(t)
	admin := h.role(review.Admin)
	admin.get("/console/users")
	page := admin.post("/console/users", "name", "new.person", "role", "reviewer")
	_, rest, _ := strings.Cut(page.body, `<code class="secret">`)
	secret, _, found := strings.Cut(rest, "<")
	if !found || h.visitor().logIn("new.person", secret).status != http.StatusSeeOther {
		t.Error("got no password that works")
	}
	if strings.Contains(admin.get("/console/users").body, secret) {
		t.Error("got the password shown twice")
	}
	if got := admin.post("/console/users", "name", "new.person", "role", "senior").status; got != http.StatusConflict {
		t.Errorf("got %d for a name that is taken, want 409", got)
	}
	made, err := h.store.UserByName(t.Context(), "new.person")
	h.must(err)
	person := h.as(made)
	admin.post("/console/users/"+made.ID+"/role", "role", "auditor")
	if got := person.get("/console/"); got.to() != "/console/login" {
		t.Errorf("got %d after the role changed, want the session ended", got.status)
	}
	admin.post("/console/users/" + made.ID + "/disable")
	if got := h.visitor().logIn("new.person", secret).status; got != http.StatusUnauthorized {
		t.Errorf("got %d for somebody shut out, want 401", got)
	}
	if got := admin.post("/console/users/" + h.users[review.Admin].ID + "/disable").status; got != http.StatusForbidden {
		t.Errorf("got %d for shutting oneself out, want 403", got)
	}
}

func TestAnAdminOfOneTenantDoesNotReachThePeopleOfAnother(t *testing.T) {
	h := openHouse(t)
	local := h.as(h.person("local.admin", review.Admin, h.tenant, "x"))
	theirs := h.users[review.RoleReviewer].ID
	for _, path := range []string{"/role", "/password", "/disable"} {
		if got := local.post("/console/users/"+theirs+path, "role", "admin").status; got != http.StatusNotFound {
			t.Errorf("%s: got %d, want 404", path, got)
		}
	}
	local.post("/console/users", "name", "local.helper", "role", "reviewer", "tenant", "elsewhere")
	made, err := h.store.UserByName(t.Context(), "local.helper")
	h.must(err)
	if made.Tenant != h.tenant {
		t.Errorf("got tenant %q, want the admin's own", made.Tenant)
	}
}

func TestAnAuditorReadsAndChecksTheLog(t *testing.T) {
	h := openHouse(t)
	h.meeting()
	h.role(review.RoleReviewer).opens()
	page := h.role(review.Auditor).get("/console/audit?chain=" + h.tenant + "&check=1")
	if !strings.Contains(page.body, "media.view") || !strings.Contains(page.body, "The log is whole.") || page.showsTalk() {
		t.Errorf("got %d and a log without the look", page.status)
	}
	local := h.as(h.person("local.auditor", review.Auditor, "elsewhere", "x"))
	if got := local.get("/console/audit?chain=" + h.tenant).status; got != http.StatusNotFound {
		t.Errorf("got %d for another tenant's log, want 404", got)
	}
}

func TestAnAuditorOfOneTenantChecksItsChainAndHearsOfNoOther(t *testing.T) {
	h := openHouse(t)
	h.meeting()
	other, err := h.store.CreateTenant(t.Context(), "harbour")
	h.must(err)
	for range 3 {
		h.must(h.store.Audit(t.Context(), other.ID, "test", "key.create", "key_1", ""))
	}
	db, err := sql.Open("sqlite", h.file)
	h.must(err)
	_, err = db.ExecContext(t.Context(), "DROP TRIGGER audit_no_update")
	h.must(err)
	alter := func(chain string) {
		_, err := db.ExecContext(t.Context(), "UPDATE audit SET detail = 'changed' WHERE chain = $1 AND seq = 1", chain)
		h.must(err)
	}
	local, all := h.as(h.person("local.auditor", review.Auditor, h.tenant, "x")), h.role(review.Auditor)
	says := func(v *visitor, want string) {
		t.Helper()
		got := v.get("/console/audit?check=1").text()
		if !strings.Contains(got, want) {
			t.Errorf("got %.300q, want %q", got, want)
		}
		if v == local && (strings.Contains(got, "harbour") || strings.Contains(got, other.ID)) {
			t.Error("got another tenant named")
		}
	}
	heads, err := h.store.AuditHeads(t.Context())
	h.must(err)
	i := slices.IndexFunc(heads, func(a store.Anchor) bool { return a.Chain == h.tenant })
	whole := fmt.Sprintf("The log of lantern is whole. %d lines fit.", heads[i].Seq)
	says(all, "The log is whole.")
	says(local, whole)
	alter(other.ID)
	says(all, "The log of harbour is broken at line 1.")
	says(local, whole)
	alter(h.tenant)
	says(local, "The log of lantern is broken at line 1.")
	alter("")
	says(all, "The log of all tenants is broken at line 1.")
	h.must(db.Close())
}

func TestAnAdminSeesDeadDeliveriesAndSendsThemAgain(t *testing.T) {
	h := openHouse(t)
	h.must(h.store.Bury(t.Context(), "item_1:judge", "judge", "attempts_spent"))
	page := h.role(review.Admin).get("/console/health")
	if !strings.Contains(page.body, "item_1:judge") || !strings.Contains(page.body, "attempts_spent") {
		t.Errorf("got %d and no dead letter", page.status)
	}
	local := h.as(h.person("local.admin", review.Admin, h.tenant, "x"))
	if strings.Contains(local.get("/console/health").body, "item_1:judge") {
		t.Error("got every tenant's tasks shown to one tenant's admin")
	}
}
