// Command nightlight judges what children send, holds what needs a person, and
// tells who must hear. It is one binary for every part: read this file first,
// since it wires the rooms and is the only place that knows them all.
//
//	api takes an item in → queue holds it → workers pick it up → pipeline
//	judges it with classifiers from models → a Verdict; what a person must see
//	waits in queue/review and comes back through api; eval tells the same story
//	with known answers.
package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/alecthomas/kong"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"go.yaml.in/yaml/v3"
	"golang.org/x/sync/errgroup"

	"nightlight/api"
	"nightlight/api/console"
	"nightlight/eval"
	"nightlight/eval/bench"
	"nightlight/eval/samples"
	"nightlight/models"
	"nightlight/models/catalog"
	"nightlight/models/setup"
	"nightlight/pipeline"
	"nightlight/pipeline/media"
	"nightlight/pipeline/pdq"
	"nightlight/pipeline/rules"
	"nightlight/pipeline/speech"
	"nightlight/pipeline/words"
	"nightlight/queue"
	"nightlight/queue/review"
	"nightlight/queue/store"
	"nightlight/workers"
	"nightlight/workers/examine"
	"nightlight/workers/known"
	"nightlight/workers/notify"
	"nightlight/workers/score"
	"nightlight/workers/transcribe"
	"nightlight/workers/webhook"
)

// version is set by the linker.
var version = "dev"

// Exit codes: 0 well, 1 the thing asked about is not well, 2 wrong use.
const (
	exitNotWell  = 1
	exitWrongUse = 2
)

// errNotWell ends a command with exit code 1 after it has said why.
var errNotWell = errors.New("not well")

// cli is the command line. Each flag can also stand in the environment as
// NIGHTLIGHT_… and in a YAML file; the flag wins, then the environment.
type cli struct {
	Config kong.ConfigFlag `help:"YAML file with settings." type:"path" placeholder:"FILE"`

	Up        upCommand        `cmd:"" help:"Run everything in one process."`
	API       apiCommand       `cmd:"" name:"api" help:"Run the HTTP API and console only."`
	Work      workCommand      `cmd:"" help:"Run workers only."`
	Score     scoreCommand     `cmd:"" help:"Judge JSON lines from standard input, or files."`
	Eval      evalCommand      `cmd:"" help:"Measure quality and speed."`
	Models    modelsCommand    `cmd:"" help:"List and verify model files."`
	Policy    policyCommand    `cmd:"" help:"Check a policy file, explain a verdict."`
	Hashes    hashesCommand    `cmd:"" help:"Banks of hashes of known pictures and files."`
	User      userCommand      `cmd:"" help:"People who log in to the console."`
	Key       keyCommand       `cmd:"" help:"Keys that backends call the API with."`
	Migrate   migrateCommand   `cmd:"" help:"Bring the database schema up to date."`
	Reconcile reconcileCommand `cmd:"" help:"Prove that accepted = ended + in flight."`
	Audit     auditCommand     `cmd:"" help:"Check the audit log's hash chain."`
	Hold      holdCommand      `cmd:"" help:"Keep an item from retention and erasure, or let it go."`
	Version   versionCommand   `cmd:"" help:"Print the version."`
	Health    healthCommand    `cmd:"" hidden:"" help:"Ask a /readyz address; for container health checks."`
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if len(os.Args) > 1 && os.Args[1] == media.ChildCommand {
		os.Exit(media.ChildMain(ctx))
	}
	os.Exit(run(ctx, os.Args[1:]))
}

func run(ctx context.Context, args []string) int {
	var c cli
	parser, err := kong.New(&c,
		kong.Name("nightlight"), kong.Description("A child-safety pipeline for messages, photos, videos and voice."),
		kong.DefaultEnvars("NIGHTLIGHT"), kong.Configuration(readConfig),
		kong.BindTo(ctx, (*context.Context)(nil)), kong.UsageOnError(), kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
	)
	if err != nil {
		fmt.Fprintln(os.Stderr, "nightlight:", err)
		return exitWrongUse
	}
	parsed, err := parser.Parse(args)
	if err != nil {
		fmt.Fprintln(os.Stderr, "nightlight:", err)
		return exitWrongUse
	}
	err = parsed.Run()
	switch {
	case err == nil:
		return 0
	case errors.Is(err, context.Canceled) && ctx.Err() != nil:
		if slices.Contains([]string{"up", "api", "work"}, parsed.Command()) {
			return 0 // to be stopped is how these end
		}
		err = errors.New("stopped before it was done")
	case errors.Is(err, errNotWell):
		return exitNotWell
	}
	fmt.Fprintln(os.Stderr, "nightlight:", err)
	var use *useError
	if errors.As(err, &use) {
		return exitWrongUse
	}
	return exitNotWell
}

// useError is a wrong use that only the command itself could see.
type useError struct{ error }

func wrongUse(format string, args ...any) error { return &useError{fmt.Errorf(format, args...)} }

// settingsFile is the YAML settings file: keys are flag names.
type settingsFile map[string]any

func readConfig(r io.Reader) (kong.Resolver, error) {
	f := settingsFile{}
	if err := yaml.NewDecoder(r).Decode(&f); err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("settings file: %w", err)
	}
	return f, nil
}

// Validate refuses keys that are no flag: a misspelt setting must not be
// passed over.
func (f settingsFile) Validate(app *kong.Application) error {
	known := map[string]bool{}
	_ = kong.Visit(app, func(node kong.Visitable, next kong.Next) error {
		if flag, ok := node.(*kong.Flag); ok {
			known[flag.Name] = true
		}
		return next(nil)
	})
	for key := range f {
		if !known[key] {
			return fmt.Errorf("settings file: %q is no setting", key)
		}
	}
	return nil
}

// Resolve gives the file's value of a flag, unless the environment has one.
func (f settingsFile) Resolve(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
	if len(flag.Tag.Envs) == 0 {
		return nil, nil // not a setting: score's --media is files, the servers' is a store
	}
	for _, env := range flag.Tag.Envs {
		if _, set := os.LookupEnv(env); set {
			return nil, nil
		}
	}
	if v, ok := f[flag.Name]; ok {
		return fmt.Sprint(v), nil
	}
	return nil, nil
}

// --- settings shared by commands ---

// dataFlags say where the record is.
type dataFlags struct {
	Data     string `help:"Folder of everything durable." default:"./nightlight-data" type:"path"`
	Keys     string `help:"Key file that data keys are wrapped with (default: keys.json in the data folder)." type:"path" placeholder:"FILE"`
	Database string `help:"postgres://… or sqlite:PATH (default: a SQLite file in the data folder)." placeholder:"DSN"`
	Log      string `help:"Least level that is logged." enum:"debug,info,warn,error" default:"info"`
}

func (f dataFlags) keyFile() string { return cmp.Or(f.Keys, filepath.Join(f.Data, "keys.json")) }

// hearFlags choose who writes speech down.
type hearFlags struct {
	URL   string `name:"transcriber" env:"NIGHTLIGHT_TRANSCRIBER" help:"https://HOST/v1/audio/transcriptions of a server of your own that writes speech down (default: Whisper in this process)." placeholder:"URL"`
	Model string `name:"transcriber-model" env:"NIGHTLIGHT_TRANSCRIBER_MODEL" help:"The server's name of its model." default:"whisper-1" placeholder:"NAME"`
	Key   string `name:"transcriber-key" env:"NIGHTLIGHT_TRANSCRIBER_KEY" help:"Bearer token for the server." placeholder:"WORD"`
	Plain bool   `name:"transcriber-plain" env:"NIGHTLIGHT_TRANSCRIBER_PLAIN" help:"Send voices over plain HTTP to another machine."`
}

// ear gives what hears, or nil when a model that it needs is missing. server is
// nil unless speech is written down elsewhere.
func (f hearFlags) ear(set *models.Set) (ear *speech.Ear, server *transcribe.Server, err error) {
	var writer speech.Transcriber
	if f.URL != "" {
		server, err = transcribe.New(transcribe.Settings{URL: f.URL, Model: f.Model, Key: f.Key, Plain: f.Plain})
		if err != nil {
			return nil, nil, wrongUse("--transcriber: %w", err)
		}
		writer = server
	} else if w := set.Whisper(); w != nil {
		writer = w
	}
	detector := set.SpeechDetector()
	if writer == nil || detector.Run == nil {
		return nil, server, nil
	}
	ear, err = speech.NewEar(detector, writer, speech.Bars{})
	return ear, server, err
}

