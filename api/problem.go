package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"

	"nightlight/pipeline/media"
	"nightlight/queue/store"
)

// Problem is an RFC 9457 answer. It names fields and fixed reasons, never what
// was sent.
type Problem struct {
	Type      string       `json:"type" doc:"A stable name for this kind of problem."`
	Title     string       `json:"title"`
	Status    int          `json:"status"`
	Detail    string       `json:"detail,omitempty"`
	Errors    []FieldError `json:"errors,omitempty" doc:"What is wrong, field by field."`
	RequestID string       `json:"request_id,omitempty" doc:"Quote it when asking about this answer."`

	// allow, retryAfter (seconds) and challenge become headers.
	allow      string
	retryAfter int
	challenge  bool
	// cause is logged by its class, never sent.
	cause error
}

// Error implements error.
func (p *Problem) Error() string { return fmt.Sprintf("%d %s", p.Status, p.Title) }

// Unwrap gives what led to the problem.
func (p *Problem) Unwrap() error { return p.cause }

func problem(status int, kind, title, detail string) *Problem {
	return &Problem{Type: "urn:nightlight:problem:" + kind, Title: title, Status: status, Detail: detail}
}

func invalid(errs ...FieldError) *Problem {
	p := problem(http.StatusUnprocessableEntity, "invalid", "Not valid", "")
	p.Errors = errs
	return p
}

func invalidField(name, reason string) *Problem { return invalid(FieldError{name, reason}) }

func notFound() *Problem {
	return problem(http.StatusNotFound, "not-found", "Not found", "There is nothing here, or not for this key.")
}

func unauthorized() *Problem {
	p := problem(http.StatusUnauthorized, "unauthorized", "No valid API key", "Send Authorization: Bearer and an API key.")
	p.challenge = true
	return p
}

func forbidden(scope store.Scope) *Problem {
	return problem(http.StatusForbidden, "forbidden", "Not allowed", "This key lacks the scope "+string(scope)+".")
}

func tooLarge(limit int64) *Problem {
	return problem(http.StatusRequestEntityTooLarge, "too-large", "Too large", "The limit is "+strconv.FormatInt(limit, 10)+" bytes.")
}

func unsupported(want string) *Problem {
	return problem(http.StatusUnsupportedMediaType, "unsupported-type", "Content type not supported", "Send "+want+", without a content encoding.")
}

func conflict(detail string) *Problem {
	return problem(http.StatusConflict, "conflict", "Not possible now", detail)
}

func unavailable(what string, cause error) *Problem {
	p := problem(http.StatusServiceUnavailable, "unavailable", "Try again later", what+" does not answer. Nothing was accepted.")
	p.retryAfter, p.cause = 5, cause
	return p
}

func internal(cause error) *Problem {
	p := problem(http.StatusInternalServerError, "internal", "Something went wrong here", "")
	p.cause = cause
	return p
}

// fromStore turns the record's sentinels into answers. What it does not know
// is the database not answering: nothing was accepted.
func fromStore(err error) *Problem {
	var p *Problem
	switch {
	case errors.As(err, &p):
		return p
	case errors.Is(err, store.ErrNotFound), errors.Is(err, store.ErrErased):
		return notFound()
	case errors.Is(err, store.ErrForbidden):
		return problem(http.StatusForbidden, "forbidden", "Not allowed", "")
	case errors.Is(err, store.ErrUpload):
		return invalidField("upload_id", "unknown, not uploaded yet, expired or used by another item")
	case errors.Is(err, store.ErrConflict), errors.Is(err, store.ErrDone), errors.Is(err, store.ErrClaimed), errors.Is(err, store.ErrTooLate):
		return conflict("The state that it is in does not allow this.")
	case errors.Is(err, store.ErrIllegal), errors.Is(err, store.ErrLost), errors.Is(err, errors.ErrUnsupported):
		return internal(err)
	}
	return unavailable("The database", err)
}

// fromMedia does the same for the media store. name is the field that carried
// the content.
func fromMedia(name string, err error) *Problem {
	var p *Problem
	var big *http.MaxBytesError
	switch {
	case errors.As(err, &p):
		return p
	case errors.As(err, &big):
		return tooLarge(big.Limit)
	case errors.Is(err, media.ErrHashMismatch):
		return invalidField(name, "does not have the stated size and SHA-256")
	case errors.Is(err, media.ErrTooLarge):
		return invalidField(name, "larger than the limits allow: bytes, pixels or frames")
	case errors.Is(err, media.ErrUnsupported):
		return invalidField(name, "no type that is accepted")
	case errors.Is(err, media.ErrBroken):
		return invalidField(name, "the file is damaged")
	}
	return unavailable("The media store", err)
}

// write sends the problem.
func (p *Problem) write(w http.ResponseWriter) {
	h := w.Header()
	h.Set("Content-Type", "application/problem+json")
	if p.allow != "" {
		h.Set("Allow", p.allow)
	}
	if p.retryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(p.retryAfter))
	}
	if p.challenge {
		h.Set("WWW-Authenticate", `Bearer realm="nightlight"`)
	}
	body, err := json.Marshal(p)
	if err != nil {
		panic(err) // strings and numbers only
	}
	w.WriteHeader(p.Status)
	_, _ = w.Write(append(body, '\n')) // the client may be gone
}

// classOf names an error's kind without its words, which could quote content.
func classOf(err error) string {
	switch {
	case errors.Is(err, context.Canceled):
		return "cancelled"
	case errors.Is(err, context.DeadlineExceeded):
		return "timeout"
	case errors.Is(err, errors.ErrUnsupported):
		return "unsupported"
	case errors.Is(err, store.ErrIllegal):
		return "illegal transition"
	case errors.Is(err, media.ErrExists):
		return "object exists"
	case errors.Is(err, media.ErrTampered), errors.Is(err, media.ErrUnknownKey):
		return "sealed content does not open"
	}
	return fmt.Sprintf("%T", rootOf(err))
}

func rootOf(err error) error {
	for {
		next := errors.Unwrap(err)
		if next == nil {
			return err
		}
		err = next
	}
}
