package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"nightlight/pipeline"
	"nightlight/queue/review"
)

// newCase is what opening a case needs.
type newCase struct {
	tenant, itemID string
	kind           review.Kind
	labels         []pipeline.LabelScore
	reasons        []string
	severity       int
	priority       float64
	deadline       time.Duration
	reports        int
}

// defaultDeadline is for what policy gave no deadline.
const defaultDeadline = 15 * time.Minute

// caseOf is the case of a verdict.
func caseOf(it pipeline.Item, v pipeline.Verdict) newCase {
	n := newCase{tenant: it.Tenant, itemID: it.ID, kind: review.KindVerdict, labels: v.Labels, reasons: v.Reasons,
		severity: v.Severity(), priority: v.Priority, deadline: v.Deadline}
	if v.Quarantine {
		n.kind = review.KindQuarantine
	}
	return n
}

// openCase opens a case, or adds to the open one of the same item: an item
// lies before one person at a time, as urgent as its most urgent reason.
func (s *Store) openCase(t *tx, n newCase) (id string, err error) {
	if n.deadline <= 0 {
		n.deadline = defaultDeadline
	}
	if n.labels == nil {
		n.labels = []pipeline.LabelScore{}
	}
	if n.reasons == nil {
		n.reasons = []string{}
	}
	severity := min(max(n.severity, 0), 4)
	err = t.one(`INSERT INTO cases (id, tenant, item_id, kind, labels, reasons, severity, priority, opened_at, deadline_at, votes_needed, reports)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
		ON CONFLICT (item_id) WHERE state = 'open' DO UPDATE SET
			kind = CASE WHEN excluded.kind IN ('verdict', 'quarantine') OR cases.kind = 'notice' THEN excluded.kind ELSE cases.kind END,
			labels = CASE WHEN excluded.labels <> '[]' THEN excluded.labels ELSE cases.labels END,
			severity = CASE WHEN excluded.severity > cases.severity THEN excluded.severity ELSE cases.severity END,
			priority = CASE WHEN excluded.priority > cases.priority THEN excluded.priority ELSE cases.priority END,
			deadline_at = CASE WHEN excluded.deadline_at < cases.deadline_at THEN excluded.deadline_at ELSE cases.deadline_at END,
			votes_needed = CASE WHEN excluded.votes_needed > cases.votes_needed THEN excluded.votes_needed ELSE cases.votes_needed END,
			reports = cases.reports + excluded.reports
		RETURNING id`,
		args(s.newID("case", t.at), n.tenant, n.itemID, string(n.kind), jsonOf(n.labels), jsonOf(n.reasons), severity, n.priority,
			t.at, t.at+n.deadline.Microseconds(), review.VotesFor(severity), n.reports), &id)
	if err != nil {
		return "", err
	}
	return id, addReasons(t, id, n.reasons)
}

// left is how long it is from now until a deadline; one that has passed stays so.
func left(deadline, now int64) time.Duration {
	return time.Duration(max(deadline-now, 1)) * time.Microsecond
}

// lockItem makes the item's row this transaction's until the end, and says where
// the item stands. Who changes an item and a case about it takes the item first:
// then a verdict, a report, a decision and an undo come one after the other, and
// each sees what the one before it left.
func (t *tx) lockItem(tenant, itemID string) (state State, err error) {
	err = t.one("UPDATE items SET hold = hold WHERE tenant = $1 AND id = $2 RETURNING state", args(tenant, itemID), &state)
	return state, err
}

// lockItemOf is lockItem for the item of a case.
func (t *tx) lockItemOf(caseID string) error {
	_, err := t.exec("UPDATE items SET hold = hold WHERE id = (SELECT item_id FROM cases WHERE id = $1)", caseID)
	return err
}

