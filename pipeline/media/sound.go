package media

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"strconv"
	"time"
)

// SoundRate is how many samples a second a Sound has.
const SoundRate = 16000

// Sound is what of a voice note or a film can be heard, in one channel.
type Sound struct {
	Samples []float32     // -1 to 1, SoundRate a second
	Length  time.Duration // of Samples
	Long    bool          // it goes on beyond Limits.Sound; Samples hold the start
	Damaged bool          // ffmpeg met errors in it
	Tracks  int           // tracks of sound; when there is more than one, only the first is in Samples
	Picture bool          // there is a picture track or a cover besides, which was not looked at
}

// Sound decodes the sound of a voice note or a film with ffmpeg, in a child like a film's pictures. A file without any
// sound gives no samples and no error.
func (v *Video) Sound(ctx context.Context, data []byte) (*Sound, error) {
	t, err := Sniff(data)
	if err != nil {
		return nil, err
	}
	if k := t.Kind(); k != Voice && k != Film {
		return nil, fmt.Errorf("%s has no sound: %w", t, ErrUnsupported)
	}
	if int64(len(data)) > v.opts.Limits.BytesFor(t.Kind()) {
		return nil, fmt.Errorf("sound in %d bytes: %w", len(data), ErrTooLarge)
	}
	if v.lookup != nil {
		return nil, v.lookup
	}
	file, err := memoryFile(data)
	if err != nil {
		return nil, fmt.Errorf("hand sound over: %w", err)
	}
	defer func() { _ = file.Close() }() // only read
	select {
	case v.slots <- struct{}{}:
		defer func() { <-v.slots }()
	case <-ctx.Done():
		return nil, fmt.Errorf("wait to decode sound: %w", ctx.Err())
	}
	s := &Sound{}
	if s.Tracks, s.Picture, err = v.tracks(ctx, file, t); err != nil {
		return nil, fmt.Errorf("probe sound: %w", err)
	}
	if s.Tracks == 0 {
		return s, nil
	}
	if err := v.listen(ctx, file, t, s); err != nil {
		return nil, fmt.Errorf("decode sound: %w", err)
	}
	return s, nil
}

// tracks counts the tracks of sound, and tells whether there are pictures.
func (v *Video) tracks(ctx context.Context, file *os.File, t Type) (sounds int, picture bool, err error) {
	args := append([]string{"-v", "error", "-protocol_whitelist", "file,pipe"}, t.demux()...)
	args = append(args, "-threads", "1", "-show_entries", "stream=codec_type", "-of", "json=compact=1", filmInput)
	var out bytes.Buffer
	err = v.tool(ctx, v.opts.FFprobe, args, file, func(stdout io.Reader) error {
		_, err := io.Copy(&out, io.LimitReader(stdout, 1<<20))
		return err
	}, func(io.Reader) {})
	if err != nil {
		return 0, false, err
	}
	var a probeAnswer
	if err := json.Unmarshal(out.Bytes(), &a); err != nil {
		return 0, false, broken("ffprobe's answer")
	}
	for _, s := range a.Streams {
		switch s.Type {
		case "audio":
			sounds++
		case "video":
			picture = true
		}
	}
	return sounds, picture, nil
}

// listen decodes two channels of the first track, a little beyond the limit so that what is longer shows.
func (v *Video) listen(ctx context.Context, file *os.File, t Type, s *Sound) error {
	limit := v.opts.Limits.Sound
	args := append([]string{"-hide_banner", "-nostats", "-nostdin", "-loglevel", "level+error", "-protocol_whitelist", "file,pipe", "-threads", "1", "-filter_threads", "1"}, t.demux()...)
	args = append(args, "-i", filmInput, "-map", "0:a:0", "-vn", "-sn", "-dn", "-t", strconv.FormatFloat((limit+time.Second).Seconds(), 'f', 3, 64),
		"-ac", "2", "-ar", strconv.Itoa(SoundRate), "-f", "s16le", "pipe:1")
	most := 4 * int(limit.Seconds()*SoundRate)
	var raw []byte
	problems := newTimes()
	err := v.tool(ctx, v.opts.FFmpeg, args, file, func(stdout io.Reader) (err error) {
		raw, err = io.ReadAll(io.LimitReader(stdout, int64(most)+4))
		return err
	}, problems.read)
	if err != nil {
		return err
	}
	s.Long, s.Damaged = len(raw) > most, problems.damaged()
	s.Samples = mono(raw[:min(len(raw), most)&^3])
	s.Length = time.Duration(len(s.Samples)) * time.Second / SoundRate
	return nil
}

// Lengths in samples: of a stretch in which mono mixes in one way, and of the turn from one way to the next.
const (
	monoStretch = SoundRate / 10
	monoTurn    = SoundRate / 200
)

// mix is how much of each channel goes into one.
type mix struct{ left, right float32 }

var (
	evenly    = mix{.5, .5}
	leftOnly  = mix{1, 0}
	rightOnly = mix{0, 1}
)

// mono brings two channels of 16-bit samples together, stretch by stretch.
func mono(raw []byte) []float32 {
	n := len(raw) / 4
	left, right := make([]float32, n), make([]float32, n)
	for i := range n {
		left[i] = float32(int16(binary.LittleEndian.Uint16(raw[4*i:]))) / 32768
		right[i] = float32(int16(binary.LittleEndian.Uint16(raw[4*i+2:]))) / 32768
	}
	out := make([]float32, n)
	last := evenly
	for from := 0; from < n; from += monoStretch {
		to := min(n, from+monoStretch)
		next := mixOf(left[from:to], right[from:to], last)
		for i := from; i < to; i++ {
			turned := min(1, float32(i-from)/monoTurn)
			out[i] = left[i]*(last.left+turned*(next.left-last.left)) + right[i]*(last.right+turned*(next.right-last.right))
		}
		last = next
	}
	return out
}

// mixOf mixes evenly, but where the channels take each other away, which a sender can bring about and a listener with
// two ears does not notice, the louder one is taken alone. It stays with one that is hardly less loud.
func mixOf(left, right []float32, last mix) mix {
	var l, r, b float64
	for i := range left {
		both := (left[i] + right[i]) / 2
		l, r, b = l+float64(left[i]*left[i]), r+float64(right[i]*right[i]), b+float64(both*both)
	}
	switch {
	case math.Sqrt(b) >= 0.4*math.Sqrt(max(l, r)):
		return evenly
	case last == leftOnly && 2*l >= r, last == rightOnly && 2*r >= l:
		return last
	case l >= r:
		return leftOnly
	}
	return rightOnly
}
