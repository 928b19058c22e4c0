package console

import (
	"database/sql"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"nightlight/pipeline"
	"nightlight/queue/review"
	"nightlight/queue/store"
)

const line = "那我们出来见一面吧" // how the page may not be seen to begin without a lease

func (a answer) showsTalk() bool { return strings.Contains(a.body, "作业写完了吗") }

func TestContentIsShownOnlyUnderALeaseAndAfterItsAuditLine(t *testing.T) {
	h := openHouse(t)
	id := h.meeting()
	rita := h.role(review.RoleReviewer)
	if page := rita.get("/console/case/" + id); page.status != http.StatusOK || page.showsTalk() || strings.Contains(page.body, line) {
		t.Errorf("got %d before the case was taken, content shown: %v", page.status, page.showsTalk())
	}
	if acts := h.acts(id); len(acts) != 0 {
		t.Errorf("got audit lines %v, want none yet", acts)
	}
	page, got := rita.opens()
	if got != id || !page.showsTalk() {
		t.Fatalf("got case %s, content shown: %v", got, page.showsTalk())
	}
	if acts := h.acts(id); !slices.Equal(acts, []string{"media.view text"}) {
		t.Errorf("got audit lines %v, want the look", acts)
	}
	omar := h.as(h.person("omar", review.RoleReviewer, "", "x"))
	if page := omar.get("/console/case/" + id); page.showsTalk() || !strings.Contains(page.body, "A colleague is looking") {
		t.Error("got content shown to a colleague without the lease")
	}
	if got := omar.post("/console/case/" + id + "/claim").status; got != http.StatusConflict {
		t.Errorf("got %d for a claim on a held case, want 409", got)
	}
	h.clock.pass(11 * time.Minute) // the lease is over, the session not
	if page := rita.get("/console/case/" + id); page.showsTalk() {
		t.Error("got content shown after the lease was over")
	}
}

func TestPeopleAppearAsLettersAndEvidenceIsMarked(t *testing.T) {
	h := openHouse(t)
	h.meeting()
	page, _ := h.role(review.RoleReviewer).opens()
	if strings.Contains(page.body, "acct-") {
		t.Error("got an account's id in the page")
	}
	for _, want := range []string{">出来见一面</mark>", ">别告诉你妈妈</mark>", "<b>A</b> 31 y", "<b>B</b> 9 y", "好呀 几点", "Asks to meet alone"} {
		if !strings.Contains(page.body, want) {
			t.Errorf("got a page without %q", want)
		}
	}
}

func TestThePictureIsSentOnlyAfterItsAuditLine(t *testing.T) {
	h := openHouse(t)
	id := h.photo()
	rita := h.role(review.RoleReviewer)
	if got := rita.post("/console/case/"+id+"/show", "token", ""); got.status != http.StatusForbidden || strings.Contains(got.body, secretPicture) {
		t.Errorf("got %d without a lease, want 403 and no picture", got.status)
	}
	page, _ := rita.opens()
	if !strings.Contains(page.body, `src="data:image/jpeg;base64,`) || strings.Contains(page.body, secretPicture) {
		t.Error("got no preview, or more than a preview")
	}
	got := rita.post("/console/case/"+id+"/show", "token", page.token())
	if got.status != http.StatusOK || got.header.Get("Content-Type") != "image/jpeg" || !strings.HasSuffix(got.body, secretPicture) || got.header.Get("Cache-Control") != "no-store" {
		t.Errorf("got %d of type %q, want the picture", got.status, got.header.Get("Content-Type"))
	}
	if acts := h.acts(id); !slices.Equal(acts, []string{"media.view text", "media.view thumbnail"}) {
		t.Errorf("got audit lines %v, want both looks", acts)
	}
	for _, other := range []*visitor{h.as(h.person("omar", review.RoleReviewer, "", "x")), h.role(review.Admin), h.role(review.ML)} {
		if got := other.post("/console/case/"+id+"/show", "token", page.token()); got.status != http.StatusForbidden || strings.Contains(got.body, secretPicture) {
			t.Errorf("got %d for somebody else with the token, want 403", got.status)
		}
	}
	h.clock.pass(11 * time.Minute)
	if got := rita.post("/console/case/"+id+"/show", "token", page.token()); got.status != http.StatusConflict || strings.Contains(got.body, secretPicture) {
		t.Errorf("got %d after the lease, want 409 and no picture", got.status)
	}
	if acts := h.acts(id); len(acts) != 2 {
		t.Errorf("got audit lines %v, want no more than two", acts)
	}
}

