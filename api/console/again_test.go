package console

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"nightlight/pipeline"
	"nightlight/queue/review"
	"nightlight/queue/store"
)

func TestAReviewersNoteIsOpenedOnlyAfterTheAuditLine(t *testing.T) {
	h := openHouse(t)
	id := h.trade("出号，金币都送")
	rita := h.role(review.RoleReviewer)
	page, _ := rita.opens()
	rita.post("/console/case/"+id+"/decide", "token", page.token(), "action", "warn", "label", "market.account_trade", "note", "what one of us wrote")
	h.clock.pass(review.UndoFor)
	acts := h.acts(id)
	auditor := h.role(review.Auditor)
	for name, page := range map[string]answer{"the voter": rita.get("/console/case/" + id), "an auditor": auditor.get("/console/case/" + id)} {
		if page.status != http.StatusOK || !strings.Contains(page.body, "Decisions so far") || strings.Contains(page.body, "what one of us wrote") {
			t.Errorf("%s: got %d, want the decision without its note", name, page.status)
		}
	}
	if got := h.acts(id); !slices.Equal(got, acts) {
		t.Errorf("got audit lines %v, want none for a page without content", got)
	}
	if page := auditor.post("/console/case/" + id + "/look"); !strings.Contains(page.body, "what one of us wrote") {
		t.Error("got no note after the look")
	}
	if got := h.acts(id); len(got) != len(acts)+1 {
		t.Errorf("got audit lines %v, want one for the look", got)
	}
}

func TestTheBannerOfABlindVoteSaysTheSameWhateverItLedTo(t *testing.T) {
	for name, second := range map[string]string{"they agree": "block", "they differ": "allow"} {
		h := openHouse(t)
		id := h.meeting()
		rita, omar := h.role(review.RoleReviewer), h.as(h.person("omar", review.RoleReviewer, "", "x"))
		banner := func(v *visitor, action string) string {
			t.Helper()
			page, _ := v.opens()
			sent := v.post("/console/case/"+id+"/decide", "token", page.token(), "action", action, "label", "grooming.meeting")
			said, err := url.Parse(sent.header.Get("Location"))
			h.must(err)
			home := v.get(sent.header.Get("Location"))
			if !strings.Contains(home.body, "Your vote is recorded. Two people look at this") || strings.Contains(home.body, "differ") {
				t.Errorf("%s: got a banner that says more than that the vote is recorded", name)
			}
			h.clock.pass(review.UndoFor)
			return said.Path + said.Query().Get("did")
		}
		if first, then := banner(rita, "block"), banner(omar, second); first != then {
			t.Errorf("%s: got %q for the second voter and %q for the first, want the same", name, then, first)
		}
	}
}

func TestADecisionThatIsSentTwiceGoesOnWithItsUndo(t *testing.T) {
	h := openHouse(t)
	first, second := h.trade("出号，金币都送"), h.trade("收号")
	rita := h.role(review.RoleReviewer)
	page, _ := rita.opens()
	form := []string{"token", page.token(), "action", "warn", "label", "market.account_trade"}
	once, twice := rita.post("/console/case/"+first+"/decide", form...), rita.post("/console/case/"+first+"/decide", form...)
	if twice.status != http.StatusSeeOther || twice.header.Get("Location") != once.header.Get("Location") || twice.to() != "/console/case/"+second {
		t.Errorf("got %d to %q, want the next case as the first time, %q", twice.status, twice.header.Get("Location"), once.header.Get("Location"))
	}
}

// unreached is a blocked message whose guardian could not be told.
func (h *house) unreached() (caseID, item string) {
	h.Helper()
	h.guardian()
	text := "别的软件聊吧"
	item = h.accept(h.says("acct-sender-77", text))
	about := h.judge(item, nil, hears(pipeline.GroomingIsolation, .95, text, text)).CaseID
	sena := h.role(review.Senior)
	page, _ := sena.opens()
	sena.post("/console/case/"+about+"/decide", "token", page.token(), "action", "block", "label", "grooming.isolation", "tell", "yes")
	h.clock.pass(review.UndoFor)
	l := h.notice()
	_, err := h.store.RecordAttempt(h.Context(), l, store.Attempt{Channel: "log", ErrorClass: "refused"})
	h.must(err)
	it, err := h.store.Item(h.Context(), h.tenant, item)
	h.must(err)
	return it.CaseID, item
}

// notice takes the one notice to the guardian as a worker would.
func (h *house) notice() *store.DeliveryLease {
	h.Helper()
	list, _, err := h.store.Deliveries(h.Context(), h.tenant, "guardian-1", "", "", 0)
	h.must(err)
	if len(list) != 1 {
		h.Fatalf("got %d notices, want 1", len(list))
	}
	l, err := h.store.ClaimDelivery(h.Context(), list[0].ID, "test", time.Minute)
	h.must(err)
	return l
}

