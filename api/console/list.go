package console

import (
	"net/http"
	"net/url"
	"time"

	"nightlight/queue/review"
	"nightlight/queue/store"
)

// caseKinds lists why a case can be open.
var caseKinds = [...]review.Kind{review.KindVerdict, review.KindQuarantine, review.KindReport, review.KindAppeal, review.KindNotice}

// pageLength is how many lines a list shows.
const pageLength = 50

type listPage struct {
	State review.State
	Kind  review.Kind
	Kinds []review.Kind
	Cases []caseRow
	Next  string // the query of the next page
}

// caseRow is a case in a list: why it waits and for how long, no content.
type caseRow struct {
	review.Case
	Waited  time.Duration
	Left    time.Duration // to the deadline
	Overdue bool
	Leased  bool
}

func (c *Console) caseList(v *visit) error {
	q := v.r.URL.Query()
	p := listPage{State: review.State(q.Get("state")), Kind: review.Kind(q.Get("kind")), Kinds: caseKinds[:]}
	if p.State == "" && !q.Has("state") {
		p.State = review.Open
	}
	if p.State != "" && p.State != review.Open && p.State != review.Closed {
		return errInput
	}
	if p.Kind != "" && !c.pages.words[v.lang].has("kind."+string(p.Kind)) {
		return errInput
	}
	now, err := c.Store.Now(v.ctx())
	if err != nil {
		return err
	}
	list, next, err := c.Store.Cases(v.ctx(), v.reviewer(), store.CaseFilter{State: p.State, Kind: p.Kind, Cursor: q.Get("cursor"), Limit: pageLength})
	if err != nil {
		return err
	}
	for _, one := range list {
		row := caseRow{Case: one, Waited: now.Sub(one.OpenedAt), Left: one.Deadline.Sub(now), Leased: one.LeaseUntil.After(now)}
		row.Overdue = one.State == review.Open && row.Left < 0
		p.Cases = append(p.Cases, row)
	}
	if next != "" {
		p.Next = url.Values{"state": {string(p.State)}, "kind": {string(p.Kind)}, "cursor": {next}}.Encode()
	}
	return c.render(v, http.StatusOK, "cases", p)
}
