package console

import (
	"html"
	"net/http"
	"strings"
	"testing"
	"time"

	"nightlight/pipeline"
	"nightlight/queue/review"
	"nightlight/queue/store"
)

// waits accepts a message to the child, judges it by the signals, and lets word
// to two guardians of hers wait, who may be told in these letters.
func (h *house) waits(text string, letters []review.Letter, signals ...pipeline.Signal) store.Committed {
	h.Helper()
	l, err := h.store.Claim(h.Context(), h.accept(h.says("acct-sender-77", text)), store.StageJudge, "test")
	h.must(err)
	v := pipeline.DefaultPolicy().Judge(l.Item, pipeline.Findings{Signals: signals, Models: []pipeline.ModelRef{{Name: "test", Version: "1"}}}, time.Time{})
	o := store.Outcome{Verdict: v}
	for _, who := range []string{"guardian-1", "guardian-2"} {
		o.Notices = append(o.Notices, review.Notice{To: "guardian", Recipient: who, Child: "acct-mia-42", TextKey: letters[0].TextKey, Urgency: letters[0].Urgency,
			After: "review", Letters: letters})
	}
	done, err := h.store.Commit(h.Context(), l, o)
	h.must(err)
	return done
}

// read is a page's text as it is seen.
func (a answer) read() string { return html.UnescapeString(a.body) }

func TestTheLettersThatWaitAreShownByPersonAndAsTheLabelsChooseThem(t *testing.T) {
	var (
		urged  = review.Letter{Label: pipeline.SelfharmEncouraged, TextKey: "selfharm.encouraged", Urgency: pipeline.Urgent}
		threat = review.Letter{Label: pipeline.BullyingThreat, TextKey: "bullying", Urgency: pipeline.Soon}
		other  = review.Letter{Label: pipeline.GroomingMeeting, TextKey: "grooming", Urgency: pipeline.Urgent}
	)
	seen := map[string]string{
		"selfharm": "Your child may be in great distress.", "selfharm.encouraged": "Someone may have urged your child",
		"bullying": "Your child may be threatened", "grooming": "Someone may be trying to win your child's trust",
	}
	for name, c := range map[string]struct {
		signals []pipeline.Signal
		letters []review.Letter
		shown   []string
		says    []string
	}{
		"each label that is told has its letter": {
			[]pipeline.Signal{hears(pipeline.SelfharmEncouraged, .92, "", "-"), hears(pipeline.BullyingThreat, .9, "", "-")}, []review.Letter{urged, other, threat},
			[]string{"selfharm.encouraged", "bullying"}, []string{"If you block: The message was stopped.", "If it goes out: The message was delivered, so your child may have seen it.", "Your child was shown how to get help."}},
		"the gravest label is none that is told of this child": {
			[]pipeline.Signal{hears(pipeline.SelfharmEating, .99, "", "-"), hears(pipeline.BullyingThreat, .8, "", "-")}, []review.Letter{threat},
			[]string{"bullying"}, nil},
		"it was delivered already": {
			[]pipeline.Signal{hears(pipeline.GroomingMeeting, .7, "", "-")}, []review.Letter{other},
			[]string{"grooming"}, []string{"If you block: The message was delivered at first and stopped later"}},
	} {
		t.Run(name, func(t *testing.T) {
			h := openHouse(t)
			h.waits("made up", c.letters, c.signals...)
			page, _ := h.role(review.RoleReviewer).opens()
			text := page.read()
			for key, sentence := range seen {
				want := false
				for _, k := range c.shown {
					want = want || k == key
				}
				if strings.Contains(text, sentence) != want {
					t.Errorf("the letter %s: got it shown %t, want %t", key, !want, want)
				}
			}
			for _, want := range append(c.says, "Letters to the guardians of B: 2") {
				if !strings.Contains(text, want) {
					t.Errorf("got a page without %q", want)
				}
			}
			if strings.Contains(text, "guardian-1") || strings.Contains(text, "acct-") {
				t.Error("got an id in the page")
			}
		})
	}
}

func TestTheLetterFollowsTheLabelsThatAReviewerLeavesOn(t *testing.T) {
	h := openHouse(t)
	letters := []review.Letter{{Label: pipeline.BullyingThreat, TextKey: "bullying", Urgency: pipeline.Soon}, {Label: pipeline.GroomingIsolation, TextKey: "grooming", Urgency: pipeline.Soon}}
	about := h.waits("made up", letters, hears(pipeline.BullyingThreat, .9, "", "-"), hears(pipeline.GroomingIsolation, .9, "", "-")).CaseID
	rita := h.role(review.RoleReviewer)
	page, _ := rita.opens()
	got := rita.post("/console/case/"+about+"/decide", "token", page.token(), "action", "block", "tell", "yes", "label", string(pipeline.GroomingIsolation))
	if got.status != http.StatusSeeOther {
		t.Fatalf("got %d", got.status)
	}
	list, _, err := h.store.Deliveries(t.Context(), h.tenant, "guardian-2", "", "", 0)
	h.must(err)
	if len(list) != 1 || list[0].State != store.DeliveryPending || list[0].Notice.TextKey != "grooming" {
		t.Errorf("got %+v, want the letter about what was left on", list)
	}
}

func TestGuardiansOfTheChildAreMarkedInTheConversation(t *testing.T) {
	h := openHouse(t)
	bound := store.Account{ID: "acct-mia-42"}
	for _, id := range []string{"acct-mum", "acct-dad", "acct-aunt"} {
		bound.Guardians = append(bound.Guardians, store.Guardian{ID: id, Relation: "parent"})
	}
	h.must(h.store.PutAccount(t.Context(), h.tenant, bound))
	long := h.says("acct-mia-42", "made up, long ago")
	long.Recipients = []pipeline.Person{{ID: "acct-dad"}} // who was only written to, and before what the page shows
	h.judge(h.accept(long), nil)
	for range around {
		h.judge(h.accept(h.says("acct-mia-42", "made up")), nil)
	}
	h.judge(h.accept(h.says("acct-mum", "made up")), nil)
	h.meeting()
	page, _ := h.role(review.RoleReviewer).opens()
	text := page.read()
	for _, want := range []string{`<b>C</b> <span class="tag">guardian of B</span>`, `<span class="tag">C age unknown · guardian of B</span>`, `<span class="tag">D age unknown · guardian of B</span>`} {
		if !strings.Contains(text, want) {
			t.Errorf("got a page without %q", want)
		}
	}
	if strings.Contains(text, "acct-") || strings.Count(text, "guardian of") != 3 {
		t.Errorf("got an id, or %d marks, want mum's, mum's line and dad's", strings.Count(text, "guardian of"))
	}
}
