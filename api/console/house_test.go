package console

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"nightlight/pipeline"
	"nightlight/pipeline/media"
	"nightlight/pipeline/words"
	"nightlight/queue/review"
	"nightlight/queue/store"
	"nightlight/queue/store/storetest"
)

const password = "a lamp for the night"

// clock stands still until a test moves it.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// house is a console on a real database, with a person of each role.
type house struct {
	*testing.T
	store  *store.Store
	clock  *clock
	door   *httptest.Server
	file   string // of the database
	tenant string
	users  map[review.Role]store.User
	n      int

	objects media.Store // nil in most
	vault   *media.Vault
}

// openHouse opens a console whose clock stands still. With real time the
// database's own clock runs, as a browser's does.
func openHouse(t *testing.T, change ...func(*Settings, *store.Options)) *house {
	t.Helper()
	h := &house{T: t, clock: &clock{at: time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)}, users: map[review.Role]store.User{}}
	options := store.Options{Clock: h.clock.now}
	library, err := words.Open()
	h.must(err)
	settings := Settings{Words: library}
	for _, c := range change {
		c(&settings, &options)
	}
	h.file = filepath.Join(t.TempDir(), "nightlight.db")
	h.store = storetest.Open(t, "sqlite:"+h.file, options)
	settings.Store = h.store
	h.objects, h.vault = settings.Media, settings.Vault
	console, err := New(settings)
	h.must(err)
	h.door = httptest.NewServer(console)
	t.Cleanup(h.door.Close)
	made, err := h.store.CreateTenant(t.Context(), "lantern")
	h.must(err)
	h.tenant = made.ID
	hash, err := HashPassword(password)
	h.must(err)
	for _, role := range roles {
		h.users[role] = h.person(string(role), role, "", hash)
	}
	return h
}

func realTime(_ *Settings, o *store.Options) { o.Clock = nil }

func (h *house) must(err error) {
	h.Helper()
	if err != nil {
		h.Fatal(err)
	}
}

func (h *house) person(name string, role review.Role, tenant, hash string) store.User {
	h.Helper()
	u, err := h.store.CreateUser(context.Background(), store.User{Name: name, Role: role, Tenant: tenant, PasswordHash: hash}, "test")
	h.must(err)
	return u
}

func years(n int) *int { return &n }

// says accepts a message of the conversation that all of the house share.
func (h *house) says(from string, text string) store.NewItem {
	h.n++
	ages := map[string]*int{"acct-sender-77": years(31), "acct-mia-42": years(9)}
	to := "acct-mia-42"
	if from == to {
		to = "acct-sender-77"
	}
	return store.NewItem{
		Item: pipeline.Item{
			Tenant: h.tenant, ExternalID: fmt.Sprintf("m%d", h.n), Kind: pipeline.KindMessage, Text: text,
			Sender: pipeline.Person{ID: from, Age: ages[from]}, Recipients: []pipeline.Person{{ID: to, Age: ages[to]}},
			ConversationID: "talk-1", Audience: pipeline.AudienceDirect, Locale: "zh-CN", SentAt: time.Now(),
		},
		BodyHash: sha256.Sum256([]byte(text)), Queue: "text",
	}
}

func (h *house) accept(n store.NewItem) string {
	h.Helper()
	a, err := h.store.Accept(h.Context(), n)
	h.must(err)
	return a.ID
}

// judge gives an accepted item the verdict that policy has for the signals.
func (h *house) judge(id string, evidence []store.Evidence, signals ...pipeline.Signal) store.Committed {
	h.Helper()
	l, err := h.store.Claim(h.Context(), id, store.StageJudge, "test")
	h.must(err)
	findings := pipeline.Findings{Signals: signals, Models: []pipeline.ModelRef{{Name: "test", Version: "1"}}}
	v := pipeline.DefaultPolicy().Judge(l.Item, findings, time.Time{})
	o := store.Outcome{Verdict: v, Evidence: evidence}
	bound, err := h.store.Guardians(h.Context(), h.tenant, "acct-mia-42")
	h.must(err)
	for _, e := range v.Escalations {
		if e.To == "guardian" && len(bound) > 0 { // as the workers do it
			o.Notices = append(o.Notices, review.Notice{To: "guardian", Recipient: "guardian-1", Child: "acct-mia-42", TextKey: "grooming", Urgency: e.Urgency, After: e.After})
		}
	}
	done, err := h.store.Commit(h.Context(), l, o)
	h.must(err)
	return done
}

