package pipeline

import (
	"slices"
	"time"
)

// Kind says what an Item carries.
type Kind string

// The four kinds of content that a child can send.
const (
	KindMessage Kind = "message"
	KindPhoto   Kind = "photo"
	KindVideo   Kind = "video"
	KindVoice   Kind = "voice"
)

// Kinds lists every kind in the order of the documentation.
var Kinds = [...]Kind{KindMessage, KindPhoto, KindVideo, KindVoice}

// Known reports whether k is one of the four kinds.
func (k Kind) Known() bool {
	switch k {
	case KindMessage, KindPhoto, KindVideo, KindVoice:
		return true
	}
	return false
}

// Audience says who can see an Item.
type Audience string

// The three audiences.
const (
	AudienceDirect Audience = "direct"
	AudienceGroup  Audience = "group"
	AudiencePublic Audience = "public"
)

// Known reports whether a is one of the three audiences.
func (a Audience) Known() bool {
	switch a {
	case AudienceDirect, AudienceGroup, AudiencePublic:
		return true
	}
	return false
}

// Person is a participant by a pseudonymous id. Age is in whole years, nil
// when the backend does not know it.
type Person struct {
	ID  string `json:"id"`
	Age *int   `json:"age,omitempty"`
}

// From says who wrote a Turn, seen from the text that is being judged.
type From string

// Self wrote the judged text; Other is anybody else in the conversation.
const (
	Self  From = "self"
	Other From = "other"
)

// Turn is an earlier message of the same conversation. Age is in whole years,
// nil when it is not known.
type Turn struct {
	From From   `json:"from"`
	Text string `json:"text"`
	Age  *int   `json:"age,omitempty"`
}

// Item is one thing that a child, or somebody who writes to a child, sends.
type Item struct {
	ID             string
	Tenant         string
	ExternalID     string
	Kind           Kind
	Text           string // the message, or the caption of a photo, video or voice note
	MediaKey       string // where the media object rests; empty for a message
	Sender         Person
	Recipients     []Person
	ConversationID string
	Audience       Audience
	Locale         string // BCP 47, such as zh-CN
	SentAt         time.Time
	ReceivedAt     time.Time

	// Context holds the last messages of the conversation, oldest first.
	Context []Turn
	// ContextUnread is true when a message is missing in Context because it
	// could not be opened.
	ContextUnread bool
	// ToGuardian is true when the item is direct and every recipient is a bound guardian of the
	// sender. Such a message is never held or blocked.
	ToGuardian bool
}

// AgeBand is a span of ages that policy treats alike.
type AgeBand string

// The age bands, youngest first.
const (
	Band3to7   AgeBand = "3-7"
	Band8to11  AgeBand = "8-11"
	Band12to14 AgeBand = "12-14"
	Band15to17 AgeBand = "15-17"
	BandAdult  AgeBand = "adult"
)

// AgeBands lists the bands, youngest first.
var AgeBands = [...]AgeBand{Band3to7, Band8to11, Band12to14, Band15to17, BandAdult}

// BandOf returns the band of an age in years. A person whose age is not known
// is treated as a child of 8 to 11, so that an unknown age never loosens a
// threshold; ages below 3 count as the youngest band.
func BandOf(age *int) AgeBand {
	switch {
	case age == nil:
		return Band8to11
	case *age <= 7:
		return Band3to7
	case *age <= 11:
		return Band8to11
	case *age <= 14:
		return Band12to14
	case *age <= 17:
		return Band15to17
	}
	return BandAdult
}

// youngest returns the youngest band among people, or the band of an unknown
// age when there are none.
func youngest(people ...Person) AgeBand {
	rank := len(AgeBands)
	for _, p := range people {
		rank = min(rank, bandRank(BandOf(p.Age)))
	}
	if rank == len(AgeBands) {
		return Band8to11
	}
	return AgeBands[rank]
}

func bandRank(b AgeBand) int {
	for i, known := range AgeBands {
		if known == b {
			return i
		}
	}
	return 0
}

// peerGap is the largest difference in years at which two minors count as
// peers.
const peerGap = 2

// peers reports whether everybody's age is known, all are minors, and nobody
// is more than peerGap years from the sender.
func (it Item) peers() bool {
	if it.Sender.Age == nil || *it.Sender.Age >= 18 || len(it.Recipients) == 0 {
		return false
	}
	for _, r := range it.Recipients {
		if r.Age == nil || *r.Age >= 18 || abs(*r.Age-*it.Sender.Age) > peerGap {
			return false
		}
	}
	return true
}

func abs(n int) int {
	if n < 0 {
		return -n
	}
	return n
}

// SameParties reports whether two items go from somebody of the same age band
// to people of the same bands, before the same audience. An age that is not
// known is the same only as another such: whoever tells none may be grown up.
func (it Item) SameParties(o Item) bool {
	return it.Audience == o.Audience && slices.Equal(bandsOf(it.Sender), bandsOf(o.Sender)) && slices.Equal(bandsOf(it.Recipients...), bandsOf(o.Recipients...))
}

// bandsOf lists the bands of people, each once, and "" where an age is not
// known.
func bandsOf(people ...Person) []AgeBand {
	var list []AgeBand
	for _, p := range people {
		band := BandOf(p.Age)
		if p.Age == nil {
			band = ""
		}
		list = append(list, band)
	}
	slices.Sort(list)
	return slices.Compact(list)
}
