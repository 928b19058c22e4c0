package workers

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"testing"

	"nightlight/pipeline"
	"nightlight/queue/store"
	"nightlight/workers/webhook"
)

// told judges an item and returns what its verdict shows to whom.
func (b *bench) told(t *testing.T, it pipeline.Item, to string) pipeline.Intervention {
	t.Helper()
	id := b.accept(t, it)
	if err := b.Judge(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	all := b.item(t, id).Verdict.Interventions
	i := slices.IndexFunc(all, func(i pipeline.Intervention) bool { return i.To == to })
	if i < 0 {
		t.Fatalf("got %+v, want one to the %s", all, to)
	}
	return all[i]
}

func TestAnInterventionSpeaksToItsReadersAgeAndLanguage(t *testing.T) {
	person := func(id string, age *int) pipeline.Person { return pipeline.Person{ID: id, Age: age} }
	distress := says(pipeline.SelfharmExpressed, .9)
	request := says(pipeline.SexualImageRequest, .99)
	for _, test := range []struct {
		name   string
		found  fake
		item   pipeline.Item
		to     string
		band   pipeline.AgeBand
		locale string
	}{
		{"a small child who writes Chinese", distress, pipeline.Item{Locale: "zh-CN", Sender: person("a", years(6))}, "sender", pipeline.Band3to7, "zh-CN"},
		{"a teenager who writes English", distress, pipeline.Item{Locale: "en-GB", Sender: person("a", years(16))}, "sender", pipeline.Band15to17, "en-GB"},
		{"an unknown age is that of a child of 8 to 11", distress, pipeline.Item{Locale: "en", Sender: person("a", nil)}, "sender", pipeline.Band8to11, "en"},
		{"an age that only the account tells", distress, pipeline.Item{Locale: "en", Sender: person("told", nil)}, "sender", pipeline.Band12to14, "zh-CN"},
		{"the account's locale goes before the item's", request, pipeline.Item{Locale: "en", Recipients: []pipeline.Person{person("told", years(13))}}, "recipient", pipeline.Band12to14, "zh-CN"},
		{"an account without a locale leaves the item's", distress, pipeline.Item{Locale: "zh-HK", Sender: person("mute", years(9))}, "sender", pipeline.Band8to11, "zh-HK"},
		{"without any locale the text's own language", distress, pipeline.Item{Text: "你好", Sender: person("a", years(9))}, "sender", pipeline.Band8to11, "zh"},
		{"without any locale and Chinese", distress, pipeline.Item{Text: "hello", Sender: person("a", years(9))}, "sender", pipeline.Band8to11, "en"},
		{"a language that we do not speak", distress, pipeline.Item{Locale: "fr", Sender: person("a", years(9))}, "sender", pipeline.Band8to11, "en"},
		{"of several the youngest", request, pipeline.Item{Locale: "en", Recipients: []pipeline.Person{person("x", years(15)), person("y", years(7)), person("z", nil)}}, "recipient", pipeline.Band3to7, "en"},
		{"nobody that is named", request, pipeline.Item{Locale: "en", Recipients: []pipeline.Person{}}, "recipient", pipeline.Band8to11, "en"},
		{"the one who writes, not the one who reads", request, pipeline.Item{Locale: "en", Sender: person("a", years(14)), Recipients: []pipeline.Person{person("y", years(7))}}, "sender", pipeline.Band12to14, "en"},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := newBench(t, test.found)
			for _, a := range []store.Account{{ID: "told", Age: years(13), Locale: "zh-CN"}, {ID: "mute", Age: years(9)}} {
				if err := b.Store.PutAccount(t.Context(), b.tenant, a); err != nil {
					t.Fatal(err)
				}
			}
			got := b.told(t, test.item, test.to)
			want, ok := b.Words.ForChild(got.TextKey, test.locale, test.band)
			if !ok || got.Text != want {
				t.Errorf("got %q, want %q", got.Text, want)
			}
			if lines := b.Words.Beside(got.TextKey, test.locale); !slices.Equal(got.Helplines, lines) {
				t.Errorf("got numbers %v, want %v", got.Helplines, lines)
			}
		})
	}
}

