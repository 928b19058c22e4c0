package eval

import (
	"context"
	"fmt"
	"io"
	"maps"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"text/tabwriter"
	"time"

	"nightlight/pipeline"
	"nightlight/workers/examine"
)

// Runner judges examples by the code that serves.
type Runner struct {
	Examiner *examine.Examiner
	Policy   *pipeline.Policy
	// Root is the checkout, Sets the folder of public sets.
	Root, Sets string
	// Progress hears how far a run is; nil for nobody.
	Progress io.Writer
	// Sample keeps at most this many examples of each set; 0 keeps all.
	Sample int
}

// judged is one example with what came of it.
type judged struct {
	Example
	score map[pipeline.Label]float64
	held  bool // held or worse
}

// Result is everything a run over one set gave.
type Result struct {
	Set    string `json:"set"`
	Models string `json:"models"`
	N      int    `json:"n"`
	// Card answers the set's one question, overall and by slice.
	Card   *Scorecard            `json:"card,omitempty"`
	Slices map[string]*Scorecard `json:"slices,omitempty"`
	// Labels are cards by label for a set that labels in full.
	Labels map[string]*Scorecard `json:"labels,omitempty"`
	// Held is the rate of benign or hard-negative texts held or worse.
	Held     *Interval `json:"held,omitempty"`
	HardHeld *Interval `json:"hard_held,omitempty"`
	// Evasions tells by way of rewriting what it costs.
	Evasions map[string]*Evasion `json:"evasions,omitempty"`
	// MinRecallAt1 and MeanRecallAt1 sum Labels up.
	MinRecallAt1  float64 `json:"min_recall_at_1_percent_fpr,omitempty"`
	MeanRecallAt1 float64 `json:"mean_recall_at_1_percent_fpr,omitempty"`
}

// Run judges one set.
func (r *Runner) Run(ctx context.Context, s Set) (Result, error) {
	if s.Kind == "evasion" {
		return r.evade(ctx, s)
	}
	list, err := s.Load(r.Root, r.Sets)
	if err != nil {
		return Result{}, err
	}
	if r.Sample > 0 {
		list = sample(list, r.Sample)
	}
	all, models, err := r.judge(ctx, s.Name, list)
	if err != nil {
		return Result{}, err
	}
	res := Result{Set: s.Name, Models: models, N: len(all)}
	switch {
	case s.Benign:
		res.Held = heldRate(all)
	case s.Kind == "corpus":
		res.byLabel(all)
	default:
		res.byQuestion(s, all)
	}
	return res, nil
}

// judge scores every example, as many at a time as there are cores.
func (r *Runner) judge(ctx context.Context, name string, list []Example) ([]judged, string, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	out := make([]judged, len(list))
	models := map[string]bool{}
	var mu sync.Mutex
	var next, done atomic.Int64
	started := time.Now()
	var wg sync.WaitGroup
	for range runtime.NumCPU() {
		wg.Go(func() {
			for ctx.Err() == nil {
				i := int(next.Add(1)) - 1
				if i >= len(list) {
					return
				}
				j, used, err := r.one(ctx, list[i])
				if err != nil {
					cancel(fmt.Errorf("example %d of %s: %w", i, name, err))
					return
				}
				out[i] = j
				mu.Lock()
				for _, m := range used {
					models[m] = true
				}
				mu.Unlock()
				r.report(name, int(done.Add(1)), len(list), started)
			}
		})
	}
	wg.Wait()
	if err := context.Cause(ctx); err != nil {
		return nil, "", err
	}
	names := slices.Sorted(maps.Keys(models))
	return out, strings.Join(names, " "), nil
}

func (r *Runner) one(ctx context.Context, e Example) (judged, []string, error) {
	f, err := r.Examiner.ReadText(ctx, pipeline.Text{Text: e.Text, Context: e.Context})
	if err != nil {
		return judged{}, nil, err
	}
	if len(f.Faults) > 0 {
		return judged{}, nil, fmt.Errorf("%s: %s; figures of a part of the product are none of it", f.Faults[0].Source, f.Faults[0].Reason)
	}
	j := judged{Example: e, score: map[pipeline.Label]float64{}}
	for _, s := range f.Signals {
		j.score[s.Label] = max(j.score[s.Label], s.Score)
	}
	it := pipeline.Item{Kind: pipeline.KindMessage, Sender: pipeline.Person{ID: "self"}, Recipients: []pipeline.Person{{ID: "other"}}}
	j.held = !pipeline.Hold.StricterThan(r.Policy.Judge(it, f, time.Time{}).Action)
	var used []string
	for _, m := range f.Models {
		used = append(used, m.String())
	}
	return j, used, nil
}

