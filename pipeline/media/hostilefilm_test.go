package media

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
)

func TestEachHostileFilmEndsJudgedOrWithItsReason(t *testing.T) {
	v := NewVideo(VideoOptions{CPUSeconds: 5})
	whole := scenes(t, "a.mp4", "10", "-c:v", "mpeg4", "-movflags", "faststart")
	r := rand.New(rand.NewPCG(9, 9))
	cuts, flips := 4, 4
	if testing.Short() {
		cuts, flips = 2, 3
	}
	files := wrecks(r, whole, cuts, flips)
	for _, box := range []string{"stts", "stsz", "stco", "ctts", "tkhd", "mvhd"} {
		if at := bytes.Index(whole, []byte(box)); at > 0 { // a count or size that nothing backs
			b := bytes.Clone(whole)
			binary.BigEndian.PutUint32(b[at+8:], 1<<31-1)
			binary.BigEndian.PutUint32(b[at+12:], 1<<31-1)
			files = append(files, b)
		}
	}
	ends := map[string]int{}
	for i, b := range files {
		got, err := v.Frames(t.Context(), b, Want{Squares: []Square{{Size: 32}}})
		name := fmt.Sprintf("film %d", i)
		switch {
		case err == nil && len(got.Frames) > 0 && len(got.Frames[0].Crops) == 1:
			ends["judged"]++
			if got.Damaged {
				ends["of them damaged"]++
			}
		case errors.Is(err, ErrBroken), errors.Is(err, ErrUnsupported), errors.Is(err, ErrTooLarge), errors.Is(err, ErrChildKilled):
			ends["refused"]++
		default:
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	t.Logf("%v", ends)
	if ends["refused"] < 2 {
		t.Errorf("ends are not as such a corpus must end: %v", ends)
	}
}