func TestAChildInDistressIsGivenANumberWithItsDay(t *testing.T) {
	b := newBench(t, says(pipeline.SelfharmExpressed, .9))
	got := b.told(t, pipeline.Item{Locale: "zh-CN", Sender: pipeline.Person{ID: "a", Age: years(10)}}, "sender")
	if got.TextKey != "selfharm.you_matter" || len(got.Helplines) == 0 || got.Helplines[0].Phone != "12356" {
		t.Fatalf("got %+v, want the national helpline first", got)
	}
	if day := b.Words.Listed.Format("2006-01-02"); got.Helplines[0].Listed != day {
		t.Errorf("got listed %q, want %q", got.Helplines[0].Listed, day)
	}
}

func TestAWarningAboutKindWordsHasNoNumbers(t *testing.T) {
	b := newBench(t, says(pipeline.BullyingInsult, .6))
	if got := b.told(t, pipeline.Item{Locale: "en"}, "sender"); got.Text == "" || got.Helplines != nil {
		t.Errorf("got %+v, want words and no numbers", got)
	}
}

func TestAPolicysOwnKeyHasNoWordsOfOurs(t *testing.T) {
	b := newBench(t, silent())
	v := pipeline.Verdict{Interventions: []pipeline.Intervention{{To: "sender", Kind: "tip", TextKey: "house.rules"}}}
	if err := b.say(t.Context(), pipeline.Item{Tenant: b.tenant, Sender: pipeline.Person{ID: "a"}}, &v); err != nil {
		t.Fatal(err)
	}
	if i := v.Interventions[0]; i.Text != "" || i.Helplines != nil || i.TextKey != "house.rules" {
		t.Errorf("got %+v, want the key alone", i)
	}
}

func TestAWebhookCarriesTheWordsAndNumbersAndNothingOfTheChilds(t *testing.T) {
	b := newBench(t, says(pipeline.SelfharmExpressed, .9))
	bodies := make(chan []byte, 1)
	srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		bodies <- body
	}))
	t.Cleanup(srv.Close)
	port := netip.MustParseAddrPort(srv.Listener.Addr().String()).Port()
	b.Webhooks = webhook.NewSender(webhook.Rules{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, Ports: []uint16{port}, PlainHTTP: true})
	e, err := b.Store.CreateEndpoint(t.Context(), store.Endpoint{Tenant: b.tenant, URL: srv.URL, Secrets: []string{webhook.NewSecret()}}, "test")
	if err != nil {
		t.Fatal(err)
	}
	const said = "a sentence of the child's own"
	b.told(t, pipeline.Item{Locale: "en", Text: said, Sender: pipeline.Person{ID: "a", Age: years(13)}}, "sender")
	list, _, err := b.Store.Deliveries(t.Context(), b.tenant, e.ID, "", "", 1)
	if err != nil || len(list) != 1 {
		t.Fatalf("got %d deliveries, %v", len(list), err)
	}
	if err := b.Deliver(t.Context(), list[0].ID); err != nil {
		t.Fatal(err)
	}
	body := <-bodies
	var got struct {
		Data struct{ Interventions []pipeline.Intervention }
	}
	if err := json.Unmarshal(body, &got); err != nil {
		t.Fatal(err)
	}
	want, _ := b.Words.ForChild("selfharm.you_matter", "en", pipeline.Band12to14)
	if i := got.Data.Interventions; len(i) != 1 || i[0].Text != want || !slices.Equal(i[0].Helplines, b.Words.Helplines("en")) {
		t.Errorf("got %+v, want the words and the numbers", i)
	}
	if bytes.Contains(body, []byte(said)) {
		t.Error("the webhook quotes the child")
	}
}
