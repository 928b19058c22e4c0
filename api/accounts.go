package api

import (
	"context"
	"net/http"
	"net/mail"
	"time"

	"nightlight/queue/store"
)

// AccountBody is what a backend tells about a child, or anybody who writes to
// one. It replaces what was told before.
type AccountBody struct {
	Age        *int           `json:"age,omitempty" doc:"In whole years today; it grows with time. Not beside birth_month." least:"0" most:"120"`
	BirthMonth string         `json:"birth_month,omitempty" doc:"YYYY-MM. Not beside age." max:"7"`
	Locale     string         `json:"locale,omitempty" doc:"A BCP 47 language tag." max:"64"`
	Guardians  []GuardianBody `json:"guardians,omitempty" doc:"Everybody who is bound to the child; who is left out is unbound." most:"8"`
}

// GuardianBody is a person who is bound to a child's account.
type GuardianBody struct {
	ID       string        `json:"id" must:"yes" max:"128"`
	Relation string        `json:"relation" must:"yes" doc:"Such as mother, father or grandparent." max:"64"`
	Locale   string        `json:"locale,omitempty" max:"64"`
	Channels []ChannelBody `json:"channels,omitempty" doc:"How to reach them, in order of preference. Without one a notice becomes a reviewer's case." most:"4"`
	Quiet    *QuietBody    `json:"quiet_hours,omitempty" doc:"When not to disturb them, except for the most urgent."`
}

// ChannelBody is one way to reach a guardian.
type ChannelBody struct {
	Kind    string `json:"kind" must:"yes" enum:"webhook,mail,log"`
	Address string `json:"address,omitempty" doc:"A mail address, or the address of a webhook; nothing for log." max:"512"`
}

// QuietBody is a span of the day.
type QuietBody struct {
	From string `json:"from" must:"yes" doc:"HH:MM" max:"5"`
	To   string `json:"to" must:"yes" doc:"HH:MM" max:"5"`
	Zone string `json:"zone,omitempty" doc:"Of the IANA time zone database, such as Asia/Shanghai." max:"64"`
}

// AccountView is an account as a backend sees it.
type AccountView struct {
	ID string `json:"id" must:"yes"`
	AccountBody
	UpdatedAt time.Time `json:"updated_at" must:"yes"`
}

// ReceiptView says what an erasure did.
type ReceiptView struct {
	ReceiptID   string    `json:"receipt_id" must:"yes"`
	AccountID   string    `json:"account_id" must:"yes"`
	ErasedAt    time.Time `json:"erased_at" must:"yes"`
	ErasedItems int       `json:"erased_items" must:"yes" doc:"Items that are erased now and were not before."`
	HeldItems   int       `json:"held_items" must:"yes" doc:"Items that stay because of a legal hold."`
}

var accountFields = []field[AccountBody]{
	{"age", false, func(s *scan, b *AccountBody) { b.Age = s.age() }},
	{"birth_month", false, func(s *scan, b *AccountBody) { b.BirthMonth = s.clocked("2006-01", "want YYYY-MM") }},
	{"locale", false, func(s *scan, b *AccountBody) { b.Locale = s.locale() }},
	{"guardians", false, func(s *scan, b *AccountBody) {
		s.list(8, func(int) {
			var g GuardianBody
			object(s, guardianFields, &g)
			for _, have := range b.Guardians {
				if have.ID == g.ID && g.ID != "" {
					s.wrongAt("id", "is there twice")
					break
				}
			}
			b.Guardians = append(b.Guardians, g)
		})
	}},
}

var guardianFields = []field[GuardianBody]{
	{"id", true, func(s *scan, b *GuardianBody) { b.ID = s.id() }},
	{"relation", true, func(s *scan, b *GuardianBody) {
		v, ok := s.text(64)
		if ok && !printable(v) {
			s.wrong("want 1 to 64 printable ASCII characters")
		}
		b.Relation = v
	}},
	{"locale", false, func(s *scan, b *GuardianBody) { b.Locale = s.locale() }},
	{"channels", false, func(s *scan, b *GuardianBody) {
		s.list(4, func(int) {
			var ch ChannelBody
			object(s, channelFields, &ch)
			b.Channels = append(b.Channels, ch)
		})
	}},
	{"quiet_hours", false, func(s *scan, b *GuardianBody) {
		b.Quiet = &QuietBody{}
		object(s, quietFields, b.Quiet)
	}},
}

var channelFields = []field[ChannelBody]{
	{"kind", true, func(s *scan, b *ChannelBody) { b.Kind = oneOf(s, "webhook", "mail", "log") }},
	{"address", false, func(s *scan, b *ChannelBody) { b.Address, _ = s.text(512) }},
}

var quietFields = []field[QuietBody]{
	{"from", true, func(s *scan, b *QuietBody) { b.From = s.clocked("15:04", "want HH:MM") }},
	{"to", true, func(s *scan, b *QuietBody) { b.To = s.clocked("15:04", "want HH:MM") }},
	{"zone", false, func(s *scan, b *QuietBody) {
		v, ok := s.text(64)
		if !ok {
			return
		}
		if _, err := time.LoadLocation(v); err != nil || v == "Local" {
			s.wrong("no time zone that we know")
			return
		}
		b.Zone = v
	}},
}