// remember makes a case about an item that was judged before at least as grave
// as its verdict and as every earlier case about it, under the same labels: what
// took two people is not undone by one.
func (t *tx) remember(n *newCase) error {
	v, err := t.verdictOf(n.itemID)
	if err != nil && !errors.Is(err, ErrNotFound) {
		return err
	}
	var before int
	if err := t.one("SELECT COALESCE(MAX(severity), 0) FROM cases WHERE item_id = $1", args(n.itemID), &before); err != nil {
		return err
	}
	n.labels = v.Labels
	n.severity = max(n.severity, v.Severity(), before)
	n.priority = review.PriorityOf(n.severity)
	return nil
}

// addReasons keeps why a case was opened first beside what was added to it. The case's row is this transaction's.
func addReasons(t *tx, id string, more []string) error {
	var known string
	if err := t.one("SELECT reasons FROM cases WHERE id = $1", args(id), &known); err != nil {
		return err
	}
	var all []string
	if err := json.Unmarshal([]byte(known), &all); err != nil {
		return fmt.Errorf("read reasons of case %s: %w", id, err)
	}
	before := len(all)
	for _, r := range more {
		if !slices.Contains(all, r) {
			all = append(all, r)
		}
	}
	if len(all) == before {
		return nil
	}
	_, err := t.exec("UPDATE cases SET reasons = $2 WHERE id = $1", id, jsonOf(all))
	return err
}

const caseColumns = `c.id, c.tenant, c.item_id, c.kind, c.state, c.labels, c.reasons, c.severity, c.priority, c.opened_at, c.deadline_at,
	c.votes, c.votes_needed, c.needs_role, c.escalated, c.reports, c.reviewer, c.lease_until, c.closed_at, c.action, c.token`

// caseReturning is caseColumns where a statement knows no alias.
var caseReturning = strings.ReplaceAll(caseColumns, "c.", "")

// heldCase is a case with the token of whoever holds it.
type heldCase struct {
	review.Case
	token string
}

func scanCase(row scanner) (c heldCase, err error) {
	var labels, reasons string
	var opened, deadline, lease, closed int64
	err = row.Scan(&c.ID, &c.Tenant, &c.ItemID, &c.Kind, &c.State, &labels, &reasons, &c.Severity, &c.Priority, &opened, &deadline,
		&c.Votes, &c.VotesNeeded, &c.NeedsRole, &c.Escalated, &c.Reports, &c.Reviewer, &lease, &closed, &c.Action, &c.token)
	if err != nil {
		return c, err
	}
	c.OpenedAt, c.Deadline, c.LeaseUntil, c.ClosedAt = timeOf(opened), timeOf(deadline), timeOf(lease), timeOf(closed)
	return c, errors.Join(json.Unmarshal([]byte(labels), &c.Labels), json.Unmarshal([]byte(reasons), &c.Reasons))
}

// who reads the reviewer's role and tenant from the record: what the caller
// says of them is not enough.
func (t *tx) who(r review.Reviewer) (review.Reviewer, error) {
	u, err := t.user(userColumns+" WHERE id = $1 AND disabled_at = 0", r.ID)
	if errors.Is(err, ErrNotFound) {
		return review.Reviewer{}, ErrForbidden
	}
	return u.Reviewer(), err
}

// mayReview is who, for acts that only reviewers and seniors do.
func (t *tx) mayReview(r review.Reviewer) (review.Reviewer, error) {
	r, err := t.who(r)
	if err == nil && !r.Role.MayReview() {
		err = ErrForbidden
	}
	return r, err
}

// caseFor reads a case in the reviewer's scope.
func (t *tx) caseFor(r review.Reviewer, caseID string) (c heldCase, err error) {
	err = firstOf(t, "SELECT "+caseColumns+" FROM cases c WHERE c.id = $2 AND ($1 = '' OR c.tenant = $1)", args(r.Tenant, caseID), scanCase, &c)
	return c, err
}

// mayRead is who may look at the list: everybody of the console but ml, who
// work with figures, not with cases.
func (t *tx) mayRead(r review.Reviewer) (review.Reviewer, error) {
	r, err := t.who(r)
	if err == nil && r.Role == review.ML {
		err = ErrForbidden
	}
	return r, err
}

