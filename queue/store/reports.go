package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"nightlight/pipeline"
	"nightlight/queue/review"
)

// Report attaches a flag to the item's open case, or opens one, at least as
// grave as what is known of the item. The same reporter flags an item once: the
// second time returns the same case.
func (s *Store) Report(ctx context.Context, r review.Report) (caseID string, err error) {
	err = s.write(ctx, func(t *tx) error {
		caseID, err = s.flag(t, flagged{tenant: r.Tenant, itemID: r.ItemID, kind: review.KindReport, by: r.Reporter, label: r.Label, note: r.Note,
			severity: r.Severity, deadline: r.Deadline})
		return err
	})
	if err != nil {
		return "", fmt.Errorf("report item %s: %w", r.ItemID, err)
	}
	return caseID, nil
}

// appealSeverity is the least of an appeal: nobody is in danger, somebody
// waits. About something graver it is as grave as that.
const appealSeverity = 1

// Appeal asks for another look at a verdict, by others than who voted on the
// item before. ErrConflict when the item has no verdict yet; the same person's
// second appeal returns the same case.
func (s *Store) Appeal(ctx context.Context, a review.Appeal) (caseID string, err error) {
	err = s.write(ctx, func(t *tx) error {
		caseID, err = s.flag(t, flagged{tenant: a.Tenant, itemID: a.ItemID, kind: review.KindAppeal, by: a.By, note: a.Note,
			severity: appealSeverity, deadline: a.Deadline})
		return err
	})
	if err != nil {
		return "", fmt.Errorf("appeal about item %s: %w", a.ItemID, err)
	}
	return caseID, nil
}

// flagged is a report or an appeal.
type flagged struct {
	tenant, itemID string
	kind           review.Kind
	by             string
	label          pipeline.Label
	note           string
	severity       int
	deadline       time.Duration
}

// defaultFlagDeadline is for a report or an appeal without one.
const defaultFlagDeadline = 24 * time.Hour

func (s *Store) flag(t *tx, f flagged) (caseID string, err error) {
	state, err := t.lockItem(f.tenant, f.itemID)
	if err != nil {
		return "", err
	}
	err = t.one("SELECT case_id FROM reports WHERE item_id = $1 AND kind = $2 AND reporter = $3", args(f.itemID, string(f.kind), f.by), &caseID)
	if !errors.Is(err, ErrNotFound) {
		return caseID, err
	}
	if state == Erased {
		return "", ErrErased
	}
	if f.kind == review.KindAppeal && state == Pending {
		return "", ErrConflict
	}
	if f.deadline <= 0 {
		f.deadline = defaultFlagDeadline
	}
	reason := string(f.kind)
	if f.label != "" {
		reason += " of " + string(f.label)
	}
	n := newCase{tenant: f.tenant, itemID: f.itemID, kind: f.kind, reasons: []string{reason}, severity: f.severity, deadline: f.deadline, reports: 1}
	if err := t.remember(&n); err != nil {
		return "", err
	}
	caseID, err = s.openCase(t, n)
	if err != nil {
		return "", err
	}
	if err := t.render(f.itemID, t.at); err != nil {
		return "", err
	}
	return caseID, s.keepFlag(t, f, caseID)
}

// keepFlag writes the report or appeal, with its words sealed. The item is
// locked: its key must not go between sealing and writing.
func (s *Store) keepFlag(t *tx, f flagged, caseID string) error {
	own, note, err := s.sealFlag(t, f.itemID, string(f.kind)+f.by, f.note)
	if err != nil {
		return err
	}
	_, err = t.exec("INSERT INTO reports (item_id, kind, reporter, case_id, label, note, wrapped, at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING",
		f.itemID, string(f.kind), f.by, caseID, string(f.label), note, own, t.at)
	return err
}

// Note is what a reporter or an appellant wrote.
type Note struct {
	Kind  review.Kind // report or appeal
	By    string
	Label pipeline.Label // empty when none was named
	Text  string
	At    time.Time
}

// Notes opens the reports and appeals of a case, oldest first.
func (s *Store) Notes(ctx context.Context, r review.Reviewer, caseID string) ([]Note, error) {
	list, err := s.notes(ctx, r, caseID)
	if err != nil {
		return nil, fmt.Errorf("read notes of case %s: %w", caseID, err)
	}
	return list, nil
}

func (s *Store) notes(ctx context.Context, r review.Reviewer, caseID string) ([]Note, error) {
	t := s.reader(ctx)
	r, err := t.who(r)
	if err != nil {
		return nil, err
	}
	if !r.Role.MayReview() && r.Role != review.Auditor {
		return nil, ErrForbidden
	}
	c, err := t.caseFor(r, caseID)
	if err != nil {
		return nil, err
	}
	type sealedNote struct {
		Note
		sealed, own []byte
	}
	rows, err := allOf(t, "SELECT kind, reporter, label, note, wrapped, at FROM reports WHERE case_id = $1 ORDER BY at, reporter", args(caseID),
		func(row scanner) (n sealedNote, err error) {
			var at int64
			err = row.Scan(&n.Kind, &n.By, &n.Label, &n.sealed, &n.own, &at)
			n.At = timeOf(at)
			return n, err
		})
	if err != nil {
		return nil, err
	}
	list := make([]Note, len(rows))
	for i, n := range rows {
		list[i] = n.Note
		if list[i].Text, err = s.openFlag(t, c.ItemID, string(n.Kind)+n.By, n.own, n.sealed); err != nil {
			return nil, err
		}
	}
	return list, nil
}
