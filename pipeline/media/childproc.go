package media

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"sync"
	"time"
)

const exitCPU = 5 // a child's exit code at its processor limit

// child is one running decoding process.
type child struct {
	cmd    *exec.Cmd
	in     io.WriteCloser
	out    *bufio.Reader
	served int
	ended  sync.Once
}

func startChild(o DecoderOptions, way isolation) (*child, childReport, error) {
	var report childReport
	limits := childLimits{memory: o.MemoryBytes, cpu: o.CPUSeconds, files: o.FilesPerChild}
	cmd := exec.Command(o.Command[0], append(o.Command[1:len(o.Command):len(o.Command)], limits.args()...)...)
	cmd.Env = []string{"GOMAXPROCS=2", "GOTRACEBACK=none"}
	cmd.Dir = "/"
	way.apply(cmd)
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, report, fmt.Errorf("open pipe: %w", err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, report, fmt.Errorf("open pipe: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return nil, report, err
	}
	c := &child{cmd: cmd, in: in, out: bufio.NewReaderSize(out, 1<<16)}
	timer := time.AfterFunc(o.Timeout, c.kill)
	_, err = readMessage(c.out, &report, 0)
	if !timer.Stop() && err == nil {
		err = errors.New("too slow to start")
	}
	if err != nil {
		c.end()
		return nil, report, err
	}
	return c, report, nil
}

// ask sends one file and reads the answer. A file may be answered before it is
// read to its end only by a child that died, so writing and reading take turns.
func (c *child) ask(data []byte, r request) (*Decoded, error) {
	if err := writeMessage(c.in, r, data); err != nil {
		return nil, err
	}
	var re response
	raw, err := readMessage(c.out, &re, 1<<30)
	if err != nil {
		return nil, err
	}
	return parse(re, raw)
}

func (c *child) kill() { killGroup(c.cmd) }

// end closes the child's input, kills it and collects it.
func (c *child) end() {
	c.ended.Do(func() {
		_ = c.in.Close() // it ends either way
		c.kill()
		_ = c.cmd.Wait() // its exit is judged by blame
	})
}

// blame says why a child was lost: the caller's context, the wall clock, or
// something the file did. It must have ended.
func (c *child) blame(ctx context.Context, late bool, cause error) error {
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("decode picture: %w", ctx.Err())
	case late:
		return fmt.Errorf("decode picture: out of time: %w", ErrChildKilled)
	case c.cmd.ProcessState != nil && c.cmd.ProcessState.ExitCode() == exitCPU:
		return fmt.Errorf("decode picture: out of processor time: %w", ErrChildKilled)
	case cause != nil && c.cmd.ProcessState != nil:
		return fmt.Errorf("decode picture: process ended, %s: %w", c.cmd.ProcessState, ErrChildKilled)
	}
	return fmt.Errorf("decode picture: %w", ErrChildKilled)
}
