package media

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"time"
)

// VideoOptions sets up Video. Zero fields take their defaults.
type VideoOptions struct {
	Command     []string      // program and leading arguments of a child that becomes ffmpeg; default: this very binary
	FFmpeg      string        // program; default "ffmpeg" from PATH
	FFprobe     string        // program; default "ffprobe" from PATH
	Limits      Limits        // what a film may be
	Processes   int           // most films decoded at once; default: number of processors
	Timeout     time.Duration // wall clock for one run of ffmpeg or ffprobe, then it is killed; default 30 s
	CPUSeconds  int           // processor time for one run, seconds; default 10
	MemoryBytes int64         // writable memory of one run, bytes; default 512 MiB
	MaxDuration time.Duration // how much of a film is looked at; a longer one is Cut; default 60 s
	MaxGap      time.Duration // longest time between key frames; with a longer one everything is decoded, and every second and every cut is looked at; default 3 s
	SameBits    int           // frames whose DHash differs from the one before in at most so many bits, and whose colours do not, are skipped; default 4, none when negative
}

// Video takes frames from films with ffmpeg. A child of this binary (ChildMain)
// takes on limits, gives up sockets and becomes ffmpeg, in its own process group
// and without a network, with file and pipe as its only protocols and its demuxer
// forced to the sniffed type. It is safe for concurrent use.
type Video struct {
	opts   VideoOptions
	slots  chan struct{}
	mu     sync.Mutex
	start  *isolation
	lookup error
}

// NewVideo looks for ffmpeg and ffprobe. Without them it still works, and every
// film is ErrNoFFmpeg.
func NewVideo(o VideoOptions) *Video {
	o.Limits = o.Limits.WithDefaults()
	def2(&o.FFmpeg, "ffmpeg")
	def2(&o.FFprobe, "ffprobe")
	def(&o.Processes, runtime.GOMAXPROCS(0))
	def(&o.CPUSeconds, 10)
	def(&o.MemoryBytes, 512<<20)
	def(&o.SameBits, 4)
	for field, value := range map[*time.Duration]time.Duration{
		&o.Timeout: 30 * time.Second, &o.MaxDuration: time.Minute, &o.MaxGap: 3 * time.Second,
	} {
		if *field == 0 {
			*field = value
		}
	}
	v := &Video{opts: o, slots: make(chan struct{}, max(1, o.Processes))}
	if len(o.Command) == 0 {
		self, err := os.Executable()
		if err != nil {
			v.lookup = fmt.Errorf("find own binary: %w: %w", ErrNoChild, err)
		}
		v.opts.Command = []string{self}
	}
	for _, name := range []*string{&v.opts.FFmpeg, &v.opts.FFprobe} {
		found, err := exec.LookPath(*name)
		if err != nil {
			v.lookup = fmt.Errorf("look for %s: %w", *name, ErrNoFFmpeg)
			continue
		}
		*name = found
	}
	return v
}

// Ready is nil, or ErrNoFFmpeg with the program that is missing.
func (v *Video) Ready() error { return v.lookup }

// Frames decodes key frames of a film, or about one frame a second and every cut
// where key frames are too far apart or seem to pass something over, and gives what
// is wanted of those that differ from the one before, at most Want.MaxFrames of
// them, first and last among them. Want.Thumbnail and Want.Preview are made of the
// first.
func (v *Video) Frames(ctx context.Context, data []byte, want Want) (*Decoded, error) {
	if int64(len(data)) > v.opts.Limits.VideoBytes {
		return nil, fmt.Errorf("film of %d bytes: %w", len(data), ErrTooLarge)
	}
	t, err := v.sniff(data)
	if err != nil {
		return nil, err
	}
	file, err := memoryFile(data)
	if err != nil {
		return nil, fmt.Errorf("hand film over: %w", err)
	}
	defer func() { _ = file.Close() }() // only read
	sum := sha256.Sum256(data)
	return v.frames(ctx, file, t, hex.EncodeToString(sum[:]), want)
}

