package eval

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"nightlight/pipeline"
)

// Budget is how much that means no harm may be held, as shares of its texts.
type Budget struct {
	// Benign of everyday messages, Hard of hard negatives.
	Benign, Hard float64
}

// Tuning is the result of Tune.
type Tuning struct {
	// Hold is the score from which a label holds at the age band of an
	// unknown age, within 0.5..0.99.
	Hold map[pipeline.Label]float64
	// Benign and HardHeld are the shares held at these scores, Caught that of
	// harmful texts, Severe that of texts with a label of severity 4.
	Benign, HardHeld, Caught, Severe Interval
}

// unknownAge is the band that an unknown age counts as.
const unknownAge = "8-11"

// mostOfOne is the part of the budget that one label may use up, so that a
// label that is wrong often does not make all others hold late.
const mostOfOne = 0.2

// severeOdds is how many times lower the odds may be from which a label of
// severity 4 holds: a miss there costs more.
const severeOdds = 3

// tuneLines is where the tuning authors' lines lie in a checkout. They wrote
// neither training texts nor test seeds.
const tuneLines = "models/train/corpus/tune"

// Tune finds for each label of text the lowest score that may hold a message,
// so that the tuning lines that mean no harm are held within the budget. Scores
// are calibrated, with what a miss of an urgent label costs in them already, so
// one score for all labels makes the best use of it, with lower odds for those
// of severity 4; a label that would use up more than a fifth by itself starts
// higher. It judges by the code that serves.
func (r *Runner) Tune(ctx context.Context, b Budget) (Tuning, error) {
	if b.Benign <= 0 || b.Hard <= 0 || b.Benign >= 1 || b.Hard >= 1 {
		return Tuning{}, errors.New("the budget is no share between 0 and 1")
	}
	list, err := readTuning(filepath.Join(r.Root, filepath.FromSlash(tuneLines)))
	if err != nil {
		return Tuning{}, err
	}
	all, _, err := r.judge(ctx, "tuning lines", list)
	if err != nil {
		return Tuning{}, err
	}
	return tune(all, r.Policy, b)
}

func tune(all []judged, policy *pipeline.Policy, b Budget) (Tuning, error) {
	var calm, hard, harm []judged
	for _, j := range all {
		switch {
		case len(j.Labels) > 0:
			harm = append(harm, j)
		case j.Hard:
			hard = append(hard, j)
		default:
			calm = append(calm, j)
		}
	}
	if len(calm) < 200 || len(hard) < 200 || len(harm) < 200 {
		return Tuning{}, fmt.Errorf("too few lines to tune on: %d everyday, %d hard negatives, %d harmful; want 200 of each", len(calm), len(hard), len(harm))
	}
	holds := map[pipeline.Label]float64{}
	held := func(list []judged) Interval {
		n := 0
		for _, j := range list {
			for l, at := range holds {
				if j.score[l] >= at {
					n++
					break
				}
			}
		}
		return wilson(n, len(list))
	}
	floor := map[pipeline.Label]float64{}
	for _, l := range pipeline.TextLabels {
		if policy.Labels[l].Act[pipeline.Hold] != nil {
			floor[l] = max(overShare(calm, l, b.Benign*mostOfOne), overShare(hard, l, b.Hard*mostOfOne))
		}
	}
	from := func(score float64) {
		for l, at := range floor {
			mine := score
			if policy.Labels[l].Severity == 4 {
				mine = score / (score + severeOdds*(1-score))
			}
			holds[l] = min(0.99, math.Ceil(max(0.5, mine, at)*100-1e-9)/100)
		}
	}
	low := 50
	for from(0.5); low < 99 && (held(calm).Value > b.Benign || held(hard).Value > b.Hard); from(float64(low) / 100) {
		low++
	}
	if held(calm).Value > b.Benign || held(hard).Value > b.Hard {
		return Tuning{}, errors.New("no thresholds keep to the budget, not even the strictest")
	}
	severe := slices.DeleteFunc(slices.Clone(harm), func(j judged) bool {
		return !slices.ContainsFunc(j.Labels, func(l pipeline.Label) bool { return policy.Labels[l].Severity == 4 })
	})
	return Tuning{Hold: holds, Benign: held(calm), HardHeld: held(hard), Caught: held(harm), Severe: held(severe)}, nil
}

// overShare is the lowest score that at most this share of list reaches.
func overShare(list []judged, l pipeline.Label, share float64) float64 {
	scores := make([]float64, len(list))
	for i, j := range list {
		scores[i] = j.score[l]
	}
	slices.SortFunc(scores, func(a, b float64) int { return cmp.Compare(b, a) })
	over := int(share * float64(len(scores)))
	if over >= len(scores) {
		return 0
	}
	return math.Nextafter(scores[over], 2)
}

