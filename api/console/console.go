package console

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"nightlight/pipeline"
	"nightlight/pipeline/media"
	"nightlight/pipeline/words"
	"nightlight/queue/store"
)

// Settings are what a Console needs. Store is required; everything else has a
// usable zero value.
type Settings struct {
	// Store is the database.
	Store *store.Store
	// Media and Vault open renditions that rest in the media store, and sound.
	// Without them only renditions that rest in the database are shown.
	Media media.Store
	Vault *media.Vault
	// Video decodes the sound of voice notes and films that a reviewer asks for.
	// Without it, or where it finds no ffmpeg, the page says that nobody can
	// listen there.
	Video *media.Video
	// Policy names the version that is in force and the severity that a person
	// is warned about (default: the policy that ships with Nightlight).
	Policy *pipeline.Policy
	// Words are what children and guardians are told; the case page shows a
	// reviewer which sentence a guardian would read.
	Words *words.Library
	// Log hears of what failed, never of content (default: nothing is logged).
	Log *slog.Logger
	// SecureCookies is true behind HTTPS. False is for loopback only.
	SecureCookies bool
	// Idle and Absolute end a session (default 15 min and 8 h).
	Idle, Absolute time.Duration
	// PromptAfter and StopAfter are how long somebody reviews without a break
	// before they are asked to take one, and before they get no more cases
	// (default 50 min and 2 h). Break is how long a break lasts (default 10 min).
	PromptAfter, StopAfter, Break time.Duration
	// SevereViewsPerHour is the cap that the store enforces, shown to the
	// reviewer (default review.SevereViewsPerHour).
	SevereViewsPerHour int
	// Listeners is how many sounds are opened at once; each takes up to 300 MiB
	// while it is decoded (default 2).
	Listeners int
	// Hashers is how many passwords are checked at once, 19 MiB each (default 2).
	Hashers int
	// Address tells a client's address for the login throttle (default: the
	// connection's; those on loopback are not counted, for a proxy may be there).
	Address func(*http.Request) string
}

// Console is an http.Handler for everything under /console/. It is safe for
// concurrent use.
type Console struct {
	Settings
	pages   *pages
	mux     *http.ServeMux
	routes  []route
	hashing chan struct{}
	opening chan struct{} // sounds
	decoy   string        // a hash that no password fits, for names that nobody has
	shifts  shifts
}

// errNoStore says that the caller forgot the database.
var errNoStore = errors.New("no store")

// New makes the console.
func New(s Settings) (*Console, error) {
	if s.Store == nil {
		return nil, fmt.Errorf("make console: %w", errNoStore)
	}
	s.Idle = cmp.Or(s.Idle, 15*time.Minute)
	s.Absolute = cmp.Or(s.Absolute, 8*time.Hour)
	s.PromptAfter = cmp.Or(s.PromptAfter, 50*time.Minute)
	s.StopAfter = cmp.Or(s.StopAfter, 2*time.Hour)
	s.Break = cmp.Or(s.Break, 10*time.Minute)
	s.SevereViewsPerHour = cmp.Or(s.SevereViewsPerHour, severeViews)
	s.Hashers = cmp.Or(s.Hashers, 2)
	s.Listeners = cmp.Or(s.Listeners, 2)
	if s.Log == nil {
		s.Log = slog.New(slog.DiscardHandler)
	}
	if s.Policy == nil {
		s.Policy = pipeline.DefaultPolicy()
	}
	if s.Address == nil {
		s.Address = ClientAddress(nil)
	}
	c := &Console{Settings: s, hashing: make(chan struct{}, s.Hashers), opening: make(chan struct{}, s.Listeners)}
	c.shifts.rules(s.PromptAfter, s.StopAfter, s.Break)
	var err error
	if c.pages, err = openPages(); err != nil {
		return nil, fmt.Errorf("make console: %w", err)
	}
	if c.decoy, err = HashPassword(randomWord(MinPassword)); err != nil {
		return nil, fmt.Errorf("make console: %w", err)
	}
	c.mount()
	return c, nil
}

// ServeHTTP implements http.Handler.
func (c *Console) ServeHTTP(w http.ResponseWriter, r *http.Request) { c.mux.ServeHTTP(w, r) }

// detached is a context for what must be recorded although the browser left.
func detached(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
}
