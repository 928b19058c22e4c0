package media

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// film makes a clip with ffmpeg from its own test sources.
func film(t testing.TB, name string, args ...string) []byte {
	t.Helper()
	ffmpeg, err := exec.LookPath("ffmpeg")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("ffmpeg is not on PATH")
		}
		t.Skip("ffmpeg is not on PATH")
	}
	out := filepath.Join(t.TempDir(), name)
	cmd := exec.Command(ffmpeg, append(append([]string{"-v", "error", "-y"}, args...), out)...)
	if msg, err := cmd.CombinedOutput(); err != nil {
		t.Skipf("this ffmpeg cannot make %s: %v %.200s", name, err, msg)
	}
	b, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// scenes is a film of five seconds-long flat colours with a moving pattern.
func scenes(t testing.TB, name string, gop string, extra ...string) []byte {
	t.Helper()
	args := []string{"-f", "lavfi", "-i", "testsrc=size=320x180:rate=10:duration=8", "-g", gop, "-keyint_min", gop, "-sc_threshold", "0"}
	return film(t, name, append(args, extra...)...)
}

func TestAFilmGivesFramesWithTheirTimes(t *testing.T) {
	for name, c := range map[string]struct {
		file  string
		gop   string
		extra []string
		want  Type
	}{
		"MP4, key frame each second":           {"a.mp4", "10", []string{"-c:v", "libx264", "-pix_fmt", "yuv420p"}, MP4},
		"MP4, one key frame: second by second": {"a.mp4", "1000", []string{"-c:v", "libx264", "-pix_fmt", "yuv420p"}, MP4},
		"WebM":                                 {"a.webm", "10", []string{"-c:v", "libvpx", "-b:v", "200k"}, WebM},
		"MOV":                                  {"a.mov", "10", []string{"-c:v", "mpeg4"}, MOV},
		"MKV":                                  {"a.mkv", "10", []string{"-c:v", "mpeg4"}, MKV},
		"3GP":                                  {"a.3gp", "10", []string{"-c:v", "mpeg4"}, GP3},
	} {
		t.Run(name, func(t *testing.T) {
			b := scenes(t, c.file, c.gop, c.extra...)
			got, err := NewVideo(VideoOptions{SameBits: -1}).Frames(t.Context(), b, Want{Squares: []Square{{Size: 64}}, Thumbnail: 100})
			if err != nil {
				t.Fatal(err)
			}
			if got.Type != c.want || got.Width != 320 || got.Height != 180 || got.Cut || got.Damaged || got.SHA256 != sum(b) || len(got.Thumbnail) == 0 {
				t.Errorf("got %+v", got)
			}
			if n := len(got.Frames); n < 7 || n > 10 {
				t.Errorf("%d frames of 8 seconds", n)
			}
			last := time.Duration(-1)
			for _, f := range got.Frames {
				if f.At <= last || f.At-last > 1500*time.Millisecond || len(f.Crops) != 1 || len(f.Crops[0].Tensor) != 64*64*3 {
					t.Errorf("frame %d at %v after %v, %d crops", f.Index, f.At, last, len(f.Crops))
				}
				last = f.At
			}
		})
	}
}

func TestATestCardHiddenBetweenKeyFramesIsFound(t *testing.T) {
	dir := t.TempDir()
	png := filepath.Join(dir, "card.png")
	if err := os.WriteFile(png, pngBytes(t, card(t, "sexual.explicit")), 0o600); err != nil {
		t.Fatal(err)
	}
	b := film(t, "hidden.mp4", "-f", "lavfi", "-i", "color=c=gray:size=512x552:rate=10:duration=12", "-loop", "1", "-i", png,
		"-filter_complex", "[0][1]overlay=enable='between(t,5,7.5)':shortest=1", "-c:v", "libx264", "-pix_fmt", "yuv420p", "-g", "1000", "-sc_threshold", "0")
	got, err := NewVideo(VideoOptions{}).Frames(t.Context(), b, Want{})
	if err != nil {
		t.Fatal(err)
	}
	if got.TestCard != "sexual.explicit" {
		t.Errorf("card %q in %d frames", got.TestCard, len(got.Frames))
	}
	for _, f := range got.Frames {
		if f.TestCard != "" && (f.At < 5*time.Second || f.At > 8*time.Second) {
			t.Errorf("card at %v", f.At)
		}
	}
}

