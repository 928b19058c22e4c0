package client

import (
	"errors"
	"testing"

	"nightlight/pipeline"
)

func TestTheClientAsksForTheWordsOfEachReader(t *testing.T) {
	c, _, _ := real(t)
	age := 7
	small, err := c.Words(t.Context(), "selfharm.you_matter", "zh-CN", &age)
	if err != nil || small.AgeBand != pipeline.Band3to7 || small.Language != "zh" || len(small.Helplines) == 0 || small.Helplines[0].Phone != "12356" {
		t.Errorf("got %+v, %v", small, err)
	}
	unknown, err := c.Words(t.Context(), "selfharm.you_matter", "", nil)
	if err != nil || unknown.AgeBand != pipeline.Band8to11 || unknown.Language != "en" || unknown.Text == "" || unknown.Text == small.Text {
		t.Errorf("got %+v, %v", unknown, err)
	}
	var e *Error
	if _, err := c.Words(t.Context(), "nobody.wrote_this", "en", nil); !errors.As(err, &e) || e.Status != 422 {
		t.Errorf("got %v, want 422", err)
	}
}
