package eval

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"

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
	b := Budget{Benign: .01, Hard: .05, Urgent: .8}
	got, err := tune(made(), nil, pipeline.DefaultPolicy(), b)
	if err != nil {
		t.Fatal(err)
	}
	if got.Benign.High > b.Benign || got.HardHeld.High > b.Hard {
		t.Errorf("held up to %.4f of everyday messages and %.4f of hard negatives, want at most %v", got.Benign.High, got.HardHeld.High, b)
	}
	if got.HardHeld.High < b.Hard/2 && got.Benign.High < b.Benign/2 {
		t.Errorf("held %.4f and %.4f: the budget is left unused", got.Benign.Value, got.HardHeld.Value)
	}
	if got.Caught.Value < .3 {
		t.Errorf("caught %.3f of harm, whose scores lie mostly above", got.Caught.Value)
	}
	loose, err := tune(made(), nil, pipeline.DefaultPolicy(), Budget{Benign: .1, Hard: .3, Urgent: .8})
	if err != nil {
		t.Fatal(err)
	}
	if loose.Caught.Value <= got.Caught.Value {
		t.Errorf("a larger budget caught %.3f, a smaller one %.3f", loose.Caught.Value, got.Caught.Value)
	}
}

func TestWhatMayBeSevereIsSeenByAPersonWhateverTheBudget(t *testing.T) {
	all, policy := made(), pipeline.DefaultPolicy()
	got, err := tune(all, nil, policy, Budget{Benign: .002, Hard: .01, Urgent: .7})
	if err != nil {
		t.Fatal(err)
	}
	for l := range got.Hold {
		if _, looks := got.Look[l]; looks != (policy.Labels[l].Severity == 4) {
			t.Errorf("%s of severity %d: a person looks: %t", l, policy.Labels[l].Severity, looks)
		}
	}
	for l, score := range got.Look {
		p := pool{list: all}
		if reached := p.recall(l, score); score > got.Hold[l] || score < .5 || reached < .7 && score > .5 {
			t.Errorf("%s: a person looks from %.2f, it holds from %.2f, recall %.2f", l, score, got.Hold[l], reached)
		}
	}
	if seen := got.Seen["texts of severity 4"]; seen.Value <= got.Severe.Value {
		t.Errorf("of severe texts %.3f are held and %.3f seen: nothing is won", got.Severe.Value, seen.Value)
	}
	if got.Benign.Value > .002 {
		t.Errorf("looking used up the budget of holding: %.4f", got.Benign.Value)
	}
}

func TestAFurtherEverydaySetKeepsToTheBudgetByItself(t *testing.T) {
	b := Budget{Benign: .01, Hard: .05, Urgent: .8}
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
	for _, b := range []Budget{{0, .03, .8}, {.005, 0, .8}, {1, .03, .8}, {.005, 2, .8}, {.005, .03, 0}, {.005, .03, 1}} {
		if _, err := r.Tune(t.Context(), b); err == nil {
			t.Errorf("%v is taken", b)
		}
	}
	if _, err := tune(made()[:300], nil, r.Policy, Budget{.01, .05, .8}); err == nil {
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

func TestATunedPolicyDeliversWhatMayBeSevereAndTellsAPerson(t *testing.T) {
	text, err := os.ReadFile("../pipeline/policies/default.yaml")
	if err != nil {
		t.Fatal(err)
	}
	tuned := Tuning{Hold: map[pipeline.Label]float64{pipeline.SelfharmExpressed: .9, pipeline.GroomingMeeting: .6}, Look: map[pipeline.Label]float64{pipeline.SelfharmExpressed: .55, pipeline.GroomingMeeting: .6}}
	out, err := tuned.Rewrite(text, "test.2")
	if err != nil {
		t.Fatal(err)
	}
	p, err := pipeline.ParsePolicy(out)
	if err != nil {
		t.Fatal(err)
	}
	age := 12
	child := pipeline.Item{Kind: pipeline.KindMessage, Sender: pipeline.Person{ID: "a", Age: &age}, Recipients: []pipeline.Person{{ID: "b"}}}
	for score, want := range map[float64]pipeline.Action{.5: pipeline.Allow, .6: pipeline.Warn, .95: pipeline.Hold} {
		v := p.Judge(child, pipeline.Findings{Signals: []pipeline.Signal{{Label: pipeline.SelfharmExpressed, Score: score}}, Models: []pipeline.ModelRef{{Name: "made"}}}, time.Time{})
		if v.Action != want || v.NeedsPerson() != (want != pipeline.Allow) {
			t.Errorf("at %.2f: got %s, a person looks: %t; want %s: %v", score, v.Action, v.NeedsPerson(), want, v.Reasons)
		}
	}
	if at := p.Labels[pipeline.GroomingMeeting].Act[pipeline.Warn][pipeline.BandAdult]; at > .8 {
		t.Errorf("the distance of older ages is lost: %v", at)
	}
	bare := strings.Replace(string(text), `      warn: {"3-7": 0.5, "8-11": 0.5, "12-14": 0.5, "15-17": 0.5, "adult": 0.5}`+"\n", "", 1)
	if _, err := tuned.Rewrite([]byte(bare), "test.3"); len(bare) == len(text) || err == nil {
		t.Error("a label of severity 4 without a warn score is taken")
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
