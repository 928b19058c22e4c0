package eval

import (
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"

	"nightlight/pipeline"
)

// dodge is a test seed as somebody rewrote it who dodges filters.
type dodge struct {
	Kind    string           `json:"kind"`
	Text    string           `json:"text"`
	Was     string           `json:"was"`
	Labels  []pipeline.Label `json:"labels"`
	Context []pipeline.Turn  `json:"context"`
}

// Evasion tells what one way of rewriting costs: the recall of the same texts
// plain and rewritten, at the thresholds that 1 % of the plain set's other
// texts lie over.
type Evasion struct {
	Texts     int      `json:"texts"`
	Plain     float64  `json:"plain_recall"`
	Rewritten float64  `json:"rewritten_recall"`
	Loss      Interval `json:"loss"`
}

func readDodges(path string) ([]dodge, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		return nil, err
	}
	var list []dodge
	for dec := json.NewDecoder(z); ; {
		var d dodge
		err := dec.Decode(&d)
		if errors.Is(err, io.EOF) {
			return list, nil
		}
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", len(list)+1, err)
		}
		list = append(list, d)
	}
}

// evade judges the plain set, then each rewriting of it. plain is the corpus
// that the rewritten texts come from.
func (r *Runner) evade(ctx context.Context, s Set) (Result, error) {
	dodges, err := readDodges(filepath.Join(r.Root, filepath.FromSlash(s.Path)))
	if err != nil {
		return Result{}, fmt.Errorf("set %s: %w", s.Name, err)
	}
	seeds, err := readCorpus(filepath.Join(r.Root, filepath.FromSlash(filepath.Dir(s.Path))))
	if err != nil {
		return Result{}, fmt.Errorf("set %s: %w", s.Name, err)
	}
	plain, models, err := r.judge(ctx, s.Name+", plain", seeds)
	if err != nil {
		return Result{}, err
	}
	res := Result{Set: s.Name, Models: models, N: len(dodges), Evasions: map[string]*Evasion{}}
	points := oneInHundred(plain)
	scores := map[string]map[pipeline.Label]float64{}
	for _, j := range plain {
		scores[identity(j.Text, j.Context)] = j.score
	}
	byKind := map[string][]dodge{}
	for _, d := range dodges {
		byKind[d.Kind] = append(byKind[d.Kind], d)
	}
	for kind, list := range byKind {
		if r.Sample > 0 {
			list = list[:min(r.Sample, len(list))]
		}
		examples := make([]Example, len(list))
		for i, d := range list {
			examples[i] = Example{Text: d.Text, Context: d.Context, Labels: d.Labels}
		}
		rewritten, _, err := r.judge(ctx, s.Name+", "+kind, examples)
		if err != nil {
			return Result{}, err
		}
		var tries []try
		for i, d := range list {
			before, ok := scores[identity(d.Was, d.Context)]
			if !ok {
				return Result{}, fmt.Errorf("set %s: line %d of %s was made from a text that is no seed any more; models/train/evade.py makes it again", s.Name, i+1, kind)
			}
			for _, l := range d.Labels {
				tries = append(tries, try{before[l] > points[l], rewritten[i].score[l] > points[l]})
			}
		}
		e := weigh(tries)
		e.Texts = len(list)
		res.Evasions[kind] = &e
	}
	return res, nil
}

func identity(text string, context []pipeline.Turn) string {
	id := text
	for _, t := range context {
		id += "\x00" + t.Text
	}
	return id
}

// oneInHundred gives, for each label, the score that 1 % of the texts without
// that label lie over.
func oneInHundred(all []judged) map[pipeline.Label]float64 {
	points := map[pipeline.Label]float64{}
	for _, l := range pipeline.TextLabels {
		var others []float64
		for _, j := range all {
			if !slices.Contains(j.Labels, l) {
				others = append(others, j.score[l])
			}
		}
		slices.Sort(others)
		points[l] = others[len(others)-1-len(others)/100]
	}
	return points
}

// try is whether a label of a text was found plain and rewritten.
type try struct{ plain, rewritten bool }

// weigh sums tries up; the interval is a seeded bootstrap's.
func weigh(tries []try) Evasion {
	rates := func(pick func(int) try) (plain, rewritten float64) {
		for i := range tries {
			t := pick(i)
			if t.plain {
				plain++
			}
			if t.rewritten {
				rewritten++
			}
		}
		n := float64(max(1, len(tries)))
		return plain / n, rewritten / n
	}
	var e Evasion
	e.Plain, e.Rewritten = rates(func(i int) try { return tries[i] })
	e.Loss.Value = e.Plain - e.Rewritten
	if len(tries) == 0 {
		return e
	}
	r := rand.New(rand.NewPCG(seed, uint64(len(tries))))
	losses := make([]float64, resamples)
	for k := range losses {
		plain, rewritten := rates(func(int) try { return tries[r.IntN(len(tries))] })
		losses[k] = plain - rewritten
	}
	slices.Sort(losses)
	e.Loss.Low, e.Loss.High = losses[resamples*25/1000], losses[resamples*975/1000-1]
	return e
}