func TestNothingIsShownWhenTheLogCannotBeWritten(t *testing.T) {
	h := openHouse(t)
	id := h.photo()
	rita := h.role(review.RoleReviewer)
	page, _ := rita.opens()
	db, err := sql.Open("sqlite", h.file)
	h.must(err)
	_, err = db.ExecContext(t.Context(), "CREATE TRIGGER broken BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'the log is full'); END")
	h.must(err)
	h.must(db.Close())
	for name, got := range map[string]answer{
		"the picture":         rita.post("/console/case/"+id+"/show", "token", page.token()),
		"the page":            rita.get("/console/case/" + id),
		"the auditor's look":  h.role(review.Auditor).post("/console/case/" + id + "/look"),
		"the auditor's photo": h.role(review.Auditor).post("/console/case/" + id + "/show"),
	} {
		if got.status != http.StatusInternalServerError || strings.Contains(got.body, secretPicture) || strings.Contains(got.body, "我拍的照片") || strings.Contains(got.body, "data:image") {
			t.Errorf("%s: got %d, want 500 and nothing shown", name, got.status)
		}
	}
}

func TestAnAuditorLooksOnPurposeAndIsWrittenDown(t *testing.T) {
	h := openHouse(t)
	id := h.meeting()
	auditor := h.role(review.Auditor)
	if page := auditor.get("/console/case/" + id); page.showsTalk() || !strings.Contains(page.body, "/look") {
		t.Error("got content at once, or no way to look")
	}
	page := auditor.post("/console/case/" + id + "/look")
	if !page.showsTalk() || strings.Contains(page.body, `id="decide"`) {
		t.Errorf("got %d, content shown: %v, want to read and not to decide", page.status, page.showsTalk())
	}
	if acts := h.acts(id); !slices.Equal(acts, []string{"media.view text"}) {
		t.Errorf("got audit lines %v, want the look", acts)
	}
}

func TestTheHourlyCapStopsSevereCasesOnTheServer(t *testing.T) {
	h := openHouse(t, func(s *Settings, o *store.Options) { o.SevereViewsPerHour, s.SevereViewsPerHour = 1, 1 })
	first := h.meeting()
	rita := h.role(review.RoleReviewer)
	page, _ := rita.opens()
	rita.post("/console/case/"+first+"/decide", "token", page.token(), "action", "block", "label", "grooming.meeting")
	second := h.meeting()
	mild := h.trade("出号，金币都送")
	if _, got := rita.opens(); got != mild {
		t.Errorf("got case %s, want the mild one, %s", got, mild)
	}
	if got := rita.post("/console/case/" + second + "/claim").status; got != http.StatusTooManyRequests {
		t.Errorf("got %d for one severe case too many, want 429", got)
	}
	if page := rita.get("/console/"); !strings.Contains(page.body, "<b>1</b> of 1 severe views") {
		t.Error("got a front page that does not tell the exposure")
	}
}

func TestADecisionLeadsToTheNextCaseAndCanBeTakenBack(t *testing.T) {
	h := openHouse(t)
	first, second := h.trade("出号，金币都送"), h.trade("收号")
	rita := h.role(review.RoleReviewer)
	page, id := rita.opens()
	if id != first {
		t.Fatalf("got case %s, want the oldest", id)
	}
	sent := rita.post("/console/case/"+id+"/decide", "token", page.token(), "action", "warn", "label", "market.account_trade", "note", "made up")
	if sent.status != http.StatusSeeOther || sent.to() != "/console/case/"+second {
		t.Fatalf("got %d to %q, want the next case", sent.status, sent.to())
	}
	page = rita.get(sent.header.Get("Location"))
	if !strings.Contains(page.body, "Decided. Warn.") || !strings.Contains(page.body, "/case/"+first+"/undo") {
		t.Error("got no offer to undo")
	}
	if got := rita.post("/console/case/"+first+"/decide", "token", "stale", "action", "allow").status; got != http.StatusConflict {
		t.Errorf("got %d for a decision without the lease, want 409", got)
	}
	h.clock.pass(5 * time.Second)
	back := rita.post("/console/case/"+first+"/undo", "since", second, "token", page.token())
	if back.to() != "/console/case/"+first {
		t.Fatalf("got %d to %q, want the first case again", back.status, back.to())
	}
	about, err := h.store.Case(t.Context(), h.users[review.RoleReviewer].Reviewer(), second)
	h.must(err)
	if about.Reviewer != "" {
		t.Error("got the second case still held, want it given back")
	}
	page = rita.get(back.to())
	rita.post("/console/case/"+first+"/decide", "token", page.token(), "action", "allow")
	h.clock.pass(11 * time.Second)
	if got := rita.post("/console/case/" + first + "/undo").status; got != http.StatusConflict {
		t.Errorf("got %d after the window, want 409", got)
	}
	votes, err := h.store.Votes(t.Context(), h.users[review.RoleReviewer].Reviewer(), first)
	h.must(err)
	if len(votes) != 2 || votes[0].Reason != "agree" || votes[0].Note != "made up" || votes[0].UndoneAt.IsZero() || votes[1].Reason != "false_alarm" {
		t.Errorf("got votes %+v, want the first undone and the second standing", votes)
	}
}

