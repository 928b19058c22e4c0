package workers

import (
	"slices"
	"testing"

	"nightlight/pipeline"
	"nightlight/queue/store"
)

func TestTheLetterIsAboutWhatGuardiansHearOfAndGoesToThatChildsOwn(t *testing.T) {
	b := newBench(t, nil)
	for child, parent := range map[string]string{"one": "mum", "two": "dad"} {
		if err := b.Store.PutAccount(t.Context(), b.tenant, store.Account{ID: child, Age: years(10), Guardians: []store.Guardian{guardian(parent)}}); err != nil {
			t.Fatal(err)
		}
	}
	b.Policy.Banks["told"] = pipeline.BankRule{Label: pipeline.SexualSuggestive, Severity: 3, Action: pipeline.Hold, Hear: []pipeline.Hearing{
		{Who: "reviewer", Urgency: pipeline.Soon, From: pipeline.Hold}, {Who: "guardian", Urgency: pipeline.Soon, From: pipeline.Hold}}}
	b.Policy.Banks["untold"] = pipeline.BankRule{Label: pipeline.SexualExplicit, Severity: 4, Action: pipeline.Hold, Hear: []pipeline.Hearing{
		{Who: "reviewer", Urgency: pipeline.Soon, From: pipeline.Hold}}}
	finds := func(l pipeline.Label, score float64) pipeline.Signal {
		return pipeline.Signal{Label: l, Score: score, Source: "m@1"}
	}
	inBank := func(name string) pipeline.Signal {
		s := finds(b.Policy.Bank(name).Label, 1)
		s.Bank = &pipeline.BankMatch{Name: name, Kind: "sha256"}
		return s
	}
	for name, c := range map[string]struct {
		signals []pipeline.Signal
		want    []string // guardian, letter and urgency
	}{
		"a graver label that only warns is not what guardians hear of": {
			[]pipeline.Signal{finds(pipeline.SelfharmEating, .55), finds(pipeline.BullyingThreat, 1)}, []string{"dad bullying soon"}},
		"each child's guardian hears of what is about that child": {
			[]pipeline.Signal{finds(pipeline.SelfharmEating, 1), finds(pipeline.GroomingMeeting, 1)}, []string{"dad grooming urgent", "mum selfharm soon"}},
		"the gravest is what the letter is about, and the most urgent says when": {
			[]pipeline.Signal{finds(pipeline.SexualImageRequest, .995), finds(pipeline.GroomingMeeting, 1)}, []string{"dad grooming urgent"}},
		"a bank's rule tells where its label's own does not": {
			[]pipeline.Signal{inBank("told")}, []string{"dad sexual soon", "mum sexual soon"}},
		"a bank whose rule tells no guardian leaves that to the labels": {
			[]pipeline.Signal{inBank("untold"), finds(pipeline.BullyingThreat, 1)}, []string{"dad bullying soon"}},
	} {
		it := pipeline.Item{Tenant: b.tenant, Sender: pipeline.Person{ID: "one", Age: years(10)}, Recipients: []pipeline.Person{{ID: "two", Age: years(10)}}}
		v := b.Policy.Judge(it, pipeline.Findings{Signals: c.signals, Models: []pipeline.ModelRef{{Name: "m"}}}, b.clock())
		notices, err := b.notices(t.Context(), it, v)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, n := range notices {
			got = append(got, n.Recipient+" "+n.TextKey+" "+string(n.Urgency))
		}
		if slices.Sort(got); !slices.Equal(got, c.want) {
			t.Errorf("%s: got %v, want %v", name, got, c.want)
		}
	}
}
