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
		"self-harm that is urged is told to whoever may be hurt": {
			[]pipeline.Signal{finds(pipeline.SelfharmEncouraged, 1)}, []string{"dad selfharm.encouraged urgent"}},
		"and to the sender's guardians only what the sender says of themself": {
			[]pipeline.Signal{finds(pipeline.SelfharmEncouraged, 1), finds(pipeline.SelfharmExpressed, .9)}, []string{"dad selfharm.encouraged urgent", "mum selfharm urgent"}},
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

func TestTheReviewersLabelsChooseAmongWhatIsToldOfThatChild(t *testing.T) {
	b := newBench(t, nil)
	if err := b.Store.PutAccount(t.Context(), b.tenant, store.Account{ID: "two", Age: years(10), Guardians: []store.Guardian{guardian("dad")}}); err != nil {
		t.Fatal(err)
	}
	it := pipeline.Item{Tenant: b.tenant, Sender: pipeline.Person{ID: "one", Age: years(10)}, Recipients: []pipeline.Person{{ID: "two", Age: years(10)}}}
	v := b.Policy.Judge(it, pipeline.Findings{Models: []pipeline.ModelRef{{Name: "m"}}, Signals: []pipeline.Signal{
		{Label: pipeline.SelfharmEncouraged, Score: .92, Source: "m@1"}, {Label: pipeline.BullyingThreat, Score: .9, Source: "m@1"},
		{Label: pipeline.DangerSubstances, Score: .6, Source: "m@1"}, // warns: guardians hear of it from hold
	}}, b.clock())
	list, err := b.notices(t.Context(), it, v)
	if err != nil || len(list) != 1 {
		t.Fatalf("got %+v, %v, want one notice", list, err)
	}
	for name, c := range map[string]struct {
		voted []pipeline.Label
		want  string
	}{
		"all of them":                     {[]pipeline.Label{pipeline.SelfharmEncouraged, pipeline.BullyingThreat, pipeline.DangerSubstances}, "selfharm.encouraged urgent"},
		"without the gravest":             {[]pipeline.Label{pipeline.BullyingThreat, pipeline.DangerSubstances}, "bullying soon"},
		"only what the machine doubted":   {[]pipeline.Label{pipeline.DangerSubstances}, "danger soon"},
		"a graver one that was added":     {[]pipeline.Label{pipeline.BullyingThreat, pipeline.SexualExtortion}, "sexual urgent"},
		"one about somebody else":         {[]pipeline.Label{pipeline.SelfharmExpressed}, ""},
		"one that no guardian is told of": {[]pipeline.Label{pipeline.BullyingInsult}, ""},
	} {
		n, ok := list[0].For(c.voted)
		if got := n.TextKey + " " + string(n.Urgency); ok != (c.want != "") || ok && got != c.want {
			t.Errorf("%s: got %s, %t, want %q", name, got, ok, c.want)
		}
	}
}

func TestAGuardianWhoTookPartBeforeIsNotTold(t *testing.T) {
	b := newBench(t, says(pipeline.GroomingMeeting, .99))
	for child, parent := range map[string]string{"friend": "mum", "child": "dad"} {
		if err := b.Store.PutAccount(t.Context(), b.tenant, store.Account{ID: child, Age: years(9), Guardians: []store.Guardian{guardian(parent), guardian(parent + "'s")}}); err != nil {
			t.Fatal(err)
		}
	}
	both := []pipeline.Person{{ID: "friend", Age: years(9)}, {ID: "child", Age: years(9)}}
	for name, c := range map[string]struct {
		before pipeline.Item
		want   []string
	}{
		"one who wrote there": {pipeline.Item{ConversationID: "c", Sender: pipeline.Person{ID: "mum", Age: years(40)}, Recipients: both}, []string{"dad", "dad's"}},
		"one who was written to there": {pipeline.Item{ConversationID: "c", Sender: both[0], Recipients: []pipeline.Person{{ID: "x", Age: years(40)}, {ID: "dad's", Age: years(40)}}},
			[]string{"mum", "mum's"}},
		"one who wrote elsewhere": {pipeline.Item{ConversationID: "d", Sender: pipeline.Person{ID: "mum", Age: years(40)}, Recipients: both}, []string{"dad", "dad's", "mum", "mum's"}},
	} {
		c.before.ExternalID = name
		talk := c.before.ConversationID + name // each case has conversations of its own
		c.before.ConversationID = talk
		b.accept(t, c.before)
		id := b.accept(t, pipeline.Item{ExternalID: "then " + name, ConversationID: "c" + name, Sender: pipeline.Person{ID: "x", Age: years(40)}, Recipients: both})
		if err := b.Judge(t.Context(), id); err != nil {
			t.Fatal(err)
		}
		waiting, err := b.Store.WaitingNotices(t.Context(), b.tenant, id)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, n := range waiting {
			got = append(got, n.Recipient)
		}
		if slices.Sort(got); !slices.Equal(got, c.want) {
			t.Errorf("%s: got %v told, want %v", name, got, c.want)
		}
	}
}