// hears is a signal about a part of a text.
func hears(l pipeline.Label, score float64, text, part string) pipeline.Signal {
	before, _, found := strings.Cut(text, part)
	start := len([]rune(before))
	if !found {
		return pipeline.Signal{Label: l, Score: score, Source: "test@1"}
	}
	return pipeline.Signal{Label: l, Score: score, Source: "test@1", View: "raw", Start: start, End: start + len([]rune(part)), In: "text"}
}

// guardian binds a guardian to the child of the shared conversation.
func (h *house) guardian() {
	h.Helper()
	h.must(h.store.PutAccount(h.Context(), h.tenant, store.Account{ID: "acct-mia-42", Locale: "zh-CN",
		Guardians: []store.Guardian{{ID: "guardian-1", Relation: "mother", Locale: "zh-CN", Channels: []store.Channel{{Kind: "log", Address: "x"}}}}}))
}

// meeting is a severe case with a conversation around it.
func (h *house) meeting() string {
	h.Helper()
	for i, line := range []string{"作业写完了吗", "还差数学", "你一个人在家呀？"} {
		from := "acct-sender-77"
		if i == 1 {
			from = "acct-mia-42"
		}
		id := h.accept(h.says(from, line))
		h.judge(id, nil)
	}
	text := "那我们出来见一面吧，别告诉你妈妈"
	id := h.accept(h.says("acct-sender-77", text))
	done := h.judge(id, nil, hears(pipeline.GroomingMeeting, .93, text, "出来见一面"), hears(pipeline.GroomingSecrecy, .88, text, "别告诉你妈妈"))
	h.judge(h.accept(h.says("acct-mia-42", "好呀 几点")), nil)
	return done.CaseID
}

// trade is a mild case that one vote closes.
func (h *house) trade(text string) string {
	h.Helper()
	id := h.accept(h.says("acct-mia-42", text))
	return h.judge(id, nil, hears(pipeline.MarketAccountTrade, .97, text, text)).CaseID
}

// secretPicture marks the bytes of the plain picture, so that a test can look
// for them.
const secretPicture = "plain-rendition-marker"

// photo is a case with a picture, drawn from a harmless test card.
func (h *house) photo() string {
	h.Helper()
	return h.sends(pipeline.KindPhoto, []byte("a photo"), h.pictures(), pipeline.Signal{Label: pipeline.SexualSuggestive, Score: .91, Source: "test@1", In: "picture"})
}

// pictures are renditions, grey and plain.
func (h *house) pictures() []store.Evidence {
	h.Helper()
	card, err := media.TestCard("sexual.suggestive")
	h.must(err)
	var plain, grey bytes.Buffer
	h.must(jpeg.Encode(&plain, card, nil))
	h.must(jpeg.Encode(&grey, shade(card), nil))
	return []store.Evidence{{Kind: kindPreview, Body: grey.Bytes()}, {Kind: kindThumbnail, Body: append(plain.Bytes(), secretPicture...)}}
}

// sends is a case about a file that the child sent, sealed where the house has a
// media store.
func (h *house) sends(kind pipeline.Kind, data []byte, evidence []store.Evidence, signals ...pipeline.Signal) string {
	h.Helper()
	sum := sha256.Sum256(data)
	hash := hex.EncodeToString(sum[:])
	up, err := h.store.CreateUpload(h.Context(), store.Upload{Tenant: h.tenant, ContentType: "application/octet-stream", Bytes: int64(len(data)), SHA256: hash}, time.Hour)
	h.must(err)
	if h.objects != nil {
		sealed, err := h.vault.Objects(h.objects, up.Key)
		h.must(err)
		h.must(sealed.Put(h.Context(), up.MediaKey, bytes.NewReader(data), int64(len(data)), hash))
	}
	h.must(h.store.UploadStored(h.Context(), h.tenant, up.ID))
	n := h.says("acct-mia-42", "看我拍的照片")
	n.Kind, n.UploadID, n.ConversationID = kind, up.ID, "talk-2"
	return h.judge(h.accept(n), evidence, signals...).CaseID
}

