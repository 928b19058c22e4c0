package media

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"
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

func TestAFilmOfTenHoursCostsAsMuchAsItsFirstMinute(t *testing.T) {
	b := film(t, "long.mp4", "-f", "lavfi", "-i", "color=c=gray:size=16x16:rate=1:duration=36000", "-c:v", "mpeg4", "-g", "600")
	got, err := NewVideo(VideoOptions{CPUSeconds: 5}).Frames(t.Context(), b, Want{Squares: []Square{{Size: 32}}})
	if err != nil {
		t.Fatal(err)
	}
	if !got.Cut || got.Duration < 9*time.Hour || got.FrameCount > 70 {
		t.Errorf("cut %v, %v long, %d frames decoded", got.Cut, got.Duration, got.FrameCount)
	}
}

func TestAPlaylistThatPosesAsAFilmOpensNothing(t *testing.T) {
	v := NewVideo(VideoOptions{CPUSeconds: 5})
	if v.Ready() != nil {
		t.Skip("ffmpeg is not on PATH")
	}
	secret := filepath.Join(t.TempDir(), "secret.ts")
	if err := os.WriteFile(secret, film(t, "a.ts", "-f", "lavfi", "-i", "testsrc=size=64x64:rate=5:duration=1", "-c:v", "mpeg2video"), 0o600); err != nil {
		t.Fatal(err)
	}
	playlist := "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile://" + secret + "\n#EXT-X-ENDLIST\n"
	for what, b := range map[string][]byte{
		"as it is":                      []byte(playlist),
		"behind the head of an MP4":     append([]byte("\x00\x00\x00\x18ftypisom\x00\x00\x02\x00isommp41"), playlist...),
		"behind the head of a Matroska": append([]byte("\x1a\x45\xdf\xa3\x8b\x42\x82\x88matroska"), playlist...),
		"a list of parts":               []byte("ffconcat version 1.0\nfile " + secret + "\n"),
	} {
		if got, err := v.Frames(t.Context(), b, Want{}); got != nil || !errors.Is(err, ErrUnsupported) && !errors.Is(err, ErrBroken) {
			t.Errorf("%s: %v", what, err)
		}
	}
}
