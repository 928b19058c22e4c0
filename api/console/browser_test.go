package console

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"nightlight/queue/review"
)

// browser starts a Chromium that speaks with nobody but us. Without one the
// test is skipped, and fails where CI=true.
func browser(t *testing.T, lang string, width int64) context.Context {
	t.Helper()
	path := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if found, err := exec.LookPath(name); err == nil {
			path = found
			break
		}
	}
	if path == "" {
		if os.Getenv("CI") == "true" {
			t.Fatal("no chromium: needed because CI=true")
		}
		t.Skip("no chromium: skipped")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.UserDataDir(t.TempDir()),
		chromedp.NoSandbox, chromedp.DisableGPU, chromedp.NoFirstRun, chromedp.Flag("headless", true),
		chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-sync", true), chromedp.Flag("disable-quic", true), chromedp.Flag("lang", lang),
		chromedp.Flag("disable-dev-shm-usage", true), chromedp.Flag("accept-lang", lang))
	ctx, stop := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(stop)
	ctx, cancel := chromedp.NewContext(ctx, chromedp.WithErrorf(func(string, ...any) {}))
	t.Cleanup(cancel)
	ctx, end := context.WithTimeout(ctx, 3*time.Minute)
	t.Cleanup(end)
	see(t, ctx, chromedp.EmulateViewport(width, 900))
	return ctx
}

func see(t *testing.T, ctx context.Context, steps ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	if err := chromedp.Do(ctx, steps...); err != nil {
		t.Fatal(err)
	}
}

// photograph keeps a picture of the whole page where NIGHTLIGHT_TEST_SCREENSHOTS
// says, for people to look at; without it pictures go to a temporary folder.
func photograph(t *testing.T, ctx context.Context, name string) {
	t.Helper()
	folder := os.Getenv("NIGHTLIGHT_TEST_SCREENSHOTS")
	if folder == "" {
		folder = t.TempDir()
	}
	png, err := chromedp.Run(ctx, chromedp.FullScreenshot(100))
	if err != nil {
		t.Fatal(err)
	}
	if len(png) < 1000 {
		t.Errorf("got a picture of %d bytes of %s", len(png), name)
	}
	if err := os.WriteFile(filepath.Join(folder, strings.ReplaceAll(t.Name(), "/", "-")+"-"+name+".png"), png, 0o600); err != nil {
		t.Fatal(err)
	}
}

// asks evaluates a script in the page.
func asks[T any](t *testing.T, ctx context.Context, script string) T {
	t.Helper()
	value, err := chromedp.Run(ctx, chromedp.Evaluate[T](script, chromedp.EvalAwaitPromise))
	if err != nil {
		t.Fatal(err)
	}
	return value
}

// rested waits until keys decide again.
func rested() chromedp.Action[chromedp.Void] { return chromedp.Sleep(600 * time.Millisecond) }

const fits = `document.documentElement.scrollWidth <= document.documentElement.clientWidth`

