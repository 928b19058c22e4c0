package eval

import (
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
	// Urgent is the share of its texts that each label of severity 4 must bring
	// before a person, held or delivered, whatever budget holding leaves it.
	Urgent float64
}

// Tuning is the result of Tune.
type Tuning struct {
	// Hold is the score from which a label holds at the age band of an
	// unknown age, within 0.5..0.99.
	Hold map[pipeline.Label]float64
	// Look is the score from which a label of severity 4 that does not hold yet
	// is delivered and a person looks at it.
	Look map[pipeline.Label]float64
	// Benign and HardHeld are the shares held at these scores, Everyday those
	// of further everyday sets, Caught that of harmful texts, Severe that of
	// texts with a label of severity 4.
	Benign, HardHeld, Caught, Severe Interval
	Everyday                         map[string]Interval
	// Seen are the shares of the same kinds of texts, by name, that a person
	// looks at for a label of severity 4, held or delivered.
	Seen map[string]Interval
}

// unknownAge is the band that an unknown age counts as.
const unknownAge = "8-11"

// severeWorth is how many harmful texts one with a label of severity 4 counts
// for: a miss there costs more.
const severeWorth = 4

// peersOdds is how many times higher the odds must be to hold between peers,
// where the policy tells them apart: minors of one age ask each other out.
const peersOdds = 3

// hardWorth is what the budget of hard negatives counts against that of
// everyday messages: they are rare in real chat.
const hardWorth = 0.5

// tuneLines is where the tuning authors' lines lie in a checkout. They wrote
// neither training texts nor test seeds.
const tuneLines = "models/train/corpus/tune"

