package client

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"nightlight/pipeline"
)

// Words are what a child of an age is told, in a language.
type Words struct {
	TextKey   string              `json:"text_key"`
	Language  string              `json:"language"`
	AgeBand   pipeline.AgeBand    `json:"age_band"`
	Text      string              `json:"text"`
	Helplines []pipeline.Helpline `json:"helplines"` // to show beside the text
}

// Words asks what to show for the text_key of an intervention to one reader,
// such as each of several recipients. A nil age is one that is not known, and
// an empty locale is answered in English. Where one reader is meant the
// intervention's own Text and Helplines say the same.
func (c *Client) Words(ctx context.Context, key, locale string, age *int) (Words, error) {
	q := url.Values{"key": {key}}
	if locale != "" {
		q.Set("locale", locale)
	}
	if age != nil {
		q.Set("age", strconv.Itoa(*age))
	}
	var w Words
	if _, err := c.sendJSON(ctx, http.MethodGet, "/v1/words?"+q.Encode(), nil, &w, nil); err != nil {
		return Words{}, fmt.Errorf("words of %s: %w", key, err)
	}
	return w, nil
}