func TestAFlashBetweenTwoNearKeyFramesIsFound(t *testing.T) {
	png := filepath.Join(t.TempDir(), "card.png")
	if err := os.WriteFile(png, pngBytes(t, card(t, "sexual.explicit")), 0o600); err != nil {
		t.Fatal(err)
	}
	b := film(t, "flash.mp4", "-f", "lavfi", "-i", "testsrc2=size=512x552:rate=10:duration=6", "-loop", "1", "-i", png,
		"-filter_complex", "[0][1]overlay=enable='between(t,3.3,3.6)':shortest=1", "-c:v", "libx264", "-pix_fmt", "yuv420p", "-g", "20", "-sc_threshold", "0")

	got, err := NewVideo(VideoOptions{}).Frames(t.Context(), b, Want{})
	if err != nil {
		t.Fatal(err)
	}
	if got.TestCard != "sexual.explicit" {
		t.Errorf("card %q in %d frames", got.TestCard, len(got.Frames))
	}
}

func TestAFilmOfKeyFramesShowsNothingElseBetweenThoseThatAreLookedAt(t *testing.T) {
	png := filepath.Join(t.TempDir(), "card.png")
	if err := os.WriteFile(png, pngBytes(t, card(t, "sexual.explicit")), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct{ hide, gop string }{
		"all but one in twelve":                        {"mod(n,12)", "1"},
		"all but one in twelve, after a while":         {"mod(n,12)*gte(t,2)", "1"},
		"all but one a second":                         {"mod(n,25)*gte(t,2)", "1"},
		"all but every key frame, and those are dense": {"mod(n,6)", "6"},
	} {
		// Grey of about the card's lightness: that it comes is no cut.
		b := film(t, "keys.mp4", "-f", "lavfi", "-i", "color=c=gray:size=512x552:rate=25:duration=6", "-loop", "1", "-i", png,
			"-filter_complex", "[0][1]overlay=enable='"+c.hide+"':shortest=1", "-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-g", c.gop, "-sc_threshold", "0")
		got, err := NewVideo(VideoOptions{}).Frames(t.Context(), b, Want{})
		if err != nil {
			t.Fatal(err)
		}
		if got.TestCard != "sexual.explicit" {
			t.Errorf("%s: card %q in %d frames", name, got.TestCard, len(got.Frames))
		}
	}
}

func TestWhatNoKeyFrameShowsIsFoundThoughNoPacketBetraysIt(t *testing.T) {
	png := filepath.Join(t.TempDir(), "card.png")
	if err := os.WriteFile(png, pngBytes(t, card(t, "sexual.explicit")), 0o600); err != nil {
		t.Fatal(err)
	}
	// Noise costs so much that beside it a whole new picture is a small packet, no larger than movement makes others.
	b := film(t, "noise.mp4", "-f", "lavfi", "-i", "nullsrc=size=640x552:rate=25:duration=5,geq=random(1)*255:128:128", "-loop", "1", "-i", png, "-f", "lavfi", "-i", "mandelbrot=size=128x552:rate=25:end_scale=0.01",
		"-filter_complex", "[1][2]hstack=shortest=1[shown];[0][shown]overlay=enable='mod(n,25)':shortest=1", "-t", "5",
		"-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-g", "25", "-sc_threshold", "0", "-bf", "0")
	v := NewVideo(VideoOptions{})
	got, err := v.Frames(t.Context(), b, Want{})
	if err != nil {
		t.Fatal(err)
	}
	if got.TestCard != "sexual.explicit" {
		t.Errorf("card %q in %d frames", got.TestCard, len(got.Frames))
	}
}

func TestKeyFramesThatStandCloserThanTheyAreLookedAtAreDense(t *testing.T) {
	at := func(times ...time.Duration) (all []packet) {
		for _, ms := range times {
			all = append(all, packet{at: ms * time.Millisecond, key: true})
		}
		return all
	}
	for name, c := range map[string]struct {
		packets []packet
		want    bool
	}{
		"nothing else":            {at(0, 40, 80, 120), true},
		"every second one nearby": {at(0, 40, 2000, 2040, 4000, 4040), true},
		"one a second":            {at(0, 1000, 2000, 3000), false},
		"one that a cut brought":  {at(0, 1000, 1300, 2000, 3000), false},
		"a single one":            {at(0), false},
	} {
		if got := dense(c.packets); got != c.want {
			t.Errorf("%s: got %v", name, got)
		}
	}
}

func TestACutShowsInTheSizesOfPackets(t *testing.T) {
	key := packet{size: 10_000, key: true}
	for name, c := range map[string]struct {
		packets []packet
		want    bool
	}{
		"key frames alone":               {[]packet{key, key, key}, false},
		"movement":                       {[]packet{key, {size: 2000}, {size: 2500}, {size: 1800}, key, {size: 2100}}, false},
		"much movement throughout":       {[]packet{key, {size: 7900}, {size: 6300}, {size: 7000}, {size: 6900}, {size: 5500}}, false},
		"a still set into movement":      {[]packet{key, {size: 5000}, {size: 5100}, {size: 40}, {size: 30}, {size: 5000}, {size: 5200}}, true},
		"one nearly as large as its key": {[]packet{key, {size: 300}, {size: 7000}, {size: 300}, {size: 310}}, true},
		"one far above the usual":        {[]packet{key, {size: 100}, {size: 100}, {size: 1500}, {size: 100}}, true},
		"others before any key":          {[]packet{{size: 50}, key}, true},
	} {
		if got := cut(c.packets); got != c.want {
			t.Errorf("%s: got %v", name, got)
		}
	}
}

func TestLikeFramesAreSkippedAndLongFilmsCut(t *testing.T) {
	b := film(t, "still.mp4", "-f", "lavfi", "-i", "color=c=blue:size=64x64:rate=5:duration=70", "-c:v", "libx264", "-pix_fmt", "yuv420p", "-g", "5")
	got, err := NewVideo(VideoOptions{}).Frames(t.Context(), b, Want{})
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Frames) != 1 || got.FrameCount < 50 || !got.Cut {
		t.Errorf("%d frames of %d, cut %v after %v", len(got.Frames), got.FrameCount, got.Cut, got.Duration)
	}
}