// readTuning reads the harmful, hard and everyday lines of the tuning authors.
func readTuning(path string) ([]Example, error) {
	var list []Example
	for _, folder := range []string{"train", "hard", "benign"} {
		files, err := filepath.Glob(filepath.Join(path, folder, "*.txt"))
		if err != nil || len(files) == 0 {
			return nil, errors.Join(fmt.Errorf("no tuning lines in %s of the checkout", tuneLines), err)
		}
		for _, name := range files {
			text, err := os.ReadFile(name)
			if err != nil {
				return nil, err
			}
			of := pipeline.Label(strings.TrimSuffix(filepath.Base(name), ".txt"))
			for line := range strings.Lines(string(text)) {
				if line = strings.TrimRight(line, "\r\n"); strings.TrimSpace(line) == "" {
					continue
				}
				e, err := parseSeed(line, of, folder != "train")
				if err != nil {
					return nil, fmt.Errorf("%s: %w", name, err)
				}
				e.Hard = folder == "hard"
				list = append(list, e)
			}
		}
	}
	return list, nil
}

// Rewrite puts the tuned scores into a policy's text and gives it a version;
// comments and everything else stay. An older age keeps the distance that the
// policy gave it from an unknown age, and no action comes before a milder one.
func (t Tuning) Rewrite(text []byte, version string) ([]byte, error) {
	var root yaml.Node
	if err := yaml.Unmarshal(text, &root); err != nil {
		return nil, fmt.Errorf("policy: %w", err)
	}
	top := root.Content[0]
	edits := []edit{{field(top, "version"), strconv.Quote(version)}}
	for l, hold := range t.Hold {
		more, err := cells(field(field(field(top, "labels"), string(l)), "act"), hold)
		if err != nil {
			return nil, fmt.Errorf("policy: %s: %w", l, err)
		}
		edits = append(edits, more...)
	}
	lines := strings.SplitAfter(string(text), "\n")
	// From the end of each line, so that columns before an edit stay true.
	slices.SortFunc(edits, func(a, b edit) int { return b.at.Column - a.at.Column })
	for _, e := range edits {
		if e.at == nil {
			return nil, errors.New("policy: a field that was to be written is missing")
		}
		line := lines[e.at.Line-1]
		from := e.at.Column - 1
		was := e.at.Value
		if e.at.Style == yaml.DoubleQuotedStyle {
			was = strconv.Quote(was)
		}
		if !strings.HasPrefix(line[from:], was) {
			return nil, fmt.Errorf("policy: line %d is not written as expected", e.at.Line)
		}
		lines[e.at.Line-1] = line[:from] + e.to + line[from+len(was):]
	}
	out := []byte(strings.Join(lines, ""))
	if _, err := pipeline.ParsePolicy(out); err != nil {
		return nil, fmt.Errorf("the tuned policy does not load: %w", err)
	}
	return out, nil
}

// cells are the edits of one label's act that let it hold from this score on.
func cells(act *yaml.Node, hold float64) ([]edit, error) {
	var edits []edit
	usual, err := strconv.ParseFloat(field(field(act, "hold"), unknownAge).Value, 64)
	if err != nil {
		return nil, err
	}
	now := map[string]float64{}
	for _, action := range []string{"hold", "warn", "blur", "block"} {
		list := field(act, action)
		for i := 0; list != nil && i+1 < len(list.Content); i += 2 {
			band, cell := list.Content[i].Value, list.Content[i+1]
			at, err := strconv.ParseFloat(cell.Value, 64)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", action, err)
			}
			switch {
			case action == "hold" && at < 1:
				at = min(0.99, max(0.5, hold+at-usual))
				now[band] = at
			case action == "block":
				at = max(at, now[band])
			case action != "hold" && now[band] > 0:
				at = min(at, now[band])
			}
			edits = append(edits, edit{cell, strconv.FormatFloat(math.Round(at*100)/100, 'f', -1, 64)})
		}
	}
	return edits, nil
}

type edit struct {
	at *yaml.Node
	to string
}

// field is the value of a key of a mapping, or nil.
func field(n *yaml.Node, key string) *yaml.Node {
	if n == nil {
		return nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return n.Content[i+1]
		}
	}
	return nil
}

// Print writes the scores and what they hold.
func (t Tuning) Print(w io.Writer) error {
	for _, l := range slices.Sorted(maps.Keys(t.Hold)) {
		if _, err := fmt.Fprintf(w, "%-26s holds from %.2f\n", l, t.Hold[l]); err != nil {
			return err
		}
	}
	for _, row := range []struct {
		name string
		iv   Interval
	}{{"everyday messages held", t.Benign}, {"hard negatives held", t.HardHeld}, {"harmful texts held", t.Caught}, {"texts of severity 4 held", t.Severe}} {
		if _, err := fmt.Fprintf(w, "%-26s %.2f %% [%.2f, %.2f]\n", row.name, 100*row.iv.Value, 100*row.iv.Low, 100*row.iv.High); err != nil {
			return err
		}
	}
	return nil
}
