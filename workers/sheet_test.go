package workers

import (
	"slices"
	"testing"

	"nightlight/workers/examine"
)

func TestWhichFramesAreOnASheetIsKeptBesideItsPictures(t *testing.T) {
	for name, c := range map[string]struct {
		shown examine.Shown
		want  []string
	}{
		"a film":                   {examine.Shown{Preview: []byte("grey"), Thumbnail: []byte("plain"), Sheet: []byte("[]")}, []string{"preview", "thumbnail", "sheet"}},
		"a still":                  {examine.Shown{Preview: []byte("grey"), Thumbnail: []byte("plain")}, []string{"preview", "thumbnail"}},
		"what could not be opened": {},
	} {
		var got []string
		for _, e := range renditions(c.shown) {
			got = append(got, e.Kind)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: got %v, want %v", name, got, c.want)
		}
	}
}