func (r *Runner) report(name string, done, n int, started time.Time) {
	if r.Progress == nil || done%200 != 0 && done != n {
		return
	}
	left := time.Duration(float64(time.Since(started)) / float64(done) * float64(n-done))
	fmt.Fprintf(r.Progress, "%s: %d of %d, %v left\n", name, done, n, left.Round(time.Second))
}

func heldRate(all []judged) *Interval {
	held := 0
	for _, j := range all {
		if j.held {
			held++
		}
	}
	iv := wilson(held, len(all))
	return &iv
}

// byQuestion answers the set's question by the largest score of its labels.
func (res *Result) byQuestion(s Set, all []judged) {
	groups := map[string][]Point{}
	var points []Point
	for _, j := range all {
		score := 0.0
		for _, l := range s.By {
			score = max(score, j.score[l])
		}
		p := Point{score, j.True}
		points = append(points, p)
		for _, name := range s.Slices {
			if v := j.Slices[name]; v != "" {
				groups[name+"="+v] = append(groups[name+"="+v], p)
			}
		}
	}
	card := Measure(points)
	res.Card, res.Slices = &card, map[string]*Scorecard{}
	for name, pts := range groups {
		c := Measure(pts)
		res.Slices[name] = &c
	}
}

// byLabel measures each label: its positives are the texts that carry it, its
// negatives all others, hard negatives among them.
func (res *Result) byLabel(all []judged) {
	res.Labels = map[string]*Scorecard{}
	res.MinRecallAt1 = 1
	var hard []judged
	for _, j := range all {
		if j.Hard && len(j.Labels) == 0 {
			hard = append(hard, j)
		}
	}
	res.HardHeld = heldRate(hard)
	for _, l := range pipeline.TextLabels {
		points := make([]Point, len(all))
		for i, j := range all {
			points[i] = Point{j.score[l], slices.Contains(j.Labels, l)}
		}
		c := Measure(points)
		res.Labels[string(l)] = &c
		res.MinRecallAt1 = min(res.MinRecallAt1, c.RecallAt1.Value)
		res.MeanRecallAt1 += c.RecallAt1.Value / float64(len(pipeline.TextLabels))
	}
}

// Print writes a result as a table.
func (res Result) Print(w io.Writer) error {
	fmt.Fprintf(w, "\n%s: %d examples, %s\n", res.Set, res.N, res.Models)
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	if res.Held != nil {
		fmt.Fprintf(t, "held or worse\t%s\n", percent(*res.Held))
	}
	if res.HardHeld != nil {
		fmt.Fprintf(t, "hard negatives held or worse\t%s\n", percent(*res.HardHeld))
		fmt.Fprintf(t, "recall at 1 %% false positives\tmean %.3f\tlowest %.3f\n", res.MeanRecallAt1, res.MinRecallAt1)
	}
	for _, kind := range slices.Sorted(maps.Keys(res.Evasions)) {
		e := res.Evasions[kind]
		fmt.Fprintf(t, "%s\t%d texts\trecall %.3f plain, %.3f rewritten\tloss %s\n", kind, e.Texts, e.Plain, e.Rewritten, span(e.Loss))
	}
	if res.Card != nil || res.Labels != nil {
		fmt.Fprintf(t, "\tn\tpos\taccuracy\tprecision\trecall\tF1\tmacro-F1\tAUC\trecall@1%%FPR\tECE\n")
	}
	if res.Card != nil {
		res.Card.row(t, "all")
	}
	for _, name := range slices.Sorted(maps.Keys(res.Slices)) {
		res.Slices[name].row(t, name)
	}
	for _, name := range slices.Sorted(maps.Keys(res.Labels)) {
		res.Labels[name].row(t, name)
	}
	return t.Flush()
}

func (c Scorecard) row(w io.Writer, name string) {
	fmt.Fprintf(w, "%s\t%d\t%d\t%.3f\t%.3f\t%.3f\t%.3f\t%s\t%s\t%s\t%.3f\n", name, c.N, c.Positives, c.Accuracy, c.Precision, c.Recall, c.F1, span(c.MacroF1), span(c.AUC), span(c.RecallAt1), c.ECE)
}

func span(i Interval) string { return fmt.Sprintf("%.3f [%.3f, %.3f]", i.Value, i.Low, i.High) }

func percent(i Interval) string {
	return fmt.Sprintf("%.2f %% [%.2f, %.2f]", 100*i.Value, 100*i.Low, 100*i.High)
}
