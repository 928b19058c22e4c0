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
	args := []string{"-v", "error", "-protocol_whitelist", "file,pipe", "-f", t.demuxer(), "-threads", "1", "-show_entries", "stream=codec_type", "-of", "json=compact=1", filmInput}
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
	args := []string{"-hide_banner", "-nostats", "-nostdin", "-loglevel", "level+error", "-protocol_whitelist", "file,pipe", "-threads", "1", "-filter_threads", "1",
		"-f", t.demuxer(), "-i", filmInput, "-map", "0:a:0", "-vn", "-sn", "-dn", "-t", strconv.FormatFloat((limit + time.Second).Seconds(), 'f', 3, 64),
		"-ac", "2", "-ar", strconv.Itoa(SoundRate), "-f", "s16le", "pipe:1"}
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

// mono brings two channels of 16-bit samples together. Where they take each other away, which a sender can bring
// about and a listener with two ears does not notice, the louder one is taken alone.
func mono(raw []byte) []float32 {
	n := len(raw) / 4
	left, right, both := make([]float32, n), make([]float32, n), make([]float32, n)
	var l, r, b float64
	for i := range n {
		left[i] = float32(int16(binary.LittleEndian.Uint16(raw[4*i:]))) / 32768
		right[i] = float32(int16(binary.LittleEndian.Uint16(raw[4*i+2:]))) / 32768
		both[i] = (left[i] + right[i]) / 2
		l, r, b = l+float64(left[i])*float64(left[i]), r+float64(right[i])*float64(right[i]), b+float64(both[i])*float64(both[i])
	}
	switch {
	case math.Sqrt(b) >= 0.4*math.Sqrt(max(l, r)):
		return both
	case l >= r:
		return left
	}
	return right
}
