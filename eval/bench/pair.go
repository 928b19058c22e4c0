package bench

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// Round is one turn of the whole path and one of the bare model on the same
// items, right after each other.
type Round struct {
	Items int `json:"items"`
	// Path is the whole way from request to verdict, with redis-server and
	// decoding children; CPU is that of the system under test alone, Client
	// what this process spent on sending.
	Path, Bare Turn
	// Around is the CPU time that surrounds the model, Ratio the throughput of
	// the whole path as a share of the bare model's.
	Around float64 `json:"around_cpu_ms"`
	Ratio  float64 `json:"throughput_ratio"`
	// Refused counts answers of 429: beyond none, the key's rate was measured.
	Refused int `json:"refused"`
}

// Turn is one side of a round.
type Turn struct {
	PerSecond float64 `json:"items_per_second"`
	CPU       float64 `json:"cpu_ms_per_item"`
	Client    float64 `json:"client_cpu_ms_per_item,omitempty"`
	// Others is the share of the machine that other processes used.
	Others float64 `json:"others"`
}

// clean is the largest share of others at which a round counts as undisturbed.
const clean = 0.06

// Clean reports whether both turns had the machine for themselves.
func (r Round) Clean() bool { return r.Path.Others <= clean && r.Bare.Others <= clean }

// Pairing is the comparison of the whole path with the bare model on one kind
// of item.
type Pairing struct {
	Name        string         `json:"name"`
	About       string         `json:"about"`
	Connections int            `json:"connections"`
	Rounds      []Round        `json:"rounds"`
	CleanRounds int            `json:"clean_rounds"`
	Actions     map[string]int `json:"actions_sampled"`
	Models      []string       `json:"models"`
	// The figures are over clean rounds, or over all when none was clean.
	Path, PathCPU, Bare, BareCPU, Around, Ratio, Client Figure
	// MostAround and LeastRatio are what is wanted; 0 for nothing.
	MostAround float64 `json:"most_around,omitempty"`
	LeastRatio float64 `json:"least_ratio,omitempty"`
}

// Well reports whether the wanted figures were reached.
func (p Pairing) Well() bool {
	return (p.MostAround == 0 || p.Around.Median <= p.MostAround) && (p.LeastRatio == 0 || p.Ratio.Median >= p.LeastRatio)
}

// figures sums up the rounds.
func (p *Pairing) figures() {
	rounds := slices.DeleteFunc(slices.Clone(p.Rounds), func(r Round) bool { return !r.Clean() })
	p.CleanRounds = len(rounds)
	if len(rounds) == 0 {
		rounds = p.Rounds
	}
	of := func(get func(Round) float64) Figure {
		var v []float64
		for _, r := range rounds {
			v = append(v, get(r))
		}
		return figureOf(v)
	}
	p.Path, p.PathCPU = of(func(r Round) float64 { return r.Path.PerSecond }), of(func(r Round) float64 { return r.Path.CPU })
	p.Bare, p.BareCPU = of(func(r Round) float64 { return r.Bare.PerSecond }), of(func(r Round) float64 { return r.Bare.CPU })
	p.Around, p.Ratio = of(func(r Round) float64 { return r.Around }), of(func(r Round) float64 { return r.Ratio })
	p.Client = of(func(r Round) float64 { return r.Path.Client })
}

// kind is one kind of item: how it is sent, and what the bare model does with
// the same content.
type kind struct {
	name, about string
	connections int
	send        func(i int) (payload, error)
	bare        func(ctx context.Context, i int) error
	mostAround  float64
	leastRatio  float64
}

