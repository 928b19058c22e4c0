package store_test

import (
	"slices"
	"testing"
	"time"

	"nightlight/pipeline"
	"nightlight/queue/review"
	"nightlight/queue/store"
)

// choices is a notice that may become three letters.
func choices() review.Notice {
	return review.Notice{To: "guardian", Recipient: "mum", Child: "leo", TextKey: "selfharm.encouraged", Urgency: pipeline.Urgent, After: "review", Letters: []review.Letter{
		{Label: pipeline.SelfharmEncouraged, TextKey: "selfharm.encouraged", Urgency: pipeline.Urgent},
		{Label: pipeline.GroomingMeeting, TextKey: "grooming", Urgency: pipeline.Urgent},
		{Label: pipeline.BullyingThreat, TextKey: "bullying", Urgency: pipeline.Soon},
	}}
}

// sees has a reviewer vote for a block in which they see these labels, and for
// telling.
func (w *world) sees(r review.Reviewer, labels ...pipeline.Label) string {
	w.Helper()
	w.clock.pass(review.UndoFor)
	c, l := w.take(r)
	_, err := w.Decide(w.Context(), r, review.Decision{CaseID: c.ID, Token: l.Token, Action: pipeline.Block, Labels: labels, Reason: "agree", NotifyGuardians: true})
	w.must(err)
	return c.ID
}

// told returns the one notice to mum.
func (w *world) told() store.Delivery {
	w.Helper()
	list, _, err := w.Deliveries(w.Context(), w.tenant, "mum", "", "", 0)
	w.must(err)
	if len(list) != 1 {
		w.Fatalf("got %d notices, want one", len(list))
	}
	return list[0]
}

func TestTheVotedLabelsChooseTheLetter(t *testing.T) {
	const harm, meeting, threat, insult = pipeline.SelfharmEncouraged, pipeline.GroomingMeeting, pipeline.BullyingThreat, pipeline.BullyingInsult
	for name, c := range map[string]struct {
		first, last []pipeline.Label
		want        string // empty when nobody is told
		urgency     pipeline.Urgency
	}{
		"both leave everything on":                           {[]pipeline.Label{harm, threat}, []pipeline.Label{harm, threat}, "selfharm.encouraged", pipeline.Urgent},
		"both take the gravest off":                          {[]pipeline.Label{threat}, []pipeline.Label{threat}, "bullying", pipeline.Soon},
		"the first takes it off":                             {[]pipeline.Label{threat}, []pipeline.Label{harm, threat}, "bullying", pipeline.Soon},
		"the last takes it off":                              {[]pipeline.Label{harm, threat}, []pipeline.Label{threat}, "bullying", pipeline.Soon},
		"both add one":                                       {[]pipeline.Label{threat, meeting}, []pipeline.Label{meeting, threat}, "grooming", pipeline.Urgent},
		"they name nothing in common, and both want it told": {[]pipeline.Label{threat}, []pipeline.Label{harm}, "selfharm.encouraged", pipeline.Urgent},
		"what they leave on is not told":                     {[]pipeline.Label{insult}, []pipeline.Label{insult}, "", ""},
		"they leave nothing on":                              {nil, nil, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			both(t, func(w *world) {
				w.judged(held(4), choices())
				w.sees(w.user("rita", review.RoleReviewer), c.first...)
				w.sees(w.user("omar", review.RoleReviewer), c.last...)
				got := w.told()
				if c.want == "" {
					if got.State != store.DeliveryCancelled {
						w.Errorf("got %s, want nobody told", got.State)
					}
					return
				}
				if got.State != store.DeliveryPending || got.Notice.TextKey != c.want || got.Urgency != c.urgency || got.Notice.Urgency != c.urgency {
					w.Errorf("got %s with %s, %s, want %s, %s", got.State, got.Notice.TextKey, got.Urgency, c.want, c.urgency)
				}
				w.clock.pass(review.UndoFor)
				l, err := w.ClaimDelivery(w.Context(), got.ID, "w", time.Minute)
				w.must(err)
				if l.Notice.TextKey != c.want {
					w.Errorf("got %s at the worker, want %s", l.Notice.TextKey, c.want)
				}
			})
		})
	}
}

func TestASeniorWhoSettlesSaysWhichLetter(t *testing.T) {
	both(t, func(w *world) {
		w.judged(held(4), choices())
		w.sees(w.user("rita", review.RoleReviewer), pipeline.BullyingThreat)
		omar := w.user("omar", review.RoleReviewer)
		w.clock.pass(review.UndoFor)
		_, l := w.take(omar)
		_, err := w.Decide(w.Context(), omar, review.Decision{CaseID: l.CaseID, Token: l.Token, Action: pipeline.Allow, Reason: "false_alarm"})
		w.must(err)
		w.sees(w.user("sena", review.Senior), pipeline.SelfharmEncouraged)
		if got := w.told(); got.State != store.DeliveryPending || got.Notice.TextKey != "selfharm.encouraged" {
			w.Errorf("got %s with %s, want what the senior saw", got.State, got.Notice.TextKey)
		}
	})
}

