package console

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"
	"testing"
	"time"

	"nightlight/pipeline"
	"nightlight/queue/review"
	"nightlight/queue/store"
)

// upload judges a picture that stands in a bank.
func (h *house) upload(file string, pdq []byte) store.Committed {
	h.Helper()
	sum := sha256.Sum256([]byte(file))
	hash := hex.EncodeToString(sum[:])
	up, err := h.store.CreateUpload(h.Context(), store.Upload{Tenant: h.tenant, ContentType: "image/jpeg", Bytes: 9, SHA256: hash}, time.Hour)
	h.must(err)
	h.must(h.store.UploadStored(h.Context(), h.tenant, up.ID))
	n := h.says("acct-mia-42", "")
	n.Kind, n.UploadID = pipeline.KindPhoto, up.ID
	l, err := h.store.Claim(h.Context(), h.accept(n), store.StageJudge, "test")
	h.must(err)
	m := pipeline.BankMatch{Name: "ours", Kind: "pdq", Distance: 4, Threshold: 31}
	v := pipeline.DefaultPolicy().Judge(l.Item, pipeline.Findings{
		Signals: []pipeline.Signal{{Label: pipeline.SexualExplicit, Score: m.Score(), Source: "bank/ours@1", Bank: &m}},
		Models:  []pipeline.ModelRef{{Name: "banks", Version: "1"}},
	}, time.Time{})
	done, err := h.store.Commit(h.Context(), l, store.Outcome{Verdict: v, Print: &store.Print{SHA256: hash, PDQ: pdq, Quality: 90, Alone: true}})
	h.must(err)
	return done
}

func TestACaseSaysHowManyCopiesTheDecisionGoesForAndWhichBankHoldsThePicture(t *testing.T) {
	h := openHouse(t)
	pdq := []byte(strings.Repeat("\x5a\xc3", 16))
	near := append([]byte{0x5b}, pdq[1:]...)
	first := h.upload("a", pdq)
	for _, done := range []store.Committed{h.upload("a", pdq), h.upload("a", pdq), h.upload("b", near)} {
		if done.CaseID != first.CaseID {
			t.Fatalf("got case %s, want the copy in %s", done.CaseID, first.CaseID)
		}
	}
	page := h.role(review.RoleReviewer).get("/console/case/" + first.CaseID)
	if page.status != http.StatusOK {
		t.Fatalf("got status %d", page.status)
	}
	for _, want := range []string{"sent 2 times more", "1 more uploads look nearly like it", "bank ours, 4 of at most 31 bits away"} {
		if !strings.Contains(page.body, want) {
			t.Errorf("got a page without %q", want)
		}
	}
}
