package bench

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"runtime"
	"time"

	"nightlight/pipeline/normal"
)

// Options say what to measure and how long.
type Options struct {
	// Binary is the program to start, and Args what follows `up` besides data
	// folder and address.
	Binary string
	Args   []string
	// BareText runs the text model alone on one text; it is called for each
	// reading of a text that the pipeline scores, so that both sides do the
	// same. Nil leaves messages out of the comparison.
	BareText func(ctx context.Context, text string) error
	// BarePhoto decodes a JPEG as far as the picture models need it and runs
	// them on it, and nothing else. Nil leaves photos out.
	BarePhoto func(ctx context.Context, jpeg []byte) error
	// Out gets the table, or JSON when JSON is set; Progress a line for each
	// step, nothing when nil.
	Out, Progress io.Writer
	JSON          bool
	// Seconds is about how long each side of a row runs, over all rounds
	// (default 30 s).
	Seconds time.Duration
	// Rounds is how often the sides take turns (default 3).
	Rounds int
	// Connections is how many messages, and PhotoConnections how many photos,
	// are under way at a time (default 16 and 8).
	Connections, PhotoConnections int
	// Parallel is how many goroutines run the bare model (default: one a
	// processor).
	Parallel int
	// Rates are the open loop's rates a second (default 2, 20 and 100; half of
	// the measured saturation is added).
	Rates []float64
	// KeyRate and KeyBurst are the limits of the key (default 500 and 1,000, as
	// the program's own).
	KeyRate, KeyBurst float64
}

func (o Options) withDefaults() Options {
	o.Seconds = cmp.Or(o.Seconds, 30*time.Second)
	o.Rounds = cmp.Or(o.Rounds, 3)
	o.Connections, o.PhotoConnections = cmp.Or(o.Connections, 16), cmp.Or(o.PhotoConnections, 8)
	o.Parallel = cmp.Or(o.Parallel, runtime.NumCPU())
	o.KeyRate, o.KeyBurst = cmp.Or(o.KeyRate, 500), cmp.Or(o.KeyBurst, 1000)
	if o.Rates == nil {
		o.Rates = []float64{2, 20, 100}
	}
	return o
}

// bench is one run.
type bench struct {
	options  Options
	system   *system
	target   *target
	meter    meter
	run      string
	sent     int // items so far: every one gets a number of its own
	lastSent time.Time
}

// Run measures and prints a Report. well is false when a figure that is wanted
// was not reached; an error means that something could not be measured.
func Run(ctx context.Context, o Options) (well bool, err error) {
	r, err := Measure(ctx, o)
	if err != nil {
		return false, err
	}
	if o.JSON {
		err = r.WriteJSON(o.Out)
	} else {
		err = r.Print(o.Out)
	}
	return r.Well, err
}

// Measure starts the program, measures and stops it again.
func Measure(ctx context.Context, o Options) (r Report, err error) {
	o = o.withDefaults()
	if _, err := readProcesses(); err != nil {
		return r, err
	}
	s, err := startSystem(ctx, o.Binary, o.Args)
	if err != nil {
		return r, fmt.Errorf("start the system under test: %w", err)
	}
	defer func() { err = errors.Join(err, s.stop()) }()
	b := &bench{
		options: o, system: s, target: newTarget(s.url, s.key, 64), meter: meter{s.pid()}, run: "bench-" + rand.Text(),
	}
	defer b.target.close()
	r = newReport(o, s)
	for _, step := range []func(context.Context, *Report) error{b.idle, b.pairs, b.latencies} {
		if err := step(ctx, &r); err != nil {
			return r, err
		}
	}
	r.judge()
	return r, nil
}

func (b *bench) say(format string, args ...any) {
	if b.options.Progress != nil {
		fmt.Fprintf(b.options.Progress, format+"\n", args...)
	}
}

