package console

import (
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"slices"
	"time"

	"nightlight/pipeline"
	"nightlight/pipeline/words"
	"nightlight/queue/review"
	"nightlight/queue/store"
)

// around is how many messages are shown on each side of the item.
const around = 10

// casePage is everything that the page about one case shows. What a child
// wrote is in it only when Open is true.
type casePage struct {
	Case     review.Case
	Open     bool // the content is shown: an audit line says so
	Shut     bool // there is something to read that is not shown yet
	Lease    review.Lease
	Mine     bool // the visitor holds the lease and may decide
	MayClaim bool
	MayLook  bool
	MustRest bool
	Held     bool // somebody else holds the lease
	Due      int  // seconds to the deadline, negative when it has passed
	LeaseFor int  // seconds
	Item     store.Item
	Gone     bool // the content was erased or its time was over
	People   []participant
	Messages []message
	Heard    []heard
	Preview  template.URL
	Picture  bool     // there is a plain rendition to show
	Sheet    []moment // the frames of which the renditions are a sheet; none of a still
	Sounding bool     // what was sent has a sound
	Sound    bool     // which can be played here
	Labels   []labelRow
	More     []labelGroup // every other label, to add one
	Reasons  []string
	Signals  []pipeline.Signal
	Notes    []store.Note // what was written to us, shown also when the content is gone
	Votes    []review.Vote
	Actions  []choice
	Skips    []string
	Hands    []string
	Handed   string // the reason with which the case was handed to a senior
	Tell     *telling
	Undo     *undoBanner
	Sent     []string // the kinds of word to guardians that had gone before a vote was taken back
	Copies   int      // uploads of the same file that the decision goes for
	Near     int      // uploads of nearly the same picture, for which a block goes
	Rest     bool
	Worked   time.Duration
}

// choice is an action with its key, which is the same on every case.
type choice struct {
	Action pipeline.Action
	Key    int
}

// choices are the actions that may end the case.
func choices(about review.Case, item store.Item) (list []choice) {
	for i, a := range actions {
		if about.Allows(a, item.Action) {
			list = append(list, choice{a, i + 1})
		}
	}
	return list
}

// participant is a person of the conversation under a letter.
type participant struct {
	Mask       string
	Age        *int
	Sender     bool
	GuardianOf string // the letters of their children
}

// heard is what was read in a picture or heard in a voice note.
type heard struct {
	Kind string // ocr or transcript
	At   string
	Text string
}

type labelRow struct {
	pipeline.LabelScore
	Width int
	When  string // the seconds at which it was found, known when the content is open
}

type labelGroup struct {
	Key    string
	Labels []pipeline.Label
}

// casePage shows a case: with its content to who holds it, without to others.
func (c *Console) casePage(v *visit) error {
	p, now, err := c.outline(v)
	if err != nil {
		return err
	}
	if p.Mine {
		_, lease, err := c.Store.ClaimCase(v.ctx(), v.reviewer(), p.Case.ID)
		if err != nil {
			return fmt.Errorf("take case %s again: %w", p.Case.ID, err)
		}
		p.Lease, p.LeaseFor = lease, int(lease.Until.Sub(now)/time.Second)
		if err := c.open(v, p, lease.Token); err != nil {
			return err
		}
		p.Undo = undoFrom(v, now)
		if p.Undo != nil {
			p.Undo.Now, p.Undo.Token = p.Case.ID, lease.Token
		}
	}
	return c.render(v, http.StatusOK, "case", p)
}

// look opens the content of a case for who oversees, without a lease.
func (c *Console) look(v *visit) error {
	p, _, err := c.outline(v)
	if err != nil {
		return err
	}
	p.Mine = false
	if err := c.open(v, p, ""); err != nil {
		return err
	}
	return c.render(v, http.StatusOK, "case", p)
}

// outline is the case without its content.
func (c *Console) outline(v *visit) (*casePage, time.Time, error) {
	now, err := c.Store.Now(v.ctx())
	if err != nil {
		return nil, now, err
	}
	about, err := c.Store.Case(v.ctx(), v.reviewer(), v.id())
	if err != nil {
		return nil, now, err
	}
	item, err := c.Store.Item(v.ctx(), about.Tenant, about.ItemID)
	if err != nil {
		return nil, now, err
	}
	item.Text = "" // opened only after the audit line
	me := v.reviewer()
	live := about.Reviewer != "" && about.LeaseUntil.After(now)
	p := &casePage{
		Case: about, Item: item, Due: int(about.Deadline.Sub(now) / time.Second),
		Mine: live && about.Reviewer == me.ID && me.Role.MayReview() && about.State == review.Open,
		Held: live && about.Reviewer != me.ID, Gone: item.Purged || item.State == store.Erased,
		Actions: choices(about, item), Skips: skipReasons[:], Hands: escalateReasons[:],
		Reasons: c.reasons(v, about.Reasons), People: peopleOf(item),
		Rest: c.shifts.shouldRest(me.ID, now), MustRest: c.shifts.mustRest(me.ID, now),
	}
	// what is written to us about content that is gone outlives it, but no erasure
	p.Shut = !p.Gone || item.State != store.Erased && about.Reports > 0
	p.Worked, _ = c.shifts.so(me.ID, now)
	if slices.Contains(escalateReasons[:], about.Escalated) {
		p.Handed = about.Escalated
	}
	p.MayClaim = me.Role.MayReview() && about.State == review.Open && !live && (about.NeedsRole != review.Senior || me.Role == review.Senior)
	p.MayLook = (me.Role == review.Auditor || me.Role == review.Senior) && !p.Mine
	for _, l := range about.Labels {
		p.Labels = append(p.Labels, labelRow{LabelScore: l, Width: int(l.Score*100 + 0.5)})
	}
	p.More = otherLabels(about.Labels)
	if p.Votes, err = c.Store.Votes(v.ctx(), me, about.ID); err != nil && !errors.Is(err, store.ErrForbidden) {
		return nil, now, err
	}
	for i := range p.Votes {
		p.Votes[i].Note = "" // opened only after the audit line
	}
	if err := c.sent(v, p); err != nil {
		return nil, now, err
	}
	copies, err := c.Store.Copies(v.ctx(), me, about.ID)
	if err != nil {
		return nil, now, err
	}
	for _, k := range copies {
		if k.SameFile {
			p.Copies++
		} else {
			p.Near++
		}
	}
	if slices.ContainsFunc(p.Votes, func(vote review.Vote) bool { return vote.Reviewer == me.ID && vote.UndoneAt.IsZero() }) {
		p.MayClaim = false // nobody votes twice
	}
	return p, now, nil
}

