package queue

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"nightlight/pipeline"
)

// Queue names, one server class each, so that a slow video cannot starve an
// urgent message.
const (
	QueueUrgent        = "urgent"         // messages from an adult, or a stranger of unknown age, to a minor
	QueueText          = "text"           // other messages
	QueuePhoto         = "photo"          // photos
	QueueVideo         = "video"          // videos and voice notes
	QueueEffects       = "effects"        // webhooks
	QueueNotices       = "notices"        // notices to guardians
	QueueUrgentNotices = "urgent-notices" // those that wake a guardian at night
)

// Queues lists every queue.
var Queues = [...]string{QueueUrgent, QueueText, QueuePhoto, QueueVideo, QueueEffects, QueueNotices, QueueUrgentNotices}

// Stage is what a Task does to its subject. It is also the Asynq task type.
type Stage string

// The stages.
const (
	StageJudge   Stage = "judge"   // subject is an item
	StageRender  Stage = "render"  // subject is an item that a person will look at
	StageWebhook Stage = "deliver" // subject is a delivery to an endpoint
	StageNotice  Stage = "notify"  // subject is a delivery to a guardian
)

// Task is a wake-up: the id of what to work on and the stage. It is all that
// Redis ever sees.
type Task struct {
	Subject string // an id, never content
	Stage   Stage
	Queue   string
	Sends   int // how often this wake-up was sent before
}

// ID is the Asynq TaskID: subject:stage for the first send. A later send gets
// a number, because a task whose worker died can stay active in Redis for
// ever and would swallow an equal id.
func (t Task) ID() string {
	if t.Sends == 0 {
		return t.Subject + ":" + string(t.Stage)
	}
	return fmt.Sprintf("%s:%s:%d", t.Subject, t.Stage, t.Sends)
}

// QueueFor names the queue of an item's judging. Messages from somebody who
// is no known minor to somebody who is no known adult come before others: that
// is where a minute can matter.
func QueueFor(k pipeline.Kind, sender pipeline.Person, recipients []pipeline.Person) string {
	switch k {
	case pipeline.KindPhoto:
		return QueuePhoto
	case pipeline.KindVideo, pipeline.KindVoice:
		return QueueVideo
	}
	toMinor := slices.ContainsFunc(recipients, func(p pipeline.Person) bool { return !adult(p) })
	if toMinor && (sender.Age == nil || adult(sender)) {
		return QueueUrgent
	}
	return QueueText
}

// adult reports whether p is known to be of age.
func adult(p pipeline.Person) bool { return p.Age != nil && *p.Age >= 18 }

// errPayload is a task that no relay of ours could have written.
var errPayload = errors.New("task payload is not an id")

// maxID bounds a subject id in bytes.
const maxID = 128

// ParsePayload checks that a payload is a plain id. It reads bytes from
// outside: whoever can write to Redis can write a payload.
func ParsePayload(b []byte) (string, error) {
	if len(b) == 0 || len(b) > maxID {
		return "", errPayload
	}
	id := string(b)
	if strings.ContainsFunc(id, notInID) {
		return "", errPayload
	}
	return id, nil
}

func notInID(c rune) bool {
	return c != '_' && c != '-' && (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z')
}