// serveFlags are what up, api and work share.
type serveFlags struct {
	dataFlags
	hearFlags
	Redis          string        `help:"redis://… (default: redis-server from PATH, on loopback)." placeholder:"URI"`
	Media          string        `help:"s3://BUCKET/PREFIX (default: a folder in the data folder)." placeholder:"URI"`
	S3Endpoint     string        `name:"s3-endpoint" env:"NIGHTLIGHT_S3_ENDPOINT" help:"host:port of the S3 server." placeholder:"HOST:PORT"`
	S3Region       string        `name:"s3-region" env:"NIGHTLIGHT_S3_REGION" help:"S3 region." default:"us-east-1"`
	S3AccessKey    string        `name:"s3-access-key" env:"NIGHTLIGHT_S3_ACCESS_KEY" help:"S3 access key." placeholder:"KEY"`
	S3SecretKey    string        `name:"s3-secret-key" env:"NIGHTLIGHT_S3_SECRET_KEY" help:"S3 secret key." placeholder:"KEY"`
	S3Plain        bool          `name:"s3-plain" env:"NIGHTLIGHT_S3_PLAIN" help:"S3 over plain HTTP, for a server on this machine."`
	Policy         string        `help:"Policy file (default: the one built in)." type:"path" placeholder:"FILE"`
	Models         string        `help:"Folder that holds .cache/nightlight and models/weights (default: found beside the binary)." type:"path" placeholder:"DIR"`
	WebhookAllow   []string      `help:"Private networks that webhooks may reach, such as 127.0.0.0/8." placeholder:"CIDR"`
	WebhookPorts   []uint16      `help:"Ports besides 443 that webhooks may reach." placeholder:"PORT"`
	WebhookPlain   bool          `help:"Let webhooks use plain HTTP, for receivers on this machine."`
	SMTP           string        `name:"smtp" help:"host:port of a mail server for guardian notices." placeholder:"HOST:PORT"`
	SMTPFrom       string        `name:"smtp-from" help:"Sender address of guardian mail." placeholder:"ADDRESS"`
	SMTPUser       string        `name:"smtp-user" help:"Login at the mail server." placeholder:"NAME"`
	SMTPPassword   string        `name:"smtp-password" help:"Password at the mail server." placeholder:"WORD"`
	SMTPPlain      bool          `name:"smtp-plain" help:"Mail server without TLS, for one on this machine."`
	Listen         string        `help:"Address of the HTTP server." default:"127.0.0.1:8080"`
	PublicURL      string        `name:"public-url" help:"How clients reach the API (default: http://LISTEN)." placeholder:"URL"`
	TrustedProxy   []string      `help:"Networks of the reverse proxies whose X-Forwarded-For tells who logs in, such as 127.0.0.0/8 (default: none, the header is ignored)." placeholder:"CIDR"`
	Parallel       int           `help:"Runs of one model at a time (default: one a core)."`
	HMA            string        `name:"hma" env:"NIGHTLIGHT_HMA" help:"Root of a hasher-matcher-actioner server at which pictures are looked up by PDQ hash." placeholder:"URL"`
	HMATimeout     time.Duration `name:"hma-timeout" env:"NIGHTLIGHT_HMA_TIMEOUT" help:"Time for one look-up there." default:"2s"`
	Drain          time.Duration `help:"Time for tasks in flight at shutdown." default:"25s"`
	InsecureCookie bool          `help:"Send login cookies over plain HTTP although the address is not loopback."`
}

func logger(level string) *slog.Logger {
	var l slog.Level
	_ = l.UnmarshalText([]byte(level)) // kong allows only known words
	return slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: l}))
}

// --- the house: rooms that a command opened, closed in reverse order ---

type house struct {
	log      *slog.Logger
	flags    serveFlags
	store    *store.Store
	keys     *media.Keyring
	vault    *media.Vault
	objects  media.Store
	redis    *queue.Redis
	models   *models.Set
	policy   *pipeline.Policy
	words    *words.Library
	examiner *examine.Examiner
	hearing  *transcribe.Server // nil when Whisper hears in this process
	worker   *workers.Worker
	relay    *queue.Relay
	metrics  *prometheus.Registry
	queueUp  *queue.Collector
	closers  []func() error
}

func (h *house) onClose(f func() error) { h.closers = append(h.closers, f) }

// Close closes the rooms, newest first.
func (h *house) Close() error {
	var errs []error
	for i := len(h.closers) - 1; i >= 0; i-- {
		errs = append(errs, h.closers[i]())
	}
	return errors.Join(errs...)
}

// existingRecord opens a record that must be there: a question about a folder
// that somebody mistyped must not be answered well.
func existingRecord(ctx context.Context, f dataFlags) (*store.Store, error) {
	if f.Database == "" {
		if _, err := os.Stat(filepath.Join(f.Data, "nightlight.db")); err != nil {
			return nil, wrongUse("--data: no Nightlight database in %s", f.Data)
		}
	}
	if _, err := os.Stat(f.keyFile()); err != nil {
		return nil, wrongUse("--keys: no key file %s; name the one that the servers use", f.keyFile())
	}
	st, _, err := openRecord(ctx, f)
	return st, err
}

// openRecord opens keys and database, and migrates.
func openRecord(ctx context.Context, f dataFlags) (*store.Store, *media.Keyring, error) {
	if err := os.MkdirAll(f.Data, 0o700); err != nil {
		return nil, nil, fmt.Errorf("data folder: %w", err)
	}
	ring, err := media.OpenKeyFile(f.keyFile())
	if err != nil {
		return nil, nil, err
	}
	dsn := f.Database
	if dsn == "" {
		dsn = "sqlite:" + filepath.Join(f.Data, "nightlight.db")
	}
	st, err := store.Open(ctx, dsn, store.Options{Keyring: media.NewVault(ring)})
	if err != nil {
		return nil, nil, fmt.Errorf("open database: %w", err)
	}
	if err := st.Migrate(ctx); err != nil {
		return nil, nil, errors.Join(fmt.Errorf("migrate database: %w", err), st.Close())
	}
	return st, ring, nil
}

// openHouse opens what both API and workers need.
func openHouse(ctx context.Context, f serveFlags) (h *house, err error) {
	h = &house{log: logger(f.Log), flags: f, metrics: prometheus.NewRegistry()}
	defer func() {
		if err != nil {
			err = errors.Join(err, h.Close())
		}
	}()
	if h.policy, err = readPolicy(f.Policy); err != nil {
		return h, err
	}
	if h.words, err = words.Open(); err != nil {
		return h, err
	}
	if _, err = f.webhookRules(); err != nil {
		return h, err
	}
	if _, err = f.trustedProxies(); err != nil {
		return h, err
	}
	if _, err = f.hma(); err != nil {
		return h, err
	}
	if h.store, h.keys, err = openRecord(ctx, f.dataFlags); err != nil {
		return h, err
	}
	h.vault = media.NewVault(h.keys)
	h.onClose(h.store.Close)
	if h.objects, err = openObjects(ctx, f); err != nil {
		return h, err
	}
	if h.redis, err = queue.OpenRedis(ctx, f.Redis, f.Data); err != nil {
		return h, err
	}
	h.onClose(h.redis.Close)
	h.queueUp = queue.NewCollector(h.redis.Opt)
	h.onClose(h.queueUp.Close)
	h.relay = queue.NewRelay(workers.Outbox{Store: h.store}, h.redis.Opt, h.log, 200*time.Millisecond)
	h.metrics.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), h.queueUp)
	return h, nil
}

func openObjects(ctx context.Context, f serveFlags) (media.Store, error) {
	if f.Media == "" {
		return media.OpenFolder(filepath.Join(f.Data, "media"))
	}
	rest, ok := strings.CutPrefix(f.Media, "s3://")
	bucket, prefix, _ := strings.Cut(rest, "/")
	if !ok || bucket == "" || f.S3Endpoint == "" {
		return nil, wrongUse("--media: want s3://BUCKET/PREFIX and --s3-endpoint")
	}
	if prefix != "" && !strings.HasSuffix(prefix, "/") {
		prefix += "/"
	}
	return media.OpenS3(ctx, media.S3Options{Endpoint: f.S3Endpoint, Insecure: f.S3Plain, Region: f.S3Region, Bucket: bucket, Prefix: prefix, AccessKey: f.S3AccessKey, SecretKey: f.S3SecretKey})
}

func readPolicy(file string) (*pipeline.Policy, error) {
	if file == "" {
		return pipeline.DefaultPolicy(), nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("policy: %w", err)
	}
	p, err := pipeline.ParsePolicy(text)
	if err != nil {
		return nil, fmt.Errorf("policy %s:\n%w", file, err)
	}
	return p, nil
}

// openModels finds and loads the models. What is missing is named, and held
// for a person whenever it would have been asked.
func openModels(root string, settings models.Settings) (*models.Set, error) {
	manifest, err := models.Manifest()
	if err != nil {
		return nil, err
	}
	dirs, err := findModels(root)
	if err != nil {
		return nil, err
	}
	return models.Load(manifest, dirs, settings)
}

func findModels(root string) (models.Dirs, error) {
	self, err := os.Executable()
	if err != nil {
		return models.Dirs{}, fmt.Errorf("find own binary: %w", err)
	}
	return models.Find(self, root)
}

// openExaminer opens the models of a command that judges without a record. Both
// are to be closed, the Examiner first.
func openExaminer(root string, settings models.Settings) (*examine.Examiner, *models.Set, error) {
	set, err := openModels(root, settings)
	if err != nil {
		return nil, nil, err
	}
	examiner, err := newExaminer(set)
	if err != nil {
		return nil, nil, errors.Join(err, set.Close())
	}
	return examiner, set, nil
}

// textsReady refuses to measure or tune without both text models: figures of
// what is left would pass for those of the product.
func textsReady(e *examine.Examiner, set *models.Set) error {
	if e.Text != nil && e.Fallback != nil {
		return nil
	}
	var missing []string
	for _, f := range set.Missing() {
		missing = append(missing, f.Source)
	}
	return fmt.Errorf("a text model is missing, see `nightlight models verify`; missing: %s", strings.Join(missing, ", "))
}

