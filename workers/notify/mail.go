package notify

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"mime"
	"net"
	"net/mail"
	"net/smtp"
	"time"
)

// Mail sends notices by SMTP. The subject names nothing; the letter is the
// body.
type Mail struct {
	// Addr is host:port of the SMTP server.
	Addr string
	From string
	// User and Password log in when User is set; that needs TLS.
	User, Password string
	// Plain allows a server without STARTTLS, for one on this machine.
	Plain bool
}

// ErrMail is a mail that was not taken. The server's words are not kept: they
// can hold the address.
var ErrMail = errors.New("mail was not taken")

// mailTimeout bounds one mail from dial to quit.
const mailTimeout = 20 * time.Second

// Send implements Notifier.
func (s Mail) Send(ctx context.Context, address string, m Message) error {
	to, err := mail.ParseAddress(address)
	if err != nil {
		return fmt.Errorf("%w: address", ErrMail)
	}
	ctx, cancel := context.WithTimeout(ctx, mailTimeout)
	defer cancel()
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", s.Addr)
	if err != nil {
		return fmt.Errorf("%w: not reached", ErrMail)
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Now()) })
	defer stop()
	if err := s.talk(conn, to.Address, m); err != nil {
		return err
	}
	return nil
}

func (s Mail) talk(conn net.Conn, to string, m Message) error {
	host, _, err := net.SplitHostPort(s.Addr)
	if err != nil {
		return fmt.Errorf("%w: server address", ErrMail)
	}
	c, err := smtp.NewClient(conn, host)
	if err != nil {
		return fmt.Errorf("%w: greeting", ErrMail)
	}
	defer c.Close()
	if ok, _ := c.Extension("STARTTLS"); ok {
		if err := c.StartTLS(&tls.Config{ServerName: host, MinVersion: tls.VersionTLS12}); err != nil {
			return fmt.Errorf("%w: TLS", ErrMail)
		}
	} else if !s.Plain {
		return fmt.Errorf("%w: server without TLS", ErrMail)
	}
	if s.User != "" {
		if err := c.Auth(smtp.PlainAuth("", s.User, s.Password, host)); err != nil {
			return fmt.Errorf("%w: login", ErrMail)
		}
	}
	for _, step := range []func() error{
		func() error { return c.Mail(s.From) },
		func() error { return c.Rcpt(to) },
		func() error { return s.data(c, to, m) },
		c.Quit,
	} {
		if step() != nil {
			return ErrMail
		}
	}
	return nil
}

func (s Mail) data(c *smtp.Client, to string, m Message) error {
	w, err := c.Data()
	if err != nil {
		return err
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "From: %s\r\nTo: %s\r\nSubject: %s\r\nDate: %s\r\nMessage-ID: <%s@nightlight>\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\nAuto-Submitted: auto-generated\r\n\r\n",
		(&mail.Address{Address: s.From}).String(), (&mail.Address{Address: to}).String(), mime.QEncoding.Encode("utf-8", m.Subject), m.At.UTC().Format(time.RFC1123Z), m.ID)
	encoded := base64.StdEncoding.EncodeToString([]byte(m.Text))
	for len(encoded) > 76 {
		b.WriteString(encoded[:76] + "\r\n")
		encoded = encoded[76:]
	}
	b.WriteString(encoded + "\r\n")
	if _, err := w.Write(b.Bytes()); err != nil {
		return err
	}
	return w.Close()
}