// idle measures what the system spends while nothing is sent.
func (b *bench) idle(ctx context.Context, r *Report) error {
	pause := min(5*time.Second, b.options.Seconds)
	spent, err := b.meter.during(func() error {
		if !sleepUntil(ctx, time.Now().Add(pause)) {
			return ctx.Err()
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("measure idling: %w", err)
	}
	r.IdleCPU = milliseconds(spent.system) / spent.wall.Seconds()
	return nil
}

// pairs compares each kind of item with the bare model.
func (b *bench) pairs(ctx context.Context, r *Report) error {
	kinds, err := b.kinds()
	if err != nil {
		return err
	}
	for _, k := range kinds {
		p, err := b.pair(ctx, k)
		if err != nil {
			return err
		}
		r.Pairings = append(r.Pairings, p)
	}
	return nil
}

// What is wanted of the whole path.
const (
	mostAroundMessage = 1.5 // CPU-ms
	leastRatioMessage = 0.7
	leastRatioPhoto   = 0.6
)

func (b *bench) kinds() ([]kind, error) {
	var list []kind
	if b.options.BareText != nil {
		list = append(list, b.messages())
	}
	if b.options.BarePhoto == nil {
		return list, nil
	}
	for _, size := range []struct {
		name string
		w, h int
	}{{"photo 2 MP", 1632, 1224}, {"photo 640x480", 640, 480}} {
		k, err := b.photos(size.name, size.w, size.h)
		if err != nil {
			return nil, err
		}
		list = append(list, k)
	}
	return list, nil
}

func (b *bench) messages() kind {
	return kind{
		name: "message", about: fmt.Sprintf("%d short texts, zh and en, each with a number of its own", len(chat)),
		connections: b.options.Connections, mostAround: mostAroundMessage, leastRatio: leastRatioMessage,
		send: func(i int) (payload, error) { return messageItem(b.run, i) },
		bare: func(ctx context.Context, i int) error {
			for _, view := range normal.Views(message(i)) {
				if err := b.options.BareText(ctx, view.Text); err != nil {
					return err
				}
			}
			return nil
		},
	}
}

// drawn is how many photos of a size are drawn; each is sent many times, with
// another comment in it.
const drawn = 6

func (b *bench) photos(name string, w, h int) (kind, error) {
	var files [drawn][]byte
	size := 0
	for i := range files {
		file, err := photo(w, h, uint64(i))
		if err != nil {
			return kind{}, err
		}
		files[i], size = file, size+len(file)/drawn
	}
	file := func(i int) []byte { return marked(files[i%drawn], i) }
	return kind{
		name: name, about: fmt.Sprintf("%d drawn JPEGs of %dx%d, %d kB on average", drawn, w, h, size/1000),
		connections: b.options.PhotoConnections, leastRatio: leastRatioPhoto,
		send: func(i int) (payload, error) { return photoItem(b.run, i, file(i)) },
		bare: func(ctx context.Context, i int) error { return b.options.BarePhoto(ctx, file(i)) },
	}, nil
}

// syncs is how often the disk is asked: its hundredth is what a p99 meets.
const syncs = 500

// latencies runs the open loop at each rate, messages only.
func (b *bench) latencies(ctx context.Context, r *Report) (err error) {
	if r.Disk, err = disk(ctx, b.system.dir, syncs); err != nil {
		return fmt.Errorf("measure the disk: %w", err)
	}
	rates := b.options.Rates
	if half := r.half(b.options.KeyRate); half > 0 {
		rates = append(rates[:len(rates):len(rates)], half)
	}
	for _, rate := range rates {
		var load LoadResult
		spent, err := b.meter.during(func() (err error) {
			load, err = Load(ctx, LoadOptions{URL: b.system.url, Key: b.system.key, Rate: rate, For: b.options.Seconds})
			return err
		})
		if err != nil {
			return fmt.Errorf("load of %.4g/s: %w", rate, err)
		}
		row := LatencyRow{LoadResult: load, CPU: milliseconds(spent.system) / float64(max(load.Judged, 1)), Others: spent.others}
		r.Latencies = append(r.Latencies, row)
		b.say("%.4g/s: %s; others %.0f %%", rate, load.latencies(), 100*spent.others)
	}
	return nil
}