// newExaminer gives every classifier its place.
func newExaminer(set *models.Set) (*examine.Examiner, error) {
	decoder, err := media.NewDecoder(media.DecoderOptions{})
	if err != nil {
		return nil, err
	}
	e := &examine.Examiner{
		Rules: rules.New(), Decoder: decoder, Video: media.NewVideo(media.VideoOptions{}),
		OCR:         set.OCR(),
		MissingText: set.MissingFor("text"), MissingImage: set.MissingFor("image"),
	}
	texts := set.Texts()
	if len(texts) > 0 {
		e.Text = texts[0]
	}
	if len(texts) > 1 {
		e.Fallback = texts[len(texts)-1]
	}
	if judge := set.Image(); judge != nil {
		for _, m := range judge.Models() {
			square := media.Square{Size: m.Input().Size, Mode: media.Stretch}
			if m.Input().Channels == "BGR" {
				square.Mode = media.OpenNSFW
			}
			eye := examine.Eye{Model: m, Square: square}
			if first := set.Ensemble().First; first == "" || first == m.Ref().Name {
				e.Eyes = append(e.Eyes, eye)
			} else {
				e.Second = append(e.Second, eye)
			}
		}
		e.Clear, e.Settled = set.Ensemble().Clear, set.Ensemble().Settled
	}
	return e, nil
}

// openWorkers adds what judging needs.
func (h *house) openWorkers(ctx context.Context) (err error) {
	if h.models, err = openModels(h.flags.Models, models.Settings{Parallel: h.flags.Parallel}); err != nil {
		return err
	}
	h.onClose(h.models.Close)
	for _, m := range h.models.Missing() {
		h.log.Warn("a model is missing; what it would judge is held or falls back", "model", m.Source)
	}
	if h.examiner, err = newExaminer(h.models); err != nil {
		return err
	}
	h.onClose(h.examiner.Close)
	if h.examiner.Ear, h.hearing, err = h.flags.ear(h.models); err != nil {
		return err
	}
	if h.examiner.Ear == nil {
		h.log.Warn("nothing hears; voice notes and films with sound are held for a person")
	}
	if h.examiner.Known, err = h.known(); err != nil {
		return err
	}
	h.examiner.BankLabel = func(bank string) pipeline.Label { return h.policy.Bank(bank).Label }
	if err := h.models.Warm(ctx); err != nil {
		return err
	}
	hooks, channels, err := h.channels()
	if err != nil {
		return err
	}
	host, _ := os.Hostname()
	h.worker = workers.New(workers.Settings{
		Name: fmt.Sprintf("%s-%d", host, os.Getpid()), Store: h.store, Media: h.objects, Vault: h.vault, Examiner: h.examiner,
		Policy: h.policy, Webhooks: hooks, Notifier: channels, Words: h.words, Log: h.log,
	})
	h.metrics.MustRegister(h.worker.Metrics())
	return nil
}

// webhookRules are where webhooks may go.
func (f serveFlags) webhookRules() (r webhook.Rules, err error) {
	r = webhook.Rules{Ports: f.WebhookPorts, PlainHTTP: f.WebhookPlain}
	r.Allow, err = networks("--webhook-allow", f.WebhookAllow)
	return r, err
}

// trustedProxies are those that may tell a client's address.
func (f serveFlags) trustedProxies() ([]netip.Prefix, error) {
	return networks("--trusted-proxy", f.TrustedProxy)
}

// networks reads a flag's networks.
func networks(flag string, cidrs []string) (list []netip.Prefix, err error) {
	for _, cidr := range cidrs {
		p, err := netip.ParsePrefix(cidr)
		if err != nil {
			return nil, wrongUse("%s: %q is no network such as 127.0.0.0/8", flag, cidr)
		}
		list = append(list, p)
	}
	return list, nil
}

func (h *house) channels() (*webhook.Sender, notify.Channels, error) {
	r, err := h.flags.webhookRules()
	if err != nil {
		return nil, nil, err
	}
	sender := webhook.NewSender(r)
	secret, err := secretFile(filepath.Join(h.flags.Data, "notice-secret"))
	if err != nil {
		return nil, nil, err
	}
	c := notify.Channels{"log": notify.Log{Logger: h.log}, "webhook": notify.Webhook{Sender: sender, Secrets: []string{secret}}}
	if h.flags.SMTP != "" {
		c["mail"] = notify.Mail{Addr: h.flags.SMTP, From: h.flags.SMTPFrom, User: h.flags.SMTPUser, Password: h.flags.SMTPPassword, Plain: h.flags.SMTPPlain}
	}
	return sender, c, nil
}

// secretFile returns the secret in a file of mode 0600, made on first use. Of two
// processes that start at once one makes it and both read it.
func secretFile(name string) (secret string, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("secret of guardian notices: %w", err)
		}
	}()
	b, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		if err := writeOnce(name, webhook.NewSecret()); err != nil {
			return "", err
		}
		b, err = os.ReadFile(name)
	}
	if err != nil {
		return "", err
	}
	secret = strings.TrimSpace(string(b))
	if _, err := webhook.Sign("try", time.Now(), nil, secret); err != nil {
		return "", fmt.Errorf("%s: %w; delete it to have one made", name, err)
	}
	return secret, nil
}

// writeOnce makes a file of mode 0600 whole, or leaves the one that is there.
func writeOnce(name, text string) error {
	temp, err := os.CreateTemp(filepath.Dir(name), ".new-*")
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(temp.Name()) }() // the link stays
	_, err = temp.WriteString(text)
	if err := errors.Join(err, temp.Sync(), temp.Close()); err != nil {
		return err
	}
	if err := os.Link(temp.Name(), name); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return nil
}

// runWorkers serves the classes until ctx ends, then drains.
func (h *house) runWorkers(ctx context.Context, g *errgroup.Group, only []string) error {
	classes, err := queue.Classes(runtime.NumCPU(), only...)
	if err != nil {
		return wrongUse("--queues: %v", err)
	}
	servers := queue.NewServers(h.redis.Opt, classes, h.worker.Handlers(), h.worker.Bury, h.log, h.flags.Drain)
	context.AfterFunc(ctx, h.worker.Drain)
	g.Go(func() error { return servers.Run(ctx) })
	g.Go(func() error { return h.worker.KeepHouse(ctx) })
	return nil
}

// runRelay empties the outbox until ctx ends.
func (h *house) runRelay(ctx context.Context, g *errgroup.Group) {
	g.Go(func() error { return h.relay.Run(ctx) })
	g.Go(func() error {
		for {
			select {
			case <-ctx.Done():
				return nil
			case <-h.store.Wake():
				h.relay.Wake()
			}
		}
	})
}

// --- up, api, work ---

type upCommand struct {
	serveFlags
	Samples bool `help:"Send sample items and print a table of verdicts."`
	Once    bool `help:"With --samples: stop after the table; exit 1 if a sample did not end as it should."`
}

// Run runs API, relay and workers in one process.
func (c *upCommand) Run(ctx context.Context) error {
	h, err := openHouse(ctx, c.serveFlags)
	if err != nil {
		return err
	}
	defer h.Close()
	if err := h.openWorkers(ctx); err != nil {
		return err
	}
	return h.serve(ctx, func(ctx context.Context, g *errgroup.Group, url string) error {
		if err := h.runWorkers(ctx, g, nil); err != nil {
			return err
		}
		if !c.Samples {
			return nil
		}
		who, err := readCredentials(h.flags.Data)
		if err != nil {
			return err
		}
		g.Go(func() error { return h.showSamples(ctx, who, c.Once) })
		return nil
	})
}

// errOnce stops `up --once` after its table.
var errOnce = errors.New("once")

func (h *house) showSamples(ctx context.Context, who credentials, once bool) error {
	well, err := samples.Run(ctx, who.URL, who.APIKey, os.Stdout)
	if err != nil {
		return err
	}
	fmt.Printf("\nconsole      %s/console/\ncredentials  %s\napi docs     %s/docs\n", who.URL, credentialsFile(h.flags.Data), who.URL)
	if !once {
		fmt.Println("\nserving until Ctrl-C")
		return nil
	}
	if !well {
		return errNotWell
	}
	return errOnce
}

type apiCommand struct{ serveFlags }

// Run runs the HTTP API, the console and the relay.
func (c *apiCommand) Run(ctx context.Context) error {
	h, err := openHouse(ctx, c.serveFlags)
	if err != nil {
		return err
	}
	defer h.Close()
	return h.serve(ctx, nil)
}

type workCommand struct {
	serveFlags
	Queues []string `help:"Queue classes to serve: text, photo, video, effects, which are webhooks and notices (default: all)." placeholder:"CLASS"`
}

// Run runs workers, the sweeper and a relay.
func (c *workCommand) Run(ctx context.Context) error {
	h, err := openHouse(ctx, c.serveFlags)
	if err != nil {
		return err
	}
	defer h.Close()
	if err := h.openWorkers(ctx); err != nil {
		return err
	}
	g, ctx := errgroup.WithContext(ctx)
	h.runRelay(ctx, g)
	if err := h.runWorkers(ctx, g, c.Queues); err != nil {
		return err
	}
	if err := h.serveHealth(ctx, g); err != nil {
		return err
	}
	h.log.Info("workers run", "queue", h.redis.About, "policy", h.policy.Version)
	return g.Wait()
}