func TestAReviewerWorksCasesByKeyboardInARealBrowser(t *testing.T) {
	for _, size := range []struct {
		name  string
		width int64
	}{{"wide", 1280}, {"narrow", 390}} {
		for _, lang := range []string{"zh", "en"} {
			t.Run(size.name+" "+lang, func(t *testing.T) {
				h := openHouse(t, realTime)
				h.guardian()
				picture, talk := h.photo(), h.meeting()
				h.trade("出号，金币都送")
				words, err := openCatalogue(lang)
				h.must(err)
				ctx := browser(t, map[string]string{"zh": "zh-CN", "en": "en-GB"}[lang], size.width)
				see(t, ctx, chromedp.Navigate(h.door.URL+"/console/"), chromedp.WaitVisible("#name"))
				photograph(t, ctx, "login")
				see(t, ctx, chromedp.SendKeys("#name", string(review.RoleReviewer)), chromedp.SendKeys("#password", password+kb.Enter), chromedp.WaitVisible("[data-next] button"))
				if got := asks[string](t, ctx, `document.documentElement.lang`); !strings.HasPrefix(got, lang) {
					t.Errorf("got a page in %q, want %s", got, lang)
				}
				photograph(t, ctx, "home")
				h.fits(ctx, "home")

				// the gravest first: a conversation
				see(t, ctx, chromedp.KeyEvent("n"), chromedp.WaitVisible("#decide"))
				if got := asks[string](t, ctx, `document.querySelector("[data-case]").dataset.case`); got != talk {
					t.Errorf("got case %s, want the gravest, %s", got, talk)
				}
				if got := asks[string](t, ctx, `[...document.querySelectorAll(".focus mark")].map(m => m.textContent).join("|")`); got != "出来见一面|别告诉你妈妈" {
					t.Errorf("got evidence %q", got)
				}
				photograph(t, ctx, "talk")
				h.fits(ctx, "conversation")
				// a key that was meant for the page before decides nothing
				asks[int](t, ctx, `performance.now = () => 0, 0`)
				see(t, ctx, chromedp.KeyEvent("4"), chromedp.KeyEvent(kb.Enter))
				if asks[bool](t, ctx, `document.querySelector("#decide input[type=radio]:checked") !== null`) {
					t.Error("got a choice by a key that came too early")
				}
				asks[int](t, ctx, `performance.now = () => 100000, 0`)
				see(t, ctx, chromedp.KeyEvent("4"), chromedp.KeyEvent("g"), chromedp.KeyEvent(kb.Enter), chromedp.WaitVisible("[data-undo]"), chromedp.WaitVisible("#decide"))

				// then the picture, grey until it is shown on purpose
				if got := asks[string](t, ctx, `document.querySelector("[data-case]").dataset.case`); got != picture {
					t.Errorf("got case %s, want the picture, %s", got, picture)
				}
				if asks[bool](t, ctx, `document.querySelector("img.plain") !== null`) {
					t.Error("got the plain picture at once, want only the preview")
				}
				photograph(t, ctx, "picture-hidden")
				h.fits(ctx, "picture")
				see(t, ctx, chromedp.KeyEvent("v"), chromedp.WaitVisible("img.plain"))
				if wide := asks[int](t, ctx, `document.querySelector("img.plain").decode().then(() => document.querySelector("img.plain").naturalWidth)`); wide != 512 {
					t.Errorf("got a picture of %d pixels, want 512", wide)
				}
				if got := h.acts(picture); len(got) < 2 || got[len(got)-1] != "media.view thumbnail" {
					t.Errorf("got audit lines %v, want the look last", got)
				}
				photograph(t, ctx, "picture-shown")
				see(t, ctx, rested(), chromedp.KeyEvent("3"), chromedp.KeyEvent(kb.Enter), chromedp.WaitNotPresent(`[data-case="`+picture+`"]`), chromedp.WaitVisible("[data-undo]"))
				if got := asks[string](t, ctx, `document.querySelector("[data-undo] p").textContent`); got != words["did.blur"] {
					t.Errorf("got %q, want %q", got, words["did.blur"])
				}
				photograph(t, ctx, "undo")

				// on second thought
				see(t, ctx, chromedp.KeyEvent("u"), chromedp.WaitVisible(`[data-case="`+picture+`"]`), rested(),
					chromedp.KeyEvent("1"), chromedp.KeyEvent(kb.Enter), chromedp.WaitNotPresent(`[data-case="`+picture+`"]`))
				got, err := h.store.Case(t.Context(), h.users[review.RoleReviewer].Reviewer(), picture)
				h.must(err)
				if got.Action != "allow" || got.State != review.Closed {
					t.Errorf("got %s, %s, want it closed with allow", got.State, got.Action)
				}
				see(t, ctx, chromedp.WaitVisible("#decide"), rested(), chromedp.KeyEvent("?"), chromedp.WaitVisible("#help"))
				photograph(t, ctx, "help")

				// a case that is lost says so and hides its content
				held := asks[string](t, ctx, `document.querySelector("[data-case]").dataset.case`)
				lease := asks[string](t, ctx, `document.querySelector("[data-case]").dataset.token`)
				h.must(h.store.ReleaseCase(t.Context(), h.users[review.RoleReviewer].Reviewer(), held, lease, ""))
				asks[int](t, ctx, `document.getElementById("help").close(), document.dispatchEvent(new Event("visibilitychange")), 0`)
				see(t, ctx, chromedp.WaitVisible("[data-lost]"), chromedp.WaitNotPresent("[data-case]"))
				photograph(t, ctx, "lost")
			})
		}
	}
}

