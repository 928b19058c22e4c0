package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"nightlight/queue/review"
)

// View writes the audit line for looking at what (such as "original",
// "frame") of a case's item, and counts a severe one. Call it before anything
// is shown; when it fails, show nothing. token must be the reviewer's live
// lease, or empty for an auditor or a senior. ErrCapped when the reviewer saw
// enough severe material for an hour; what they already opened stays open to
// them. A case that they hold and may not look at, because it has become severe
// since, goes back to the queue.
func (s *Store) View(ctx context.Context, r review.Reviewer, caseID, token, what string) error {
	err := s.write(ctx, func(t *tx) error { return s.view(t, r, caseID, token, what) })
	if errors.Is(err, ErrCapped) && token != "" {
		if back := s.ReleaseCase(ctx, r, caseID, token, ""); back != nil && !errors.Is(back, ErrLost) {
			err = errors.Join(err, back)
		}
	}
	if err != nil {
		return fmt.Errorf("view %s of case %s: %w", what, caseID, err)
	}
	return nil
}

func (s *Store) view(t *tx, r review.Reviewer, caseID, token, what string) error {
	r, err := t.who(r)
	if err != nil {
		return err
	}
	c, err := t.caseFor(r, caseID)
	if err != nil {
		return err
	}
	switch {
	case token == "" && (r.Role == review.Senior || r.Role == review.Auditor):
	case !r.Role.MayReview() || c.token != token || token == "" || c.Reviewer != r.ID:
		return ErrForbidden
	case micros(c.LeaseUntil) <= t.at:
		return ErrLost
	}
	if c.Severity >= review.SevereView {
		if err := s.expose(t, r, caseID); err != nil {
			return err
		}
	}
	return t.audit(c.Tenant, r.ID, "media.view", caseID, what)
}

// expose counts a severe view, once an hour for each case.
func (s *Store) expose(t *tx, r review.Reviewer, caseID string) error {
	var seen int
	hour := t.at - time.Hour.Microseconds()
	if err := t.one("SELECT COUNT(*) FROM exposures WHERE reviewer = $1 AND case_id = $2 AND at > $3", args(r.ID, caseID, hour), &seen); err != nil {
		return err
	}
	if seen > 0 {
		return nil
	}
	before, err := t.exposure(r.ID, t.at)
	if err != nil {
		return err
	}
	if before.LastHour >= s.options.SevereViewsPerHour {
		return ErrCapped
	}
	_, err = t.exec("INSERT INTO exposures (reviewer, case_id, at) VALUES ($1, $2, $3)", r.ID, caseID, t.at)
	return err
}

// Exposure is how many severe cases a reviewer opened.
type Exposure struct{ LastHour, LastDay int }

func (t *tx) exposure(reviewer string, now int64) (e Exposure, err error) {
	err = t.one("SELECT COUNT(CASE WHEN at > $3 THEN 1 END), COUNT(*) FROM exposures WHERE reviewer = $1 AND at > $2",
		args(reviewer, now-24*time.Hour.Microseconds(), now-time.Hour.Microseconds()), &e.LastHour, &e.LastDay)
	return e, err
}

// Exposure counts a reviewer's severe views.
func (s *Store) Exposure(ctx context.Context, reviewer string) (Exposure, error) {
	now, err := s.now(ctx)
	var e Exposure
	if err == nil {
		e, err = s.reader(ctx).exposure(reviewer, now)
	}
	if err != nil {
		return Exposure{}, fmt.Errorf("count severe views: %w", err)
	}
	return e, nil
}
