package console

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"nightlight/pipeline"
	"nightlight/queue/review"
	"nightlight/queue/store"
)

const severeViews = review.SevereViewsPerHour

type homePage struct {
	Counts     review.Counts
	HasCounts  bool
	Severities []bar // worst first
	Ages       []bar
	Waited     time.Duration // of the oldest open case
	MayReview  bool
	Exposure   store.Exposure
	Cap        int
	CapLeft    int
	Capped     bool
	Worked     time.Duration
	Rest, Stop bool
	RestedIn   time.Duration
	None       bool // the queue had nothing for this reviewer
	Undo       *undoBanner
	Links      []navLink
}

// bar is one line of a small chart.
type bar struct {
	Key   string
	Level int
	Count int
	Width int // 0..100
}

func (c *Console) home(v *visit) error {
	now, err := c.Store.Now(v.ctx())
	if err != nil {
		return err
	}
	p := homePage{Cap: c.SevereViewsPerHour, MayReview: v.user().Role.MayReview(), None: v.r.URL.Query().Has("none"), Undo: undoFrom(v, now)}
	counts, err := c.Store.CaseCounts(v.ctx(), v.reviewer())
	switch {
	case err == nil:
		p.count(counts, now)
	case !errors.Is(err, store.ErrForbidden):
		return err
	}
	if p.MayReview {
		if err := c.strain(v, &p, now); err != nil {
			return err
		}
	}
	for _, l := range c.nav(v) {
		if !l.Here {
			p.Links = append(p.Links, l)
		}
	}
	return c.render(v, http.StatusOK, "home", p)
}

func (p *homePage) count(n review.Counts, now time.Time) {
	p.Counts, p.HasCounts = n, true
	top := 1
	for _, k := range append(n.BySeverity[:], n.ByAge[:]...) {
		top = max(top, k)
	}
	for s := len(n.BySeverity) - 1; s >= 0; s-- {
		p.Severities = append(p.Severities, bar{"severity." + strconv.Itoa(s), s, n.BySeverity[s], width(n.BySeverity[s], top)})
	}
	for i, k := range n.ByAge {
		p.Ages = append(p.Ages, bar{"age." + strconv.Itoa(i), i, k, width(k, top)})
	}
	if !n.Oldest.IsZero() {
		p.Waited = now.Sub(n.Oldest)
	}
}

func width(n, top int) int {
	if n == 0 {
		return 0
	}
	return max(2, 100*n/top)
}

// strain is how much the reviewer has seen, and whether a break is due.
func (c *Console) strain(v *visit, p *homePage, now time.Time) (err error) {
	me := v.user().ID
	if p.Exposure, err = c.Store.Exposure(v.ctx(), me); err != nil {
		return err
	}
	p.CapLeft = max(p.Cap-p.Exposure.LastHour, 0)
	p.Capped = p.CapLeft == 0
	worked, rested := c.shifts.so(me, now)
	p.Worked, p.RestedIn = worked, rested.Sub(now)
	p.Rest, p.Stop = c.shifts.shouldRest(me, now), c.shifts.mustRest(me, now)
	return nil
}

// next takes the case that ranks highest and opens it.
func (c *Console) next(v *visit) error {
	return c.goNext(v, "")
}

// goNext sends the browser to the next case, or home when there is none. more
// is a query that tells of the decision before.
func (c *Console) goNext(v *visit, more string) error {
	now, err := c.Store.Now(v.ctx())
	if err != nil {
		return err
	}
	me := v.user().ID
	if c.shifts.mustRest(me, now) {
		return v.go303("/console/?" + more)
	}
	found, _, err := c.Store.NextCase(v.ctx(), v.reviewer())
	if errors.Is(err, store.ErrNotFound) {
		return v.go303("/console/?none=1&" + more)
	}
	if err != nil {
		return fmt.Errorf("take next case: %w", err)
	}
	c.shifts.worked(me, now)
	return v.go303("/console/case/" + found.ID + "?" + more)
}

// undoBanner offers to take the last decision back.
type undoBanner struct {
	Case  string
	Did   string // what was decided, a known word
	Left  int    // seconds
	Token string // of the case that was opened since, to be given back
	Now   string // that case
}

// undoQuery and undoFrom carry the banner to the next page. Nothing in it is
// trusted: the store knows whose vote it is and how long it may be taken back.
func undoQuery(caseID, did string, until time.Time) string {
	return fmt.Sprintf("undo=%s&did=%s&until=%d", caseID, did, until.UnixMilli())
}

func undoFrom(v *visit, now time.Time) *undoBanner {
	q := v.r.URL.Query()
	ms, err := strconv.ParseInt(q.Get("until"), 10, 64)
	left := int((ms - now.UnixMilli()) / 1000)
	id, did := q.Get("undo"), q.Get("did")
	if err != nil || left <= 0 || left > 600 || !plainID(id) {
		return nil
	}
	if !pipeline.Action(did).Known() && did != string(review.Keep) && did != didVote {
		return nil
	}
	return &undoBanner{Case: id, Did: did, Left: left}
}

// didVote is all that is said of a vote beside which another's is blind.
const didVote = "vote"

// plainID reports whether id has the form of an id, before it goes into a link.
func plainID(id string) bool {
	if id == "" || len(id) > 64 {
		return false
	}
	for _, r := range id {
		if !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_' || r == '-') {
			return false
		}
	}
	return true
}
