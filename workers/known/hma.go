package known

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"nightlight/pipeline"
	"nightlight/pipeline/pdq"
)

// HMA looks pictures up at a server of hasher-matcher-actioner by PDQ hash: GET
// /m/lookup?signal_type=pdq&signal=…, which answers with the banks that hold it
// (https://github.com/facebook/ThreatExchange, hasher-matcher-actioner/docs/api.md).
// Only a hash leaves the house. It is asked about the picture as it is shown,
// not turned or mirrored, and not about files.
type HMA struct {
	// URL is the server's root. A user and password in it are sent as basic
	// authentication.
	URL *url.URL
	// Timeout bounds one question (default 2 s); a question is asked twice.
	Timeout time.Duration
	// Client defaults to one of its own.
	Client *http.Client
}

// hmaPrefix keeps the server's banks apart from ours in policy.
const hmaPrefix = "hma/"

// hmaMost bounds what an answer may weigh.
const hmaMost = 1 << 20

// errHMA tells that the server gave no answer that can be used.
var errHMA = errors.New("no usable answer of the HMA server")

// Ref names the server's part in a verdict; what its banks hold changes without
// a version that we could name.
func (*HMA) Ref() pipeline.ModelRef { return pipeline.ModelRef{Name: "hma", Version: "1"} }

// File finds nothing: an HMA server has no SHA-256 of pictures.
func (*HMA) File(context.Context, string) ([]pipeline.BankMatch, error) { return nil, nil }

// Picture returns the server's banks that hold the picture, as hma/NAME.
func (h *HMA) Picture(ctx context.Context, p pdq.Print) (list []pipeline.BankMatch, err error) {
	for range 2 {
		if list, err = h.ask(ctx, p.Hash); err == nil || ctx.Err() != nil {
			break
		}
	}
	return list, err
}

func (h *HMA) ask(ctx context.Context, hash pdq.Hash) ([]pipeline.BankMatch, error) {
	timeout := h.Timeout
	if timeout <= 0 {
		timeout = 2 * time.Second
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	to := h.URL.JoinPath("m", "lookup")
	to.RawQuery = url.Values{"signal_type": {"pdq"}, "signal": {hash.String()}, "bypass_coinflip": {"true"}}.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, to.String(), nil)
	if err != nil {
		return nil, fmt.Errorf("ask the HMA server: %w", errHMA)
	}
	req.Header.Set("Accept", "application/json")
	client := h.Client
	if client == nil {
		client = plainClient
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, fmt.Errorf("ask the HMA server: %w", errHMA) // the error itself may quote the password in the URL
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("ask the HMA server: status %d: %w", resp.StatusCode, errHMA)
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, hmaMost+1))
	if err != nil || len(body) > hmaMost {
		return nil, fmt.Errorf("read the HMA server's answer: %w", errHMA)
	}
	return readHMA(body)
}

// plainClient follows no redirect: a hash goes where it was meant to go.
var plainClient = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}

// hmaContent is one entry of a bank that matched. Distance is a number in a
// string.
type hmaContent struct {
	Distance string `json:"distance"`
}

// readHMA reads {"BANK":[{"bank_content_id":1,"distance":"4"}]}, and
// ["BANK"] as servers before 2024 answer, without distances.
func readHMA(body []byte) ([]pipeline.BankMatch, error) {
	named := map[string][]hmaContent{}
	var list []string
	switch {
	case strings.HasPrefix(strings.TrimSpace(string(body)), "["):
		if err := json.Unmarshal(body, &list); err != nil {
			return nil, fmt.Errorf("read the HMA server's answer: %w", errHMA)
		}
		for _, name := range list {
			named[name] = nil
		}
	default:
		if err := json.Unmarshal(body, &named); err != nil || named == nil {
			return nil, fmt.Errorf("read the HMA server's answer: %w", errHMA)
		}
	}
	var matches []pipeline.BankMatch
	for name, contents := range named {
		if name == "" || len(name) > 200 {
			return nil, fmt.Errorf("read the HMA server's answer: a bank's name: %w", errHMA)
		}
		m := pipeline.BankMatch{Name: hmaPrefix + name, Kind: "pdq", Threshold: pdq.Match}
		for i, c := range contents {
			d, err := strconv.Atoi(c.Distance)
			if err != nil || d < 0 || d > 256 {
				return nil, fmt.Errorf("read the HMA server's answer: a distance: %w", errHMA)
			}
			if i == 0 || d < m.Distance {
				m.Distance = d
			}
		}
		m.Threshold = max(m.Threshold, m.Distance) // the server's own may be wider
		matches = append(matches, m)
	}
	return matches, nil
}
