package api

import (
	"net/http"
	"strconv"

	"nightlight/pipeline"
	"nightlight/pipeline/words"
)

// WordsView is what a child of an age is told, in a language.
type WordsView struct {
	TextKey   string              `json:"text_key" must:"yes"`
	Language  string              `json:"language" must:"yes" doc:"In which the text is." enum:"zh,en"`
	AgeBand   pipeline.AgeBand    `json:"age_band" must:"yes" enum:"3-7,8-11,12-14,15-17,adult"`
	Text      string              `json:"text" must:"yes"`
	Helplines []pipeline.Helpline `json:"helplines" must:"yes" doc:"Numbers to show beside the text; empty where none belong."`
}

// getWords shows the words of one key. They are the same for every tenant.
func (a *API) getWords(c *call) error {
	q, err := c.queries("key", "locale", "age")
	if err != nil {
		return err
	}
	if q["key"] == "" {
		return invalidField("key", "is missing")
	}
	if q["locale"] != "" && !wellFormedTag(q["locale"]) {
		return invalidField("locale", "want a BCP 47 language tag, such as zh-CN")
	}
	var age *int
	if v := q["age"]; v != "" {
		n, err := strconv.ParseUint(v, 10, 8)
		if err != nil || n > maxAge {
			return invalidField("age", "want a whole number from 0 to "+itoa(maxAge))
		}
		years := int(n)
		age = &years
	}
	v := WordsView{TextKey: q["key"], Language: words.Language(q["locale"]), AgeBand: pipeline.BandOf(age), Helplines: a.Words.Beside(q["key"], q["locale"])}
	var ok bool
	if v.Text, ok = a.Words.ForChild(v.TextKey, q["locale"], v.AgeBand); !ok {
		return invalidField("key", "no such key")
	}
	empty(&v.Helplines)
	return c.json(http.StatusOK, v)
}
