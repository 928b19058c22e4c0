package console

import (
	"slices"

	"nightlight/pipeline"
	"nightlight/pipeline/words"
	"nightlight/queue/review"
	"nightlight/queue/store"
)

// telling is the question about guardians, with the letters that wait for its
// answer.
type telling struct {
	Children []letters
	Copies   int // letters about the copies for which the decision goes
}

// letters is word to the guardians of one child.
type letters struct {
	Child string // as the page calls them, such as B
	Count int
	Forms []letter // the first goes out as the labels are, another where they change
}

// letter is what a guardian would read.
type letter struct {
	Labels        []pipeline.Label // of the case, that lead to it
	Before        []string
	Blocked, Goes string // what was done, by the decision
	Helped        string
	After         []string
}

// telling shows which letters wait for the decision.
func (c *Console) telling(v *visit, p *casePage) error {
	waiting, err := c.Store.WaitingNotices(v.ctx(), p.Item.Tenant, p.Item.ID)
	if err != nil || len(waiting) == 0 {
		return err
	}
	p.Tell = &telling{}
	people := lettersOf(p.Item, nil)
	for _, n := range waiting {
		child := mask(slices.Index(people, n.Child))
		i := slices.IndexFunc(p.Tell.Children, func(l letters) bool { return l.Child == child })
		if i < 0 {
			i = len(p.Tell.Children)
			p.Tell.Children = append(p.Tell.Children, letters{Child: child, Forms: c.forms(v, p, n)})
		}
		p.Tell.Children[i].Count++
	}
	copies, err := c.Store.Copies(v.ctx(), v.reviewer(), p.Case.ID)
	if err != nil {
		return err
	}
	for _, k := range copies {
		if !k.SameFile {
			continue
		}
		more, err := c.Store.WaitingNotices(v.ctx(), p.Item.Tenant, k.ItemID)
		if err != nil {
			return err
		}
		p.Tell.Copies += len(more)
	}
	return nil
}

// forms lists the letters that a notice may become by the labels of the case.
func (c *Console) forms(v *visit, p *casePage, n review.Notice) (forms []letter) {
	if c.Words == nil {
		return nil
	}
	choices := n.Letters
	if len(choices) == 0 {
		choices = []review.Letter{{TextKey: n.TextKey}}
	}
	var keys []string
	for _, l := range choices {
		if l.Label != "" && !slices.ContainsFunc(p.Case.Labels, func(have pipeline.LabelScore) bool { return have.Label == l.Label }) {
			continue
		}
		i := slices.Index(keys, l.TextKey)
		if i < 0 {
			i = len(keys)
			keys, forms = append(keys, l.TextKey), append(forms, c.form(v, p.Item, n.Child, l.TextKey))
		}
		if l.Label != "" {
			forms[i].Labels = append(forms[i].Labels, l.Label)
		}
	}
	return forms
}

func (c *Console) form(v *visit, item store.Item, child, key string) letter {
	l, ok := c.Words.ForGuardian(key, v.lang)
	if !ok {
		l, _ = c.Words.ForGuardian("sos", v.lang)
	}
	block := words.FateOf(item.Verdict, pipeline.Block, item.Sender.ID == child)
	out := letter{Before: []string{l.Seen, l.Sure}, Blocked: l.Done.By(block), Goes: l.Done.By(words.Fate{Now: pipeline.Warn}), After: []string{l.Do, l.DoNot}}
	if block.Helped {
		out.Helped = l.Done.Helped
	}
	return out
}

// guardians marks who is a bound guardian of a sender or recipient. One who has
// part in the conversation, though not in what the page shows of it, gets a
// letter too.
func (c *Console) guardians(v *visit, p *casePage, talk []store.Message) error {
	known := lettersOf(p.Item, talk)
	bound, err := c.Store.Guardians(v.ctx(), p.Item.Tenant, lettersOf(p.Item, nil)...)
	if err != nil {
		return err
	}
	ids := make([]string, len(bound))
	for i, g := range bound {
		ids[i] = g.ID
	}
	there, err := c.Store.TakePart(v.ctx(), p.Item.Tenant, p.Item.ConversationID, ids...)
	if err != nil {
		return err
	}
	for _, id := range there {
		if !slices.Contains(known, id) {
			known = append(known, id)
		}
	}
	for i := len(p.People); i < len(known); i++ {
		p.People = append(p.People, participant{Mask: mask(i), Age: ageOf(known[i], talk)})
	}
	for _, g := range bound {
		i := slices.Index(known, g.ID)
		if i < 0 {
			continue
		}
		child := mask(slices.Index(known, g.Child))
		if of := &p.People[i].GuardianOf; *of == "" {
			*of = child
		} else {
			*of += ", " + child
		}
	}
	for i, m := range p.Messages {
		at := slices.IndexFunc(p.People, func(one participant) bool { return one.Mask == m.Mask })
		p.Messages[i].GuardianOf = p.People[at].GuardianOf
	}
	return nil
}

func ageOf(id string, talk []store.Message) *int {
	for _, m := range talk {
		if m.Sender.ID == id {
			return m.Sender.Age
		}
	}
	return nil
}