func TestADecisionAfterAnUndoChoosesTheLetterAnew(t *testing.T) {
	both(t, func(w *world) {
		rita := w.user("rita", review.RoleReviewer)
		w.judged(held(3), choices())
		for _, c := range []struct {
			labels []pipeline.Label
			want   string
		}{{[]pipeline.Label{pipeline.BullyingThreat}, "bullying"}, {nil, ""}, {[]pipeline.Label{pipeline.SelfharmEncouraged}, "selfharm.encouraged"}} {
			_, l, err := w.NextCase(w.Context(), rita)
			w.must(err)
			_, err = w.Decide(w.Context(), rita, review.Decision{CaseID: l.CaseID, Token: l.Token, Action: pipeline.Block, Labels: c.labels, Reason: "agree", NotifyGuardians: true})
			w.must(err)
			if got := w.told(); (got.State == store.DeliveryCancelled) != (c.want == "") || c.want != "" && got.Notice.TextKey != c.want {
				w.Errorf("%v: got %s with %s, want %q", c.labels, got.State, got.Notice.TextKey, c.want)
			}
			l, err = w.Undo(w.Context(), rita, l.CaseID)
			w.must(err)
			w.must(w.ReleaseCase(w.Context(), rita, l.CaseID, l.Token, ""))
		}
		waiting, err := w.WaitingNotices(w.Context(), w.tenant, w.told().ItemID)
		w.must(err)
		if len(waiting) != 1 || len(waiting[0].Letters) != 3 {
			w.Errorf("got %+v, want the notice waiting with all that it may say", waiting)
		}
		if other, err := w.WaitingNotices(w.Context(), "ten_other", w.told().ItemID); len(other) != 0 || err != nil {
			w.Errorf("got %v, %v for another tenant, want none", other, err)
		}
	})
}

func TestAGuardianWhoToldNoLanguageReadsThatOfTheChild(t *testing.T) {
	both(t, func(w *world) {
		w.must(w.PutAccount(w.Context(), w.tenant, store.Account{ID: "mia", Locale: "zh-CN", Guardians: []store.Guardian{{ID: "mum"}, {ID: "dad", Locale: "en"}}}))
		_, done := w.judged(held(3), notice(""), review.Notice{To: "guardian", Recipient: "dad", Child: "mia", TextKey: "bullying", Urgency: pipeline.Soon})
		if done.CaseID == "" {
			w.Fatal("got no case")
		}
		due, err := w.DueDeliveries(w.Context(), 10)
		w.must(err)
		got := map[string]string{}
		for _, id := range due {
			l, err := w.ClaimDelivery(w.Context(), id, "w", time.Minute)
			w.must(err)
			if l.Guardian != nil {
				got[l.Guardian.ID] = l.Guardian.Locale
			}
		}
		if got["mum"] != "zh-CN" || got["dad"] != "en" {
			w.Errorf("got %v, want the child's language for mum and dad's own", got)
		}
	})
}

func TestWhoHasSentOrReceivedAnythingTakesPartInAConversation(t *testing.T) {
	both(t, func(w *world) {
		send := func(conversation, from string, to ...string) {
			n := w.message("made up")
			n.ConversationID, n.Sender, n.Recipients = conversation, pipeline.Person{ID: from}, nil
			for _, id := range to {
				n.Recipients = append(n.Recipients, pipeline.Person{ID: id})
			}
			w.accept(n)
		}
		send("c1", "mia", "leo", "dad")
		send("c1", "mum", "mia")
		send("c2", "aunt", "mia")
		send("", "uncle", "mia")
		for _, c := range []struct{ tenant, conversation, want string }{
			{w.tenant, "c1", "dad mum"}, {w.tenant, "c2", "aunt"}, {w.tenant, "", ""}, {w.tenant, "c9", ""}, {"ten_other", "c1", ""},
		} {
			got, err := w.TakePart(w.Context(), c.tenant, c.conversation, "aunt", "dad", "mum", "uncle", "ad", "mu")
			w.must(err)
			want := map[string][]string{"dad mum": {"dad", "mum"}, "aunt": {"aunt"}}[c.want]
			if !slices.Equal(got, want) {
				w.Errorf("%q: got %v, want %v", c.conversation, got, want)
			}
		}
	})
}