// serveHealth lets a worker be asked for health and metrics, and nothing
// else.
func (h *house) serveHealth(ctx context.Context, g *errgroup.Group) error {
	front, err := api.New(h.apiSettings(nil))
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", h.flags.Listen)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	only := http.NewServeMux()
	for _, path := range []string{"/healthz", "/readyz", "/metrics"} {
		only.Handle("GET "+path, front)
	}
	serveHTTP(ctx, g, listener, only)
	return nil
}

// every calls f again and again until ctx ends.
func every(ctx context.Context, pause time.Duration, f func()) {
	tick := time.NewTicker(pause)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			f()
		}
	}
}

// serveHTTP serves until ctx ends, then lets requests finish.
func serveHTTP(ctx context.Context, g *errgroup.Group, listener net.Listener, handler http.Handler) {
	server := api.Server(listener.Addr().String(), handler)
	g.Go(func() error {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	})
	g.Go(func() error {
		<-ctx.Done()
		quick, cancel := context.WithTimeout(context.WithoutCancel(ctx), 15*time.Second)
		defer cancel()
		return server.Shutdown(quick)
	})
}

// serve runs the HTTP server and the relay, and what more adds, until ctx
// ends or one of them fails.
func (h *house) serve(ctx context.Context, more func(context.Context, *errgroup.Group, string) error) error {
	listener, err := net.Listen("tcp", h.flags.Listen)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	url := cmp.Or(h.flags.PublicURL, "http://"+listener.Addr().String()) // for people and credentials.json
	who, err := h.bootstrap(ctx, url)
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	pages, err := console.New(h.consoleSettings())
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	front, err := api.New(h.apiSettings(pages))
	if err != nil {
		return errors.Join(err, listener.Close())
	}
	g, ctx := errgroup.WithContext(ctx)
	h.runRelay(ctx, g)
	if more != nil {
		if err := more(ctx, g, url); err != nil {
			return errors.Join(err, listener.Close())
		}
	}
	serveHTTP(ctx, g, listener, front)
	g.Go(func() error {
		every(ctx, 5*time.Minute, func() {
			if _, err := front.SweepIncoming(ctx); err != nil {
				h.log.Warn("incoming objects wait to be swept", "error", err)
			}
		})
		return nil
	})
	h.log.Info("nightlight serves", "url", who.URL, "credentials", credentialsFile(h.flags.Data), "queue", h.redis.About, "policy", h.policy.Version)
	if err := g.Wait(); !errors.Is(err, errOnce) {
		return err
	}
	return nil
}

// apiSettings wires the API.
func (h *house) apiSettings(pages http.Handler) api.Settings {
	rules, _ := h.flags.webhookRules() // openHouse has checked them
	return api.Settings{
		Store: h.store, Media: h.objects, Keys: h.keys, Policy: h.policy, Words: h.words, Ready: h.checks(), Registry: h.metrics, Wake: h.relay.Wake, Log: h.log,
		PublicURL: h.flags.PublicURL, CheckWebhook: rules.CheckURL, Console: pages, Version: version,
	}
}

func (h *house) consoleSettings() console.Settings {
	proxies, _ := h.flags.trustedProxies() // openHouse has checked them
	if len(proxies) == 0 && strings.HasPrefix(h.flags.PublicURL, "https:") {
		h.log.Warn("a proxy is in front, and --trusted-proxy does not name it: all who log in count as one address, and wrong passwords for a name lock it for everybody")
	}
	return console.Settings{
		Store: h.store, Media: h.objects, Vault: h.vault, Video: media.NewVideo(media.VideoOptions{}), Policy: h.policy, Words: h.words, Log: h.log,
		SecureCookies: h.flags.secureCookies(), Address: console.ClientAddress(proxies),
	}
}

// secureCookies tells whether logins need TLS: behind https, and wherever the
// address that people use is not this machine's own.
func (f serveFlags) secureCookies() bool {
	host, _, _ := net.SplitHostPort(f.Listen)
	if u, err := url.Parse(f.PublicURL); err == nil && u.Host != "" {
		if u.Scheme == "https" {
			return true
		}
		host = u.Hostname()
	}
	ip, err := netip.ParseAddr(host)
	loopback := err == nil && ip.IsLoopback() || host == "localhost"
	return !loopback && !f.InsecureCookie
}

// checks are what /readyz asks.
func (h *house) checks() []api.Check {
	list := []api.Check{
		{Name: "database", Test: func(ctx context.Context) (string, error) { return "answers", h.store.Ping(ctx) }},
		// Without Redis items are still accepted and wait in the outbox.
		{Name: "redis", Optional: h.models == nil, Test: func(context.Context) (string, error) { return h.redis.About, h.queueUp.Ping() }},
		{Name: "media", Test: func(ctx context.Context) (string, error) {
			if _, err := h.objects.Stat(ctx, "ready"); err != nil && !errors.Is(err, media.ErrNotFound) {
				return "does not answer", err
			}
			return "answers", nil
		}},
	}
	if h.models == nil {
		return list
	}
	return append(list,
		api.Check{Name: "models", Test: h.modelsReady},
		api.Check{Name: "sandbox", Optional: true, Test: func(ctx context.Context) (string, error) {
			s, err := h.examiner.Decoder.Sandbox(ctx)
			return fmt.Sprintf("%+v", s), err
		}},
		api.Check{Name: "ffmpeg", Optional: true, Test: func(context.Context) (string, error) {
			if _, err := exec.LookPath("ffmpeg"); err != nil {
				return "missing: videos and voice notes are held for a person", media.ErrNoFFmpeg
			}
			return "found", nil
		}},
		api.Check{Name: "hearing", Optional: true, Test: h.hears},
	)
}

// hears tells who writes speech down, or that nobody does.
func (h *house) hears(ctx context.Context) (string, error) {
	switch {
	case h.examiner.Ear == nil:
		return "missing: voice notes and films with sound are held for a person", catalog.ErrMissing
	case h.hearing == nil:
		return "Whisper in this process", nil
	}
	if err := h.hearing.Ready(ctx); err != nil {
		return "the transcriber does not answer: voice notes and films with sound wait for up to 15 minutes, and are held then", err
	}
	return "the transcriber answers", nil
}

// modelsReady names what is missing. Something required that is missing does
// not stop the process: what it would judge is held.
func (h *house) modelsReady(context.Context) (string, error) {
	var missing []string
	for _, f := range h.models.Missing() {
		missing = append(missing, f.Source)
	}
	if len(missing) > 0 {
		return "missing: " + strings.Join(missing, ", "), nil
	}
	return "ONNX Runtime " + h.models.RuntimeVersion(), nil
}

// --- first start: a tenant, a key and people ---

type credentials struct {
	URL    string            `json:"url"`
	Tenant string            `json:"tenant"`
	APIKey string            `json:"api_key"`
	Users  []credentialsUser `json:"users"`
}

type credentialsUser struct {
	Name     string      `json:"name"`
	Password string      `json:"password"`
	Role     review.Role `json:"role"`
}

func credentialsFile(data string) string { return filepath.Join(data, "credentials.json") }

func readCredentials(data string) (c credentials, err error) {
	b, err := os.ReadFile(credentialsFile(data))
	if err == nil {
		err = json.Unmarshal(b, &c)
	}
	if err != nil {
		return c, fmt.Errorf("read credentials: %w", err)
	}
	return c, nil
}

func (c credentials) write(data string) error {
	b, err := json.MarshalIndent(c, "", "  ")
	if err == nil {
		err = os.WriteFile(credentialsFile(data), append(b, '\n'), 0o600)
	}
	if err != nil {
		return fmt.Errorf("write credentials: %w", err)
	}
	return nil
}

// bootstrap makes a tenant, its API key, an admin and two reviewers when the
// data folder has no credentials yet, and renews the URL in the file.
func (h *house) bootstrap(ctx context.Context, url string) (credentials, error) {
	c, err := readCredentials(h.flags.Data)
	switch {
	case err == nil && c.URL == url:
		return c, nil
	case err == nil:
		c.URL = url
		return c, c.write(h.flags.Data)
	case !errors.Is(err, fs.ErrNotExist):
		return c, err
	}
	tenant, err := h.store.CreateTenant(ctx, "default")
	if errors.Is(err, store.ErrConflict) {
		tenant, err = h.store.TenantByName(ctx, "default")
	}
	if err != nil {
		return c, fmt.Errorf("make tenant: %w", err)
	}
	_, secret, err := h.store.CreateKey(ctx, store.APIKey{Tenant: tenant.ID, Name: "first", Scopes: []store.Scope{store.ScopeAdmin}}, byCommandLine)
	if err != nil {
		return c, fmt.Errorf("make API key: %w", err)
	}
	c = credentials{URL: url, Tenant: tenant.ID, APIKey: secret}
	for _, u := range []credentialsUser{{"admin", rand.Text(), review.Admin}, {"reviewer1", rand.Text(), review.RoleReviewer}, {"reviewer2", rand.Text(), review.RoleReviewer}} {
		if err := addUser(ctx, h.store, u); errors.Is(err, store.ErrConflict) {
			continue // from an earlier data folder on the same database
		} else if err != nil {
			return c, err
		}
		c.Users = append(c.Users, u)
	}
	return c, c.write(h.flags.Data)
}

