package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"strconv"
	"time"
)

// target is an API that items are sent to.
type target struct {
	url, key string
	http     *http.Client
}

// newTarget keeps up to conns connections open.
func newTarget(url, key string, conns int) *target {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConns, transport.MaxIdleConnsPerHost, transport.MaxConnsPerHost = conns, conns, 0
	transport.Proxy, transport.DisableCompression = nil, true
	return &target{url, key, &http.Client{Transport: transport}}
}

func (t *target) close() { t.http.CloseIdleConnections() }

// payload is the body of one item and what it is.
type payload struct {
	body        []byte
	contentType string
}

type person struct {
	ID  string `json:"id"`
	Age int    `json:"age"`
}

type itemBody struct {
	ExternalID string   `json:"external_id"`
	Kind       string   `json:"kind"`
	Text       string   `json:"text,omitempty"`
	Audience   string   `json:"audience"`
	Sender     person   `json:"sender"`
	Recipients []person `json:"recipients"`
}

func item(run, kind, text string, n int) ([]byte, error) {
	body, err := json.Marshal(itemBody{
		ExternalID: run + "-" + strconv.Itoa(n), Kind: kind, Text: text, Audience: "direct",
		Sender:     person{"bench-" + strconv.Itoa(n%500), 10},
		Recipients: []person{{"bench-" + strconv.Itoa(500+n%500), 11}},
	})
	if err != nil {
		return nil, fmt.Errorf("write item: %w", err)
	}
	return body, nil
}

// messageItem is the nth message of a run.
func messageItem(run string, n int) (payload, error) {
	body, err := item(run, "message", message(n), n)
	return payload{body, "application/json"}, err
}

// photoItem is the nth photo of a run.
func photoItem(run string, n int, file []byte) (payload, error) {
	about, err := item(run, "photo", "", n)
	if err != nil {
		return payload{}, err
	}
	var b bytes.Buffer
	form := multipart.NewWriter(&b)
	for _, part := range []struct {
		head    string
		content string
		body    []byte
	}{{`form-data; name="item"`, "application/json", about}, {`form-data; name="file"; filename="photo.jpg"`, "image/jpeg", file}} {
		w, err := form.CreatePart(textproto.MIMEHeader{"Content-Disposition": {part.head}, "Content-Type": {part.content}})
		if err == nil {
			_, err = w.Write(part.body)
		}
		if err != nil {
			return payload{}, fmt.Errorf("write form: %w", err)
		}
	}
	if err := form.Close(); err != nil {
		return payload{}, fmt.Errorf("write form: %w", err)
	}
	return payload{b.Bytes(), form.FormDataContentType()}, nil
}

// errRefused is an answer of 429: the key's rate is spent.
type errRefused struct{ after time.Duration }

func (e errRefused) Error() string { return "the key's rate is spent" }

// judge sends one item and returns its view when it has a verdict. The request
// itself waits for it, ten seconds at most; what takes longer is asked for
// again until ctx ends.
func (t *target) judge(ctx context.Context, p payload) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, t.url+"/v1/items", bytes.NewReader(p.body))
	if err != nil {
		return nil, fmt.Errorf("send item: %w", err)
	}
	req.Header.Set("Content-Type", p.contentType)
	req.Header.Set("Prefer", "wait=10")
	status, head, body, err := t.do(req)
	if err != nil {
		return nil, fmt.Errorf("send item: %w", err)
	}
	switch status {
	case http.StatusOK:
		return body, nil
	case http.StatusAccepted:
		return t.ask(ctx, head.Get("Location"))
	case http.StatusTooManyRequests:
		after, _ := strconv.Atoi(head.Get("Retry-After"))
		return nil, errRefused{max(time.Duration(after)*time.Second, 50*time.Millisecond)}
	}
	return nil, fmt.Errorf("send item: status %d", status)
}

// ask looks for the item's verdict until it is there.
func (t *target) ask(ctx context.Context, path string) ([]byte, error) {
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, t.url+path, nil)
		if err != nil {
			return nil, fmt.Errorf("ask for verdict: %w", err)
		}
		status, _, body, err := t.do(req)
		if err != nil {
			return nil, fmt.Errorf("ask for verdict: %w", err)
		}
		var view struct {
			State string `json:"state"`
		}
		if err := json.Unmarshal(body, &view); status == http.StatusOK && err == nil && view.State != "pending" {
			return body, nil
		}
		if status != http.StatusOK && status != http.StatusTooManyRequests {
			return nil, fmt.Errorf("ask for verdict: status %d", status)
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
}

func (t *target) do(req *http.Request) (status int, head http.Header, body []byte, err error) {
	req.Header.Set("Authorization", "Bearer "+t.key)
	resp, err := t.http.Do(req)
	if err != nil {
		return 0, nil, nil, err
	}
	defer resp.Body.Close()
	body, err = io.ReadAll(resp.Body)
	return resp.StatusCode, resp.Header, body, err
}

// ready waits until the API says that it is.
func (t *target) ready(ctx context.Context) error {
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, t.url+"/readyz", nil)
		if err != nil {
			return fmt.Errorf("ask whether it is ready: %w", err)
		}
		status, _, _, err := t.do(req)
		if err == nil && status == http.StatusOK {
			return nil
		}
		select {
		case <-ctx.Done():
			return errors.Join(errors.New("the API is not ready"), ctx.Err(), err)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// verdictOf reads what a report tells of a verdict.
func verdictOf(view []byte) (action string, models []string, err error) {
	var v struct {
		State   string `json:"state"`
		Verdict struct {
			Action string `json:"action"`
			Models []struct {
				Name    string `json:"name"`
				Version string `json:"version"`
			} `json:"models"`
		} `json:"verdict"`
	}
	if err := json.Unmarshal(view, &v); err != nil {
		return "", nil, fmt.Errorf("read verdict: %w", err)
	}
	for _, m := range v.Verdict.Models {
		models = append(models, m.Name+"@"+m.Version)
	}
	if v.Verdict.Action == "" {
		return v.State, models, nil
	}
	return v.Verdict.Action, models, nil
}