// clocked reads a string in one of time's layouts, written in full.
func (s *scan) clocked(layout, want string) string {
	v, ok := s.text(16)
	if !ok {
		return ""
	}
	if _, err := time.Parse(layout, v); err != nil || len(v) != len(layout) {
		s.wrong(want)
		return ""
	}
	return v
}

// check holds what the scanner cannot see against the rules for addresses.
func (b *AccountBody) check(a *API, account string) []FieldError {
	var errs []FieldError
	if b.Age != nil && b.BirthMonth != "" {
		errs = append(errs, FieldError{"birth_month", "must not be given beside age"})
	}
	if born, err := time.Parse("2006-01", b.BirthMonth); err == nil {
		if now := a.Now(); born.After(now) || now.Year()-born.Year() > maxAge {
			errs = append(errs, FieldError{"birth_month", "want an age of 0 to 120"})
		}
	}
	for i, g := range b.Guardians {
		if g.ID == account {
			errs = append(errs, FieldError{"guardians[" + itoa(i) + "].id", "nobody is their own guardian"})
		}
		for j, ch := range g.Channels {
			if reason := a.address(ch); reason != "" {
				errs = append(errs, FieldError{"guardians[" + itoa(i) + "].channels[" + itoa(j) + "].address", reason})
			}
		}
	}
	return errs
}

// address says what is wrong with a channel's address; empty when nothing is.
func (a *API) address(ch ChannelBody) string {
	switch ch.Kind {
	case "webhook":
		if a.CheckWebhook(ch.Address) != nil {
			return "no address that a webhook may go to"
		}
	case "mail":
		if m, err := mail.ParseAddress(ch.Address); err != nil || m.Address != ch.Address {
			return "want a plain mail address"
		}
	case "log":
		if ch.Address != "" {
			return "must not be given for log"
		}
	}
	return ""
}

func (a *API) putAccount(c *call) error {
	b, err := readBody(a, c, accountFields)
	if err != nil {
		return err
	}
	if errs := b.check(a, c.param); len(errs) > 0 {
		return invalid(errs...)
	}
	acc := store.Account{ID: c.param, Age: b.Age, BirthMonth: b.BirthMonth, Locale: b.Locale}
	if b.Age != nil {
		acc.AgeAt = a.Now().UTC()
	}
	for _, g := range b.Guardians {
		acc.Guardians = append(acc.Guardians, g.guardian())
	}
	if err := a.Store.PutAccount(c.r.Context(), c.tenant(), acc); err != nil {
		return fromStore(err)
	}
	return a.showAccount(c)
}

func (g GuardianBody) guardian() store.Guardian {
	out := store.Guardian{ID: g.ID, Relation: g.Relation, Locale: g.Locale}
	for _, ch := range g.Channels {
		out.Channels = append(out.Channels, store.Channel(ch))
	}
	if g.Quiet != nil {
		out.QuietFrom, out.QuietTo, out.Zone = g.Quiet.From, g.Quiet.To, g.Quiet.Zone
	}
	return out
}

func (a *API) getAccount(c *call) error {
	if _, err := c.queries(); err != nil {
		return err
	}
	return a.showAccount(c)
}

func (a *API) showAccount(c *call) error {
	acc, err := a.Store.Account(c.r.Context(), c.tenant(), c.param)
	if err != nil {
		return fromStore(err)
	}
	v := AccountView{ID: acc.ID, UpdatedAt: acc.UpdatedAt.UTC()}
	v.Age, v.BirthMonth, v.Locale = acc.Age, acc.BirthMonth, acc.Locale
	for _, g := range acc.Guardians {
		v.Guardians = append(v.Guardians, guardianView(g))
	}
	return c.json(http.StatusOK, v)
}

func guardianView(g store.Guardian) GuardianBody {
	out := GuardianBody{ID: g.ID, Relation: g.Relation, Locale: g.Locale}
	for _, ch := range g.Channels {
		out.Channels = append(out.Channels, ChannelBody(ch))
	}
	if g.QuietFrom != "" || g.QuietTo != "" {
		out.Quiet = &QuietBody{g.QuietFrom, g.QuietTo, g.Zone}
	}
	return out
}

// deleteAccount erases what the account sent and is not under hold. It goes on
// when the client has gone: what was asked for is done, and the same again finds
// the receipt.
func (a *API) deleteAccount(c *call) error {
	if err := c.noBody(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(c.r.Context()), a.Limits.EraseFor)
	defer cancel()
	r, err := a.Store.EraseAccount(ctx, c.tenant(), c.param, c.actor())
	if err != nil && ctx.Err() != nil {
		return unfinished(err)
	}
	if err != nil {
		return fromStore(err)
	}
	return c.json(http.StatusOK, ReceiptView{r.ID, r.Account, r.At.UTC(), r.Erased, r.Held})
}

// unfinished is 503 for an erasure that takes longer than one request may.
func unfinished(cause error) *Problem {
	p := problem(http.StatusServiceUnavailable, "unavailable", "Try again", "Not all of it is erased yet. The same again goes on with the rest.")
	p.retryAfter, p.cause = 1, cause
	return p
}
