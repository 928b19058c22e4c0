package eval

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"text/tabwriter"
)

// ReadResults reads what `eval run --out` wrote.
func ReadResults(file string) ([]Result, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("results: %w", err)
	}
	var list []Result
	if err := json.Unmarshal(b, &list); err != nil {
		return nil, fmt.Errorf("results %s: %w", file, err)
	}
	return list, nil
}

// cards flattens results to named scorecards.
func cards(list []Result) map[string]*Scorecard {
	out := map[string]*Scorecard{}
	for _, r := range list {
		if r.Card != nil {
			out[r.Set] = r.Card
		}
		for name, c := range r.Slices {
			out[r.Set+" "+name] = c
		}
		for name, c := range r.Labels {
			out[r.Set+" "+name] = c
		}
	}
	return out
}

// rates flattens results to the rates of benign texts that are held.
func rates(list []Result) map[string]Interval {
	out := map[string]Interval{}
	for _, r := range list {
		if r.Held != nil {
			out[r.Set] = *r.Held
		}
		if r.HardHeld != nil {
			out[r.Set+" hard negatives"] = *r.HardHeld
		}
	}
	return out
}

// dodged flattens results to what each way of rewriting costs.
func dodged(list []Result) map[string]*Evasion {
	out := map[string]*Evasion{}
	for _, r := range list {
		for kind, e := range r.Evasions {
			out[r.Set+" "+kind] = e
		}
	}
	return out
}

// Compare prints the figures of both runs side by side.
func Compare(w io.Writer, old, new []Result) error {
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	fmt.Fprintf(t, "\tmacro-F1\t→\tAUC\t→\trecall@1%%FPR\t→\n")
	a, b := cards(old), cards(new)
	for _, name := range slices.Sorted(maps.Keys(b)) {
		o, n := a[name], b[name]
		if o == nil {
			o = &Scorecard{}
		}
		fmt.Fprintf(t, "%s\t%.3f\t%.3f\t%.3f\t%.3f\t%.3f\t%.3f\n", name, o.MacroF1.Value, n.MacroF1.Value, o.AUC.Value, n.AUC.Value, o.RecallAt1.Value, n.RecallAt1.Value)
	}
	ra, rb := rates(old), rates(new)
	for _, name := range slices.Sorted(maps.Keys(rb)) {
		fmt.Fprintf(t, "%s held\t%s\t%s\n", name, percent(ra[name]), percent(rb[name]))
	}
	da, db := dodged(old), dodged(new)
	for _, name := range slices.Sorted(maps.Keys(db)) {
		o := da[name]
		if o == nil {
			o = &Evasion{}
		}
		fmt.Fprintf(t, "%s rewritten\t%.3f\t%.3f\tloss\t%s\t%s\n", name, o.Rewritten, db[name].Rewritten, span(o.Loss), span(db[name].Loss))
	}
	return t.Flush()
}

// smallest is the number of examples below which a figure decides nothing.
const smallest = 200

// Gate lists what the new run made worse: a lower bound of AUC or of recall at
// 1 % false positives that fell by more than a point on a card with at least
// 200 examples, a rate of held benign texts whose lower bound lies above the
// old upper bound, a loss by rewriting likewise, or a figure that is gone. An old
// run without any figure is an error: everything would pass.
func Gate(old, new []Result) (worse []string, err error) {
	if len(cards(old))+len(rates(old))+len(dodged(old)) == 0 {
		return nil, errors.New("the old run has no figure to hold the new one against")
	}
	a, b := cards(old), cards(new)
	for _, name := range slices.Sorted(maps.Keys(a)) {
		o, n := a[name], b[name]
		switch {
		case n == nil:
			worse = append(worse, name+": is gone")
		case o.N < smallest:
		case n.AUC.Low < o.AUC.Low-0.01:
			worse = append(worse, fmt.Sprintf("%s: lower bound of AUC %.3f → %.3f", name, o.AUC.Low, n.AUC.Low))
		case n.RecallAt1.Low < o.RecallAt1.Low-0.01:
			worse = append(worse, fmt.Sprintf("%s: lower bound of recall at 1 %% FPR %.3f → %.3f", name, o.RecallAt1.Low, n.RecallAt1.Low))
		}
	}
	ra, rb := rates(old), rates(new)
	for _, name := range slices.Sorted(maps.Keys(ra)) {
		if n, ok := rb[name]; !ok || n.Low > ra[name].High {
			worse = append(worse, fmt.Sprintf("%s held: %s → %s", name, percent(ra[name]), percent(n)))
		}
	}
	da, db := dodged(old), dodged(new)
	for _, name := range slices.Sorted(maps.Keys(da)) {
		o, n := da[name], db[name]
		switch {
		case n == nil:
			worse = append(worse, name+": is gone")
		case n.Loss.Low > o.Loss.High:
			worse = append(worse, fmt.Sprintf("%s: loss by rewriting %s → %s", name, span(o.Loss), span(n.Loss)))
		}
	}
	return worse, nil
}
