package api

import (
	"slices"
	"strings"
	"testing"

	"nightlight/pipeline"
	"nightlight/queue/store"
)

func TestTheWordsForAChildCanBeAskedFor(t *testing.T) {
	d := open(t)
	for _, test := range []struct {
		name, query, language string
		band                  pipeline.AgeBand
		phone                 string // of the first helpline; empty for none
	}{
		{"a small child in China", "key=selfharm.you_matter&locale=zh-CN&age=6", "zh", pipeline.Band3to7, "12356"},
		{"a teenager in Britain", "key=selfharm.you_matter&locale=en-GB&age=16", "en", pipeline.Band15to17, "0800 1111"},
		{"an unknown age and no locale", "key=extortion.not_your_fault&locale=&age=", "en", pipeline.Band8to11, ""},
		{"a language that we do not speak", "key=strangers.meeting&locale=fr-FR&age=13", "en", pipeline.Band12to14, ""},
		{"a grown-up", "key=words.hurt&locale=zh&age=40", "zh", pipeline.BandAdult, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			d := d.in(t)
			got := decode[WordsView](d, d.ask("GET", "/v1/words?"+test.query, ""), 200)
			text, _ := d.Words.ForChild(got.TextKey, test.language, test.band)
			if got.Text != text || got.Text == "" || got.Language != test.language || got.AgeBand != test.band || !strings.Contains(test.query, "key="+got.TextKey) {
				t.Errorf("got %+v, want %q for %s in %s", got, text, test.band, test.language)
			}
			if got.Helplines == nil {
				t.Error("got no list of numbers, want an empty one where none belong")
			}
			if test.phone != "" && (len(got.Helplines) == 0 || got.Helplines[0].Phone != test.phone || got.Helplines[0].Listed == "") {
				t.Errorf("got %+v, want %s first, with its day", got.Helplines, test.phone)
			}
		})
	}
}

func TestWhatCannotBeAskedForIsNamedAndNotQuoted(t *testing.T) {
	d := open(t)
	for query, field := range map[string]string{
		"": "key", "key=": "key", "key=nobody.wrote_this": "key", "key=words.hurt&age=-1": "age", "key=words.hurt&age=121": "age", "key=words.hurt&age=nine": "age",
		"key=words.hurt&locale=zh_CN": "locale", "key=words.hurt&band=3-7": "band", "key=words.hurt&key=words.threat": "key",
	} {
		body := d.ask("GET", "/v1/words?"+query, "")
		if got := fields(decode[Problem](d, body, 422)); got != field {
			t.Errorf("%q: got field %q, want %q", query, got, field)
		}
	}
}

func TestAnItemShowsTheWordsThatItsVerdictHolds(t *testing.T) {
	d := open(t)
	id := decode[AcceptedView](d, d.ask("POST", "/v1/items", message), 202).ID
	want := pipeline.Intervention{To: "sender", Kind: "help", TextKey: "selfharm.you_matter", Text: "You matter.", Helplines: d.Words.Helplines("en")}
	lease, err := d.Store.Claim(t.Context(), id, store.StageJudge, "test")
	if err != nil {
		t.Fatal(err)
	}
	v := pipeline.Verdict{Action: pipeline.Warn, PolicyVersion: "test", DecidedAt: d.Now().UTC(), Interventions: []pipeline.Intervention{want}}
	if _, err := d.Store.Commit(t.Context(), lease, store.Outcome{Verdict: v}); err != nil {
		t.Fatal(err)
	}
	got := decode[ItemView](d, d.ask("GET", "/v1/items/"+id, ""), 200).Verdict.Interventions
	if len(got) != 1 || got[0].Text != want.Text || !slices.Equal(got[0].Helplines, want.Helplines) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}
