package media

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"io"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// filmInput names descriptor 3, on which every run gets the film: nothing is
// written to disk, and no path of a tenant's reaches a command line.
const filmInput = "file:/proc/self/fd/3"

// probed is what ffprobe says of a film.
type probed struct {
	width, height int           // pixels as shown
	duration      time.Duration // the longer of what the container claims and the last picture's time
	last          time.Duration // of the last picture
	stream        int
	sum           string // SHA-256 of the file, hexadecimal
	sound         bool
	place         bool
	cuts          bool // key frames alone may pass something over: see cut and dense
	more          bool // there are pictures besides the film, such as a cover, that are not looked at
}

type probeAnswer struct {
	Packets []struct {
		Stream int    `json:"stream_index"`
		PTS    string `json:"pts_time"`
		Size   string `json:"size"`
		Flags  string `json:"flags"`
	} `json:"packets"`
	Streams []struct {
		Index       int            `json:"index"`
		Type        string         `json:"codec_type"`
		Width       int            `json:"width"`
		Height      int            `json:"height"`
		Disposition map[string]int `json:"disposition"`
		SideData    []struct {
			Rotation float64 `json:"rotation"`
		} `json:"side_data_list"`
	} `json:"streams"`
	Format struct {
		Duration string            `json:"duration"`
		Tags     map[string]string `json:"tags"`
	} `json:"format"`
}

func (v *Video) probe(ctx context.Context, file *os.File, t Type) (probed, error) {
	args := append([]string{"-v", "error", "-protocol_whitelist", "file,pipe"}, t.demux()...)
	args = append(args, "-threads", "1",
		"-read_intervals", "%+"+strconv.Itoa(int(v.opts.MaxDuration.Seconds())+1),
		"-show_entries", "packet=stream_index,pts_time,size,flags:stream=index,codec_type,width,height:stream_disposition=attached_pic:stream_side_data=rotation:format=duration:format_tags=location,com.apple.quicktime.location.ISO6709",
		"-of", "json=compact=1", filmInput)
	var out bytes.Buffer
	err := v.tool(ctx, v.opts.FFprobe, args, file, func(stdout io.Reader) error {
		_, err := io.Copy(&out, io.LimitReader(stdout, 32<<20))
		return err
	}, func(io.Reader) {})
	if err != nil {
		return probed{}, err
	}
	var a probeAnswer
	if err := json.Unmarshal(out.Bytes(), &a); err != nil {
		return probed{}, broken("ffprobe's answer")
	}
	return a.read()
}

func (a probeAnswer) read() (probed, error) {
	p := probed{stream: -1, duration: seconds(a.Format.Duration)}
	for key := range a.Format.Tags {
		p.place = p.place || strings.Contains(strings.ToLower(key), "location")
	}
	for _, s := range a.Streams {
		switch {
		case s.Type == "audio":
			p.sound = true
		case s.Type != "video":
		case s.Disposition["attached_pic"] == 1:
			p.more = true
		case p.stream >= 0:
			return p, fmt.Errorf("more than one picture track: %w", ErrUnsupported)
		default:
			p.stream, p.width, p.height = s.Index, s.Width, s.Height
			for _, side := range s.SideData {
				if r := int(side.Rotation); r%180 != 0 {
					p.width, p.height = p.height, p.width
				}
			}
		}
	}
	if p.stream < 0 || p.width <= 0 || p.height <= 0 {
		return p, fmt.Errorf("no picture track: %w", ErrUnsupported)
	}
	var packets []packet
	for _, k := range a.Packets {
		if k.Stream == p.stream {
			p.last = max(p.last, seconds(k.PTS))
			size, _ := strconv.Atoi(k.Size) // one that is no number is of no size
			packets = append(packets, packet{size, strings.HasPrefix(k.Flags, "K"), seconds(k.PTS)})
		}
	}
	p.duration = max(p.duration, p.last)
	p.cuts = cut(packets) || dense(packets)
	return p, nil
}

