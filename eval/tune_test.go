package eval

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"

	"nightlight/pipeline"
)

// made is a set of judged lines whose scores overlap: harm is mostly high, the
// rest mostly low.
func made() []judged {
	rng := rand.New(rand.NewPCG(3, 4))
	var all []judged
	for i := range 3000 {
		l := pipeline.TextLabels[i%len(pipeline.TextLabels)]
		j := judged{Example: Example{Text: fmt.Sprint(i), Of: l}, score: map[pipeline.Label]float64{}}
		for _, other := range pipeline.TextLabels {
			j.score[other] = rng.Float64() * rng.Float64() * 0.7
		}
		switch i % 3 {
		case 0:
			j.Labels = []pipeline.Label{l}
			j.score[l] = 1 - rng.Float64()*rng.Float64()*0.8
		case 1:
			j.Hard = true
			j.score[l] = rng.Float64() * 0.9
		}
		all = append(all, j)
	}
	return all
}

func TestTunedScoresKeepToTheBudgetAndUseIt(t *testing.T) {
	b := Budget{Benign: .01, Hard: .05}
	got, err := tune(made(), nil, pipeline.DefaultPolicy(), b)
	if err != nil {
		t.Fatal(err)
	}
	if got.Benign.Value > b.Benign || got.HardHeld.Value > b.Hard {
		t.Errorf("held %.4f of everyday messages and %.4f of hard negatives, want at most %v", got.Benign.Value, got.HardHeld.Value, b)
	}
	if got.HardHeld.Value < b.Hard/2 && got.Benign.Value < b.Benign/2 {
		t.Errorf("held %.4f and %.4f: the budget is left unused", got.Benign.Value, got.HardHeld.Value)
	}
	if got.Caught.Value < .3 {
		t.Errorf("caught %.3f of harm, whose scores lie mostly above", got.Caught.Value)
	}
	loose, err := tune(made(), nil, pipeline.DefaultPolicy(), Budget{Benign: .1, Hard: .3})
	if err != nil {
		t.Fatal(err)
	}
	if loose.Caught.Value <= got.Caught.Value {
		t.Errorf("a larger budget caught %.3f, a smaller one %.3f", loose.Caught.Value, got.Caught.Value)
	}
}

func TestAFurtherEverydaySetKeepsToTheBudgetByItself(t *testing.T) {
	b := Budget{Benign: .01, Hard: .05}
	rng := rand.New(rand.NewPCG(5, 6))
	var street []judged
	for range 1000 {
		j := judged{score: map[pipeline.Label]float64{}}
		for _, l := range pipeline.TextLabels {
			j.score[l] = rng.Float64() * rng.Float64() * 0.95
		}
		street = append(street, j)
	}
	alone, err := tune(made(), nil, pipeline.DefaultPolicy(), b)
	if err != nil {
		t.Fatal(err)
	}
	got, err := tune(made(), map[string][]judged{"street": street}, pipeline.DefaultPolicy(), b)
	if err != nil {
		t.Fatal(err)
	}
	if held := got.Everyday["street"].Value; held > b.Benign || held == 0 {
		t.Errorf("held %.4f of a further everyday set, want some and at most %v", held, b.Benign)
	}
	if got.Caught.Value >= alone.Caught.Value {
		t.Errorf("caught %.3f with the further set, %.3f without: it costs nothing, so it cannot have counted", got.Caught.Value, alone.Caught.Value)
	}
	if _, err := tune(made(), map[string][]judged{"street": street[:100]}, pipeline.DefaultPolicy(), b); err == nil {
		t.Error("100 messages are enough")
	}
}

func TestABudgetThatIsNoShareAndTooFewLinesAreRefused(t *testing.T) {
	r := Runner{Policy: pipeline.DefaultPolicy(), Root: ".."}
	for _, b := range []Budget{{0, .03}, {.005, 0}, {1, .03}, {.005, 2}} {
		if _, err := r.Tune(t.Context(), b); err == nil {
			t.Errorf("%v is taken", b)
		}
	}
	if _, err := tune(made()[:300], nil, r.Policy, Budget{.01, .05}); err == nil {
		t.Error("300 lines are enough")
	}
}

func TestATunedPolicyKeepsItsCommentsAndLetsNoActionOvertakeAnother(t *testing.T) {
	text, err := os.ReadFile("../pipeline/policies/default.yaml")
	if err != nil {
		t.Fatal(err)
	}
	for _, hold := range []float64{.5, .72, .99} {
		tuned := Tuning{Hold: map[pipeline.Label]float64{}}
		for l, rule := range pipeline.DefaultPolicy().Labels {
			if rule.Act[pipeline.Hold] != nil {
				tuned.Hold[l] = hold
			}
		}
		out, err := tuned.Rewrite(text, "test.1")
		if err != nil {
			t.Fatal(err)
		}
		p, err := pipeline.ParsePolicy(out)
		if err != nil {
			t.Fatal(err)
		}
		if p.Version != "test.1" {
			t.Errorf("version: got %q", p.Version)
		}
		for l := range tuned.Hold {
			if got := p.Labels[l].Act[pipeline.Hold][pipeline.Band8to11]; got != hold {
				t.Errorf("%s holds from %v, want %v", l, got, hold)
			}
		}
		meeting := p.Labels[pipeline.GroomingMeeting]
		if meeting.Peers <= hold {
			t.Errorf("meeting holds from %v, between peers from %v: they are not told apart", hold, meeting.Peers)
		}
		if got, want := strings.Count(string(out), "\n"), strings.Count(string(text), "\n"); got != want || strings.Count(string(out), "#") != strings.Count(string(text), "#") {
			t.Errorf("got %d lines, want %d with the same comments", got, want)
		}
	}
}

func TestTuningLinesAreReadByKind(t *testing.T) {
	list, err := readTuning("../" + tuneLines)
	if err != nil {
		t.Fatal(err)
	}
	var harm, hard, calm int
	for _, e := range list {
		switch {
		case e.Hard:
			hard++
		case len(e.Labels) > 0:
			harm++
		default:
			calm++
		}
	}
	if harm < 800 || hard < 1000 || calm < 1000 {
		t.Errorf("harmful %d, hard %d, everyday %d", harm, hard, calm)
	}
}
