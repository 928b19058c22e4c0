package media

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"runtime"
	"sync"
	"time"
)

// DecoderOptions sets up a Decoder. Zero fields take their defaults.
type DecoderOptions struct {
	Command       []string      // program and leading arguments of a child; default: this very binary
	Children      int           // most children, and so most files decoded at once; default: number of processors
	FilesPerChild int           // a child is replaced after so many files; default 500
	Limits        Limits        // what a file may be
	Timeout       time.Duration // wall clock for one file, then the child is killed; default 20 s, since CPUSeconds holds a busy child and machines are shared
	CPUSeconds    int           // processor time for one file, seconds; default 2
	MemoryBytes   int64         // writable memory of a child, bytes; default 256 MiB
}

// Decoder opens untrusted pictures in child processes. It starts them when they
// are first needed, uses each for many files, and replaces one that crashes,
// overruns a limit or has served long enough. It is safe for concurrent use.
type Decoder struct {
	opts  DecoderOptions
	slots chan struct{}

	mu      sync.Mutex
	idle    []*child
	closed  bool
	busy    sync.WaitGroup
	start   isolation
	settled bool // start was found to work
	sandbox Sandbox
}

// Sandbox says which walls stand around decoding on this machine, for an
// operator to read. It is zero until a first child has started.
type Sandbox struct {
	Namespaces string // namespaces that a child starts in; empty when the system permits none
	Seccomp    bool   // sockets, programs and files are refused by a system call filter
	Network    bool   // true when a child could still open a socket: neither of the two above holds
	Memory     bool   // writable memory is limited by the kernel
	CPU        bool   // processor time is limited by the kernel
	Files      bool   // no file can be opened in number or written
	Landlock   bool   // ffmpeg can open nothing but its own libraries and its film
	Turbo      bool   // libjpeg-turbo is there
	HEIF       bool   // libheif is there; without it HEIC and AVIF are unsupported
}

// NewDecoder gives a Decoder. It starts no process yet. Close it when done.
func NewDecoder(o DecoderOptions) (*Decoder, error) {
	o.Limits = o.Limits.WithDefaults()
	def(&o.Children, runtime.GOMAXPROCS(0))
	def(&o.FilesPerChild, 500)
	def(&o.CPUSeconds, 2)
	def(&o.MemoryBytes, 256<<20)
	if o.Timeout == 0 {
		o.Timeout = 20 * time.Second
	}
	if len(o.Command) == 0 {
		self, err := os.Executable()
		if err != nil {
			return nil, fmt.Errorf("find own binary: %w", err)
		}
		o.Command = []string{self}
	}
	if o.Children < 1 || o.FilesPerChild < 1 || o.CPUSeconds < 1 || o.MemoryBytes < 64<<20 {
		return nil, errors.New("media: decoder options out of range")
	}
	return &Decoder{opts: o, slots: make(chan struct{}, o.Children)}, nil
}

// Limits are those that the Decoder holds files against.
func (d *Decoder) Limits() Limits { return d.opts.Limits }

// Sandbox reports the walls. It starts a child when none has been started yet.
func (d *Decoder) Sandbox(ctx context.Context) (Sandbox, error) {
	c, err := d.claim(ctx)
	if err != nil {
		return Sandbox{}, err
	}
	d.release(c, true)
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.sandbox, nil
}

// Decode opens one picture and gives what is wanted of it. It waits for a free
// child; ctx ends the wait and, by killing the child, the work. A file that is
// refused is ErrTooLarge, ErrUnsupported or ErrBroken; one that brought its child
// down is ErrChildKilled; ErrNoChild is the machine's fault.
func (d *Decoder) Decode(ctx context.Context, data []byte, want Want) (*Decoded, error) {
	want = want.withDefaults()
	if err := d.look(data, want); err != nil {
		return nil, fmt.Errorf("look at picture: %w", err)
	}
	c, err := d.claim(ctx)
	if err != nil {
		return nil, err
	}
	limited, cancel := context.WithTimeout(ctx, d.opts.Timeout)
	defer cancel()
	stop := context.AfterFunc(limited, c.kill)
	out, err := c.ask(data, request{Want: want, Limits: d.opts.Limits})
	inTime := stop()
	if err == nil {
		err = out.agrees(want)
	}
	var said childError
	healthy := inTime && (err == nil || errors.As(err, &said))
	d.release(c, healthy)
	if healthy && err != nil {
		return nil, err
	}
	if err != nil || !inTime {
		return nil, c.blame(ctx, !inTime, err)
	}
	sum := sha256.Sum256(data)
	out.SHA256 = hex.EncodeToString(sum[:])
	return out, nil
}

// look refuses in this process what costs nothing to refuse here. The headers are
// read again in the child; these parsers allocate nothing by what a file claims.
func (d *Decoder) look(data []byte, want Want) error {
	if err := want.check(); err != nil {
		return err
	}
	if int64(len(data)) > d.opts.Limits.Bytes {
		return fmt.Errorf("%d bytes over %d: %w", len(data), d.opts.Limits.Bytes, ErrTooLarge)
	}
	t, err := Sniff(data)
	if err != nil {
		return err
	}
	if t.Kind() != Photo {
		return fmt.Errorf("%s is not decoded as a picture here: %w", t, ErrUnsupported)
	}
	return nil
}

// Close waits for the files in work and ends the children.
func (d *Decoder) Close() error {
	d.mu.Lock()
	d.closed = true
	d.mu.Unlock()
	d.busy.Wait()
	d.mu.Lock()
	idle := d.idle
	d.idle = nil
	d.mu.Unlock()
	for _, c := range idle {
		c.end()
	}
	return nil
}

// claim gives an idle child or starts one, once a slot is free.
func (d *Decoder) claim(ctx context.Context) (*child, error) {
	select {
	case d.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, fmt.Errorf("wait for a decoding process: %w", ctx.Err())
	}
	d.mu.Lock()
	if d.closed {
		d.mu.Unlock()
		<-d.slots
		return nil, fmt.Errorf("decoder is closed: %w", ErrNoChild)
	}
	d.busy.Add(1)
	var c *child
	if n := len(d.idle); n > 0 {
		c, d.idle = d.idle[n-1], d.idle[:n-1]
	}
	d.mu.Unlock()
	if c != nil {
		return c, nil
	}
	c, err := d.spawn()
	if err != nil {
		<-d.slots
		d.busy.Done()
		return nil, err
	}
	return c, nil
}

// release gives a healthy child back for the next file and ends any other.
func (d *Decoder) release(c *child, healthy bool) {
	c.served++
	if healthy && c.served < d.opts.FilesPerChild {
		d.mu.Lock()
		d.idle = append(d.idle, c)
		d.mu.Unlock()
	} else {
		c.end()
	}
	<-d.slots
	d.busy.Done()
}

// spawn starts a child in the strongest isolation that the machine permits.
func (d *Decoder) spawn() (*child, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	ways := isolations
	if d.settled {
		ways = []isolation{d.start}
	}
	var last error
	for _, way := range ways {
		c, report, err := startChild(d.opts, way)
		if err != nil {
			last = err
			continue
		}
		d.start, d.settled = way, true
		d.sandbox = Sandbox{
			Namespaces: way.name, Seccomp: report.Seccomp, Network: way.name == "" && !report.Seccomp,
			Memory: report.Memory, CPU: report.CPU, Files: report.Files, Turbo: report.Turbo, HEIF: report.HEIF, Landlock: report.Landlock,
		}
		return c, nil
	}
	return nil, fmt.Errorf("start decoding process: %w: %w", ErrNoChild, last)
}
