package media

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
)

// ChildCommand is the hidden subcommand under which a binary must call ChildMain,
// before it does anything else.
const ChildCommand = "decode-child"

// childLimits are what a child imposes on itself before it reads a file. They
// come on its command line because its environment is empty.
type childLimits struct {
	memory int64 // bytes of writable memory
	cpu    int   // seconds of processor time for one file
	files  int   // files served at most
}

func (l childLimits) args() []string {
	return []string{ChildCommand, fmt.Sprint(l.memory), fmt.Sprint(l.cpu), fmt.Sprint(l.files)}
}

func parseChildLimits(args []string) (l childLimits, err error) {
	if len(args) != 5 || args[1] != ChildCommand {
		return l, errors.New("wrong use")
	}
	for i, field := range []any{&l.memory, &l.cpu, &l.files} {
		if _, err := fmt.Sscan(args[i+2], field); err != nil {
			return l, fmt.Errorf("read limit %d: %w", i, err)
		}
	}
	if l.memory < 1<<20 || l.cpu < 1 || l.files < 1 {
		return l, errors.New("limits out of range")
	}
	return l, nil
}

// ChildMain is the decoding child: it shuts itself in, then answers requests on
// standard input until that ends, and gives its exit code. It expects os.Args as
// the Decoder sets them. For Video it shuts itself in and becomes ffmpeg.
func ChildMain(ctx context.Context) int {
	if len(os.Args) > 2 && os.Args[2] == toolCommand {
		return toolMain(os.Args[3:])
	}
	limits, err := parseChildLimits(os.Args)
	if err != nil {
		fmt.Fprintln(os.Stderr, "decode-child:", err)
		return 2
	}
	loadTurbo() // before files can no longer be opened
	loadHEIF()
	debug.SetMemoryLimit(limits.memory * 3 / 4)
	debug.SetGCPercent(800) // a small photo leaves little behind; the limit holds for the large ones
	report, err := shutIn(limits)
	if err != nil {
		fmt.Fprintln(os.Stderr, "decode-child:", err)
		return 3
	}
	out := bufio.NewWriterSize(os.Stdout, 1<<16)
	if err := writeMessage(out, report); err != nil || out.Flush() != nil {
		return 4
	}
	for n := 0; n < limits.files && ctx.Err() == nil; n++ {
		if err := serveOne(os.Stdin, out, limits); err != nil {
			if errors.Is(err, io.EOF) {
				return 0
			}
			return 4
		}
	}
	return 0
}

func serveOne(r io.Reader, out *bufio.Writer, limits childLimits) error {
	var ask request
	data, err := readMessage(r, &ask, 1<<30)
	if err != nil {
		return err
	}
	if err := allowCPU(limits.cpu); err != nil {
		return err
	}
	d, err := decodeGuarded(data, ask)
	if err := respond(out, d, err); err != nil {
		return err
	}
	if err := out.Flush(); err != nil {
		return fmt.Errorf("write answer: %w", err)
	}
	if d != nil && d.Width*d.Height > 16_000_000 {
		debug.FreeOSMemory()
	}
	return nil
}

func decodeGuarded(data []byte, ask request) (d *Decoded, err error) {
	defer func() {
		if p := recover(); p != nil {
			d, err = nil, fmt.Errorf("decoding panicked: %w", ErrBroken)
		}
	}()
	return (&decoder{want: ask.Want, limits: ask.Limits, turbo: loadTurbo(), heif: loadHEIF()}).decode(data)
}
