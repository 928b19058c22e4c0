package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// system is the real program, started for a run with a data folder of its own.
type system struct {
	dir, url, key string
	cmd           *exec.Cmd
	log           *os.File
	ended         chan struct{}
}

// startSystem starts `binary up` on a free port of loopback and waits until it
// is ready.
func startSystem(ctx context.Context, binary string, args []string) (s *system, err error) {
	s = &system{ended: make(chan struct{})}
	if s.dir, err = os.MkdirTemp("", "nightlight-bench-"); err != nil {
		return nil, fmt.Errorf("data folder: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.stop())
		}
	}()
	if s.log, err = os.Create(filepath.Join(s.dir, "log")); err != nil {
		return s, fmt.Errorf("log: %w", err)
	}
	s.cmd = exec.Command(binary, slices.Concat([]string{"up", "--data", s.data(), "--listen", "127.0.0.1:0"}, args)...)
	s.cmd.Env = slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "NIGHTLIGHT_") }) // else it would run on a record that these name
	s.cmd.Stdout, s.cmd.Stderr = s.log, s.log
	if err = s.cmd.Start(); err != nil {
		s.cmd = nil
		return s, fmt.Errorf("start %s: %w", filepath.Base(binary), err)
	}
	go func() { _ = s.cmd.Wait(); close(s.ended) }()
	return s, s.await(ctx)
}

func (s *system) data() string { return filepath.Join(s.dir, "data") }

func (s *system) pid() int { return s.cmd.Process.Pid }

// await reads the credentials as soon as they are written and asks until the
// API is ready. Loading models takes seconds on a busy machine.
func (s *system) await(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	for {
		text, err := os.ReadFile(filepath.Join(s.data(), "credentials.json"))
		var who struct {
			URL string `json:"url"`
			Key string `json:"api_key"`
		}
		if err == nil && json.Unmarshal(text, &who) == nil && who.Key != "" {
			s.url, s.key = who.URL, who.Key
			t := newTarget(s.url, s.key, 1)
			defer t.close()
			return t.ready(ctx)
		}
		select {
		case <-s.ended:
			return fmt.Errorf("it ended before it served; its last words:\n%s", s.lastWords())
		case <-ctx.Done():
			return fmt.Errorf("wait for its credentials: %w", ctx.Err())
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func (s *system) lastWords() string {
	const most = 2000
	text, err := os.ReadFile(s.log.Name())
	if err != nil {
		return err.Error()
	}
	return string(text[max(0, len(text)-most):])
}

// redis says how its Redis keeps what it is told.
func (s *system) redis() string {
	text, err := os.ReadFile(filepath.Join(s.data(), "redis", "redis.conf"))
	if err != nil {
		return "no redis-server of its own"
	}
	var kept []string
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "append") || strings.HasPrefix(line, "save") {
			kept = append(kept, line)
		}
	}
	return "redis-server, " + strings.Join(kept, ", ")
}

// stop ends the program gently, insists after a while, and removes its data.
func (s *system) stop() error {
	var errs []error
	if s.cmd != nil {
		_ = s.cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-s.ended:
		case <-time.After(45 * time.Second):
			errs = append(errs, fmt.Errorf("process %d does not end on SIGTERM", s.pid()), s.cmd.Process.Kill())
			<-s.ended
		}
	}
	if s.log != nil {
		errs = append(errs, s.log.Close())
	}
	return errors.Join(append(errs, os.RemoveAll(s.dir))...)
}