// packet is one coded picture of a film.
type packet struct {
	size int // bytes
	key  bool
	at   time.Duration
}

// keyStep is about how long after one key frame the next one is looked at.
const keyStep = 450 * time.Millisecond

// dense tells whether many key frames are nearer to each other than those that are
// looked at. Few encoders do so by themselves, but for those that write nothing
// else, and then decoding everything costs no more.
func dense(packets []packet) bool {
	keys, near, last := 0, 0, time.Duration(0)
	for _, p := range packets {
		if !p.key {
			continue
		}
		if keys > 0 && p.at-last < keyStep {
			near++
		}
		keys, last = keys+1, p.at
	}
	return 4*near > keys
}

// cut tells whether the picture seems to change wholly somewhere without a key
// frame, so that key frames alone would miss what is shown there. A picture that
// cannot be told from the one before costs about what a key frame costs, and a
// still set into movement next to nothing. It may be wrong in both directions: some
// films are then decoded whole for nothing, and a cut to something plain that moves
// stays unnoticed.
func cut(packets []packet) bool {
	var others []int
	for _, p := range packets {
		if !p.key {
			others = append(others, p.size)
		}
	}
	if len(others) == 0 {
		return false
	}
	slices.Sort(others)
	usual := others[(len(others)-1)*9/10] // few are larger
	key, still := 0, 0
	for _, p := range packets {
		if !p.key && 30*p.size < usual {
			still++
		}
		switch {
		case p.key:
			key = p.size
		case p.size >= key, 5*p.size >= 3*key && 2*p.size >= 3*usual, 8*p.size >= key && p.size >= 3*usual:
			return true
		}
	}
	return still >= 2
}

// seconds reads "12.345"; anything else, "N/A" too, is 0. A year is the most.
func seconds(s string) time.Duration {
	f, err := strconv.ParseFloat(s, 64)
	if err != nil || !(f > 0) {
		return 0
	}
	return time.Duration(min(f, 365*24*3600)*1e6+0.5) * time.Microsecond
}

// picking is the filter that lets through the first frame, the first after each cut,
// and others about a step apart. How far apart each two are, 0.7 to 1.3 steps, follows
// from the film's hash: the same film gives the same frames, and nobody can lay
// something else around a grid that is known beforehand.
func picking(step time.Duration, sum string) string {
	digits, _ := strconv.ParseUint(sum[:min(len(sum), 13)], 16, 52) // as many as a float holds
	return fmt.Sprintf(`select=isnan(prev_selected_t)+gt(scene\,0.2)+gte(t-prev_selected_t\,%g*(0.7+0.04*mod(floor(%d/pow(16\,mod(selected_n\,13)))\,16)))`, step.Seconds(), digits)
}

// run decodes key frames, or about one frame a second and the first after each cut,
// into the reel.
func (v *Video) run(ctx context.Context, file *os.File, t Type, p probed, want Want, every bool, r *reel) (damaged bool, err error) {
	w, h := shown(p, &decoder{want: want})
	args := []string{"-hide_banner", "-nostats", "-nostdin", "-loglevel", "level+info", "-protocol_whitelist", "file,pipe", "-threads", "1", "-filter_threads", "1"}
	pick := picking(time.Second, p.sum)
	if !every {
		args = append(args, "-skip_frame", "nokey")
		pick = picking(keyStep, p.sum)
	}
	args = append(args, t.demux()...)
	args = append(args, "-t", fmt.Sprint(v.opts.MaxDuration.Seconds()), "-i", filmInput,
		"-map", "0:"+strconv.Itoa(p.stream), "-an", "-sn", "-dn",
		"-vf", fmt.Sprintf("%s,scale=%d:%d:flags=area,format=rgba,showinfo=checksum=0", pick, w, h),
		"-fps_mode", "passthrough", "-f", "rawvideo", "pipe:1")
	times := newTimes()
	err = v.tool(ctx, v.opts.FFmpeg, args, file, func(stdout io.Reader) error {
		return readShots(ctx, stdout, w, h, times, r, 10*int(v.opts.MaxDuration.Seconds()))
	}, times.read)
	return times.damaged(), err
}

