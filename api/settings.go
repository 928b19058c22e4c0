package api

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"nightlight/pipeline"
	"nightlight/pipeline/media"
	"nightlight/pipeline/words"
	"nightlight/queue/store"
)

// Settings configure an API. Store, Media and Keys are required; the zero
// value of every other field is usable.
type Settings struct {
	Store *store.Store
	// Media keeps the objects, sealed under keys that Keys wraps.
	Media media.Store
	Keys  *media.Keyring
	// Policy gives reports and appeals their severity and deadline (default:
	// the policy that ships with Nightlight).
	Policy *pipeline.Policy
	// Words are what children are told (default: those that ship with
	// Nightlight).
	Words *words.Library
	// Ready lists what must be there for /readyz to say 200.
	Ready []Check
	// Registry gets the metrics of this room and is what /metrics shows
	// (default: one of its own).
	Registry *prometheus.Registry
	// Wake is called after an item was accepted, for a relay in the same
	// process. The store's own Wake channel rings too.
	Wake func()
	// Log gets one line a request: never a value, name or text of it.
	Log *slog.Logger
	// Limits bound what one key and all together may ask for.
	Limits Limits
	// PublicURL is the address that upload links begin with, such as
	// https://nightlight.example. Empty: the host that the request named.
	PublicURL string
	// CheckWebhook refuses an address that a webhook must not go to. The
	// dialled address is checked again when it is used. Nil: https only.
	CheckWebhook func(url string) error
	// Console serves people's pages under ConsolePaths; nil for none. A path
	// that ends in a slash stands for everything below it.
	Console http.Handler
	// ConsolePaths defaults to /console/ and /guardian/.
	ConsolePaths []string
	// Version is shown in the OpenAPI document.
	Version string
	// Now replaces the clock that senders' clocks are held against.
	Now func() time.Time
}

// Limits bound requests. The zero value of each field means its default.
type Limits struct {
	// RatePerSecond and Burst are for keys without limits of their own
	// (default 500 and 1,000). A batch spends one for each line.
	RatePerSecond float64
	Burst         int
	// JSONBytes is the largest JSON body (default 2 MiB: 100,000 characters
	// fit however they are escaped) and BatchBytes the largest batch (default
	// 32 MiB). A key's own BodyLimit caps both, and files too.
	JSONBytes  int64
	BatchBytes int64
	// InFlight bounds the bytes of all bodies that are being read or kept at
	// one moment (default 256 MiB); beyond it requests get 503.
	InFlight int64
	// Waiting bounds how many requests wait for a verdict at one moment
	// (default 2,000); beyond it they get 202 at once.
	Waiting int
	// UploadFor is how long an upload can be used (default 15 minutes), and
	// PresignFor how long its link is good (default 5 minutes).
	UploadFor  time.Duration
	PresignFor time.Duration
	// EraseFor is how long one request erases at most (default 45 s: clients wait
	// a minute); beyond it gets 503, and the same again goes on.
	EraseFor time.Duration
	// Media bounds what is opened.
	Media media.Limits
}

func (l Limits) withDefaults() Limits {
	def(&l.RatePerSecond, 500)
	def(&l.Burst, 1000)
	def(&l.JSONBytes, 2<<20)
	def(&l.BatchBytes, 32<<20)
	def(&l.InFlight, 256<<20)
	def(&l.Waiting, 2000)
	def(&l.UploadFor, 15*time.Minute)
	def(&l.PresignFor, 5*time.Minute)
	def(&l.EraseFor, 45*time.Second)
	l.Media = l.Media.WithDefaults()
	return l
}

func def[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// Check is one thing that must be there before this process can work.
type Check struct {
	// Name is what /readyz calls it: database, redis, models, media.
	Name string
	// Optional is true for what is reported but does not make it unready.
	Optional bool
	// Test says in fixed words how it stands (or what is missing), and gives
	// an error when it is not there. Only detail is shown, as readers of
	// /readyz need no key; the error is logged by its kind.
	Test func(ctx context.Context) (detail string, err error)
}

var errSettings = errors.New("store, media and keys are required")

// consolePaths are where people's pages live.
func consolePaths() []string {
	return []string{"/console/", "/guardian/"}
}
