package eval

import (
	"path/filepath"
	"testing"

	"nightlight/pipeline"
)

func TestARewritingThatHidesNothingCostsNothingAndOneThatHidesAllCostsAll(t *testing.T) {
	same := weigh([]try{{true, true}, {false, false}, {true, true}, {false, false}})
	if same.Plain != 0.5 || same.Loss != (Interval{}) {
		t.Errorf("nothing hidden: got %+v, want recall .5 and no loss", same)
	}
	gone := weigh([]try{{true, false}, {true, false}, {true, false}})
	if gone.Rewritten != 0 || gone.Loss.Value != 1 || gone.Loss.Low != 1 {
		t.Errorf("all hidden: got %+v, want a loss of 1", gone)
	}
	found := weigh([]try{{false, true}, {true, true}})
	if found.Loss.Value != -0.5 {
		t.Errorf("more found when rewritten: got loss %v, want -.5", found.Loss.Value)
	}
}

func TestEveryRewrittenTextStemsFromASeedAndDiffersFromIt(t *testing.T) {
	seeds, err := readCorpus("testdata")
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{}
	for _, e := range seeds {
		known[identity(e.Text, e.Context)] = true
	}
	dodges, err := readDodges(filepath.Join("testdata", "evasion.jsonl.gz"))
	if err != nil {
		t.Fatal(err)
	}
	kinds := map[string]int{}
	for i, d := range dodges {
		kinds[d.Kind]++
		if !known[identity(d.Was, d.Context)] || d.Was == d.Text || len(d.Labels) == 0 {
			t.Errorf("line %d (%s): no seed, unchanged or without a label", i+1, d.Kind)
		}
	}
	for _, kind := range []string{"homophone", "pinyin", "split", "emoji", "spacing", "leet"} {
		if kinds[kind] < 300 {
			t.Errorf("%s: %d texts, want 300", kind, kinds[kind])
		}
	}
}

func TestTheThresholdOfALabelLetsOneInAHundredOthersThrough(t *testing.T) {
	var all []judged
	for i := range 200 {
		all = append(all, judged{score: map[pipeline.Label]float64{"scam.fraud": float64(i) / 200}})
	}
	over := 0
	for _, j := range all {
		if j.score["scam.fraud"] > oneInHundred(all)["scam.fraud"] {
			over++
		}
	}
	if over != 2 {
		t.Errorf("got %d of 200 over the threshold, want 2", over)
	}
}