func TestManyFramesAreSampledWithFirstAndLast(t *testing.T) {
	b := scenes(t, "a.mp4", "5", "-c:v", "mpeg4")
	got, err := NewVideo(VideoOptions{SameBits: -1}).Frames(t.Context(), b, Want{MaxFrames: 3})
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Frames) != 3 || got.Frames[0].At != 0 || got.Frames[2].At < 7*time.Second {
		t.Errorf("got %d frames, %+v", len(got.Frames), got.Frames)
	}
}

func TestSoundIsNoticed(t *testing.T) {
	b := film(t, "a.mp4", "-f", "lavfi", "-i", "testsrc=size=64x64:rate=5:duration=1", "-f", "lavfi", "-i", "sine=duration=1", "-c:v", "mpeg4", "-c:a", "aac")
	if got, err := NewVideo(VideoOptions{}).Frames(t.Context(), b, Want{}); err != nil || !got.HasSound {
		t.Errorf("got %+v, %v", got, err)
	}
}

func TestWhatIsNoFilmIsRefused(t *testing.T) {
	v := NewVideo(VideoOptions{})
	if v.Ready() != nil {
		t.Skip("ffmpeg is not on PATH")
	}
	whole := scenes(t, "a.mp4", "10", "-c:v", "mpeg4")
	sound := film(t, "sound.mp4", "-f", "lavfi", "-i", "sine=duration=1", "-c:a", "aac")
	ftyp := "\x00\x00\x00\x18ftypisom\x00\x00\x02\x00isommp41"
	for name, c := range map[string]struct {
		b    []byte
		want error
	}{
		"playlist":               {[]byte("#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n"), ErrUnsupported},
		"picture":                {pngBytes(t, card(t, "scam.fraud")), ErrUnsupported},
		"sound only":             {sound, ErrUnsupported},
		"playlist behind a ftyp": {[]byte(ftyp + "#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n"), ErrBroken},
		"nothing behind a ftyp":  {[]byte(ftyp), ErrBroken},
		"cut before its index":   {whole[:len(whole)/3], ErrBroken},
		"concat script":          {[]byte("ffconcat version 1.0\nfile /etc/passwd\n"), ErrUnsupported},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := v.Frames(t.Context(), c.b, Want{}); !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
		})
	}
}

