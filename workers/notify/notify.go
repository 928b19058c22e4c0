// Package notify reaches people outside: a guardian's own webhook, mail, or a
// log line for a machine without either. A notice says that there is something
// to look at and what to do; it never quotes the child.
package notify

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"nightlight/pipeline"
	"nightlight/workers/webhook"
)

// Message is a notice in the words of its reader.
type Message struct {
	ID       string // stays the same over tries
	Guardian string // pseudonymous id
	Child    string // pseudonymous id
	Key      string // which letter
	Subject  string // fit for a lock screen
	Text     string // the letter
	Urgency  pipeline.Urgency
	At       time.Time
}

// Notifier reaches an address. Send returns nil once the other side has taken
// the message; errors carry neither the address nor the text. An address that
// does not exist is an error like any other: the caller goes on to the next
// channel.
type Notifier interface {
	Send(ctx context.Context, address string, m Message) error
}

// Channels picks a Notifier by the kind of channel: webhook, mail or log.
type Channels map[string]Notifier

// ErrNoChannel is a kind of channel that is not set up.
var ErrNoChannel = errors.New("no such channel")

// Send sends through the channel of this kind.
func (c Channels) Send(ctx context.Context, kind, address string, m Message) error {
	n, ok := c[kind]
	if !ok {
		return ErrNoChannel
	}
	return n.Send(ctx, address, m)
}

// Log writes that a notice is due, for a machine without mail. The letter's
// words stay out of the log.
type Log struct{ Logger *slog.Logger }

// Send implements Notifier.
func (l Log) Send(_ context.Context, _ string, m Message) error {
	l.Logger.Info("notice to a guardian", "notice", m.ID, "guardian", m.Guardian, "urgency", m.Urgency)
	return nil
}

// Webhook posts a notice, signed like every webhook.
type Webhook struct {
	Sender *webhook.Sender
	// Secrets sign the notice.
	Secrets []string
}

// Send implements Notifier. The category stays out: what waits is read after
// login, or in the letter that Text holds for a backend which shows it itself.
func (w Webhook) Send(ctx context.Context, address string, m Message) error {
	body, err := json.Marshal(map[string]any{
		"type": "guardian.notice", "timestamp": m.At.UTC(),
		"data": map[string]any{"notice_id": m.ID, "guardian_id": m.Guardian, "child_id": m.Child, "urgency": m.Urgency, "subject": m.Subject, "text": m.Text},
	})
	if err != nil {
		return fmt.Errorf("write notice %s: %w", m.ID, err)
	}
	_, err = w.Sender.Send(ctx, webhook.Message{ID: m.ID, URL: address, Body: body, Secrets: w.Secrets})
	return err
}