func TestACaseAboutANoticeOffersToLeaveThingsAsTheyAre(t *testing.T) {
	h := openHouse(t)
	id, item := h.unreached()
	rita := h.role(review.RoleReviewer)
	page, got := rita.opens()
	if got != id || !strings.Contains(page.body, `value="keep" required data-key="5"`) || !strings.Contains(page.body, `value="block" required data-key="4"`) ||
		strings.Contains(page.body, `value="allow"`) {
		t.Error("got a page without the choice to leave it, or with one to unblock it")
	}
	if sent := rita.post("/console/case/"+id+"/decide", "token", page.token(), "action", "allow"); sent.status != http.StatusConflict {
		t.Errorf("got %d for allow, want 409", sent.status)
	}
	sent := rita.post("/console/case/"+id+"/decide", "token", page.token(), "action", "keep", "label", "grooming.isolation")
	if home := rita.get(sent.header.Get("Location")); !strings.Contains(home.body, "Decided. Left as it is.") {
		t.Errorf("got %d to %q, want it decided and an undo", sent.status, sent.header.Get("Location"))
	}
	it, err := h.store.Item(t.Context(), h.tenant, item)
	h.must(err)
	if it.Action != pipeline.Block {
		t.Errorf("got %s, want it blocked still", it.Action)
	}
	if list := rita.get("/console/cases?state=closed"); !strings.Contains(list.body, ">Seen<") {
		t.Error("got a list that does not say how it ended")
	}
}

func TestAfterAnUndoThePageSaysWhichWordToGuardiansHadGone(t *testing.T) {
	h := openHouse(t)
	h.guardian()
	text := "别的软件聊吧"
	id := h.judge(h.accept(h.says("acct-sender-77", text)), nil, hears(pipeline.GroomingIsolation, .95, text, text)).CaseID
	rita := h.role(review.RoleReviewer)
	decide := func() {
		page := rita.get("/console/case/" + id)
		rita.post("/console/case/"+id+"/decide", "token", page.token(), "action", "block", "label", "grooming.isolation", "tell", "yes")
	}
	const said = "The decision was taken back. Word to guardians had gone out before that, or was on its way: 1."
	rita.opens()
	decide()
	if back := rita.post("/console/case/" + id + "/undo"); strings.Contains(rita.get(back.to()).body, said) {
		t.Error("got word that something had gone, which the undo called back")
	}
	decide()
	h.clock.pass(review.UndoFor) // the last moment
	h.notice()
	back := rita.post("/console/case/" + id + "/undo")
	if page := rita.get(back.to()); back.to() != "/console/case/"+id || !strings.Contains(page.body, said) || !strings.Contains(page.body, `<span class="tag">Grooming</span>`) {
		t.Errorf("got %d to %q, want the page to say what had gone", back.status, back.to())
	}
}

func TestWhatBecameSevereDoesNotHoldWhoHasSeenEnough(t *testing.T) {
	h := openHouse(t, func(s *Settings, o *store.Options) { o.SevereViewsPerHour, s.SevereViewsPerHour = 1, 1 })
	severe := h.meeting()
	rita, omar := h.role(review.RoleReviewer), h.as(h.person("omar", review.RoleReviewer, "", "x"))
	page, _ := rita.opens()
	rita.post("/console/case/"+severe+"/decide", "token", page.token(), "action", "block", "label", "grooming.meeting")
	item := h.accept(h.says("acct-mia-42", "出号"))
	id := h.judge(item, nil, hears(pipeline.MarketAccountTrade, .97, "出号", "出号")).CaseID
	if _, got := rita.opens(); got != id {
		t.Fatalf("got case %s, want the mild one", got)
	}
	_, err := h.store.Report(t.Context(), review.Report{Tenant: h.tenant, ItemID: item, Reporter: "acct-leo-3", Label: pipeline.SexualExtortion, Severity: 4})
	h.must(err)
	if page := rita.get("/console/case/" + id); page.status != http.StatusTooManyRequests || !strings.Contains(page.body, "Enough for this hour") {
		t.Errorf("got %d, want 429", page.status)
	}
	if sent := rita.post("/console/next"); sent.to() != "/console/" {
		t.Errorf("got %q, want home and not the same case again", sent.to())
	}
	if sent := omar.post("/console/case/" + id + "/claim"); sent.to() != "/console/case/"+id {
		t.Errorf("got %d for a colleague, want the case", sent.status)
	}
}

func TestTheClockIsReadableWithoutAScriptAndSpokenInWords(t *testing.T) {
	h := openHouse(t)
	id := h.trade("出号，金币都送") // due in a day
	rita := h.role(review.RoleReviewer)
	page, _ := rita.opens()
	for _, want := range []string{`data-time>24:00:00</p>`, ">1440 minutes left for a first look</p>"} {
		if !strings.Contains(page.body, want) {
			t.Errorf("got a page without %q", want)
		}
	}
	h.clock.pass(24*time.Hour + 7*time.Minute + 5*time.Second)
	page = h.role(review.Auditor).get("/console/case/" + id)
	for _, want := range []string{">Overdue by</p>", `data-time>7:05</p>`, ">The first look is 7 minutes overdue</p>"} {
		if !strings.Contains(page.body, want) {
			t.Errorf("got a late page without %q", want)
		}
	}
}

func TestAReportsLabelIsSaidInTheReadersLanguage(t *testing.T) {
	h := openHouse(t)
	id := h.accept(h.says("acct-sender-77", "在吗"))
	h.judge(id, nil)
	_, err := h.store.Report(t.Context(), review.Report{Tenant: h.tenant, ItemID: id, Reporter: "acct-mia-42", Label: pipeline.GroomingAgeProbe, Note: "made up", Severity: 2})
	h.must(err)
	rita := h.role(review.RoleReviewer)
	_, about := rita.opens()
	rita.post("/console/language", "lang", "zh", "back", "/console/")
	page := rita.get("/console/case/" + about)
	words, err := openCatalogue("zh")
	h.must(err)
	if strings.Contains(page.body, `<span class="tag">grooming.age_probe</span>`) || !strings.Contains(page.body, `<span class="tag">`+words["label.grooming.age_probe"]+`</span>`) {
		t.Error("got the label's raw name, want its words")
	}
}
