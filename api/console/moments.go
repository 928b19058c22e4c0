package console

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"nightlight/pipeline"
	"nightlight/queue/store"
)

// moment is a score of a label at a second: of a frame or of words that were said.
// On a sheet it is a frame, with a label where one was found in it.
type moment struct {
	At        float64        `json:"at"`
	Label     pipeline.Label `json:"label"`
	Score     float64        `json:"score"`
	Strongest bool           `json:"strongest"`
}

// Second is when it is, in seconds.
func (m moment) Second() string { return second(m.At) }

// momentsOf reads the moments of evidence; what cannot be read gives nothing, and a
// label that there is no more is left out.
func momentsOf(e store.Evidence) (list []moment) {
	if json.Unmarshal(e.Body, &list) != nil {
		return nil
	}
	for i, m := range list {
		if !m.Label.Known() {
			list[i].Label = ""
		}
	}
	return list
}

// signalled are the moments of signals that have one.
func signalled(signals []pipeline.Signal) (list []moment) {
	for _, s := range signals {
		if s.At != nil {
			list = append(list, moment{At: *s.At, Label: s.Label, Score: s.Score})
		}
	}
	return list
}

// decisionPoint is the score from which on a label counts as found; see
// pipeline.Signal.
const decisionPoint = 0.5

// mostStretches is how many stretches of time stand beside a label.
const mostStretches = 4

// when says at which seconds a label was found, as stretches without a moment
// between that says otherwise: "3.0, 12.4–18.0". Where no score reaches the decision
// point it is the moment of the highest.
func when(label pipeline.Label, list []moment) string {
	scores := map[float64]float64{}
	top := 0.0
	for _, m := range list {
		score := 0.0
		if m.Label == label {
			score = m.Score
		}
		scores[m.At] = max(scores[m.At], score)
		top = max(top, score)
	}
	if top == 0 {
		return ""
	}
	var times []float64
	for at := range scores {
		times = append(times, at)
	}
	slices.Sort(times)
	var stretches [][2]float64
	open := false
	for _, at := range times {
		found := scores[at] >= min(decisionPoint, top)
		switch {
		case found && open:
			stretches[len(stretches)-1][1] = at
		case found:
			stretches = append(stretches, [2]float64{at, at})
		}
		open = found
	}
	var said []string
	for i, s := range stretches {
		if i == mostStretches {
			said = append(said, "…")
			break
		}
		one := second(s[0])
		if s[1] > s[0] {
			one += "–" + second(s[1])
		}
		said = append(said, one)
	}
	return strings.Join(said, ", ")
}

func second(at float64) string { return strconv.FormatFloat(at, 'f', 1, 64) }
