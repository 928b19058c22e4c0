package console

import (
	"database/sql"
	"encoding/base64"
	"encoding/binary"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"nightlight/pipeline"
	"nightlight/pipeline/media"
	"nightlight/queue/review"
	"nightlight/queue/store"
)

// hearing gives a console a media store, its keys and ffmpeg, as main does.
func hearing(t *testing.T) func(*Settings, *store.Options) {
	t.Helper()
	objects, err := media.OpenFolder(filepath.Join(t.TempDir(), "media"))
	if err != nil {
		t.Fatal(err)
	}
	ring, err := media.OpenKeyFile(filepath.Join(t.TempDir(), "keys.json"))
	if err != nil {
		t.Fatal(err)
	}
	return func(s *Settings, o *store.Options) {
		s.Media, s.Vault, s.Video = objects, media.NewVault(ring), media.NewVideo(media.VideoOptions{CPUSeconds: 60, Timeout: 2 * time.Minute})
		o.Keyring = s.Vault
	}
}

// recorded makes a file with ffmpeg.
func recorded(t *testing.T, name string, args ...string) []byte {
	t.Helper()
	ffmpeg, err := exec.LookPath("ffmpeg")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("no ffmpeg: needed because CI=true")
		}
		t.Skip("no ffmpeg: skipped")
	}
	file := filepath.Join(t.TempDir(), name)
	if out, err := exec.CommandContext(t.Context(), ffmpeg, append(append([]string{"-loglevel", "error"}, args...), file)...).CombinedOutput(); err != nil {
		t.Fatalf("make %s: %v\n%s", name, err, out)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// note is a voice note of two seconds.
func note(t *testing.T) []byte {
	return recorded(t, "note.m4a", "-f", "lavfi", "-i", "sine=duration=2", "-c:a", "aac", "-metadata", "comment=where it was made")
}

// voice is a case about a voice note.
func (h *house) voice(data []byte) string {
	h.Helper()
	at := 1.5
	return h.sends(pipeline.KindVoice, data, nil, pipeline.Signal{Label: pipeline.GroomingMeeting, Score: .93, Source: "test@1", In: "speech", At: &at})
}

// listens asks for a sound as the page's script does.
func (v *visitor) listens(id, token string) answer {
	v.Helper()
	r := v.request("/console/case/"+id+"/listen", "token", token)
	r.Header.Set("Accept", wav)
	return v.do(r)
}

// heardOf is how many seconds of sound an answer holds; 0 when it is none.
func heardOf(body string) float64 {
	if len(body) < 44 || body[:4] != "RIFF" || body[8:12] != "WAVE" {
		return 0
	}
	return float64(binary.LittleEndian.Uint32([]byte(body[40:]))) / 2 / media.SoundRate
}

func TestTheSoundIsSentOnlyUnderALeaseAndAfterItsAuditLine(t *testing.T) {
	h := openHouse(t, hearing(t))
	id := h.voice(note(t))
	rita := h.role(review.RoleReviewer)
	if page := rita.get("/console/case/" + id); strings.Contains(page.body, "/listen") || strings.Contains(page.header.Get("Content-Security-Policy"), "media-src") {
		t.Error("got an offer to listen before the case was taken")
	}
	if got := rita.listens(id, ""); got.status != http.StatusForbidden || heardOf(got.body) > 0 {
		t.Errorf("got %d without a lease, want 403 and no sound", got.status)
	}
	page, _ := rita.opens()
	if !strings.Contains(page.body, "/listen") || strings.Contains(page.body, "<audio") || strings.Contains(page.body, "data:audio") {
		t.Error("got no offer to listen, or a sound at once")
	}
	if got := page.header.Get("Content-Security-Policy"); !strings.HasSuffix(got, "; media-src blob:") {
		t.Errorf("got policy %q, want sound only from what the script was given", got)
	}
	if !strings.Contains(page.text(), "Asks to meet alone 1.5 s") {
		t.Error("got a page without the second at which it is said")
	}
	if acts := h.acts(id); !slices.Equal(acts, []string{"media.view text"}) {
		t.Errorf("got audit lines %v before anybody listened", acts)
	}
	got := rita.listens(id, page.token())
	if n := heardOf(got.body); got.status != http.StatusOK || n < 1.9 || n > 2.3 {
		t.Fatalf("got %d with %.1f seconds of sound, want two", got.status, n)
	}
	if got.header.Get("Content-Type") != wav || got.header.Get("Cache-Control") != "no-store" || strings.Contains(got.body, "where it was made") {
		t.Errorf("got headers %v, or metadata of the file, want sound alone that is not stored", got.header)
	}
	if acts := h.acts(id); !slices.Equal(acts, []string{"media.view text", "media.view sound"}) {
		t.Errorf("got audit lines %v, want that somebody listened", acts)
	}
	for _, other := range []*visitor{h.as(h.person("omar", review.RoleReviewer, "", "x")), h.role(review.Admin), h.role(review.ML)} {
		if got := other.listens(id, page.token()); got.status != http.StatusForbidden || heardOf(got.body) > 0 {
			t.Errorf("got %d for somebody else with the token, want 403", got.status)
		}
	}
	h.clock.pass(11 * time.Minute)
	if got := rita.listens(id, page.token()); got.status != http.StatusConflict || heardOf(got.body) > 0 {
		t.Errorf("got %d after the lease, want 409 and no sound", got.status)
	}
	if got := h.role(review.Auditor).listens(id, ""); got.status != http.StatusOK || heardOf(got.body) == 0 {
		t.Errorf("got %d for an auditor who listens on purpose, want the sound", got.status)
	}
	if acts := h.acts(id); len(acts) != 3 {
		t.Errorf("got audit lines %v, want one more for the auditor", acts)
	}
}

// stalled is a browser that takes nothing until it is let go.
type stalled struct {
	*httptest.ResponseRecorder
	reached, let chan struct{}
}

func (s stalled) Write(b []byte) (int, error) {
	s.reached <- struct{}{}
	<-s.let
	return s.ResponseRecorder.Write(b)
}

func TestWhoTakesASoundSlowlyKeepsNobodyElseFromListening(t *testing.T) {
	h := openHouse(t, hearing(t), func(s *Settings, _ *store.Options) { s.Listeners = 1 })
	id := h.voice(note(t))
	slow := h.role(review.Auditor)
	q := slow.request("/console/case/" + id + "/listen")
	q.Header.Set("Accept", wav)
	at, err := url.Parse(h.door.URL)
	h.must(err)
	for _, cookie := range slow.client.Jar.Cookies(at) {
		q.AddCookie(cookie)
	}
	w := stalled{httptest.NewRecorder(), make(chan struct{}, 1), make(chan struct{})}
	taken := make(chan struct{})
	go func() {
		defer close(taken)
		h.door.Config.Handler.ServeHTTP(w, q)
	}()
	select {
	case <-w.reached:
	case <-time.After(time.Minute):
		t.Fatal("got no sound for the first within a minute")
	}
	other := h.role(review.Auditor)
	other.client.Timeout = 20 * time.Second
	if got := other.listens(id, ""); got.status != http.StatusOK || heardOf(got.body) < 1.9 {
		t.Errorf("got %d with %.1f seconds of sound while another takes his slowly, want two", got.status, heardOf(got.body))
	}
	close(w.let)
	<-taken
	if heardOf(w.Body.String()) < 1.9 {
		t.Error("got the slow one's sound cut off")
	}
}

var player = regexp.MustCompile(`<audio [^>]*src="data:audio/wav;base64,([^"]*)"[^>]*>`)

func TestWithoutAScriptThePageThatPlaysIsMuteAndDoesNotBeginByItself(t *testing.T) {
	h := openHouse(t, hearing(t))
	id := h.voice(note(t))
	rita := h.role(review.RoleReviewer)
	page, _ := rita.opens()
	got := rita.post("/console/case/"+id+"/listen", "token", page.token())
	m := player.FindStringSubmatch(got.body)
	if got.status != http.StatusOK || m == nil || !strings.Contains(m[0], " controls muted ") || strings.Contains(m[0], "autoplay") {
		t.Fatalf("got %d, want a player that is mute: %.120s", got.status, m)
	}
	sound, err := base64.StdEncoding.DecodeString(strings.ReplaceAll(m[1], "&#43;", "+"))
	if err != nil || heardOf(string(sound)) < 1.9 {
		t.Errorf("got %.1f seconds of sound, %v, want two", heardOf(string(sound)), err)
	}
	if csp := got.header.Get("Content-Security-Policy"); !strings.HasSuffix(csp, "; media-src data:") || got.header.Get("Cache-Control") != "no-store" {
		t.Errorf("got policy %q, want sound only from the page itself", csp)
	}
}

func TestAFilmsSoundIsOfferedToo(t *testing.T) {
	h := openHouse(t, hearing(t))
	film := recorded(t, "film.mp4", "-f", "lavfi", "-i", "testsrc=size=64x64:rate=5:duration=2", "-f", "lavfi", "-i", "sine=duration=2", "-c:v", "mpeg4", "-c:a", "aac")
	id := h.sends(pipeline.KindVideo, film, h.pictures(), pipeline.Signal{Label: pipeline.SexualExplicit, Score: .9, Source: "test@1"})
	rita := h.role(review.RoleReviewer)
	page, _ := rita.opens()
	if got := rita.listens(id, page.token()); got.status != http.StatusOK || heardOf(got.body) < 1.9 {
		t.Errorf("got %d with %.1f seconds of sound, want two", got.status, heardOf(got.body))
	}
}

func TestNothingIsHeardWhenTheLogCannotBeWritten(t *testing.T) {
	h := openHouse(t, hearing(t))
	id := h.voice(note(t))
	rita := h.role(review.RoleReviewer)
	page, _ := rita.opens()
	db, err := sql.Open("sqlite", h.file)
	h.must(err)
	_, err = db.ExecContext(t.Context(), "CREATE TRIGGER broken BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'the log is full'); END")
	h.must(err)
	h.must(db.Close())
	if got := rita.listens(id, page.token()); got.status != http.StatusInternalServerError || heardOf(got.body) > 0 {
		t.Errorf("got %d, want 500 and no sound", got.status)
	}
}

func TestWhatHasNoSoundSaysSoAndWhereNobodyCanListenThePageSaysSo(t *testing.T) {
	h := openHouse(t, hearing(t))
	silent := recorded(t, "film.mp4", "-f", "lavfi", "-i", "testsrc=size=64x64:rate=5:duration=1", "-c:v", "mpeg4")
	found := pipeline.Signal{Label: pipeline.SexualExplicit, Score: .9, Source: "test@1"}
	auditor := h.role(review.Auditor)
	for name, id := range map[string]string{
		"a film without sound":      h.sends(pipeline.KindVideo, silent, nil, found),
		"a file that is broken":     h.sends(pipeline.KindVoice, append([]byte("RIFF\x24\x00\x00\x00WAVEfmt "), make([]byte, 20)...), nil, found),
		"a photo":                   h.photo(),
		"a message that is no file": h.meeting(),
	} {
		if got := auditor.listens(id, ""); got.status != http.StatusUnprocessableEntity || heardOf(got.body) > 0 || !strings.Contains(got.body, "No sound to play") {
			t.Errorf("%s: got %d, want 422 and a sentence", name, got.status)
		}
	}
	deaf := openHouse(t)
	id := deaf.voice([]byte("made up"))
	page, _ := deaf.role(review.RoleReviewer).opens()
	if !strings.Contains(page.text(), "Nobody can listen to it here.") || strings.Contains(page.body, "/listen") {
		t.Error("got an offer to listen, or silence, where there is nothing to listen with")
	}
	if got := deaf.role(review.RoleReviewer).listens(id, page.token()); got.status != http.StatusUnprocessableEntity {
		t.Errorf("got %d where nobody can listen, want 422", got.status)
	}
	if acts := deaf.acts(id); slices.Contains(acts, "media.view sound") {
		t.Errorf("got audit lines %v, want none about what nobody heard", acts)
	}
}

func TestAFilmIsSeenAsFramesAndHeardOnPurposeInARealBrowser(t *testing.T) {
	for _, lang := range []string{"zh", "en"} {
		t.Run(lang, func(t *testing.T) {
			h := openHouse(t, realTime, hearing(t))
			film := recorded(t, "film.mp4", "-f", "lavfi", "-i", "testsrc=size=64x64:rate=5:duration=2", "-f", "lavfi", "-i", "sine=duration=2", "-c:v", "mpeg4", "-c:a", "aac")
			at := 12.4
			id := h.sends(pipeline.KindVideo, film, append(h.pictures(), sheetOfAFilm), pipeline.Signal{Label: pipeline.SexualExplicit, Score: .91, Source: "test@1", In: "frame", At: &at})
			ctx := browser(t, map[string]string{"zh": "zh-CN", "en": "en-GB"}[lang], 1280)
			see(t, ctx, chromedp.Navigate(h.door.URL+"/console/"), chromedp.WaitVisible("#name"),
				chromedp.SendKeys("#name", string(review.RoleReviewer)), chromedp.SendKeys("#password", password+kb.Enter), chromedp.WaitVisible("[data-next] button"),
				chromedp.KeyEvent("n"), chromedp.WaitVisible("#decide"), rested())
			if asks[bool](t, ctx, `document.querySelector("audio, img.plain") !== null`) {
				t.Error("got a player or the plain frames at once")
			}
			photograph(t, ctx, "hidden")
			h.fits(ctx, "film")
			see(t, ctx, chromedp.KeyEvent("l"), chromedp.WaitVisible("[data-sound] audio"))
			ready := `new Promise(done => { const a = document.querySelector("audio"); const say = () => done([a.muted, a.paused, a.controls, a.error === null, a.duration > 1.9 && a.duration < 2.4].join());
				if (a.readyState > 0 || a.error) say(); else { a.onloadedmetadata = say; a.onerror = say; } })`
			if got := asks[string](t, ctx, ready); got != "true,true,true,true,true" {
				t.Errorf("got a player that is mute, waits, has controls, plays and is of two seconds: %s", got)
			}
			see(t, ctx, chromedp.KeyEvent("l"))
			if asks[bool](t, ctx, `document.querySelector("audio").paused && !document.querySelector("audio").ended`) {
				t.Error("got a player that does not begin when asked")
			}
			see(t, ctx, chromedp.KeyEvent("v"), chromedp.WaitVisible("img.plain"))
			photograph(t, ctx, "shown")
			h.fits(ctx, "film with its frames shown")
			if got := h.acts(id); !slices.Contains(got, "media.view sound") || got[len(got)-1] != "media.view thumbnail" {
				t.Errorf("got audit lines %v, want both looks", got)
			}
			if bare := asks[int](t, ctx, unnamed); bare != 0 {
				t.Errorf("got %d controls without a name", bare)
			}
		})
	}
}
