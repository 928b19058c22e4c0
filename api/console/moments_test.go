package console

import (
	"net/http"
	"regexp"
	"strings"
	"testing"

	"nightlight/pipeline"
	"nightlight/queue/review"
	"nightlight/queue/store"
)

func TestTheSecondsOfALabelAreSaidAsStretches(t *testing.T) {
	film := func(scores ...float64) (list []moment) {
		for i, s := range scores {
			list = append(list, moment{At: float64(i), Label: pipeline.SexualExplicit, Score: s})
		}
		return list
	}
	for name, c := range map[string]struct {
		moments []moment
		want    string
	}{
		"one frame":                             {film(.1, .9, .1), "1.0"},
		"a stretch":                             {film(.1, .9, .5, .8, .1), "1.0–3.0"},
		"two stretches":                         {film(.9, .1, .7, .9), "0.0, 2.0–3.0"},
		"more than anybody reads":               {film(.9, 0, .9, 0, .9, 0, .9, 0, .9, 0), "0.0, 2.0, 4.0, 6.0, …"},
		"nothing reaches it: where it is most":  {film(.1, .3, .2), "1.0"},
		"two models: the one that is surer":     {append(film(.1, .2, .1), moment{At: 2, Label: pipeline.SexualExplicit, Score: .8}), "2.0"},
		"a moment at which another was found":   {append(film(.1, .9), moment{At: 1.5, Label: pipeline.SexualText, Score: .9}, moment{At: 2, Label: pipeline.SexualExplicit, Score: .9}), "1.0, 2.0"},
		"of another label alone":                {[]moment{{At: 1, Label: pipeline.SexualText, Score: .9}}, ""},
		"nothing that has a time, as of photos": {nil, ""},
	} {
		if got := when(pipeline.SexualExplicit, c.moments); got != c.want {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
	if got := momentsOf(store.Evidence{Body: []byte(`[{"at":3,"label":"made.up","score":0.9}]`)}); len(got) != 1 || got[0].Label != "" {
		t.Errorf("got %+v, want a label that there is no more left out", got)
	}
	if got := momentsOf(store.Evidence{Body: []byte(`no list`)}); got != nil {
		t.Errorf("got %+v of what cannot be read, want nothing", got)
	}
}

// film is a case about a film in which something was found at second 12.4. With a
// sheet it has what workers make now.
func (h *house) film(evidence ...store.Evidence) string {
	h.Helper()
	at := func(v float64) *float64 { return &v }
	return h.sends(pipeline.KindVideo, []byte("made up"), append(h.pictures(), evidence...),
		pipeline.Signal{Label: pipeline.SexualExplicit, Score: .91, Source: "test@1", In: "frame", At: at(12.4)},
		pipeline.Signal{Label: pipeline.SexualExplicit, Score: .62, Source: "test@1", In: "frame", At: at(13)})
}

var sheetOfAFilm = store.Evidence{Kind: kindSheet, Body: []byte(`[{"at":0},{"at":12.4,"label":"sexual.explicit","score":0.91,"strongest":true},{"at":19.8}]`)}

var tags = regexp.MustCompile(`<[^>]*>`)

// text is what of a page is read, without its tags.
func (a answer) text() string {
	return strings.Join(strings.Fields(tags.ReplaceAllString(a.body, " ")), " ")
}

func TestAFilmIsShownAsFramesWithTheirSecondsAndCalledSo(t *testing.T) {
	h := openHouse(t)
	id := h.film(sheetOfAFilm, store.Evidence{Kind: kindTimes, Body: []byte(`[{"at":0,"label":"sexual.explicit","score":0.01},{"at":12.4,"label":"sexual.explicit","score":0.91},{"at":13,"label":"sexual.explicit","score":0.62},{"at":19.8,"label":"sexual.explicit","score":0.02}]`)})
	rita := h.role(review.RoleReviewer)
	if page := rita.get("/console/case/" + id); strings.Contains(page.body, "12.4") {
		t.Error("got seconds before the case was taken")
	}
	page, _ := rita.opens()
	for _, want := range []string{
		"0.0 s 12.4 s Nudity or sex 91% strongest signal 19.8 s", // below the sheet
		"Nudity or sex 12.4–13.0 s",                              // beside the label to decide on
		"Nudity or sex 12.4 s 91% test@1",                        // in the table of signals
		"Frames from it, in the order of time", "Show the frames",
	} {
		if !strings.Contains(page.text(), want) {
			t.Errorf("got a page that does not read %q:\n%s", want, page.text())
		}
	}
	if !strings.Contains(page.body, `data-picture="Frames as they were sent, each with its second below it"`) || strings.Contains(page.body, "The picture as it was sent") {
		t.Error("got frames of a film called the picture as it was sent")
	}
	if strings.Contains(page.body, secretPicture) || !strings.Contains(page.body, `class="preview" src="data:image/jpeg;base64,`) {
		t.Error("got more than the grey sheet before anybody asked, or less")
	}
	if got := rita.post("/console/case/"+id+"/show", "token", page.token()); got.status != http.StatusOK || !strings.HasSuffix(got.body, secretPicture) {
		t.Errorf("got %d, want the plain sheet", got.status)
	}
	if acts := h.acts(id); acts[len(acts)-1] != "media.view thumbnail" {
		t.Errorf("got audit lines %v, want the look last", acts)
	}
}

func TestAFirstFrameFromBeforeThereWereSheetsIsCalledAFirstFrame(t *testing.T) {
	h := openHouse(t)
	h.film()
	page, _ := h.role(review.RoleReviewer).opens()
	if !strings.Contains(page.text(), "The first frame of the film as it was sent. What comes later is not shown here.") || strings.Contains(page.body, "The picture as it was sent") {
		t.Error("got a first frame that is not called one")
	}
}