// sent says which word to guardians no undo could call back.
func (c *Console) sent(v *visit, p *casePage) error {
	gone, err := c.Store.NoticesGone(v.ctx(), v.reviewer(), p.Case.ID)
	if err != nil {
		return err
	}
	for _, n := range gone {
		kind := words.Group(pipeline.Label(n.TextKey))
		if !c.pages.words[v.lang].has("group." + kind) {
			kind = ""
		}
		p.Sent = append(p.Sent, kind)
	}
	return nil
}

// open writes the audit line and, only then, brings in the content and what was
// written to us about it, by children and by reviewers; of content that is gone
// the latter alone.
func (c *Console) open(v *visit, p *casePage, token string) error {
	if !p.Shut {
		return nil
	}
	what := "text"
	if p.Gone {
		what = "notes"
	}
	if err := c.Store.View(v.ctx(), v.reviewer(), p.Case.ID, token, what); err != nil {
		return fmt.Errorf("view case %s: %w", p.Case.ID, err)
	}
	var err error
	if p.Notes, err = c.Store.Notes(v.ctx(), v.reviewer(), p.Case.ID); err != nil && !errors.Is(err, store.ErrErased) {
		return err
	}
	if p.Votes, err = c.Store.Votes(v.ctx(), v.reviewer(), p.Case.ID); err != nil && !errors.Is(err, store.ErrForbidden) {
		return err
	}
	p.Shut = false
	if p.Gone {
		return nil
	}
	tenant, id := p.Case.Tenant, p.Case.ItemID
	talk, err := c.Store.Conversation(v.ctx(), tenant, id, around, around)
	if errors.Is(err, store.ErrErased) {
		p.Gone = true
		return nil
	}
	if err != nil {
		return err
	}
	kept, err := c.Store.Evidence(v.ctx(), tenant, id)
	if err != nil && !errors.Is(err, store.ErrErased) {
		return err
	}
	p.Open = true
	if p.Item.Verdict != nil {
		p.Signals = p.Item.Verdict.Signals
	}
	p.Messages = c.messages(p, talk)
	if err := c.guardians(v, p, talk); err != nil {
		return err
	}
	c.evidence(v, p, kept)
	return c.telling(v, p)
}

// evidence brings in what judging left: the grey preview, words that were read or
// heard, and when each label was found.
func (c *Console) evidence(v *visit, p *casePage, kept []store.Evidence) {
	if b, err := c.rendition(v.ctx(), p.Case.Tenant, p.Case.ItemID, kept, kindPreview); err == nil {
		p.Preview = inline(b)
	}
	if p.Sounding, p.Sound = sounding(p.Item), c.audible(p.Item); p.Sound {
		playing(v.w.Header(), "blob:")
	}
	found := signalled(p.Signals)
	for _, e := range kept {
		switch e.Kind {
		case kindThumbnail:
			p.Picture = true
		case kindSheet:
			p.Sheet = momentsOf(e)
		case kindTimes:
			found = append(found, momentsOf(e)...)
		case "ocr", "transcript":
			p.Heard = append(p.Heard, linesOf(e)...)
		}
	}
	for i, row := range p.Labels {
		p.Labels[i].When = when(row.Label, found)
	}
}

// linesOf reads the lines of an ocr or transcript; one that cannot be read
// gives nothing.
func linesOf(e store.Evidence) (lines []heard) {
	var read []struct {
		Text  string   `json:"text"`
		At    *float64 `json:"at"`
		Start *float64 `json:"start"`
	}
	if json.Unmarshal(e.Body, &read) != nil {
		return nil
	}
	for _, r := range read {
		h := heard{Kind: e.Kind, Text: r.Text}
		if at := r.Start; at != nil || r.At != nil {
			if at == nil {
				at = r.At
			}
			h.At = second(*at)
		}
		lines = append(lines, h)
	}
	return lines
}

// otherLabels groups the labels that the verdict does not name.
func otherLabels(have []pipeline.LabelScore) (groups []labelGroup) {
	for _, l := range pipeline.Labels() {
		if slices.ContainsFunc(have, func(h pipeline.LabelScore) bool { return h.Label == l }) {
			continue
		}
		key := words.Group(l)
		if n := len(groups); n > 0 && groups[n-1].Key == key {
			groups[n-1].Labels = append(groups[n-1].Labels, l)
			continue
		}
		if i := slices.IndexFunc(groups, func(g labelGroup) bool { return g.Key == key }); i >= 0 {
			groups[i].Labels = append(groups[i].Labels, l)
			continue
		}
		groups = append(groups, labelGroup{key, []pipeline.Label{l}})
	}
	return groups
}