func TestTheKeyboardIsNeitherDivertedByThePictureNorShutInByALostCase(t *testing.T) {
	h := openHouse(t, realTime)
	picture := h.photo()
	next := h.trade("出号，金币都送")
	rita := h.users[review.RoleReviewer].Reviewer()
	ctx := browser(t, "en-GB", 1280)
	see(t, ctx, chromedp.Navigate(h.door.URL+"/console/login"), chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		token, _, err := h.store.CreateSession(ctx, h.users[review.RoleReviewer].ID, time.Hour, time.Hour)
		h.must(err)
		_, err = cdp.Call(ctx, target, network.SetCookie, network.SetCookieParams{Name: sessionCookie, Value: token, URL: h.door.URL})
		return err
	}), chromedp.Navigate(h.door.URL+"/console/"), chromedp.WaitVisible("[data-next] button"), chromedp.KeyEvent("n"), chromedp.WaitVisible(`[data-case="`+picture+`"]`), rested(),
		chromedp.KeyEvent("v"), chromedp.KeyEvent("3"), chromedp.WaitVisible("img.plain"))
	if got := asks[string](t, ctx, `document.activeElement.value || document.activeElement.tagName`); got != "blur" {
		t.Errorf("got the focus on %q when the picture came, want it left on the choice", got)
	}
	see(t, ctx, chromedp.KeyEvent(kb.Enter), chromedp.WaitVisible(`[data-case="`+next+`"]`)) // it decided, and hid no picture

	lease := asks[string](t, ctx, `document.querySelector("[data-case]").dataset.token`)
	h.must(h.store.ReleaseCase(t.Context(), rita, next, lease, ""))
	see(t, ctx, rested())
	asks[int](t, ctx, `document.dispatchEvent(new Event("visibilitychange")), 0`)
	see(t, ctx, chromedp.WaitVisible("[data-lost]"), chromedp.KeyEvent("?"), chromedp.KeyEvent(kb.Enter), chromedp.WaitVisible("[data-next] button"))
}

func TestEveryPageFitsByDayAndByNightAndAtTwiceTheSize(t *testing.T) {
	h := openHouse(t, realTime)
	h.guardian()
	held := h.meeting()
	h.trade("出号，金币都送")
	h.must(h.store.Bury(t.Context(), "item_1:judge", "judge", "attempts_spent"))
	ctx := browser(t, "zh-CN", 1280)
	see(t, ctx, chromedp.Navigate(h.door.URL+"/console/login"))
	for _, look := range []struct {
		name, scheme string
		width        int64
	}{{"day", "light", 1280}, {"night", "dark", 1280}, {"twice", "dark", 640}, {"narrow", "light", 390}} {
		see(t, ctx, chromedp.EmulateViewport(look.width, 900), chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
			_, err := cdp.Call(ctx, target, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: look.scheme}}})
			return err
		}))
		for _, page := range []struct {
			role review.Role
			path string
		}{
			{review.Auditor, "/console/"}, {review.Auditor, "/console/audit?check=1&chain=" + h.tenant}, {review.Auditor, "/console/case/" + held},
			{review.RoleReviewer, "/console/"}, {review.RoleReviewer, "/console/cases?state="}, {review.RoleReviewer, "next"}, {review.RoleReviewer, "/console/no/such/page"},
			{review.Admin, "/console/users"}, {review.Admin, "/console/health"},
		} {
			token, session, err := h.store.CreateSession(t.Context(), h.users[page.role].ID, time.Hour, time.Hour)
			h.must(err)
			see(t, ctx, chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
				_, err := cdp.Call(ctx, target, network.SetCookie, network.SetCookieParams{Name: sessionCookie, Value: token, URL: h.door.URL})
				return err
			}))
			if page.path == "next" {
				_, _, err := h.store.ClaimCase(t.Context(), session.User.Reviewer(), held)
				h.must(err)
				page.path = "/console/case/" + held
			}
			see(t, ctx, chromedp.Navigate(h.door.URL+page.path))
			name := look.name + "-" + string(page.role) + strings.NewReplacer("/", "-", "?", "-", held, "id", h.tenant, "tenant").Replace(page.path)
			photograph(t, ctx, name)
			h.fits(ctx, name)
			if bare := asks[int](t, ctx, unnamed); bare != 0 {
				t.Errorf("%s: got %d controls without a name", name, bare)
			}
		}
	}
}

// unnamed counts what can be operated and has no name that can be spoken.
const unnamed = `[...document.querySelectorAll("button, a[href], input:not([type=hidden]), select, textarea, summary")]
	.filter(e => !(e.textContent.trim() || e.getAttribute("aria-label") || (e.labels && e.labels.length && [...e.labels].some(l => l.textContent.trim())))).length`

// fits fails the test when a page is wider than its window.
func (h *house) fits(ctx context.Context, page string) {
	h.Helper()
	if !asks[bool](h.T, ctx, fits) {
		h.Errorf("%s: got a page that is wider than the window", page)
	}
}