func addUser(ctx context.Context, st *store.Store, u credentialsUser) error {
	hash, err := console.HashPassword(u.Password)
	if err != nil {
		return fmt.Errorf("password of %s: %w", u.Name, err)
	}
	if _, err := st.CreateUser(ctx, store.User{Name: u.Name, Role: u.Role, PasswordHash: hash}, "nightlight"); err != nil {
		return fmt.Errorf("add user %s: %w", u.Name, err)
	}
	return nil
}

// --- score ---

type scoreCommand struct {
	MediaFiles []string `name:"media" env:"-" help:"Judge these files instead of lines." type:"path" placeholder:"FILE" sep:"none"`
	More       []string `arg:"" optional:"" help:"Further files after --media." type:"path"`
	Policy     string   `help:"Policy file (default: the one built in)." type:"path" placeholder:"FILE"`
	NoPolicy   bool     `help:"Leave the action out."`
	Models     string   `help:"Folder that holds .cache/nightlight and models/weights." type:"path" placeholder:"DIR"`
	hearFlags
	Parallel int `help:"Lines judged at a time (default: one a core)."`
}

// Run judges what it is given and writes one line each.
func (c *scoreCommand) Run(ctx context.Context) error {
	if len(c.More) > 0 && len(c.MediaFiles) == 0 {
		return wrongUse("files go behind --media; lines come from standard input")
	}
	policy, err := readPolicy(c.Policy)
	if err != nil {
		return err
	}
	if c.NoPolicy {
		policy = nil
	}
	examiner, set, err := openExaminer(c.Models, models.Settings{})
	if err != nil {
		return err
	}
	defer set.Close()
	defer examiner.Close()
	if examiner.Ear, _, err = c.ear(set); err != nil {
		return err
	}
	for _, m := range set.Missing() {
		fmt.Fprintln(os.Stderr, "nightlight: a model is missing; what it would judge is held or falls back:", m.Source)
	}
	s := score.Scorer{Examiner: examiner, Policy: policy, Parallel: cmp.Or(c.Parallel, runtime.NumCPU())}
	var bad int
	if files := append(c.MediaFiles, c.More...); len(files) > 0 {
		bad, err = s.Files(ctx, files, examiner.Decoder.Limits(), os.Stdout)
	} else {
		bad, err = s.Lines(ctx, os.Stdin, os.Stdout)
	}
	if err == nil && bad > 0 {
		err = errNotWell
	}
	return err
}

// --- hashes ---

// hma is the HMA server that pictures are looked up at, nil when none is set.
func (f serveFlags) hma() (*known.HMA, error) {
	if f.HMA == "" {
		return nil, nil
	}
	u, err := url.Parse(f.HMA)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		return nil, wrongUse("--hma: want the root of a server, such as http://127.0.0.1:5100") // never quoted: it may hold a password
	}
	return &known.HMA{URL: u, Timeout: f.HMATimeout}, nil
}

// known lists where pictures are looked up.
func (h *house) known() ([]examine.Known, error) {
	list := []examine.Known{known.NewBanks(h.store)}
	server, err := h.flags.hma()
	if err == nil && server != nil {
		list = append(list, server)
	}
	return list, err
}

type hashesCommand struct {
	Import hashesImportCommand `cmd:"" help:"Add a CSV file of hashes to a bank; workers use them at once."`
	List   hashesListCommand   `cmd:"" help:"List banks."`
	Remove hashesRemoveCommand `cmd:"" help:"Remove a bank, or one hash of it."`
	Check  hashesCheckCommand  `cmd:"" help:"Tell which banks hold a hash or a picture; exit 1 when one does."`
}

// byCommandLine is the actor in the audit log of what is done here.
const byCommandLine = "command line"

type hashesImportCommand struct {
	dataFlags
	Bank      string `required:"" help:"Name of the bank, which is made when there is none." placeholder:"NAME"`
	Kind      string `help:"pdq for pictures, sha256 for files." enum:"pdq,sha256" default:"pdq"`
	Threshold int    `help:"Most bits of 256 in which a picture of a pdq bank may differ, 0 to 31 (default 31; an existing bank takes the new one)." default:"-1"`
	File      string `arg:"" help:"CSV: 64 hexadecimal digits a line, and behind a comma what the giver calls it." type:"existingfile"`
	JSON      bool   `help:"Print JSON."`
}

// Run imports a file whole, or not at all when a line is wrong.
func (c *hashesImportCommand) Run(ctx context.Context) error {
	f, err := os.Open(c.File)
	if err != nil {
		return err
	}
	defer f.Close()
	list, err := known.ReadCSV(f)
	if err != nil {
		return fmt.Errorf("%s: %w", c.File, err)
	}
	st, _, err := openRecord(ctx, c.dataFlags)
	if err != nil {
		return err
	}
	defer st.Close()
	bank := store.Bank{Name: c.Bank, Kind: store.BankKind(c.Kind), Threshold: c.Threshold}
	if c.Threshold < 0 {
		bank.Threshold = map[store.BankKind]int{store.PDQBank: pdq.Match}[bank.Kind]
	}
	done, err := st.ImportHashes(ctx, bank, list, byCommandLine)
	if errors.Is(err, store.ErrBank) || errors.Is(err, store.ErrConflict) {
		return wrongUse("%v", err)
	}
	if err != nil {
		return err
	}
	return show(map[string]any{"bank": c.Bank, "kind": bank.Kind, "threshold": bank.Threshold, "added": done.Added, "held_already": done.Held, "hashes": done.Total},
		[][]string{{"bank", c.Bank}, {"kind", c.Kind}, {"threshold", fmt.Sprint(bank.Threshold)}, {"added", fmt.Sprint(done.Added)}, {"held already", fmt.Sprint(done.Held)}, {"hashes", fmt.Sprint(done.Total)}}, c.JSON)
}

type hashesListCommand struct {
	dataFlags
	Policy string `help:"Policy file (default: the one built in)." type:"path" placeholder:"FILE"`
	JSON   bool   `help:"Print JSON."`
}

// Run lists the banks with what policy does about them.
func (c *hashesListCommand) Run(ctx context.Context) error {
	policy, err := readPolicy(c.Policy)
	if err != nil {
		return err
	}
	st, err := existingRecord(ctx, c.dataFlags)
	if err != nil {
		return err
	}
	defer st.Close()
	banks, err := st.Banks(ctx)
	if err != nil {
		return err
	}
	type line struct {
		Name      string    `json:"name"`
		Kind      string    `json:"kind"`
		Threshold int       `json:"threshold"`
		Hashes    int       `json:"hashes"`
		Action    string    `json:"action"`
		Label     string    `json:"label"`
		UpdatedAt time.Time `json:"updated_at"`
	}
	lines := []line{}
	rows := [][]string{{"BANK", "KIND", "THRESHOLD", "HASHES", "ACTION", "LABEL", "CHANGED"}}
	for _, b := range banks {
		r := policy.Bank(b.Name)
		lines = append(lines, line{b.Name, string(b.Kind), b.Threshold, b.Hashes, string(r.Action), string(r.Label), b.UpdatedAt})
		rows = append(rows, []string{b.Name, string(b.Kind), fmt.Sprint(b.Threshold), fmt.Sprint(b.Hashes), string(r.Action), string(r.Label), b.UpdatedAt.Format(time.RFC3339)})
	}
	return show(lines, rows, c.JSON)
}

type hashesRemoveCommand struct {
	dataFlags
	Bank string `required:"" help:"Name of the bank." placeholder:"NAME"`
	Hash string `help:"Remove this hash alone." placeholder:"HEX"`
}

// Run removes a bank or one hash.
func (c *hashesRemoveCommand) Run(ctx context.Context) error {
	var h pdq.Hash
	var err error
	if c.Hash != "" {
		if h, err = pdq.Parse(c.Hash); err != nil {
			return wrongUse("--hash: %v", err)
		}
	}
	st, err := existingRecord(ctx, c.dataFlags)
	if err != nil {
		return err
	}
	defer st.Close()
	if c.Hash != "" {
		return st.RemoveHash(ctx, c.Bank, h, byCommandLine)
	}
	return st.RemoveBank(ctx, c.Bank, byCommandLine)
}

type hashesCheckCommand struct {
	dataFlags
	What string `arg:"" help:"A hash of 64 hexadecimal digits, or a picture's file." placeholder:"HASH|FILE"`
	JSON bool   `help:"Print JSON."`
}

// Run looks up what is given, as a worker would.
func (c *hashesCheckCommand) Run(ctx context.Context) error {
	p, sum, err := c.hashes(ctx)
	if err != nil {
		return err
	}
	st, err := existingRecord(ctx, c.dataFlags)
	if err != nil {
		return err
	}
	defer st.Close()
	banks := known.NewBanks(st)
	found, err := banks.File(ctx, sum)
	if err != nil {
		return err
	}
	pictures, err := banks.Picture(ctx, p)
	if err != nil {
		return err
	}
	found = append(found, pictures...)
	rows := [][]string{{"pdq", p.Hash.String()}, {"quality", fmt.Sprint(p.Quality)}, {"sha256", sum}}
	for _, m := range found {
		rows = append(rows, []string{"bank " + m.Name, fmt.Sprintf("%s, %d bits away", m.Kind, m.Distance)})
	}
	err = show(map[string]any{"pdq": p.Hash, "quality": p.Quality, "sha256": sum, "banks": found}, rows, c.JSON)
	if err == nil && len(found) > 0 {
		err = errNotWell
	}
	return err
}