func TestGuardiansAreToldOnlyWhenSomebodySaysSo(t *testing.T) {
	for tell, want := range map[string]store.DeliveryState{"yes": store.DeliveryPending, "no": store.DeliveryCancelled} {
		h := openHouse(t)
		h.guardian()
		text := "别的软件聊吧"
		id := h.accept(h.says("acct-sender-77", text))
		about := h.judge(id, nil, hears(pipeline.GroomingIsolation, .95, text, text)).CaseID
		rita := h.role(review.RoleReviewer)
		page, _ := rita.opens()
		if !strings.Contains(page.body, `name="tell"`) || !strings.Contains(page.body, "What they would read") {
			t.Error("got no question about the guardians")
		}
		if got := rita.post("/console/case/"+about+"/decide", "token", page.token(), "action", "block").status; got != http.StatusBadRequest {
			t.Errorf("got %d when nothing was said about guardians, want 400", got)
		}
		rita.post("/console/case/"+about+"/decide", "token", page.token(), "action", "block", "tell", tell)
		list, _, err := h.store.Deliveries(t.Context(), h.tenant, "guardian-1", "", "", 0)
		h.must(err)
		if len(list) != 1 || list[0].State != want {
			t.Errorf("tell %s: got %+v, want one notice that is %s", tell, list, want)
		}
	}
}

func TestNobodyIsAskedAboutGuardiansWhereNoWordWaits(t *testing.T) {
	h := openHouse(t)
	text := "别的软件聊吧"
	about := h.judge(h.accept(h.says("acct-sender-77", text)), nil, hears(pipeline.GroomingIsolation, .95, text, text)).CaseID
	h.guardian() // bound, but nothing was written to them, as when they are part of the harm
	rita := h.role(review.RoleReviewer)
	page, _ := rita.opens()
	if strings.Contains(page.body, `name="tell"`) {
		t.Error("got a question about guardians although no word to them waits")
	}
	if got := rita.post("/console/case/"+about+"/decide", "token", page.token(), "action", "block").status; got != http.StatusSeeOther {
		t.Errorf("got %d for a decision without word to guardians, want 303", got)
	}
}

func TestASecondVoteIsBlind(t *testing.T) {
	h := openHouse(t)
	id := h.meeting()
	rita, omar := h.role(review.RoleReviewer), h.as(h.person("omar", review.RoleReviewer, "", "x"))
	page, _ := rita.opens()
	sent := rita.post("/console/case/"+id+"/decide", "token", page.token(), "action", "warn", "note", "first opinion")
	if !strings.Contains(sent.header.Get("Location"), "did=vote") {
		t.Errorf("got %q, want word that the vote is recorded", sent.header.Get("Location"))
	}
	h.clock.pass(review.UndoFor)
	page, got := omar.opens()
	if got != id || strings.Contains(page.body, "first opinion") || strings.Contains(page.body, "Decisions so far") {
		t.Error("got the first vote shown to the second voter")
	}
}

func TestASkipIsNotGivenBackAndAnEscalationGoesToASenior(t *testing.T) {
	h := openHouse(t)
	first, second := h.trade("出号"), h.trade("收号")
	rita, sena := h.role(review.RoleReviewer), h.role(review.Senior)
	page, _ := rita.opens()
	if got := rita.post("/console/case/"+first+"/release", "token", page.token(), "reason", "made up").status; got != http.StatusBadRequest {
		t.Errorf("got %d for a reason of one's own, want 400", got)
	}
	sent := rita.post("/console/case/"+first+"/release", "token", page.token(), "reason", "too_heavy")
	if sent.to() != "/console/case/"+second {
		t.Fatalf("got %q, want the next case", sent.to())
	}
	page = rita.get(sent.to())
	if sent = rita.post("/console/case/"+second+"/escalate", "token", page.token(), "reason", "law"); sent.to() != "/console/" {
		t.Errorf("got %q, want home: one is skipped, one handed on", sent.to())
	}
	sena.opens()
	if page = sena.get("/console/case/" + second); !strings.Contains(page.body, `<span class="tag">A question of law</span>`) {
		t.Error("the senior is not told why the case was handed on")
	}
	if acts := h.acts(second); !slices.Contains(acts, "case.escalate law") {
		t.Errorf("got audit lines %v, want the escalation", acts)
	}
}

