package eval

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"
)

// Point is one judged example: the score of a class and whether it truly
// applies.
type Point struct {
	Score float64
	True  bool
}

// Scorecard holds the figures of one binary question over one set of points.
type Scorecard struct {
	N         int      `json:"n"`
	Positives int      `json:"positives"`
	Accuracy  float64  `json:"accuracy"`
	Precision float64  `json:"precision"`
	Recall    float64  `json:"recall"`
	F1        float64  `json:"f1"`
	MacroF1   Interval `json:"macro_f1"`
	AUC       Interval `json:"auc"`
	// RecallAt1 is the recall at the lowest threshold whose false-positive
	// rate is at most 1 %.
	RecallAt1 Interval `json:"recall_at_1_percent_fpr"`
	// ECE is the expected calibration error over 15 equal bins (Guo et al.
	// 2017) of the score as a probability.
	ECE float64 `json:"ece"`
}

// Interval is a figure with its 95 % bootstrap interval. The interval covers
// the choice of test examples, not that of training runs.
type Interval struct {
	Value float64 `json:"value"`
	Low   float64 `json:"low"`
	High  float64 `json:"high"`
}

// resamples is the number of bootstrap rounds; seed makes two runs byte-equal.
const (
	resamples = 1000
	seed      = 20260301
)

// Measure computes a Scorecard at the decision point 0.5.
func Measure(points []Point) Scorecard {
	c := Scorecard{N: len(points)}
	tp, fp, fn, tn := confusion(points, 0.5)
	c.Positives = tp + fn
	c.Accuracy = ratio(tp+tn, len(points))
	c.Precision, c.Recall = ratio(tp, tp+fp), ratio(tp, tp+fn)
	c.F1 = f1(tp, fp, fn)
	c.ECE = calibrationError(points, 15)
	c.MacroF1 = bootstrap(points, macroF1)
	c.AUC = bootstrap(points, auc)
	c.RecallAt1 = bootstrap(points, recallAt1)
	return c
}

func confusion(points []Point, threshold float64) (tp, fp, fn, tn int) {
	for _, p := range points {
		switch hit := p.Score >= threshold; {
		case hit && p.True:
			tp++
		case hit:
			fp++
		case p.True:
			fn++
		default:
			tn++
		}
	}
	return
}

func ratio(a, b int) float64 {
	if b == 0 {
		return 0
	}
	return float64(a) / float64(b)
}

func f1(tp, fp, fn int) float64 { return ratio(2*tp, 2*tp+fp+fn) }

// macroF1 is the mean of the F1 of both classes at 0.5.
func macroF1(points []Point) float64 {
	tp, fp, fn, tn := confusion(points, 0.5)
	return (f1(tp, fp, fn) + f1(tn, fn, fp)) / 2
}

// auc is the area under the ROC curve by ranks, ties counted half (Mann and
// Whitney 1947); 0 when one class is empty. It sorts points.
func auc(points []Point) float64 {
	slices.SortFunc(points, func(a, b Point) int { return cmp.Compare(a.Score, b.Score) })
	positives, rankSum := 0, 0.0
	for i := 0; i < len(points); {
		j := i
		for j < len(points) && points[j].Score == points[i].Score {
			j++
		}
		rank := float64(i+j+1) / 2 // mean of the ranks i+1 … j
		for _, p := range points[i:j] {
			if p.True {
				positives++
				rankSum += rank
			}
		}
		i = j
	}
	negatives := len(points) - positives
	if positives == 0 || negatives == 0 {
		return 0
	}
	return (rankSum - float64(positives)*float64(positives+1)/2) / (float64(positives) * float64(negatives))
}

// recallAt1 is the recall at a false-positive rate of at most 1 %. It sorts
// points.
func recallAt1(points []Point) float64 {
	slices.SortFunc(points, func(a, b Point) int { return cmp.Compare(b.Score, a.Score) })
	positives := 0
	for _, p := range points {
		if p.True {
			positives++
		}
	}
	allowed := int(0.01 * float64(len(points)-positives))
	tp, fp, best := 0, 0, 0
	for i := 0; i < len(points); {
		score := points[i].Score
		for i < len(points) && points[i].Score == score { // ties fall together
			if points[i].True {
				tp++
			} else {
				fp++
			}
			i++
		}
		if fp > allowed {
			break
		}
		best = tp
	}
	return ratio(best, positives)
}

func calibrationError(points []Point, bins int) float64 {
	count, hits, sum := make([]int, bins), make([]int, bins), make([]float64, bins)
	for _, p := range points {
		b := min(int(p.Score*float64(bins)), bins-1)
		count[b]++
		sum[b] += p.Score
		if p.True {
			hits[b]++
		}
	}
	e := 0.0
	for b := range count {
		if count[b] > 0 {
			e += math.Abs(sum[b]-float64(hits[b])) / float64(len(points))
		}
	}
	return e
}

// bootstrap returns the figure with its 95 % percentile interval.
func bootstrap(points []Point, figure func([]Point) float64) Interval {
	work := slices.Clone(points)
	iv := Interval{Value: figure(work)}
	if len(points) == 0 {
		return iv
	}
	r := rand.New(rand.NewPCG(seed, uint64(len(points))))
	values := make([]float64, resamples)
	for k := range values {
		for i := range work {
			work[i] = points[r.IntN(len(points))]
		}
		values[k] = figure(work)
	}
	slices.Sort(values)
	iv.Low, iv.High = values[resamples*25/1000], values[resamples*975/1000-1]
	return iv
}

// wilson is the 95 % interval of a rate (Wilson 1927).
func wilson(hits, n int) Interval {
	if n == 0 {
		return Interval{}
	}
	const z = 1.959964
	p, m := float64(hits)/float64(n), float64(n)
	mid := (p + z*z/(2*m)) / (1 + z*z/m)
	half := z / (1 + z*z/m) * math.Sqrt(p*(1-p)/m+z*z/(4*m*m))
	return Interval{p, max(0, mid-half), min(1, mid+half)}
}