// hashes are those of a file, or the one hash given, which may be of either
// kind.
func (c *hashesCheckCommand) hashes(ctx context.Context) (pdq.Print, string, error) {
	if h, err := pdq.Parse(c.What); err == nil {
		p := pdq.Print{Hash: h, Quality: 100}
		for i := range p.Turned {
			p.Turned[i] = h
		}
		return p, strings.ToLower(c.What), nil
	}
	data, err := os.ReadFile(c.What)
	if err != nil {
		return pdq.Print{}, "", wrongUse("want a hash of 64 hexadecimal digits or a file: %v", err)
	}
	decoder, err := media.NewDecoder(media.DecoderOptions{Children: 1})
	if err != nil {
		return pdq.Print{}, "", err
	}
	defer decoder.Close()
	d, err := decoder.Decode(ctx, data, media.Want{Fit: examine.ReadSide})
	if err != nil {
		return pdq.Print{}, "", fmt.Errorf("open %s: %w", c.What, err)
	}
	sum := sha256.Sum256(data)
	return d.Frames[0].PDQ, hex.EncodeToString(sum[:]), nil
}

// --- eval ---

type evalCommand struct {
	Run     evalRunCommand     `cmd:"" help:"Judge data sets by the code that serves, and print their figures."`
	Tune    evalTuneCommand    `cmd:"" help:"Set the policy's hold scores by a budget of false holds, on lines that train and test nothing."`
	Compare evalCompareCommand `cmd:"" help:"Print two runs side by side."`
	Gate    evalGateCommand    `cmd:"" help:"Exit 1 when the second run is worse than the first."`
	Report  evalReportCommand  `cmd:"" help:"Print the tables of a run that was written with --out."`
	Sets    evalSetsCommand    `cmd:"" help:"List the known data sets."`
	Samples evalSamplesCommand `cmd:"" help:"Send the sample items to a running Nightlight."`
	Load    evalLoadCommand    `cmd:"" help:"Send messages to a running Nightlight at a rate, open loop."`
	Peers   evalPeersCommand   `cmd:"" help:"CPU-ms from a photo's bytes to a verdict beside sharp with onnxruntime-node and nsfwjs, in one run."`
	Bench   evalBenchCommand   `cmd:"" help:"CPU-ms an item of the whole path beside bare ONNX Runtime, in one run."`
}

type evalRunCommand struct {
	Names       []string `arg:"" optional:"" name:"set" help:"Sets to run (default: those in the repository)."`
	Sets        string   `help:"Folder of public sets, one folder each." type:"path" placeholder:"DIR"`
	Root        string   `help:"Checkout that holds eval/testdata." type:"path" default:"."`
	Policy      string   `help:"Policy file (default: the one built in)." type:"path" placeholder:"FILE"`
	Models      string   `help:"Folder that holds .cache/nightlight and models/weights." type:"path" placeholder:"DIR"`
	Control     bool     `help:"Judge by the linear control instead of the best text model."`
	Graph       string   `help:"Judge by this graph instead of the pinned text encoder: float32, a teacher, a candidate." type:"existingfile" placeholder:"FILE"`
	Calibration string   `help:"Calibration that goes with the graph." type:"existingfile" placeholder:"FILE"`
	Sample      int      `help:"Judge at most this many examples a set."`
	Out         string   `help:"Write the results as JSON, for compare and gate." type:"path" placeholder:"FILE"`
	JSON        bool     `help:"Print JSON."`
}

// Run runs the sets.
func (c *evalRunCommand) Run(ctx context.Context) error {
	policy, err := readPolicy(c.Policy)
	if err != nil {
		return err
	}
	examiner, set, err := openExaminer(c.Models, models.Settings{Try: models.Trial{Graph: c.Graph, Calibration: c.Calibration}})
	if err != nil {
		return err
	}
	defer set.Close()
	defer examiner.Close()
	if err := textsReady(examiner, set); err != nil {
		return err
	}
	if c.Control {
		examiner.Text = examiner.Fallback
	}
	known, err := eval.Sets()
	if err != nil {
		return err
	}
	if len(c.Names) == 0 {
		c.Names = []string{"seeds"}
	}
	runner := eval.Runner{Examiner: examiner, Policy: policy, Root: c.Root, Sets: c.Sets, Progress: os.Stderr, Sample: c.Sample}
	var results []eval.Result
	for _, name := range c.Names {
		i := slices.IndexFunc(known, func(s eval.Set) bool { return s.Name == name })
		if i < 0 {
			return wrongUse("no set %q; nightlight eval sets lists them", name)
		}
		r, err := runner.Run(ctx, known[i])
		if err != nil {
			return err
		}
		results = append(results, r)
		if !c.JSON {
			if err := r.Print(os.Stdout); err != nil {
				return err
			}
		}
	}
	if c.Out != "" {
		b, err := json.MarshalIndent(results, "", "  ")
		if err == nil {
			err = os.WriteFile(c.Out, append(b, '\n'), 0o644)
		}
		if err != nil {
			return fmt.Errorf("write results: %w", err)
		}
	}
	if c.JSON {
		return show(results, nil, true)
	}
	return nil
}

type evalTuneCommand struct {
	Policy   string   `arg:"" help:"Policy file whose hold scores are written anew." type:"existingfile"`
	Version  string   `help:"Version of the tuned policy." required:""`
	Benign   float64  `help:"Share of everyday messages that may be held." default:"0.005"`
	Hard     float64  `help:"Share of hard negatives that may be held." default:"0.03"`
	Urgent   float64  `help:"Share of the texts of each label of severity 4 that a person must look at, held or delivered." default:"0.85"`
	Everyday []string `help:"Further sets of harmless messages, each of which keeps to the same budget." placeholder:"SET"`
	Root     string   `help:"Checkout that holds models/train/corpus/tune." type:"path" default:"."`
	Sets     string   `help:"Folder of public sets (see eval sets)." type:"path" placeholder:"DIR"`
	Models   string   `help:"Folder that holds .cache/nightlight and models/weights." type:"path" placeholder:"DIR"`
}

// Run writes the policy.
func (c *evalTuneCommand) Run(ctx context.Context) error {
	text, err := os.ReadFile(c.Policy)
	if err != nil {
		return err
	}
	policy, err := pipeline.ParsePolicy(text)
	if err != nil {
		return fmt.Errorf("%s: %w", c.Policy, err)
	}
	examiner, set, err := openExaminer(c.Models, models.Settings{})
	if err != nil {
		return err
	}
	defer set.Close()
	defer examiner.Close()
	if err := textsReady(examiner, set); err != nil {
		return err
	}
	known, err := eval.Sets()
	if err != nil {
		return err
	}
	var everyday []eval.Set
	for _, name := range c.Everyday {
		i := slices.IndexFunc(known, func(s eval.Set) bool { return s.Name == name })
		if i < 0 {
			return wrongUse("no set %q; nightlight eval sets lists them", name)
		}
		everyday = append(everyday, known[i])
	}
	runner := eval.Runner{Examiner: examiner, Policy: policy, Root: c.Root, Sets: c.Sets, Progress: os.Stderr}
	tuned, err := runner.Tune(ctx, eval.Budget{Benign: c.Benign, Hard: c.Hard, Urgent: c.Urgent}, everyday...)
	if err != nil {
		return err
	}
	text, err = tuned.Rewrite(text, c.Version)
	if err != nil {
		return err
	}
	if err := os.WriteFile(c.Policy, text, 0o644); err != nil {
		return err
	}
	return tuned.Print(os.Stdout)
}

type evalCompareCommand struct {
	Old string `arg:"" type:"existingfile"`
	New string `arg:"" type:"existingfile"`
}

// Run compares two result files.
func (c *evalCompareCommand) Run() error {
	before, after, err := readBoth(c.Old, c.New)
	if err != nil {
		return err
	}
	return eval.Compare(os.Stdout, before, after)
}

type evalReportCommand struct {
	File string `arg:"" help:"Results that eval run --out wrote." type:"existingfile"`
	JSON bool   `help:"Print JSON."`
}

// Run prints the tables.
func (c *evalReportCommand) Run() error {
	list, err := eval.ReadResults(c.File)
	if err != nil {
		return err
	}
	if c.JSON {
		return show(list, nil, true)
	}
	for _, r := range list {
		if err := r.Print(os.Stdout); err != nil {
			return err
		}
	}
	return nil
}

type evalGateCommand struct{ evalCompareCommand }

// Run holds the second file against the first.
func (c *evalGateCommand) Run() error {
	before, after, err := readBoth(c.Old, c.New)
	if err != nil {
		return err
	}
	worse, err := eval.Gate(before, after)
	if err != nil {
		return wrongUse("%s: %w", c.Old, err)
	}
	for _, w := range worse {
		fmt.Println(w)
	}
	if len(worse) > 0 {
		return errNotWell
	}
	fmt.Println("nothing is worse")
	return nil
}

