package speech

import (
	"context"
	"errors"
	"math"
	"slices"
)

// maxTokens bounds what is written of one window, as in the original.
const maxTokens = 224

// firstWithin is the latest time, in steps, at which the first words of a window may start: one second.
const firstWithin = timeSteps

// spelling is one window on its way from sound to tokens.
type spelling struct {
	whisper *Whisper
	memory  []Tensor
	past    []Tensor
	seconds float64

	language string
	known    float64 // probability of the languages that are judged
	noSpeech float64
	tokens   []int
	logProb  float64 // sum over tokens and the end
	cut      bool
}

// run finds the language and then writes token after token, always the likeliest that the rules allow.
func (s *spelling) run(ctx context.Context) error {
	t := s.whisper.nets.Tokens
	logits, err := s.step(ctx, t.start)
	if err != nil {
		return err
	}
	language := s.listen(logits)
	if logits, err = s.step(ctx, language, t.transcribe); err != nil {
		return err
	}
	for {
		s.forbid(logits)
		best, logProb := likeliest(logits)
		s.logProb += logProb
		if best == t.end {
			return nil
		}
		s.tokens = append(s.tokens, best)
		if len(s.tokens) == maxTokens {
			s.cut = true
			return nil
		}
		if logits, err = s.step(ctx, best); err != nil {
			return err
		}
	}
}

// begin starts with nothing written.
func (s *spelling) begin() {
	nets := s.whisper.nets
	s.past = make([]Tensor, 2*nets.Layers)
	for i := range s.past {
		s.past[i] = Tensor{[]int64{1, int64(nets.Width)}, make([]float32, nets.Width)}
	}
}

// step reads tokens and keeps their keys and values.
func (s *spelling) step(ctx context.Context, ids ...int) ([]float32, error) {
	tokens := make([]int64, len(ids))
	for i, id := range ids {
		tokens[i] = int64(id)
	}
	logits, fresh, err := s.whisper.nets.Decode(ctx, tokens, s.memory, s.past)
	if err != nil {
		return nil, err
	}
	if len(logits) != s.whisper.nets.Tokens.size() || len(fresh) != len(s.past) {
		return nil, errors.New("the decoder's answer has another shape")
	}
	for i, f := range fresh {
		if len(f.Values) != len(ids)*s.whisper.nets.Width {
			return nil, errors.New("the decoder's answer has another shape")
		}
		s.past[i].Values = append(s.past[i].Values, f.Values...)
		s.past[i].Shape = []int64{s.past[i].Shape[0] + int64(len(ids)), s.past[i].Shape[1]}
	}
	for _, v := range logits {
		if v != v {
			return nil, errors.New("the decoder's answer is no number")
		}
	}
	return logits, nil
}

// listen takes from the first answer which of the two languages it is, and whether anybody speaks at all.
func (s *spelling) listen(logits []float32) (language int) {
	t := s.whisper.nets.Tokens
	zh, en := t.language("zh"), t.language("en")
	language, s.language = zh, "zh"
	if logits[en] > logits[zh] {
		language, s.language = en, "en"
	}
	var all []float32
	for id := range t.languages {
		all = append(all, logits[id])
	}
	slices.Sort(all) // so that sums come out the same whatever the order of a map
	among := logSum(all)
	s.known = math.Exp(float64(logits[zh])-among) + math.Exp(float64(logits[en])-among)
	s.noSpeech = math.Exp(float64(logits[t.noSpeech]) - logSum(logits))
	return language
}

var never = float32(math.Inf(-1))

// forbid takes away what may not come next: pieces that are never said, and times out of order. Times come in pairs,
// they do not run back, and one must come when all times together are likelier than any word.
func (s *spelling) forbid(logits []float32) {
	t := s.whisper.nets.Tokens
	for _, id := range t.never {
		logits[id] = never
	}
	for id := t.start; id < t.firstTime; id++ { // languages and orders
		logits[id] = never
	}
	times := logits[t.firstTime:]
	n := len(s.tokens)
	if n == 0 {
		for _, id := range t.notFirst {
			logits[id] = never
		}
		fillWith(logits[:t.firstTime], never)
		fillWith(times[firstWithin+1:], never)
		return
	}
	if s.timed(n - 1) {
		if n == 1 || s.timed(n-2) {
			fillWith(times, never) // after a pair come words
		} else {
			fillWith(logits[:t.end], never) // after the end of words comes a start, or all ends
		}
	}
	if i := s.lastTime(); i >= 0 {
		from := s.tokens[i] - t.firstTime
		if !(s.timed(n-1) && n > 1 && !s.timed(n-2)) {
			from++ // words take time
		}
		fillWith(times[:min(from, len(times))], never)
	}
	if s.timesWin(logits[:t.firstTime], times) {
		fillWith(logits[:t.firstTime], never)
	}
}

func (s *spelling) timed(i int) bool { return s.tokens[i] >= s.whisper.nets.Tokens.firstTime }

func (s *spelling) lastTime() int {
	for i := len(s.tokens) - 1; i >= 0; i-- {
		if s.timed(i) {
			return i
		}
	}
	return -1
}

func (s *spelling) timesWin(words, times []float32) bool {
	return logSum(times) > float64(slices.Max(words))
}

func fillWith(values []float32, v float32) {
	for i := range values {
		values[i] = v
	}
}

// likeliest gives the token with the highest number, and the logarithm of its probability among those allowed.
func likeliest(logits []float32) (int, float64) {
	best := 0
	for i, v := range logits {
		if v > logits[best] {
			best = i
		}
	}
	return best, float64(logits[best]) - logSum(logits)
}

// logSum is the logarithm of the sum of exponentials; of nothing allowed it is minus infinity.
func logSum(values []float32) float64 {
	top := never
	for _, v := range values {
		top = max(top, v)
	}
	if math.IsInf(float64(top), 0) {
		return float64(top)
	}
	sum := 0.0
	for _, v := range values {
		if d := v - top; d > -40 { // below that it adds nothing
			sum += math.Exp(float64(d))
		}
	}
	return float64(top) + math.Log(sum)
}

// segments cuts the tokens at their times.
func (s *spelling) segments() []Segment {
	t := s.whisper.nets.Tokens
	avg := s.logProb / float64(len(s.tokens)+1)
	base := Segment{Language: s.language, AvgLogProb: avg, NoSpeech: s.noSpeech, Known: s.known, Cut: s.cut}
	if whole := t.text(s.tokens); whole != "" {
		base.Compression = compression(whole)
	}
	var out []Segment
	start, words := 0.0, []int{}
	close := func(end float64) {
		if text := clean(t.text(words)); text != "" {
			g := base
			g.Start, g.End, g.Text = min(start, s.seconds), min(end, s.seconds), text
			out = append(out, g)
		}
		words = words[:0]
	}
	for i, id := range s.tokens {
		if !s.timed(i) {
			words = append(words, id)
			continue
		}
		at := float64(id-t.firstTime) / timeSteps
		if len(words) > 0 {
			close(at)
		}
		start = at
	}
	if len(words) > 0 {
		close(s.seconds)
	}
	return out
}