func TestAHeartbeatKeepsTheCaseAndTellsOfItsLoss(t *testing.T) {
	h := openHouse(t)
	id := h.trade("出号")
	rita := h.role(review.RoleReviewer)
	page, _ := rita.opens()
	for range 3 {
		h.clock.pass(8 * time.Minute)
		got := rita.post("/console/case/"+id+"/heartbeat", "token", page.token())
		if got.status != http.StatusOK || strings.TrimSpace(got.body) != `{"left":600}` {
			t.Fatalf("got %d %s, want ten more minutes", got.status, got.body)
		}
	}
	h.clock.pass(11 * time.Minute)
	if got := rita.post("/console/case/"+id+"/heartbeat", "token", page.token()).status; got != http.StatusConflict {
		t.Errorf("got %d after the lease, want 409", got)
	}
}

func TestAfterTwoHoursThereIsNoNextCaseBeforeABreak(t *testing.T) {
	h := openHouse(t)
	id := h.trade("出号")
	h.trade("收号")
	rita := h.role(review.RoleReviewer)
	page, _ := rita.opens()
	for range 15 {
		h.clock.pass(8 * time.Minute)
		rita.post("/console/case/"+id+"/heartbeat", "token", page.token())
	}
	if sent := rita.post("/console/case/"+id+"/decide", "token", page.token(), "action", "allow"); sent.to() != "/console/" {
		t.Errorf("got %q after two hours, want home", sent.to())
	}
	if page := rita.get("/console/"); !strings.Contains(page.body, "Time for a break") || strings.Contains(page.body, `action="/console/next"`) {
		t.Error("got a front page that still offers the next case")
	}
	if sent := rita.post("/console/next"); sent.to() != "/console/" {
		t.Errorf("got %q, want no case", sent.to())
	}
	h.clock.pass(10 * time.Minute)
	rita.opens()
}

func TestAReportersNoteIsShownWithTheCase(t *testing.T) {
	h := openHouse(t)
	id := h.accept(h.says("acct-sender-77", "在吗"))
	h.judge(id, nil)
	_, err := h.store.Report(t.Context(), review.Report{Tenant: h.tenant, ItemID: id, Reporter: "acct-mia-42", Label: pipeline.GroomingAgeProbe, Note: "他一直问我几岁", Severity: 2})
	h.must(err)
	page, _ := h.role(review.RoleReviewer).opens()
	if !strings.Contains(page.body, "他一直问我几岁") || !strings.Contains(page.body, "Somebody reported it.") || strings.Contains(page.body, "acct-") {
		t.Error("got a page without the note, or with the reporter's id")
	}
}

func TestWhatWasErasedIsGoneAndTheCaseSaysSo(t *testing.T) {
	h := openHouse(t)
	text := "别的软件聊吧"
	id := h.accept(h.says("acct-sender-77", text))
	about := h.judge(id, nil, hears(pipeline.GroomingIsolation, .95, text, text)).CaseID
	_, err := h.store.EraseAccount(t.Context(), h.tenant, "acct-sender-77", "test")
	h.must(err)
	page := h.role(review.Auditor).post("/console/case/" + about + "/look")
	if page.status != http.StatusOK || strings.Contains(page.body, text) || !strings.Contains(page.body, "was erased") {
		t.Errorf("got %d, want a page that says it is erased", page.status)
	}
}

func TestTheListShowsCasesWithoutContent(t *testing.T) {
	h := openHouse(t)
	id := h.meeting()
	h.trade("出号，金币都送")
	page := h.role(review.RoleReviewer).get("/console/cases")
	if !strings.Contains(page.body, "/console/case/"+id) || page.showsTalk() || strings.Contains(page.body, "金币") {
		t.Error("got a list without the case, or with content")
	}
	if page := h.role(review.RoleReviewer).get("/console/cases?state=closed&kind=report"); !strings.Contains(page.body, "No case fits.") {
		t.Error("got cases that do not fit the filter")
	}
}