func readBoth(a, b string) (before, after []eval.Result, err error) {
	if before, err = eval.ReadResults(a); err != nil {
		return nil, nil, err
	}
	after, err = eval.ReadResults(b)
	return before, after, err
}

type evalSetsCommand struct {
	JSON bool `help:"Print JSON."`
}

// Run lists the sets.
func (c *evalSetsCommand) Run() error {
	sets, err := eval.Sets()
	if err != nil {
		return err
	}
	rows := [][]string{{"SET", "FILE", "ABOUT", "LICENCE"}}
	for _, s := range sets {
		rows = append(rows, []string{s.Name, s.Path, s.About, s.Licence})
	}
	return show(sets, rows, c.JSON)
}

type evalSamplesCommand struct {
	Data string `help:"Data folder of the running Nightlight." default:"./nightlight-data" type:"path"`
}

// Run sends the samples.
func (c *evalSamplesCommand) Run(ctx context.Context) error {
	who, err := readCredentials(c.Data)
	if err != nil {
		return err
	}
	well, err := samples.Run(ctx, who.URL, who.APIKey, os.Stdout)
	if err == nil && !well {
		err = errNotWell
	}
	return err
}

type evalBenchCommand struct {
	Seconds time.Duration `help:"How long each side of a row runs, over all rounds." default:"30s"`
	Rounds  int           `help:"How often the sides take turns." default:"3"`
	Models  string        `help:"Folder that holds .cache/nightlight and models/weights." type:"path" placeholder:"DIR"`
	JSON    bool          `help:"Print JSON."`
}

// Run measures the whole path beside the bare models.
func (c *evalBenchCommand) Run(ctx context.Context) error {
	examiner, set, err := openExaminer(c.Models, models.Settings{})
	if err != nil {
		return err
	}
	defer set.Close()
	defer examiner.Close()
	if err := textsReady(examiner, set); err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	var args []string
	if c.Models != "" {
		args = []string{"--models", c.Models}
	}
	well, err := bench.Run(ctx, bench.Options{
		Args:   args,
		Binary: self, Out: os.Stdout, Progress: os.Stderr, JSON: c.JSON, Seconds: c.Seconds, Rounds: c.Rounds,
		BareText: func(ctx context.Context, text string) error {
			_, err := examiner.Text.ClassifyText(ctx, pipeline.Text{Text: text})
			return err
		},
		BarePhoto: func(ctx context.Context, jpeg []byte) error { _, err := examiner.Photo(ctx, jpeg); return err },
	})
	if err == nil && !well {
		err = errNotWell
	}
	return err
}

type evalPeersCommand struct {
	Folder string `help:"Folder with the npm packages." default:".cache/peers" type:"path"`
	Rounds int    `help:"How often the sides take turns." default:"3"`
	Models string `help:"Folder that holds .cache/nightlight and models/weights." type:"path" placeholder:"DIR"`
}

// Run compares like with like: one picture model and policy, without second
// opinions, QR codes and writing, which the others do not have; all of it
// stands in a row of its own.
func (c *evalPeersCommand) Run(ctx context.Context) error {
	examiner, set, err := openExaminer(c.Models, models.Settings{})
	if err != nil {
		return err
	}
	defer set.Close()
	defer examiner.Close()
	policy, err := readPolicy("")
	if err != nil {
		return err
	}
	if set.Image() == nil {
		return errors.New("no picture model is there: run make setup")
	}
	dirs, err := findModels(c.Models)
	if err != nil {
		return err
	}
	m := set.Image().Models()[0]
	want := media.Want{Squares: []media.Square{{Size: m.Input().Size, Mode: media.Stretch}}}
	well, err := bench.Peers(ctx, bench.PeerOptions{
		Folder: c.Folder, Model: filepath.Join(dirs.Cache, m.Ref().Name+".onnx"), Rounds: c.Rounds, Out: os.Stdout, Progress: os.Stderr,
		Judge: func(ctx context.Context, jpeg []byte) ([]float64, error) {
			d, err := examiner.Decoder.Decode(ctx, jpeg, want)
			if err != nil {
				return nil, err
			}
			scores, err := m.Scores(ctx, d.Frames[0].Crops[0].Tensor)
			if err != nil {
				return nil, err
			}
			found := pipeline.Findings{Signals: m.Signals(scores), Models: []pipeline.ModelRef{m.Ref()}}
			policy.Judge(pipeline.Item{Kind: pipeline.KindPhoto}, found, time.Time{})
			var all []float64
			for _, s := range scores {
				all = append(all, float64(s))
			}
			return all, nil
		},
		Whole: func(ctx context.Context, jpeg []byte) error { _, err := examiner.Photo(ctx, jpeg); return err },
	})
	if err == nil && !well {
		err = errNotWell
	}
	return err
}

type evalLoadCommand struct {
	Data string        `help:"Data folder of the running Nightlight." default:"./nightlight-data" type:"path"`
	Rate float64       `help:"Messages a second." default:"20"`
	For  time.Duration `help:"How long." default:"30s"`
}

// Run sends messages when they are due, whether or not earlier ones were
// answered, and counts each latency from when it was due.
func (c *evalLoadCommand) Run(ctx context.Context) error {
	who, err := readCredentials(c.Data)
	if err != nil {
		return err
	}
	r, err := bench.Load(ctx, bench.LoadOptions{URL: who.URL, Key: who.APIKey, Rate: c.Rate, For: c.For})
	if err != nil {
		return err
	}
	return show(r, nil, true)
}

// --- models, policy ---

type modelsCommand struct {
	List   modelsListCommand   `cmd:"" help:"List model files."`
	Verify modelsVerifyCommand `cmd:"" help:"Compare every model file with its pinned hash."`
	Fetch  modelsFetchCommand  `cmd:"" help:"Fetch and convert what is not in the repository."`
}

type modelsListCommand struct {
	Models string `help:"Folder that holds .cache/nightlight and models/weights." type:"path" placeholder:"DIR"`
	JSON   bool   `help:"Print JSON."`
}

// Run lists the files.
func (c *modelsListCommand) Run() error { return showModels(c.Models, c.JSON, models.List) }

type modelsVerifyCommand struct{ modelsListCommand }

// Run verifies the files; one that is not what its pin says is not well.
func (c *modelsVerifyCommand) Run() error { return showModels(c.Models, c.JSON, models.Verify) }

func showModels(root string, asJSON bool, look func(*catalog.Manifest, models.Dirs) []models.Entry) error {
	manifest, err := models.Manifest()
	if err != nil {
		return err
	}
	dirs, err := findModels(root)
	if err != nil {
		return err
	}
	entries := look(manifest, dirs)
	var failed error
	rows := [][]string{{"NAME", "VERSION", "KIND", "STATE", "LICENCE", "SHA256"}}
	for _, e := range entries {
		if e.State == models.Mismatch || e.State == models.Missing && e.Required {
			failed = errNotWell
		}
		rows = append(rows, []string{e.Name, e.Version, e.Kind, strings.TrimSpace(string(e.State) + " " + e.Detail), e.Licence, e.SHA256[:12]})
	}
	return errors.Join(show(entries, rows, asJSON), failed)
}

// show prints v as JSON, or rows as a table.
func show(v any, rows [][]string, asJSON bool) error {
	if asJSON {
		enc := json.NewEncoder(os.Stdout)
		enc.SetIndent("", "  ")
		return enc.Encode(v)
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 8, 2, ' ', 0)
	for _, r := range rows {
		fmt.Fprintln(w, strings.Join(r, "\t"))
	}
	return w.Flush()
}

type modelsFetchCommand struct {
	Models string `help:"Folder to fill (default: beside the binary)." type:"path" placeholder:"DIR"`
}

// Run brings what set-up brings.
func (c *modelsFetchCommand) Run(ctx context.Context) error {
	manifest, err := models.Manifest()
	if err != nil {
		return err
	}
	dirs, err := findModels(c.Models)
	if err != nil {
		return err
	}
	return setup.Fetch(ctx, manifest, dirs.Cache, func(line string) { fmt.Println(line) })
}

type policyCommand struct {
	Check   policyCheckCommand   `cmd:"" help:"Name line and field of each mistake."`
	Explain policyExplainCommand `cmd:"" help:"Tell why an item got its verdict."`
}

type policyCheckCommand struct {
	File string `arg:"" optional:"" help:"Policy file (default: the one built in)." type:"path"`
	JSON bool   `help:"Print JSON."`
}

// Run checks a policy file.
func (c *policyCheckCommand) Run() error {
	p, err := readPolicy(c.File)
	var pe *pipeline.PolicyError
	switch {
	case errors.As(err, &pe):
		rows := [][]string{{"LINE", "FIELD", "MISTAKE"}}
		for _, m := range pe.Mistakes {
			rows = append(rows, []string{fmt.Sprint(m.Line), m.Field, m.Reason})
		}
		return errors.Join(show(pe.Mistakes, rows, c.JSON), errNotWell)
	case err != nil:
		return err
	}
	return show([]pipeline.Mistake{}, [][]string{{fmt.Sprintf("policy %s is well: %d labels", p.Version, len(p.Labels))}}, c.JSON)
}

type policyExplainCommand struct {
	dataFlags
	Item string `arg:"" help:"Id of the item."`
	JSON bool   `help:"Print JSON."`
}

