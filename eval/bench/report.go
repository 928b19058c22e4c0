package bench

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math"
	"runtime"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// Report is everything that one run found, with what is needed to read it.
type Report struct {
	At         time.Time `json:"at"`
	CPU        string    `json:"cpu"`
	Features   []string  `json:"cpu_features"`
	Cores      int       `json:"cores"`
	GOMAXPROCS int       `json:"gomaxprocs"`
	Go         string    `json:"go"`
	Redis      string    `json:"redis"`
	Args       []string  `json:"args"`
	Seconds    float64   `json:"seconds_a_side"`
	Parallel   int       `json:"bare_goroutines"`
	// IdleCPU is what the system spends while nothing is sent, CPU-ms a second.
	IdleCPU   float64      `json:"idle_cpu_ms_per_second"`
	Pairings  []Pairing    `json:"pairings"`
	Disk      Disk         `json:"disk"`
	Latencies []LatencyRow `json:"latencies"`
	// Targets are the wanted figures with what was reached.
	Targets []Target `json:"targets"`
	Well    bool     `json:"well"`
}

// LatencyRow is an open loop with what it cost.
type LatencyRow struct {
	LoadResult
	// CPU is the system's CPU-ms a judged message, idling included.
	CPU    float64 `json:"cpu_ms_per_item"`
	Others float64 `json:"others"`
}

// Target is a figure that is wanted.
type Target struct {
	What    string  `json:"what"`
	Want    string  `json:"want"`
	Got     float64 `json:"got"`
	Unknown bool    `json:"unknown,omitempty"` // there is no figure
	Well    bool    `json:"well"`
}

func newReport(o Options, s *system) Report {
	model, features := readCPU()
	return Report{
		At: time.Now().UTC().Truncate(time.Second), CPU: model, Features: features, Cores: runtime.NumCPU(), GOMAXPROCS: runtime.GOMAXPROCS(0),
		Go: runtime.Version() + " " + runtime.GOOS + "/" + runtime.GOARCH, Redis: s.redis(), Args: o.Args, Seconds: o.Seconds.Seconds(), Parallel: o.Parallel,
	}
}

// half is half of the measured saturation of messages, within what the key
// grants; 0 when messages were not measured.
func (r Report) half(keyRate float64) float64 {
	for _, p := range r.Pairings {
		if p.Name == "message" {
			return math.Floor(min(p.Path.Median/2, keyRate))
		}
	}
	return 0
}

// judge holds the figures against what is wanted. No figure is not well.
func (r *Report) judge() {
	for _, p := range r.Pairings {
		if p.MostAround > 0 {
			r.want(p.Name+": CPU-ms around the model", "<=", p.MostAround, p.Around.Median, true)
		}
		if p.LeastRatio > 0 {
			r.want(p.Name+": throughput as a share of the bare model's", ">=", p.LeastRatio, p.Ratio.Median, true)
		}
	}
	for i, row := range r.Latencies {
		name := fmt.Sprintf("%.4g/s: ", row.Rate)
		switch {
		case row.Rate <= 2:
			r.want(name+"idle pickup to verdict p50, ms", "<=", 20, row.P50, row.Steady())
		case row.Rate == 20:
			r.want(name+"request to verdict p50, ms", "<=", 30, row.P50, row.Steady())
		case i == len(r.Latencies)-1:
			r.want(name+"(half of saturation) p99, ms", "<", 50, row.P99, row.Steady())
		}
	}
	r.Well = !slices.ContainsFunc(r.Targets, func(t Target) bool { return !t.Well })
}

func (r *Report) want(what, sign string, limit, got float64, known bool) {
	t := Target{What: what, Want: fmt.Sprintf("%s %g", sign, limit), Got: got, Unknown: !known}
	if known {
		t.Well = sign == ">=" && got >= limit || sign == "<=" && got <= limit || sign == "<" && got < limit
	}
	r.Targets = append(r.Targets, t)
}

// WriteJSON writes the report as JSON.
func (r Report) WriteJSON(w io.Writer) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(r)
}

