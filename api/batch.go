package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"

	"nightlight/queue/store"
)

// BatchLine is the answer to one line of a batch.
type BatchLine struct {
	Line   int          `json:"line" must:"yes" doc:"Counted from 1; empty lines count and are not answered."`
	Status int          `json:"status" must:"yes" doc:"What the line alone would have been answered with."`
	ID     string       `json:"id,omitempty"`
	State  store.State  `json:"state,omitempty" enum:"pending"`
	Errors []FieldError `json:"errors,omitempty"`
	Title  string       `json:"title,omitempty"`
}

// maxLines bounds a batch.
const maxLines = 1000

// postBatch takes up to 1,000 items, one JSON object a line, and answers each
// on a line of its own, in order. A line that is refused stops no other.
func (a *API) postBatch(c *call) error {
	if !plainType(c.r.Header, ndjson, "application/jsonl", "application/json-lines") {
		return unsupported(ndjson)
	}
	idempotency, err := idempotencyKey(c.r.Header)
	if err != nil {
		return err
	}
	if len(idempotency) > maxID-5 {
		return invalidField("Idempotency-Key", "want at most 123 characters for a batch")
	}
	free, err := a.reserve(c, a.Limits.BatchBytes)
	if err != nil {
		return err
	}
	defer free()
	raw, err := readAll(c.r.Body, c.r.ContentLength)
	if err != nil {
		return unread(err)
	}
	lines := bytes.Split(raw, []byte("\n"))
	count := 0
	for _, l := range lines {
		if len(bytes.TrimSpace(l)) > 0 {
			count++
		}
	}
	if count == 0 || count > maxLines {
		return invalidField("body", "want 1 to 1000 lines")
	}
	if err := spend(c.rate, count-1); err != nil {
		return err
	}
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	for _, line := range a.batch(c, lines, idempotency) {
		if err := enc.Encode(line); err != nil {
			return internal(err)
		}
	}
	c.send(http.StatusOK, ndjson, out.Bytes())
	return nil
}

// ndjson is JSON, one value a line.
const ndjson = "application/x-ndjson"

// batch checks every line and accepts those that are good together.
func (a *API) batch(c *call, lines [][]byte, idempotency string) []BatchLine {
	var out []BatchLine
	var items []store.NewItem
	var at []int // of items in out
	for i, raw := range lines {
		if raw = bytes.TrimSpace(raw); len(raw) == 0 {
			continue
		}
		key := idempotency
		if key != "" {
			key += "#" + strconv.Itoa(i+1)
		}
		n, err := a.batchItem(c, raw, key)
		if err != nil {
			out = append(out, refused(i+1, err))
			continue
		}
		at = append(at, len(out))
		items = append(items, n)
		out = append(out, BatchLine{Line: i + 1})
	}
	for i, done := range a.Store.AcceptBatch(c.r.Context(), items) {
		line := &out[at[i]]
		if done.Err != nil {
			*line = refused(line.Line, a.notAccepted(items[i], done.Err))
			continue
		}
		a.accepted(items[i].Kind, done.Accepted)
		line.Status, line.ID, line.State = http.StatusAccepted, done.ID, store.Pending
	}
	return out
}

func (a *API) batchItem(c *call, raw []byte, idempotency string) (store.NewItem, error) {
	if limit := c.limit(a.Limits.JSONBytes); int64(len(raw)) > limit {
		return store.NewItem{}, tooLarge(limit)
	}
	b, errs := readItem(raw, a.Now(), false)
	if len(errs) > 0 {
		return store.NewItem{}, invalid(errs...)
	}
	return a.newItem(c, b, idempotency)
}

func refused(line int, err error) BatchLine {
	var p *Problem
	if !errors.As(err, &p) {
		p = internal(err)
	}
	return BatchLine{Line: line, Status: p.Status, Title: p.Title, Errors: p.Errors}
}
