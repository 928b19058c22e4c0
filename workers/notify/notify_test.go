package notify

import (
	"bufio"
	"context"
	"encoding/base64"
	"errors"
	"log/slog"
	"net"
	"net/mail"
	"strings"
	"testing"
	"time"
)

// post is a mail server that takes one letter, without TLS.
func post(t *testing.T, refuse string) (addr string, letter <-chan string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	out := make(chan string, 1)
	go func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		r := bufio.NewReader(c)
		say := func(s string) { _, _ = c.Write([]byte(s + "\r\n")) }
		say("220 test")
		var body strings.Builder
		for data := false; ; {
			line, err := r.ReadString('\n')
			if err != nil {
				return
			}
			switch {
			case data && line == ".\r\n":
				data = false
				out <- body.String()
				say("250 taken")
			case data:
				body.WriteString(line)
			case refuse != "" && strings.HasPrefix(line, refuse):
				say("550 no such user mum@example.org")
			case strings.HasPrefix(line, "EHLO"):
				say("250 test")
			case strings.HasPrefix(line, "DATA"):
				data = true
				say("354 go on")
			case strings.HasPrefix(line, "QUIT"):
				say("221 bye")
				return
			default:
				say("250 ok")
			}
		}
	}()
	return l.Addr().String(), out
}

var letter = Message{ID: "n1", Guardian: "g", Child: "c", Key: "grooming", Subject: "夜灯：请您方便时看一下", Text: strings.Repeat("请平静地和孩子聊一聊。", 20), Urgency: "soon", At: time.Unix(1_700_000_000, 0)}

func TestAMailArrivesWhole(t *testing.T) {
	addr, got := post(t, "")
	if err := (Mail{Addr: addr, From: "nightlight@example.org", Plain: true}).Send(context.Background(), "Mum <mum@example.org>", letter); err != nil {
		t.Fatal(err)
	}
	m, err := mail.ReadMessage(strings.NewReader(<-got))
	if err != nil {
		t.Fatal(err)
	}
	body, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(readAll(t, m)), ""))
	if err != nil || string(body) != letter.Text {
		t.Errorf("body: got %q, %v", body, err)
	}
	if to := m.Header.Get("To"); to != "<mum@example.org>" {
		t.Errorf("to: got %q", to)
	}
}

func readAll(t *testing.T, m *mail.Message) string {
	t.Helper()
	var b strings.Builder
	s := bufio.NewScanner(m.Body)
	for s.Scan() {
		b.WriteString(s.Text() + "\n")
	}
	return b.String()
}

func TestMailErrorsDoNotTellTheAddress(t *testing.T) {
	addr, _ := post(t, "RCPT")
	err := (Mail{Addr: addr, From: "nightlight@example.org", Plain: true}).Send(context.Background(), "mum@example.org", letter)
	if !errors.Is(err, ErrMail) || strings.Contains(err.Error(), "mum") {
		t.Errorf("got %v", err)
	}
	if err := (Mail{Addr: addr, Plain: true}).Send(context.Background(), "no address", letter); !errors.Is(err, ErrMail) {
		t.Errorf("a malformed address: got %v", err)
	}
}

func TestAMailServerWithoutTLSIsRefusedUnlessAllowed(t *testing.T) {
	addr, _ := post(t, "")
	if err := (Mail{Addr: addr, From: "nightlight@example.org"}).Send(context.Background(), "mum@example.org", letter); !errors.Is(err, ErrMail) {
		t.Errorf("got %v, want ErrMail", err)
	}
}

func TestAnUnknownChannelIsAnErrorAndTheLogKeepsTheLetterOut(t *testing.T) {
	if err := (Channels{}).Send(context.Background(), "pigeon", "", letter); !errors.Is(err, ErrNoChannel) {
		t.Errorf("got %v, want ErrNoChannel", err)
	}
	var b strings.Builder
	l := Log{slog.New(slog.NewTextHandler(&b, nil))}
	if err := l.Send(context.Background(), "", letter); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(b.String(), "平静") || !strings.Contains(b.String(), "n1") {
		t.Errorf("log: %s", b.String())
	}
}