// FramesFile is Frames for a film in a file that nobody changes meanwhile.
func (v *Video) FramesFile(ctx context.Context, name string, want Want) (*Decoded, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("open film: %w", err)
	}
	defer func() { _ = file.Close() }() // only read
	head := make([]byte, SniffLen)
	n, err := io.ReadFull(file, head)
	if err != nil && err != io.ErrUnexpectedEOF && err != io.EOF {
		return nil, fmt.Errorf("read film: %w", err)
	}
	t, err := v.sniff(head[:n])
	if err != nil {
		return nil, err
	}
	h := sha256.New()
	size, err := io.Copy(h, io.MultiReader(bytes.NewReader(head[:n]), io.LimitReader(file, v.opts.Limits.VideoBytes)))
	if err != nil {
		return nil, fmt.Errorf("read film: %w", err)
	}
	if size > v.opts.Limits.VideoBytes {
		return nil, fmt.Errorf("film over %d bytes: %w", v.opts.Limits.VideoBytes, ErrTooLarge)
	}
	return v.frames(ctx, file, t, hex.EncodeToString(h.Sum(nil)), want)
}

func (v *Video) sniff(head []byte) (Type, error) {
	t, err := Sniff(head)
	if err == nil && t.Kind() != Film {
		err = fmt.Errorf("%s is not a film: %w", t, ErrUnsupported)
	}
	if err == nil {
		err = v.lookup
	}
	return t, err
}

func (v *Video) frames(ctx context.Context, file *os.File, t Type, sum string, want Want) (*Decoded, error) {
	want = want.withDefaults()
	if err := want.check(); err != nil {
		return nil, err
	}
	select {
	case v.slots <- struct{}{}:
		defer func() { <-v.slots }()
	case <-ctx.Done():
		return nil, fmt.Errorf("wait to decode film: %w", ctx.Err())
	}
	p, err := v.probe(ctx, file, t)
	if err != nil {
		return nil, fmt.Errorf("probe film: %w", err)
	}
	if err := v.opts.Limits.Check(Header{Type: t, Width: p.width, Height: p.height, Frames: 1}); err != nil {
		return nil, fmt.Errorf("probe film: %w", err)
	}
	p.sum = sum
	r, damaged, err := v.shots(ctx, file, t, p, want)
	if err != nil {
		return nil, fmt.Errorf("decode film: %w", err)
	}
	shots := r.pick()
	out := &Decoded{
		Type: t, Width: p.width, Height: p.height, FrameCount: r.count, Duration: p.duration, Orientation: 1, SHA256: sum,
		Decoder: "ffmpeg", Cut: p.duration > v.opts.MaxDuration, HasSound: p.sound, HasGPS: p.place, Damaged: damaged, Coarse: p.more || r.lost, Thinned: r.gone,
	}
	d := &decoder{want: want, limits: v.opts.Limits}
	if err := d.addAll(out, shots); err != nil {
		return nil, err
	}
	return out, nil
}

// shots decodes key frames and, when those that really came leave a gap, or the
// packets betray a cut between them, or a moment shows something else, about one
// frame a second and the first after each cut: the uploader chooses where key frames
// stand and what they show, and a container may claim others than there are.
func (v *Video) shots(ctx context.Context, file *os.File, t Type, p probed, want Want) (r *reel, damaged bool, err error) {
	for _, every := range []bool{false, true} {
		if p.cuts && !every {
			continue
		}
		r = &reel{limit: want.MaxFrames, same: v.opts.SameBits}
		damaged, err = v.run(ctx, file, t, p, want, every, r)
		if err != nil {
			return nil, false, err
		}
		whole := every || r.gap(min(p.duration, v.opts.MaxDuration)) <= v.opts.MaxGap && !v.hides(ctx, file, t, p, want, r)
		if r.count > 0 && whole {
			return r, damaged, nil
		}
	}
	return nil, false, broken("no frame could be decoded")
}

// hides tells whether the film shows something, at two moments that its hash chooses,
// that none of its key frames does. Moments that cannot be decoded may.
func (v *Video) hides(ctx context.Context, file *os.File, t Type, p probed, want Want, r *reel) bool {
	n, err := strconv.ParseUint(p.sum[len(p.sum)-8:], 16, 32)
	if err != nil {
		return true
	}
	end := min(p.last, v.opts.MaxDuration)
	shots, err := v.moments(ctx, file, t, p, want, end*time.Duration(n>>16)/(1<<16), end*time.Duration(n&0xffff)/(1<<16))
	return err != nil || slices.ContainsFunc(shots, func(s shot) bool { return !r.shows(s) })
}
