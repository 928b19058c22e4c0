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

// reportedLate is a case about a message whose time was over when the report came.
func (h *house) reportedLate(text, note string) (caseID string) {
	h.Helper()
	id := h.accept(h.says("acct-sender-77", text))
	h.judge(id, nil)
	h.clock.pass(31 * 24 * time.Hour)
	if n, err := h.store.Purge(h.Context(), 10); n != 1 || err != nil {
		h.Fatalf("got %d purged, %v, want the message", n, err)
	}
	about, err := h.store.Report(h.Context(), review.Report{Tenant: h.tenant, ItemID: id, Reporter: "acct-mia-42", Label: pipeline.GroomingAgeProbe, Note: note, Severity: 2})
	h.must(err)
	return about
}

func TestAReportAboutContentThatIsGoneIsRead(t *testing.T) {
	h := openHouse(t)
	const text, note = "在吗", "他一直问我几岁"
	about := h.reportedLate(text, note)
	rita := h.role(review.RoleReviewer)
	page := rita.get("/console/case/" + about)
	if strings.Contains(page.body, note) || !strings.Contains(page.body, "/case/"+about+"/claim") || !strings.Contains(page.body, "What was written to us opens when you take the case.") {
		t.Error("got what was written shown at once, or no way to take the case")
	}
	page, id := rita.opens()
	if id != about || !strings.Contains(page.body, note) || !strings.Contains(page.body, "its time was over") || !strings.Contains(page.body, `id="decide"`) || strings.Contains(page.body, text) {
		t.Errorf("got a page of case %s that does not show what was written and that the content is gone", id)
	}
	if acts := h.acts(about); !slices.Equal(acts, []string{"media.view notes"}) {
		t.Errorf("got audit lines %v, want the look", acts)
	}
	auditor := h.role(review.Auditor)
	if page := auditor.get("/console/case/" + about); strings.Contains(page.body, note) || !strings.Contains(page.body, "/case/"+about+"/look") {
		t.Error("the auditor got what was written at once, or no way to look")
	}
	if page := auditor.post("/console/case/" + about + "/look"); page.status != http.StatusOK || !strings.Contains(page.body, note) {
		t.Errorf("got %d, want the auditor to read it on purpose", page.status)
	}
}

func TestAReportAboutContentThatIsGoneIsNotReadWithoutItsAuditLine(t *testing.T) {
	h := openHouse(t)
	const note = "他一直问我几岁"
	about := h.reportedLate("在吗", note)
	rita := h.role(review.RoleReviewer)
	_, _ = rita.opens()
	db, err := sql.Open("sqlite", h.file)
	h.must(err)
	_, err = db.ExecContext(t.Context(), "CREATE TRIGGER broken BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'the log is full'); END")
	h.must(err)
	h.must(db.Close())
	if got := rita.get("/console/case/" + about); got.status != http.StatusInternalServerError || strings.Contains(got.body, note) {
		t.Errorf("got %d, want 500 and nothing shown", got.status)
	}
}

func TestNothingIsOpenedOfAnErasedItemThatWasReported(t *testing.T) {
	h := openHouse(t)
	const note = "他一直问我几岁"
	about := h.reportedLate("在吗", note)
	_, err := h.store.EraseAccount(t.Context(), h.tenant, "acct-sender-77", "test")
	h.must(err)
	auditor := h.role(review.Auditor)
	if page := auditor.get("/console/case/" + about); strings.Contains(page.body, "/look") || !strings.Contains(page.body, "was erased") {
		t.Error("got a way to look at what is erased, or no word of it")
	}
	if page := auditor.post("/console/case/" + about + "/look"); strings.Contains(page.body, note) {
		t.Error("got a note on an erased item")
	}
	if it, err := h.store.Item(t.Context(), h.tenant, h.itemOf(about)); err != nil || it.State != store.Erased {
		t.Errorf("got %s, %v, want the item erased", it.State, err)
	}
}

// itemOf is the item that a case is about.
func (h *house) itemOf(caseID string) string {
	h.Helper()
	about, err := h.store.Case(h.Context(), h.users[review.Auditor].Reviewer(), caseID)
	h.must(err)
	return about.ItemID
}