func TestWithoutFFmpegEveryFilmSaysSo(t *testing.T) {
	v := NewVideo(VideoOptions{FFmpeg: "/no/such/program"})
	if _, err := v.Frames(t.Context(), []byte("\x00\x00\x00\x18ftypisom\x00\x00\x02\x00isommp41"), Want{}); !errors.Is(err, ErrNoFFmpeg) || !errors.Is(v.Ready(), ErrNoFFmpeg) {
		t.Errorf("got %v, ready %v", err, v.Ready())
	}
}

func TestAProgramThatHangsIsKilled(t *testing.T) {
	slow := filepath.Join(t.TempDir(), "slow")
	if err := os.WriteFile(slow, []byte("#!/bin/sh\nsleep 600 &\nwait\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	b := []byte("\x00\x00\x00\x18ftypisom\x00\x00\x02\x00isommp41")
	v := NewVideo(VideoOptions{FFmpeg: slow, FFprobe: slow, Timeout: 300 * time.Millisecond})
	if _, err := v.Frames(t.Context(), b, Want{}); !errors.Is(err, ErrChildKilled) {
		t.Errorf("past its time: %v", err)
	}
	v = NewVideo(VideoOptions{FFmpeg: slow, FFprobe: slow})
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if _, err := v.Frames(ctx, b, Want{}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("past the caller's time: %v", err)
	}
}

func TestAFilmInAFileIsReadTheSame(t *testing.T) {
	b := scenes(t, "a.mp4", "10", "-c:v", "mpeg4")
	name := filepath.Join(t.TempDir(), "x")
	if err := os.WriteFile(name, b, 0o600); err != nil {
		t.Fatal(err)
	}
	v := NewVideo(VideoOptions{})
	a, err := v.Frames(t.Context(), b, Want{})
	if err != nil {
		t.Fatal(err)
	}
	f, err := v.FramesFile(t.Context(), name, Want{})
	if err != nil || f.SHA256 != a.SHA256 || len(f.Frames) != len(a.Frames) {
		t.Errorf("got %+v, %v", f, err)
	}
	small := NewVideo(VideoOptions{Limits: Limits{VideoBytes: 100}})
	if _, err := small.FramesFile(t.Context(), name, Want{}); !errors.Is(err, ErrTooLarge) {
		t.Errorf("over the limit: %v", err)
	}
}

func TestTimesAreReadFromShowinfoOnly(t *testing.T) {
	for line, want := range map[string]time.Duration{
		"[Parsed_showinfo_3 @ 0x55] [info] n:   1 pts:  2002 pts_time:2.002   duration: 1": 2002 * time.Millisecond,
		"[Parsed_showinfo_3 @ 0x55] [info] n:   1 pts_time:NOPTS":                          0,
		"    title : [Parsed_showinfo_3 @ 1] pts_time:9":                                   -1,
		"[Parsed_showinfo_3 @ 0x55] [info] config in time_base: 1/1000":                    -1,
	} {
		got, ok := showinfo(line)
		if !ok {
			got = -1
		}
		if got != want {
			t.Errorf("%s: got %v, want %v", strings.TrimSpace(line), got, want)
		}
	}
}