// Print writes the report as tables.
func (r Report) Print(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	fmt.Fprintf(t, "at\t%s\n", r.At.Format("2006-01-02 15:04 UTC"))
	fmt.Fprintf(t, "CPU\t%s, %d cores, %s\n", r.CPU, r.Cores, strings.Join(r.Features, " "))
	fmt.Fprintf(t, "Go\t%s, GOMAXPROCS %d; bare model in %d goroutines\n", r.Go, r.GOMAXPROCS, r.Parallel)
	fmt.Fprintf(t, "system\tnightlight up %s; %s\n", strings.Join(r.Args, " "), r.Redis)
	fmt.Fprintf(t, "idle\t%.1f CPU-ms a second\n", r.IdleCPU)
	for _, p := range r.Pairings {
		p.print(t)
		fmt.Fprintf(t, "of it idling, at most\t%.2f CPU-ms an item\n", r.IdleCPU/max(p.Path.Median, 0.001))
	}
	if len(r.Latencies) > 0 {
		printLatencies(t, r.Latencies)
		fmt.Fprintf(t, "the disk alone\t%s\n", r.Disk)
	}
	fmt.Fprintln(t, "\nWANTED\t\tGOT\t")
	for _, g := range r.Targets {
		got, verdict := fmt.Sprintf("%.3g", g.Got), "reached"
		if g.Unknown {
			got = "no figure"
		}
		if !g.Well {
			verdict = "MISSED"
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", g.What, g.Want, got, verdict)
	}
	return t.Flush()
}

func (p Pairing) print(w io.Writer) {
	fmt.Fprintf(w, "\n%s\t%s, %d connections; %s\n", strings.ToUpper(p.Name), p.About, p.Connections, strings.Join(p.Models, " "))
	fmt.Fprintln(w, "round\titems\tpath/s\tCPU-ms\tsender CPU-ms\tbare/s\tCPU-ms\taround\tratio\tothers")
	for i, r := range p.Rounds {
		fmt.Fprintf(w, "%d\t%d\t%.1f\t%.2f\t%.2f\t%.1f\t%.3f\t%.2f\t%.2f\t%.0f %% and %.0f %%%s\n", i+1, r.Items, r.Path.PerSecond, r.Path.CPU, r.Path.Client,
			r.Bare.PerSecond, r.Bare.CPU, r.Around, r.Ratio, 100*r.Path.Others, 100*r.Bare.Others, refused(r.Refused))
	}
	fmt.Fprintf(w, "median\t\t%.1f\t%.2f\t%.2f\t%.1f\t%.3f\t%.2f\t%.2f\t%s\n", p.Path.Median, p.PathCPU.Median, p.Client.Median, p.Bare.Median, p.BareCPU.Median,
		p.Around.Median, p.Ratio.Median, p.trust())
	fmt.Fprintf(w, "range\t\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", p.Path.span(1), p.PathCPU.span(2), p.Client.span(2), p.Bare.span(1), p.BareCPU.span(3), p.Around.span(2), p.Ratio.span(2))
	var actions []string
	for _, a := range slices.Sorted(maps.Keys(p.Actions)) {
		actions = append(actions, fmt.Sprintf("%s %d", a, p.Actions[a]))
	}
	fmt.Fprintf(w, "verdicts, sampled\t%s\n", strings.Join(actions, ", "))
}

func refused(n int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf("; %d times 429, so this is the key's rate", n)
}

func (p Pairing) trust() string {
	if p.CleanRounds == 0 {
		return fmt.Sprintf("0 of %d rounds clean: over all, only ratios tell", len(p.Rounds))
	}
	return fmt.Sprintf("%d of %d rounds clean", p.CleanRounds, len(p.Rounds))
}

func (f Figure) span(digits int) string {
	return fmt.Sprintf("%.*f-%.*f", digits, f.Low, digits, f.High)
}

func printLatencies(w io.Writer, rows []LatencyRow) {
	fmt.Fprintln(w, "\nLATENCY\tmessages, open loop, from when a message was due to its verdict read (Prefer: wait)")
	fmt.Fprintln(w, "due/s\tdue\tjudged\tunfinished\tp50 ms\tp95\tp99\tlargest\tsent late p99\tCPU-ms\tothers")
	for _, r := range rows {
		figures := "no latency figure: it did not keep up\t\t\t\t"
		if r.Steady() {
			figures = fmt.Sprintf("%.1f\t%.1f\t%.1f\t%.1f\t%.1f", r.P50, r.P95, r.P99, r.Max, r.SentLate)
		}
		unfinished := fmt.Sprint(r.Unfinished)
		if n := r.Refused + r.Failed; n > 0 {
			unfinished += fmt.Sprintf(", %d refused or failed", n)
		}
		fmt.Fprintf(w, "%.4g\t%d\t%d\t%s\t%s\t%.2f\t%.0f %%\n", r.Rate, r.Due, r.Judged, unfinished, figures, r.CPU, 100*r.Others)
	}
}