// shade makes the grey preview: every pixel the mean of a wide square.
func shade(src image.Image) image.Image {
	const step = 64
	b := src.Bounds()
	out := image.NewGray(image.Rect(0, 0, b.Dx()/4, b.Dy()/4))
	for y := range out.Rect.Dy() {
		for x := range out.Rect.Dx() {
			sum := 0
			for i := range 16 {
				px, py := (x*4/step)*step+(i%4)*step/4, (y*4/step)*step+(i/4)*step/4
				g := color.GrayModel.Convert(src.At(min(px, b.Dx()-1), min(py, b.Dy()-1))).(color.Gray)
				sum += int(g.Y)
			}
			out.SetGray(x, y, color.Gray{Y: uint8(sum / 16)})
		}
	}
	return out
}

// visitor is a browser without a screen.
type visitor struct {
	*testing.T
	h      *house
	client *http.Client
	form   string // the token of the last page
}

// visitor returns a browser that has not logged in.
func (h *house) visitor() *visitor {
	jar, err := cookiejar.New(nil)
	h.must(err)
	return &visitor{T: h.T, h: h, client: &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

// as returns a browser in which somebody is logged in.
func (h *house) as(u store.User) *visitor {
	h.Helper()
	v := h.visitor()
	token, session, err := h.store.CreateSession(h.Context(), u.ID, 15*time.Minute, 8*time.Hour)
	h.must(err)
	at, err := url.Parse(h.door.URL)
	h.must(err)
	v.client.Jar.SetCookies(at, []*http.Cookie{{Name: sessionCookie, Value: token, Path: "/"}})
	v.form = session.CSRF
	return v
}

func (h *house) role(r review.Role) *visitor { h.Helper(); return h.as(h.users[r]) }

// answer is a response, read whole.
type answer struct {
	status int
	header http.Header
	body   string
}

// to is where a redirect leads, without its query.
func (a answer) to() string {
	path, _, _ := strings.Cut(a.header.Get("Location"), "?")
	return path
}

var formToken = regexp.MustCompile(`data-form="([^"]+)"`)

func (v *visitor) do(r *http.Request) answer {
	v.Helper()
	resp, err := v.client.Do(r)
	if err != nil {
		v.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }() // read whole above
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		v.Fatal(err)
	}
	if m := formToken.FindSubmatch(body); m != nil {
		v.form = string(m[1])
	}
	return answer{resp.StatusCode, resp.Header, string(body)}
}

func (v *visitor) get(path string) answer {
	v.Helper()
	r, err := http.NewRequestWithContext(v.Context(), http.MethodGet, v.h.door.URL+path, nil)
	if err != nil {
		v.Fatal(err)
	}
	return v.do(r)
}

// post sends a form as the console's own page would. Fields come in pairs.
func (v *visitor) post(path string, fields ...string) answer {
	v.Helper()
	return v.do(v.request(path, fields...))
}

func (v *visitor) request(path string, fields ...string) *http.Request {
	v.Helper()
	form := url.Values{"form_token": {v.form}}
	for i := 0; i+1 < len(fields); i += 2 {
		form.Add(fields[i], fields[i+1])
	}
	r, err := http.NewRequestWithContext(v.Context(), http.MethodPost, v.h.door.URL+path, strings.NewReader(form.Encode()))
	if err != nil {
		v.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Origin", v.h.door.URL)
	return r
}

var leaseToken = regexp.MustCompile(`data-token="([^"]+)"`)

// token is the lease's token as a case page carries it.
func (a answer) token() string {
	if m := leaseToken.FindStringSubmatch(a.body); m != nil {
		return m[1]
	}
	return ""
}

// opens takes the next case and returns its page and its id.
func (v *visitor) opens() (page answer, id string) {
	v.Helper()
	sent := v.post("/console/next")
	if sent.status != http.StatusSeeOther || !strings.HasPrefix(sent.to(), "/console/case/") {
		v.Fatalf("got %d to %q, want a case", sent.status, sent.to())
	}
	page = v.get(sent.to())
	if page.status != http.StatusOK {
		v.Fatalf("got %d for the case, want 200", page.status)
	}
	return page, strings.TrimPrefix(sent.to(), "/console/case/")
}

// acts returns the acts of the tenant's audit log about a subject, in order.
func (h *house) acts(subject string) (acts []string) {
	h.Helper()
	for _, chain := range []string{h.tenant, ""} {
		list, err := h.store.AuditLog(h.Context(), chain, 1, 1000)
		h.must(err)
		for _, e := range list {
			if e.Subject == subject {
				acts = append(acts, strings.TrimSpace(e.Act+" "+e.Detail))
			}
		}
	}
	return acts
}