// moments decodes the frames that are shown at some times. One run stacks them,
// which costs less than a run for each.
func (v *Video) moments(ctx context.Context, file *os.File, t Type, p probed, want Want, shownAt ...time.Duration) ([]shot, error) {
	w, h := shown(p, &decoder{want: want})
	args := []string{"-nostats", "-nostdin", "-loglevel", "error", "-protocol_whitelist", "file,pipe", "-filter_complex_threads", "1"}
	graph, stack := "", ""
	for i, at := range shownAt {
		args = append(append(args, "-threads", "1"), t.demux()...)
		args = append(args, "-ss", fmt.Sprint(at.Seconds()), "-i", filmInput)
		graph += fmt.Sprintf("[%d:%d]trim=end_frame=1,scale=%d:%d:flags=area,format=rgba[m%d];", i, p.stream, w, h, i)
		stack += fmt.Sprintf("[m%d]", i)
	}
	args = append(args, "-filter_complex", graph+fmt.Sprintf("%svstack=%d", stack, len(shownAt)), "-frames:v", "1", "-f", "rawvideo", "pipe:1")
	pixels := make([]byte, 4*w*h*len(shownAt))
	err := v.tool(ctx, v.opts.FFmpeg, args, file, func(stdout io.Reader) error {
		if _, err := io.ReadFull(stdout, pixels); err != nil {
			return broken("frame cut")
		}
		return nil
	}, func(io.Reader) {})
	if err != nil {
		return nil, err
	}
	var shots []shot
	for i, at := range shownAt {
		img := &image.NRGBA{Pix: pixels[4*w*h*i:][:4*w*h], Stride: 4 * w, Rect: image.Rect(0, 0, w, h)}
		opaque(img)
		s, err := newShot(i, at, img)
		if err != nil {
			return nil, err
		}
		shots = append(shots, s)
	}
	return shots, nil
}

// opaque makes every pixel so: ffmpeg's are, whatever it writes.
func opaque(img *image.NRGBA) {
	for i := 3; i < len(img.Pix); i += 4 {
		img.Pix[i] = 255
	}
}

// shown is the size at which frames leave ffmpeg.
func shown(p probed, d *decoder) (w, h int) {
	w, h = p.width, p.height
	if s := d.shortest(w, h); min(w, h) > s {
		f := float64(s) / float64(min(w, h))
		w, h = max(1, int(float64(w)*f+0.5)), max(1, int(float64(h)*f+0.5))
	}
	return w, h
}

func readShots(ctx context.Context, stdout io.Reader, w, h int, times *times, r *reel, limit int) error {
	in := bufio.NewReaderSize(stdout, 1<<16)
	for {
		img := image.NewNRGBA(image.Rect(0, 0, w, h))
		switch _, err := io.ReadFull(in, img.Pix); {
		case err == io.EOF:
			return nil
		case err != nil:
			return broken("frame cut")
		case r.count >= limit:
			return fmt.Errorf("more than %d frames: %w", limit, ErrTooLarge)
		}
		opaque(img)
		at, err := times.next(ctx)
		if err != nil {
			return err
		}
		if err := r.add(img, at); err != nil {
			return err
		}
	}
}

// times takes the time of each frame from the lines of ffmpeg's showinfo filter
// and notes whether anything was reported as an error. The lines may quote the
// film's metadata, so nothing else of them is kept.
type times struct {
	at  chan time.Duration
	mu  sync.Mutex
	bad bool
}

func newTimes() *times { return &times{at: make(chan time.Duration, 1024)} }

func (t *times) read(stderr io.Reader) {
	defer close(t.at)
	lines := bufio.NewReaderSize(stderr, 4096)
	for {
		line, long, err := lines.ReadLine()
		if err != nil {
			return
		}
		if strings.Contains(string(line), "[error]") || strings.Contains(string(line), "[fatal]") {
			t.mu.Lock()
			t.bad = true
			t.mu.Unlock()
		}
		if at, ok := showinfo(string(line)); ok {
			select {
			case t.at <- at:
			default: // more frames than anyone reads
			}
		}
		for long && err == nil {
			_, long, err = lines.ReadLine()
		}
	}
}