// pair runs a kind's rounds: path, bare, path, bare.
func (b *bench) pair(ctx context.Context, k kind) (Pairing, error) {
	p := Pairing{Name: k.name, About: k.about, Connections: k.connections, MostAround: k.mostAround, LeastRatio: k.leastRatio}
	few := 2 * k.connections
	warm, err := b.target.through(ctx, k.connections, b.sent, few, k.send)
	if err != nil {
		return p, fmt.Errorf("warm up %s: %w", k.name, err)
	}
	b.sent += few
	if err := drive(ctx, b.options.Parallel, 0, few, k.bare); err != nil {
		return p, fmt.Errorf("warm up the bare model: %w", err)
	}
	p.Models = warm.Models
	n := max(few, b.roundSize(float64(warm.Items)/warm.wall.Seconds()))
	for r := range b.options.Rounds {
		round, tally, err := b.round(ctx, k, n)
		if err != nil {
			return p, fmt.Errorf("round %d of %s: %w", r+1, k.name, err)
		}
		p.Rounds = append(p.Rounds, round)
		p.Actions = sumOf(p.Actions, tally.Actions)
		b.say("%s: round %d of %d: %.0f/s, %.2f CPU-ms each; bare %.0f/s, %.2f; others %.0f %% and %.0f %%", k.name, r+1, b.options.Rounds,
			round.Path.PerSecond, round.Path.CPU, round.Bare.PerSecond, round.Bare.CPU, 100*round.Path.Others, 100*round.Bare.Others)
	}
	p.figures()
	return p, nil
}

// leastTurn is how long the bare model runs at least, if need be over the same
// items again: CPU times come in steps of 10 ms.
const leastTurn = time.Second

// round is one turn of each.
func (b *bench) round(ctx context.Context, k kind, n int) (Round, tally, error) {
	b.refill(ctx, n)
	var sum tally
	path, err := b.meter.during(func() (err error) {
		sum, err = b.target.through(ctx, k.connections, b.sent, n, k.send)
		return err
	})
	if err != nil {
		return Round{}, sum, err
	}
	first := b.sent
	b.sent += n
	b.lastSent = time.Now()
	passes := 0
	bare, err := b.meter.during(func() error {
		for started := time.Now(); passes == 0 || time.Since(started) < leastTurn; passes++ {
			if err := drive(ctx, b.options.Parallel, first, n, k.bare); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return Round{}, sum, fmt.Errorf("bare model: %w", err)
	}
	each := func(d time.Duration) float64 { return milliseconds(d) / float64(n) }
	times := float64(passes)
	r := Round{
		Items: n, Refused: sum.Refused,
		Path: Turn{PerSecond: float64(n) / path.wall.Seconds(), CPU: each(path.system), Client: each(path.self), Others: path.others},
		Bare: Turn{PerSecond: times * float64(n) / bare.wall.Seconds(), CPU: each(bare.self) / times, Others: bare.others},
	}
	r.Around, r.Ratio = r.Path.CPU-r.Bare.CPU, r.Path.PerSecond/r.Bare.PerSecond
	return r, sum, nil
}

// roundSize is how many items make a round, at a guessed rate: rounds share
// the seconds that a row may take, and none asks for more than the key grants
// without refusing.
func (b *bench) roundSize(perSecond float64) int {
	n := perSecond * b.options.Seconds.Seconds() / float64(b.options.Rounds)
	if perSecond > b.options.KeyRate {
		n = min(n, 0.9*b.options.KeyBurst*perSecond/(perSecond-b.options.KeyRate))
	}
	return int(n)
}

// refill waits until the key's bucket is full again, if a round of n could
// empty it.
func (b *bench) refill(ctx context.Context, n int) {
	if b.lastSent.IsZero() || float64(n) < b.options.KeyBurst/2 {
		return
	}
	full := time.Duration(b.options.KeyBurst / b.options.KeyRate * float64(time.Second))
	sleepUntil(ctx, b.lastSent.Add(full))
}

func sumOf(a, b map[string]int) map[string]int {
	sum := map[string]int{}
	for _, m := range []map[string]int{a, b} {
		for k, v := range m {
			sum[k] += v
		}
	}
	return sum
}