// Run prints an item's verdict with its reasons.
func (c *policyExplainCommand) Run(ctx context.Context) error {
	st, err := existingRecord(ctx, c.dataFlags)
	if err != nil {
		return err
	}
	defer st.Close()
	it, err := st.Item(ctx, "", c.Item)
	if errors.Is(err, store.ErrNotFound) {
		return fmt.Errorf("item %s: %w", c.Item, err)
	}
	if err != nil {
		return err
	}
	if it.Verdict == nil {
		return show(map[string]any{"state": it.State}, [][]string{{"no verdict yet; state " + string(it.State)}}, c.JSON)
	}
	v := it.Verdict
	rows := [][]string{{"action", string(v.Action)}, {"state", string(it.State)}, {"policy", v.PolicyVersion}, {"decided", v.DecidedAt.Format(time.RFC3339)}}
	for _, r := range v.Reasons {
		rows = append(rows, []string{"reason", r})
	}
	for _, s := range v.Signals {
		rows = append(rows, []string{"signal", fmt.Sprintf("%s %.3f by %s at %d–%d %s", s.Label, s.Score, s.Source, s.Start, s.End, s.View)})
	}
	for _, m := range v.Models {
		rows = append(rows, []string{"model", m.String() + " " + m.SHA256})
	}
	return show(v, rows, c.JSON)
}

// --- key, user, migrate, reconcile, audit, version ---

type keyCommand struct {
	Add    keyAddCommand    `cmd:"" help:"Make a key and print it once."`
	List   keyListCommand   `cmd:"" help:"List keys; their secrets are known to nobody."`
	Revoke keyRevokeCommand `cmd:"" help:"End a key; running servers believe it for up to five seconds more."`
}

// keyFlags say whose keys.
type keyFlags struct {
	dataFlags
	Tenant string `help:"Name of the tenant." default:"default"`
}

func (f keyFlags) open(ctx context.Context) (*store.Store, store.Tenant, error) {
	st, err := existingRecord(ctx, f.dataFlags)
	if err != nil {
		return nil, store.Tenant{}, err
	}
	tenant, err := st.TenantByName(ctx, f.Tenant)
	if err != nil {
		return nil, tenant, errors.Join(fmt.Errorf("tenant %s: %w", f.Tenant, err), st.Close())
	}
	return st, tenant, nil
}

type keyAddCommand struct {
	keyFlags
	Name  string   `arg:"" help:"What the key is for."`
	Scope []string `help:"ingest, read, reports, webhooks, accounts or admin; several times or with commas." required:"" enum:"ingest,read,reports,webhooks,accounts,admin"`
	JSON  bool     `help:"Print JSON."`
}

// Run makes a key.
func (c *keyAddCommand) Run(ctx context.Context) error {
	st, tenant, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer st.Close()
	k := store.APIKey{Tenant: tenant.ID, Name: c.Name}
	for _, s := range c.Scope {
		k.Scopes = append(k.Scopes, store.Scope(s))
	}
	k, secret, err := st.CreateKey(ctx, k, byCommandLine)
	if err != nil {
		return err
	}
	return show(map[string]any{"id": k.ID, "name": k.Name, "scopes": k.Scopes, "key": secret}, [][]string{{"id", k.ID}, {"key, shown only now", secret}}, c.JSON)
}

type keyListCommand struct {
	keyFlags
	JSON bool `help:"Print JSON."`
}

// Run lists keys.
func (c *keyListCommand) Run(ctx context.Context) error {
	st, tenant, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer st.Close()
	keys, err := st.Keys(ctx, tenant.ID)
	if err != nil {
		return err
	}
	type line struct {
		ID      string        `json:"id"`
		Name    string        `json:"name"`
		Scopes  []store.Scope `json:"scopes"`
		Made    time.Time     `json:"created_at"`
		Revoked *time.Time    `json:"revoked_at,omitempty"`
	}
	lines, rows := []line{}, [][]string{{"ID", "NAME", "SCOPES", "MADE", "REVOKED"}}
	for _, k := range keys {
		l := line{k.ID, k.Name, k.Scopes, k.CreatedAt.UTC(), nil}
		row := []string{k.ID, k.Name, fmt.Sprint(k.Scopes), l.Made.Format(time.RFC3339), ""}
		if !k.RevokedAt.IsZero() {
			at := k.RevokedAt.UTC()
			l.Revoked, row[4] = &at, at.Format(time.RFC3339)
		}
		lines, rows = append(lines, l), append(rows, row)
	}
	return show(lines, rows, c.JSON)
}

type keyRevokeCommand struct {
	keyFlags
	ID string `arg:"" name:"id" help:"Id of the key, see key list."`
}

// Run ends a key.
func (c *keyRevokeCommand) Run(ctx context.Context) error {
	st, tenant, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer st.Close()
	return st.RevokeKey(ctx, tenant.ID, c.ID, byCommandLine)
}

type userCommand struct {
	Add userAddCommand `cmd:"" help:"Add a person."`
}

type userAddCommand struct {
	dataFlags
	Name string      `arg:"" help:"Login name."`
	Role review.Role `help:"reviewer, senior, auditor, ml or admin." enum:"reviewer,senior,auditor,ml,admin" default:"reviewer"`
	JSON bool        `help:"Print JSON."`
}

// Run adds a person and prints a password once.
func (c *userAddCommand) Run(ctx context.Context) error {
	st, _, err := openRecord(ctx, c.dataFlags)
	if err != nil {
		return err
	}
	defer st.Close()
	u := credentialsUser{c.Name, rand.Text(), c.Role}
	if err := addUser(ctx, st, u); err != nil {
		return err
	}
	return show(u, [][]string{{"name", u.Name}, {"role", string(u.Role)}, {"password", u.Password}}, c.JSON)
}

type migrateCommand struct{ dataFlags }

// Run migrates the database.
func (c *migrateCommand) Run(ctx context.Context) error {
	st, _, err := openRecord(ctx, c.dataFlags)
	if err != nil {
		return err
	}
	return st.Close()
}

type reconcileCommand struct {
	dataFlags
	Age  time.Duration `help:"Age from which an item without verdict and task counts as lost." default:"2m"`
	JSON bool          `help:"Print JSON."`
}

// Run proves that nothing was lost or done twice.
func (c *reconcileCommand) Run(ctx context.Context) error {
	st, err := existingRecord(ctx, c.dataFlags)
	if err != nil {
		return err
	}
	defer st.Close()
	l, err := st.Reconcile(ctx, c.Age)
	if err != nil {
		return err
	}
	rows := [][]string{{"accepted", fmt.Sprint(l.Accepted)}}
	for state, n := range l.InFlight {
		rows = append(rows, []string{"in flight: " + string(state), fmt.Sprint(n)})
	}
	for end, n := range l.Ended {
		rows = append(rows, []string{"ended: " + string(end), fmt.Sprint(n)})
	}
	for _, d := range l.Differences {
		rows = append(rows, []string{"DIFFERENCE: " + d.What, d.ItemID})
	}
	if l.Well() {
		rows = append(rows, []string{"accepted = ended + in flight", "well"})
		return show(l, rows, c.JSON)
	}
	return errors.Join(show(l, append(rows, []string{"the books do not balance", ""}), c.JSON), errNotWell)
}

type holdCommand struct {
	dataFlags
	Item string `arg:"" help:"Item to keep, such as evidence that the police asked for."`
	Why  string `help:"A short word for the audit log." required:""`
	Lift bool   `help:"Let it go: retention and erasure take it again."`
}

// Run places or lifts a legal hold.
func (c *holdCommand) Run(ctx context.Context) error {
	st, err := existingRecord(ctx, c.dataFlags)
	if err != nil {
		return err
	}
	defer st.Close()
	return st.SetHold(ctx, "", c.Item, !c.Lift, c.Why, byCommandLine)
}

type auditCommand struct {
	Verify auditVerifyCommand `cmd:"" help:"Walk the hash chain."`
}

type auditVerifyCommand struct {
	dataFlags
	JSON bool `help:"Print JSON."`
}

// Run verifies the audit log.
func (c *auditVerifyCommand) Run(ctx context.Context) error {
	st, err := existingRecord(ctx, c.dataFlags)
	if err != nil {
		return err
	}
	defer st.Close()
	r, err := st.VerifyAudit(ctx)
	if err != nil {
		return err
	}
	rows := [][]string{{"lines", fmt.Sprint(r.Lines)}}
	if r.Broken != nil {
		rows = append(rows, []string{"BROKEN", fmt.Sprintf("chain %q line %d: %s", r.Broken.Chain, r.Broken.Seq, r.Broken.Why)})
		return errors.Join(show(r, rows, c.JSON), errNotWell)
	}
	return show(r, append(rows, []string{"chain", "whole"}), c.JSON)
}

type versionCommand struct {
	JSON bool `help:"Print JSON."`
}

// Run prints the version.
func (c versionCommand) Run() error {
	return show(map[string]string{"version": version}, [][]string{{"nightlight " + version}}, c.JSON)
}

type healthCommand struct {
	URL string `arg:"" help:"Address to ask."`
}

// Run asks once; anything but 200 is not well.
func (c healthCommand) Run(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 4*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.URL, nil)
	if err != nil {
		return wrongUse("health: %w", err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%w: status %d", errNotWell, resp.StatusCode)
	}
	return nil
}
