package console

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"
	"unicode/utf8"

	"nightlight/pipeline"
	"nightlight/queue/review"
	"nightlight/queue/store"
)

// actions are the decisions in the order of their keys 1 to 5; which of them may
// end a case is review.Case.Allows.
var actions = [...]pipeline.Action{pipeline.Allow, pipeline.Warn, pipeline.Blur, pipeline.Block, review.Keep}

// skipReasons and escalateReasons are the fixed words that the record keeps.
var (
	skipReasons     = [...]string{"too_heavy", "language", "knows_person", "other"}
	escalateReasons = [...]string{"danger_now", "guardian_risk", "law", "unclear"}
)

// maxNote is the longest note, in characters.
const maxNote = 2000

// decide records a vote and opens the next case.
func (c *Console) decide(v *visit) error {
	now, err := c.Store.Now(v.ctx())
	if err != nil {
		return err
	}
	d, err := c.decision(v)
	if err != nil {
		return err
	}
	ctx, cancel := detached(v.ctx())
	defer cancel()
	done, err := c.Store.Decide(ctx, v.reviewer(), d)
	if err != nil {
		return fmt.Errorf("decide case %s: %w", d.CaseID, err)
	}
	c.shifts.worked(v.user().ID, now)
	did := string(d.Action)
	if done.Blind { // the same word whatever the vote led to: it would tell how the other voted
		did = didVote
	}
	return c.goNext(v, undoQuery(d.CaseID, did, done.UndoUntil))
}

// decision reads the form. What the form leaves open is an error: silence is
// no decision.
func (c *Console) decision(v *visit) (review.Decision, error) {
	d := review.Decision{CaseID: v.id(), Token: v.value("token"), Action: pipeline.Action(v.value("action")), Note: v.value("note")}
	if !d.Valid() || utf8.RuneCountInString(d.Note) > maxNote || !utf8.ValidString(d.Note) {
		return d, errInput
	}
	for _, l := range v.r.PostForm["label"] {
		label := pipeline.Label(l)
		if !label.Known() {
			return d, errInput
		}
		if !slices.Contains(d.Labels, label) {
			d.Labels = append(d.Labels, label)
		}
	}
	about, err := c.Store.Case(v.ctx(), v.reviewer(), d.CaseID)
	if err != nil {
		return d, err
	}
	item, err := c.Store.Item(v.ctx(), about.Tenant, about.ItemID)
	if err != nil {
		return d, err
	}
	d.Reason = reasonOf(d, about, item)
	if d.Action == pipeline.Allow {
		return d, nil // nobody is told of what was let through
	}
	waits, err := c.noticeWaits(v, item)
	if err != nil || !waits {
		return d, err
	}
	switch v.value("tell") {
	case "yes":
		d.NotifyGuardians = true
	case "no":
	default:
		return d, errInput
	}
	return d, nil
}

// reasonOf says in a fixed word how the vote relates to the verdict.
func reasonOf(d review.Decision, about review.Case, item store.Item) string {
	var theirs []pipeline.Label
	for _, l := range about.Labels {
		theirs = append(theirs, l.Label)
	}
	mine := slices.Sorted(slices.Values(d.Labels))
	slices.Sort(theirs)
	switch {
	case d.Action == review.Keep:
		return "seen"
	case len(theirs) > 0 && len(mine) == 0:
		return "false_alarm"
	case !slices.Equal(mine, theirs):
		return "wrong_label"
	case item.Verdict != nil && item.Verdict.Action != pipeline.Hold && item.Verdict.Action != d.Action:
		return "context"
	}
	return "agree"
}

// noticeWaits reports whether word to a guardian waits for this decision. Where
// a guardian takes part in the conversation none was written, so that there is
// nothing to choose.
func (c *Console) noticeWaits(v *visit, item store.Item) (bool, error) {
	return c.Store.NoticeWaits(v.ctx(), item.Tenant, item.ID)
}

// undo takes the last vote back and gives the case that was opened since back
// to the queue.
func (c *Console) undo(v *visit) error {
	ctx, cancel := detached(v.ctx())
	defer cancel()
	if _, err := c.Store.Undo(ctx, v.reviewer(), v.id()); err != nil {
		return fmt.Errorf("undo case %s: %w", v.id(), err)
	}
	if since := v.value("since"); plainID(since) && since != v.id() {
		err := c.Store.ReleaseCase(ctx, v.reviewer(), since, v.value("token"), "")
		if err != nil && !errors.Is(err, store.ErrLost) && !errors.Is(err, store.ErrNotFound) {
			return fmt.Errorf("give back case %s: %w", since, err)
		}
	}
	return v.go303("/console/case/" + v.id())
}

// release gives a case back: with a reason it is a skip and the next case
// opens, without one the reviewer goes home.
func (c *Console) release(v *visit) error {
	reason := v.value("reason")
	if reason != "" && !slices.Contains(skipReasons[:], reason) {
		return errInput
	}
	if err := c.Store.ReleaseCase(v.ctx(), v.reviewer(), v.id(), v.value("token"), reason); err != nil {
		return fmt.Errorf("give back case %s: %w", v.id(), err)
	}
	if reason == "" {
		return v.go303("/console/")
	}
	return c.goNext(v, "")
}

func (c *Console) escalate(v *visit) error {
	e := review.Escalation{CaseID: v.id(), Token: v.value("token"), Reason: v.value("reason")}
	if !slices.Contains(escalateReasons[:], e.Reason) {
		return errInput
	}
	if err := c.Store.EscalateCase(v.ctx(), v.reviewer(), e); err != nil {
		return fmt.Errorf("escalate case %s: %w", e.CaseID, err)
	}
	return c.goNext(v, "")
}

// claim takes one case by its id.
func (c *Console) claim(v *visit) error {
	now, err := c.Store.Now(v.ctx())
	if err != nil {
		return err
	}
	if c.shifts.mustRest(v.user().ID, now) {
		return errBreak
	}
	if _, _, err := c.Store.ClaimCase(v.ctx(), v.reviewer(), v.id()); err != nil {
		return fmt.Errorf("take case %s: %w", v.id(), err)
	}
	c.shifts.worked(v.user().ID, now)
	return v.go303("/console/case/" + v.id())
}

// heartbeat keeps the lease alive while the page is in use.
func (c *Console) heartbeat(v *visit) error {
	lease, err := c.Store.HeartbeatCase(v.ctx(), v.reviewer(), v.id(), v.value("token"))
	if err != nil {
		return err
	}
	now, err := c.Store.Now(v.ctx())
	if err != nil {
		return err
	}
	c.shifts.worked(v.user().ID, now)
	v.w.Header().Set("Content-Type", "application/json")
	return json.NewEncoder(v.w).Encode(map[string]int{"left": int(lease.Until.Sub(now) / time.Second)})
}