func (t *times) damaged() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.bad
}

func (t *times) next(ctx context.Context) (time.Duration, error) {
	select {
	case at, ok := <-t.at:
		if !ok {
			return 0, broken("frame without a time")
		}
		return at, nil
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}

// showinfo reads "[Parsed_showinfo_3 @ 0x…] [info] n:   1 pts: … pts_time:2.002 …".
func showinfo(line string) (time.Duration, bool) {
	if !strings.HasPrefix(line, "[Parsed_showinfo") {
		return 0, false
	}
	_, after, ok := strings.Cut(line, " pts_time:")
	if !ok {
		return 0, false
	}
	value, _, _ := strings.Cut(strings.TrimLeft(after, " "), " ")
	return seconds(value), true
}

// tool runs one program on the film and reads both of its outputs to their end.
// The context, the wall clock and a reader that stops early all end its group.
func (v *Video) tool(ctx context.Context, name string, args []string, file *os.File, stdout func(io.Reader) error, stderr func(io.Reader)) error {
	limited, cancel := context.WithTimeout(ctx, v.opts.Timeout)
	defer cancel()
	cmd, out, errs, err := v.launch(name, args, file)
	if err != nil {
		return err
	}
	stop := context.AfterFunc(limited, func() { killGroup(cmd) })
	defer stop()
	var wg sync.WaitGroup
	wg.Go(func() {
		stderr(io.LimitReader(errs, 16<<20))
		_, _ = io.Copy(io.Discard, errs) // so that it never waits for us
	})
	readErr := stdout(out)
	if readErr != nil {
		killGroup(cmd)
	}
	_, _ = io.Copy(io.Discard, out) // what is left after the limit
	wg.Wait()
	return v.verdict(ctx, limited, cmd.Wait(), readErr)
}

func (v *Video) verdict(ctx, limited context.Context, exit, read error) error {
	var code *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case limited.Err() != nil:
		return fmt.Errorf("out of time: %w", ErrChildKilled)
	case read != nil:
		return read
	case exit == nil:
		return nil
	case errors.As(exit, &code) && code.ExitCode() < 0:
		return fmt.Errorf("process ended, %s: %w", code.ProcessState, ErrChildKilled)
	}
	if code != nil && code.ExitCode() == exitTool {
		return fmt.Errorf("limit and start ffmpeg: %w", ErrNoChild)
	}
	return broken("ffmpeg refuses it")
}

// launch starts a program in the strongest isolation that the machine permits.
func (v *Video) launch(name string, args []string, file *os.File) (*exec.Cmd, io.Reader, io.Reader, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	ways := isolations
	if v.start != nil {
		ways = []isolation{*v.start}
	}
	limits := toolLimits{memory: v.opts.MemoryBytes, cpu: v.opts.CPUSeconds}
	var last error
	for _, way := range ways {
		args := append(v.opts.Command[1:len(v.opts.Command):len(v.opts.Command)], limits.args(name, args)...)
		cmd := exec.Command(v.opts.Command[0], args...)
		cmd.Env = []string{"GOTRACEBACK=none"}
		cmd.Dir = "/"
		cmd.ExtraFiles = []*os.File{file}
		way.apply(cmd)
		out, err := cmd.StdoutPipe()
		if err != nil {
			return nil, nil, nil, fmt.Errorf("open pipe: %w", err)
		}
		errs, err := cmd.StderrPipe()
		if err != nil {
			return nil, nil, nil, fmt.Errorf("open pipe: %w", err)
		}
		if last = cmd.Start(); last != nil {
			continue
		}
		v.start = &way
		return cmd, out, errs, nil
	}
	return nil, nil, nil, fmt.Errorf("start process: %w: %w", ErrNoChild, last)
}
