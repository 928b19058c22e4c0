package api

import (
	"errors"
	"net/http"
	"time"

	"nightlight/pipeline"
	"nightlight/queue/review"
	"nightlight/queue/store"
)

// ReportBody is a child's or guardian's flag on an item.
type ReportBody struct {
	ItemID   string         `json:"item_id" must:"yes" max:"128"`
	Reporter string         `json:"reporter" must:"yes" doc:"Pseudonymous id of who reports. The same one flags an item once." max:"128"`
	Label    pipeline.Label `json:"label,omitempty" doc:"What they say it is; any label, those that no model claims among them." labels:"yes"`
	Note     string         `json:"note,omitempty" doc:"In their own words. Stored sealed: under the item's key, or one of its own where the content is gone." max:"2000"`
}

// AppealBody asks for another look at a verdict.
type AppealBody struct {
	ItemID string `json:"item_id" must:"yes" max:"128"`
	By     string `json:"by" must:"yes" doc:"Pseudonymous id of who appeals." max:"128"`
	Note   string `json:"note,omitempty" doc:"In their own words. Stored sealed: under the item's key, or one of its own where the content is gone." max:"2000"`
}

// CaseView names the case that a report or appeal was attached to.
type CaseView struct {
	CaseID string `json:"case_id" must:"yes"`
	ItemID string `json:"item_id" must:"yes"`
	Links  Links  `json:"links" must:"yes"`
}

var reportFields = []field[ReportBody]{
	{"item_id", true, func(s *scan, b *ReportBody) { b.ItemID = s.id() }},
	{"reporter", true, func(s *scan, b *ReportBody) { b.Reporter = s.id() }},
	{"label", false, func(s *scan, b *ReportBody) {
		v, ok := s.text(64)
		if ok && !pipeline.Label(v).Known() {
			s.wrong("no label of the taxonomy")
		}
		b.Label = pipeline.Label(v)
	}},
	{"note", false, func(s *scan, b *ReportBody) { b.Note, _ = s.text(maxNote) }},
}

var appealFields = []field[AppealBody]{
	{"item_id", true, func(s *scan, b *AppealBody) { b.ItemID = s.id() }},
	{"by", true, func(s *scan, b *AppealBody) { b.By = s.id() }},
	{"note", false, func(s *scan, b *AppealBody) { b.Note, _ = s.text(maxNote) }},
}

// postReport opens a case about an item, or joins the one that is open.
func (a *API) postReport(c *call) error {
	b, err := readBody(a, c, reportFields)
	if err != nil {
		return err
	}
	severity, deadline := a.Policy.Fault.Severity, time.Duration(a.Policy.Fault.Deadline)
	if rule, ok := a.Policy.Labels[b.Label]; ok {
		severity, deadline = rule.Severity, time.Duration(a.Policy.Deadlines[rule.Severity])
	}
	it, err := a.Store.Item(c.r.Context(), c.tenant(), b.ItemID)
	if err != nil {
		return itemNamed(err)
	}
	if it.Verdict != nil && it.Verdict.Severity() > severity { // the case will be as grave
		deadline = min(deadline, time.Duration(a.Policy.Deadlines[it.Verdict.Severity()]))
	}
	id, err := a.Store.Report(c.r.Context(), review.Report{
		Tenant: c.tenant(), ItemID: b.ItemID, Reporter: b.Reporter, Label: b.Label, Note: b.Note,
		Severity: severity, Deadline: deadline,
	})
	return c.opened(id, b.ItemID, err)
}

// postAppeal asks for another look at a verdict.
func (a *API) postAppeal(c *call) error {
	b, err := readBody(a, c, appealFields)
	if err != nil {
		return err
	}
	it, err := a.Store.Item(c.r.Context(), c.tenant(), b.ItemID)
	if err != nil {
		return itemNamed(err)
	}
	if it.Verdict == nil {
		return conflict("This item has no verdict yet.")
	}
	id, err := a.Store.Appeal(c.r.Context(), review.Appeal{
		Tenant: c.tenant(), ItemID: b.ItemID, By: b.By, Note: b.Note,
		Deadline: time.Duration(a.Policy.Deadlines[it.Verdict.Severity()]),
	})
	return c.opened(id, b.ItemID, err)
}

func (c *call) opened(caseID, itemID string, err error) error {
	if err != nil {
		return itemNamed(err)
	}
	return c.json(http.StatusAccepted, CaseView{caseID, itemID, Links{"/v1/items/" + itemID}})
}

// itemNamed is 422 when a body names an item that is not the tenant's.
func itemNamed(err error) error {
	if errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrErased) {
		return invalidField("item_id", "no such item")
	}
	return fromStore(err)
}

// readBody reads a JSON body with exactly these fields.
func readBody[T any](a *API, c *call, fields []field[T]) (b T, err error) {
	raw, free, err := a.body(c)
	if err != nil {
		return b, err
	}
	defer free()
	if errs := document(raw, func(s *scan) { object(s, fields, &b) }); len(errs) > 0 {
		return b, invalid(errs...)
	}
	return b, nil
}