// Case returns one case in the reviewer's scope.
func (s *Store) Case(ctx context.Context, r review.Reviewer, caseID string) (review.Case, error) {
	t := s.reader(ctx)
	r, err := t.mayRead(r)
	var c heldCase
	if err == nil {
		c, err = t.caseFor(r, caseID)
	}
	if err != nil {
		return review.Case{}, fmt.Errorf("read case %s: %w", caseID, err)
	}
	return c.Case, nil
}

// CaseFilter narrows a list of cases.
type CaseFilter struct {
	State  review.State
	Kind   review.Kind
	ItemID string
	Cursor string
	Limit  int // at most 1,000, default 100
}

// Cases lists cases in the reviewer's scope, newest first.
func (s *Store) Cases(ctx context.Context, r review.Reviewer, f CaseFilter) (list []review.Case, next string, err error) {
	t := s.reader(ctx)
	if r, err = t.mayRead(r); err != nil {
		return nil, "", fmt.Errorf("list cases: %w", err)
	}
	limit := page(f.Limit)
	where, a := "", args(r.Tenant, string(f.State), string(f.Kind), f.ItemID, limit+1)
	if f.Cursor != "" {
		id, ok := idOf(f.Cursor, "case")
		if !ok {
			return nil, "", fmt.Errorf("list cases: cursor: %w", ErrNotFound)
		}
		where, a = " AND c.id < $6", append(a, id)
	}
	rows, err := allOf(t, "SELECT "+caseColumns+` FROM cases c WHERE ($1 = '' OR c.tenant = $1) AND ($2 = '' OR c.state = $2)
		AND ($3 = '' OR c.kind = $3) AND ($4 = '' OR c.item_id = $4)`+where+" ORDER BY c.id DESC LIMIT $5", a, scanCase)
	if err != nil {
		return nil, "", fmt.Errorf("list cases: %w", err)
	}
	if len(rows) > limit {
		rows = rows[:limit]
		next = cursorOf(rows[limit-1].ID)
	}
	for _, c := range rows {
		list = append(list, c.Case)
	}
	return list, next, nil
}

// caseAges are the bounds of review.Counts.ByAge.
var caseAges = [...]time.Duration{5 * time.Minute, 15 * time.Minute, time.Hour, 24 * time.Hour}

// CaseCounts is the overview of the queue in the reviewer's scope.
func (s *Store) CaseCounts(ctx context.Context, r review.Reviewer) (review.Counts, error) {
	n, err := s.caseCounts(ctx, r)
	if err != nil {
		return review.Counts{}, fmt.Errorf("count cases: %w", err)
	}
	return n, nil
}

func (s *Store) caseCounts(ctx context.Context, r review.Reviewer) (n review.Counts, err error) {
	t := s.reader(ctx)
	if r, err = t.mayRead(r); err != nil {
		return n, err
	}
	now, err := s.now(ctx)
	if err != nil {
		return n, err
	}
	err = t.each("SELECT severity, opened_at, deadline_at, lease_until FROM cases WHERE state = 'open' AND ($1 = '' OR tenant = $1)", args(r.Tenant),
		func(row scanner) error {
			var severity int
			var opened, deadline, lease int64
			err := row.Scan(&severity, &opened, &deadline, &lease)
			countCase(&n, now, severity, opened, deadline, lease)
			return err
		})
	return n, err
}

func countCase(n *review.Counts, now int64, severity int, opened, deadline, lease int64) {
	n.Open++
	n.Leased += flag(lease > now)
	n.Overdue += flag(deadline <= now)
	n.BySeverity[min(max(severity, 0), 4)]++
	age := 0
	for age < len(caseAges) && now-opened >= caseAges[age].Microseconds() {
		age++
	}
	n.ByAge[age]++
	if at := timeOf(opened); n.Oldest.IsZero() || at.Before(n.Oldest) {
		n.Oldest = at
	}
}