// Tune finds for each label of text the lowest score that may hold a message,
// so that of the tuning lines that mean no harm, and of each further set of
// everyday messages by itself, no more are held than the budget allows, by the
// upper bound of 95 %. It judges by the code that serves.
func (r *Runner) Tune(ctx context.Context, b Budget, everyday ...Set) (Tuning, error) {
	if b.Benign <= 0 || b.Hard <= 0 || b.Benign >= 1 || b.Hard >= 1 || b.Urgent <= 0 || b.Urgent >= 1 {
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
	more := map[string][]judged{}
	for _, s := range everyday {
		if !s.Benign {
			return Tuning{}, fmt.Errorf("set %s is not one of harmless messages", s.Name)
		}
		list, err := s.Load(r.Root, r.Sets)
		if err != nil {
			return Tuning{}, err
		}
		if more[s.Name], _, err = r.judge(ctx, s.Name, list); err != nil {
			return Tuning{}, err
		}
	}
	return tune(all, more, r.Policy, b)
}

// pool is a kind of texts that may be held no more often than its share.
type pool struct {
	list  []judged
	held  []bool
	share float64
	worth float64
}

// adds is how many of the pool would be newly held by l from score on.
func (p *pool) adds(l pipeline.Label, score float64) int {
	n := 0
	for i, j := range p.list {
		if !p.held[i] && j.score[l] >= score {
			n++
		}
	}
	return n
}

// room is how many more of the pool may be held until the upper bound of the
// share that is held, at 95 %, passes the pool's share: other people's messages
// are not these.
func (p *pool) room() int {
	n := 0
	for _, held := range p.held {
		if held {
			n++
		}
	}
	more := 0
	for wilson(n+more+1, len(p.list)).High <= p.share {
		more++
	}
	return more
}

// recall is the share of the texts with label l that reach the score.
func (p *pool) recall(l pipeline.Label, score float64) float64 {
	n, all := 0, 0
	for _, j := range p.list {
		if slices.Contains(j.Labels, l) {
			all++
			if j.score[l] >= score {
				n++
			}
		}
	}
	return float64(n) / float64(max(1, all))
}

func (p *pool) mark(l pipeline.Label, score float64) {
	for i, j := range p.list {
		p.held[i] = p.held[i] || j.score[l] >= score
	}
}

func (p *pool) rate() Interval {
	n := 0
	for _, held := range p.held {
		if held {
			n++
		}
	}
	return wilson(n, len(p.list))
}

// tune starts from the strictest scores and lowers, again and again, that of
// the label which then catches most for the part of the budget that it uses up,
// until no step fits into what is left (the greedy rule for a knapsack:
// Dantzig 1957).
func tune(all []judged, everyday map[string][]judged, policy *pipeline.Policy, b Budget) (Tuning, error) {
	var calm, hard, harm, severe pool
	for _, j := range all {
		switch {
		case len(j.Labels) > 0:
			harm.list = append(harm.list, j)
			if slices.ContainsFunc(j.Labels, func(l pipeline.Label) bool { return policy.Labels[l].Severity == 4 }) {
				severe.list = append(severe.list, j)
			}
		case j.Hard:
			hard.list = append(hard.list, j)
		default:
			calm.list = append(calm.list, j)
		}
	}
	if len(calm.list) < 200 || len(hard.list) < 200 || len(harm.list) < 200 {
		return Tuning{}, fmt.Errorf("too few lines to tune on: %d everyday, %d hard negatives, %d harmful; want 200 of each", len(calm.list), len(hard.list), len(harm.list))
	}
	calm.share, calm.worth, hard.share, hard.worth = b.Benign, 1, b.Hard, hardWorth
	limited := []*pool{&calm, &hard}
	more := map[string]*pool{}
	for _, name := range slices.Sorted(maps.Keys(everyday)) {
		if len(everyday[name]) < 200 {
			return Tuning{}, fmt.Errorf("set %s: %d messages are too few to tune on; want 200", name, len(everyday[name]))
		}
		more[name] = &pool{list: everyday[name], share: b.Benign, worth: 1}
		limited = append(limited, more[name])
	}
	pools := append([]*pool{&harm, &severe}, limited...)
	const strictest, loosest = 99, 50
	from := map[pipeline.Label]int{}
	for _, p := range pools {
		p.held = make([]bool, len(p.list))
	}
	for _, l := range pipeline.TextLabels {
		if policy.Labels[l].Act[pipeline.Hold] != nil {
			from[l] = strictest
			for _, p := range pools {
				p.mark(l, strictest/100.)
			}
		}
	}
	left := make([]int, len(limited))
	for i, p := range limited {
		if p.rate().Value > p.share {
			return Tuning{}, errors.New("no thresholds keep to the budget, not even the strictest")
		}
		left[i] = p.room()
	}
	for {
		var best pipeline.Label
		var bestTo int
		var bestRate float64
		for _, l := range slices.Sorted(maps.Keys(from)) {
		steps:
			for _, step := range []int{1, 2, 4, 8, 16} {
				to := from[l] - step
				if to < loosest {
					break
				}
				score := float64(to) / 100
				cost := 0.0
				for i, p := range limited {
					adds := p.adds(l, score)
					if adds > left[i] {
						break steps
					}
					cost += p.worth * float64(adds) / float64(len(p.list)) / p.share
				}
				gain := float64(harm.adds(l, score) + (severeWorth-1)*severe.adds(l, score))
				// A step that costs nothing is as good as what it catches.
				if rate := gain / (cost + 0.01); rate > bestRate {
					best, bestTo, bestRate = l, to, rate
				}
			}
		}
		if bestRate == 0 {
			break
		}
		from[best] = bestTo
		for _, p := range pools {
			p.mark(best, float64(bestTo)/100)
		}
		for i, p := range limited {
			left[i] = p.room()
		}
	}
	out := Tuning{Hold: map[pipeline.Label]float64{}, Benign: calm.rate(), HardHeld: hard.rate(), Caught: harm.rate(), Severe: severe.rate(), Everyday: map[string]Interval{}}
	for l, n := range from {
		out.Hold[l] = float64(n) / 100
	}
	for name, p := range more {
		out.Everyday[name] = p.rate()
	}
	out.look(policy, b.Urgent, &harm)
	more["everyday messages"], more["hard negatives"], more["texts of severity 4"] = &calm, &hard, &severe
	out.Seen = map[string]Interval{}
	for name, p := range more {
		clear(p.held)
		for l, score := range out.Look {
			p.mark(l, score)
		}
		out.Seen[name] = p.rate()
	}
	return out, nil
}

// look finds for each label of severity 4 the highest score that brings the
// urgent share of its texts before a person, between doubtful and its hold score.
func (t *Tuning) look(policy *pipeline.Policy, urgent float64, harm *pool) {
	const doubtful = 50
	t.Look = map[pipeline.Label]float64{}
	for l, hold := range t.Hold {
		if policy.Labels[l].Severity < 4 {
			continue
		}
		at := int(math.Round(100 * hold))
		for at > doubtful && harm.recall(l, float64(at)/100) < urgent {
			at--
		}
		t.Look[l] = float64(at) / 100
	}
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
// comments and everything else stay. Between peers, where the policy tells them
// apart, three times the odds are needed. An older age keeps the distance that the
// policy gave it from an unknown age, and no action comes before a milder one.
func (t Tuning) Rewrite(text []byte, version string) ([]byte, error) {
	var root yaml.Node
	if err := yaml.Unmarshal(text, &root); err != nil {
		return nil, fmt.Errorf("policy: %w", err)
	}
	top := root.Content[0]
	edits := []edit{{field(top, "version"), strconv.Quote(version)}}
	for l, hold := range t.Hold {
		rule := field(field(top, "labels"), string(l))
		more, err := cells(field(rule, "act"), hold, t.Look[l])
		if err != nil {
			return nil, fmt.Errorf("policy: %s: %w", l, err)
		}
		edits = append(edits, more...)
		if peers := field(rule, "peers"); peers != nil {
			at := math.Round(100*hold*peersOdds/(hold*peersOdds+1-hold)) / 100
			edits = append(edits, edit{peers, strconv.FormatFloat(at, 'f', -1, 64)})
		}
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

// cells are the edits of one label's act that let it hold from this score on
// and, where look is not 0, warn from that on.
func cells(act *yaml.Node, hold, look float64) ([]edit, error) {
	var edits []edit
	usual, err := strconv.ParseFloat(field(field(act, "hold"), unknownAge).Value, 64)
	if err != nil {
		return nil, err
	}
	var first float64
	if look > 0 {
		warn := field(field(act, "warn"), unknownAge)
		if warn == nil {
			return nil, errors.New("a label of severity 4 that no score brings before a person without holding it; want act.warn")
		}
		if first, err = strconv.ParseFloat(warn.Value, 64); err != nil {
			return nil, fmt.Errorf("warn: %w", err)
		}
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
			case action == "warn" && look > 0:
				at = min(look+at-first, now[band])
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
		look := ""
		if at, ok := t.Look[l]; ok {
			look = fmt.Sprintf(", a person looks from %.2f", at)
		}
		if _, err := fmt.Fprintf(w, "%-26s holds from %.2f%s\n", l, t.Hold[l], look); err != nil {
			return err
		}
	}
	type row struct {
		name string
		iv   Interval
	}
	rows := []row{{"everyday messages held", t.Benign}}
	for _, name := range slices.Sorted(maps.Keys(t.Everyday)) {
		rows = append(rows, row{name + " held", t.Everyday[name]})
	}
	rows = append(rows, row{"hard negatives held", t.HardHeld}, row{"harmful texts held", t.Caught}, row{"texts of severity 4 held", t.Severe})
	for _, name := range slices.Sorted(maps.Keys(t.Seen)) {
		rows = append(rows, row{name + " seen", t.Seen[name]})
	}
	for _, row := range rows {
		if _, err := fmt.Fprintf(w, "%-26s %.2f %% [%.2f, %.2f]\n", row.name, 100*row.iv.Value, 100*row.iv.Low, 100*row.iv.High); err != nil {
			return err
		}
	}
	return nil
}
