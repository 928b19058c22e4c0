package api

import (
	"crypto/sha256"
	"encoding/binary"
	"time"

	"nightlight/pipeline"
)

// ItemBody is what a backend sends for one item.
type ItemBody struct {
	ExternalID     string            `json:"external_id,omitempty" doc:"The backend's own id, unique within the tenant. Sending the same item again gives the same answer." max:"128"`
	Kind           pipeline.Kind     `json:"kind" must:"yes" enum:"message,photo,video,voice"`
	Text           string            `json:"text,omitempty" doc:"The message, or the caption of a photo, video or voice note." max:"100000"`
	UploadID       string            `json:"upload_id,omitempty" doc:"The stored upload of a photo, video or voice note. Not with a file part, and not for a message." max:"128"`
	Sender         PersonBody        `json:"sender" must:"yes"`
	Recipients     []PersonBody      `json:"recipients,omitempty" doc:"Who can see it, as far as they are known by id." most:"500"`
	ConversationID string            `json:"conversation_id,omitempty" doc:"Messages of one conversation are judged with what was said before." max:"128"`
	Audience       pipeline.Audience `json:"audience,omitempty" doc:"direct when it is not given." enum:"direct,group,public"`
	Locale         string            `json:"locale,omitempty" doc:"A BCP 47 language tag, such as zh-CN." max:"64"`
	SentAt         time.Time         `json:"sent_at,omitzero" doc:"By the sender's clock, at most 24 hours ahead of ours; the time of arrival when it is not given."`
}

// PersonBody is a participant by a pseudonymous id.
type PersonBody struct {
	ID  string `json:"id" must:"yes" max:"128"`
	Age *int   `json:"age,omitempty" doc:"In whole years, left out when not known." least:"0" most:"120"`
}

var itemFields = []field[ItemBody]{
	{"external_id", false, func(s *scan, b *ItemBody) { b.ExternalID = s.id() }},
	{"kind", true, func(s *scan, b *ItemBody) { b.Kind = oneOf(s, pipeline.Kinds[:]...) }},
	{"text", false, func(s *scan, b *ItemBody) { b.Text, _ = s.text(maxText) }},
	{"sender", true, func(s *scan, b *ItemBody) { object(s, personFields, &b.Sender) }},
	{"recipients", false, func(s *scan, b *ItemBody) {
		s.list(maxRecipients, func(int) {
			var p PersonBody
			object(s, personFields, &p)
			b.Recipients = append(b.Recipients, p)
		})
	}},
	{"conversation_id", false, func(s *scan, b *ItemBody) { b.ConversationID = s.id() }},
	{"audience", false, func(s *scan, b *ItemBody) {
		b.Audience = oneOf(s, pipeline.AudienceDirect, pipeline.AudienceGroup, pipeline.AudiencePublic)
	}},
	{"locale", false, func(s *scan, b *ItemBody) { b.Locale = s.locale() }},
	{"sent_at", false, func(s *scan, b *ItemBody) { b.SentAt = s.moment() }},
	{"upload_id", false, func(s *scan, b *ItemBody) { b.UploadID = s.id() }},
}

var personFields = []field[PersonBody]{
	{"id", true, func(s *scan, p *PersonBody) { p.ID = s.id() }},
	{"age", false, func(s *scan, p *PersonBody) { p.Age = s.age() }},
}

// readItem reads and checks one item. file says whether the content comes
// beside it, as a part of the same request.
func readItem(body []byte, now time.Time, file bool) (ItemBody, []FieldError) {
	var b ItemBody
	errs := document(body, func(s *scan) {
		object(s, itemFields, &b)
		if !s.ended {
			b.check(s, now, file)
		}
	})
	if b.Audience == "" {
		b.Audience = pipeline.AudienceDirect
	}
	return b, errs
}

// check holds the fields against each other.
func (b *ItemBody) check(s *scan, now time.Time, file bool) {
	complained := func(name string) bool {
		for _, e := range s.errs {
			if e.Field == name {
				return true
			}
		}
		return false
	}
	wrong := func(name, reason string) {
		if !complained(name) {
			s.wrongAt(name, reason)
		}
	}
	switch {
	case b.Kind == pipeline.KindMessage && b.Text == "":
		wrong("text", "a message must have one")
	case b.Kind == pipeline.KindMessage && b.UploadID != "":
		wrong("upload_id", "a message must not have one")
	case b.Kind == pipeline.KindMessage && file:
		wrong("file", "a message must not have one")
	case b.Kind != "" && b.Kind != pipeline.KindMessage && file && b.UploadID != "":
		wrong("upload_id", "must not be given beside a file")
	case b.Kind != "" && b.Kind != pipeline.KindMessage && !file && b.UploadID == "":
		wrong("upload_id", "a photo, video or voice note needs one, or a file part")
	}
	if b.SentAt.After(now.Add(maxAhead)) {
		wrong("sent_at", "more than 24 hours ahead of our clock")
	}
}

// item is the body as the pipeline knows it.
func (b *ItemBody) item(tenant string) pipeline.Item {
	it := pipeline.Item{
		Tenant: tenant, ExternalID: b.ExternalID, Kind: b.Kind, Text: b.Text,
		Sender: pipeline.Person(b.Sender), ConversationID: b.ConversationID,
		Audience: b.Audience, Locale: b.Locale, SentAt: b.SentAt,
	}
	if len(b.Recipients) > 0 {
		it.Recipients = make([]pipeline.Person, len(b.Recipients))
		for i, r := range b.Recipients {
			it.Recipients[i] = pipeline.Person(r)
		}
	}
	return it
}

// hash tells whether two requests mean the same item, however their JSON is
// written. Content counts by its SHA-256, so that uploading the same file
// again is still the same item.
func (b *ItemBody) hash(contentSHA256 string) [32]byte {
	n := len(b.Text) + 40*len(b.Recipients) + 512
	buf := make([]byte, 0, n)
	text := func(v string) {
		buf = binary.AppendUvarint(buf, uint64(len(v)))
		buf = append(buf, v...)
	}
	person := func(p PersonBody) {
		text(p.ID)
		if p.Age == nil {
			buf = append(buf, 0xff)
		} else {
			buf = append(buf, byte(*p.Age))
		}
	}
	buf = append(buf, "item v1"...)
	for _, v := range [...]string{b.ExternalID, string(b.Kind), b.Text, contentSHA256, b.ConversationID, string(b.Audience), b.Locale} {
		text(v)
	}
	person(b.Sender)
	buf = binary.AppendUvarint(buf, uint64(len(b.Recipients)))
	for _, r := range b.Recipients {
		person(r)
	}
	if !b.SentAt.IsZero() {
		buf = binary.AppendVarint(buf, b.SentAt.UnixMicro())
	}
	return sha256.Sum256(buf)
}
