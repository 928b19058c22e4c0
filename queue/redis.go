package queue

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"
)

// Redis is a Redis that this process started for itself, or a connection to
// one that somebody else runs.
type Redis struct {
	Opt     asynq.RedisConnOpt
	Durable bool   // false for the stand-in in memory
	About   string // one line for people: what runs and where
	PID     int    // of the started server, 0 otherwise
	stop    func() error
}

// Close stops what OpenRedis started.
func (r *Redis) Close() error {
	if r.stop == nil {
		return nil
	}
	return r.stop()
}

// OpenRedis connects to uri when it is given. Otherwise it starts the
// redis-server found on PATH, with an append-only file under dir, on loopback;
// when there is none it starts a stand-in in memory and says so in About.
// uri "memory" asks for the stand-in.
func OpenRedis(ctx context.Context, uri, dir string) (*Redis, error) {
	switch {
	case uri == "memory":
		return startMini()
	case uri != "":
		opt, err := asynq.ParseRedisURI(uri)
		if err != nil {
			return nil, errors.New("redis address: want redis://[user:password@]host:port[/db]")
		}
		return &Redis{Opt: opt, Durable: true, About: "Redis as configured"}, nil
	}
	path, err := exec.LookPath("redis-server")
	if err != nil {
		return startMini()
	}
	return startServer(ctx, path, filepath.Join(dir, "redis"))
}

// startMini runs miniredis with a ticker: without FastForward its clock never
// moves, so no TTL would pass.
func startMini() (*Redis, error) {
	m, err := miniredis.Run()
	if err != nil {
		return nil, fmt.Errorf("start in-memory redis: %w", err)
	}
	stop := make(chan struct{})
	done := make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for {
			select {
			case <-stop:
				return
			case <-tick.C:
				m.FastForward(time.Second)
			}
		}
	}()
	return &Redis{
		Opt:   asynq.RedisClientOpt{Addr: m.Addr()},
		About: "in-memory stand-in for Redis, NOT DURABLE: install redis-server",
		stop:  func() error { close(stop); <-done; m.Close(); return nil },
	}, nil
}

func startServer(ctx context.Context, path, dir string) (*Redis, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("redis folder: %w", err)
	}
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	password := rand.Text()
	conf := filepath.Join(dir, "redis.conf")
	text := fmt.Sprintf("bind 127.0.0.1\nport %d\nrequirepass %s\ndir %q\nappendonly yes\nappendfsync everysec\nsave \"\"\nmaxmemory-policy noeviction\ndaemonize no\n", port, password, dir)
	if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
		return nil, fmt.Errorf("redis settings: %w", err)
	}
	cmd := exec.Command(path, conf)
	ended, err := startTied(cmd)
	if err != nil {
		return nil, fmt.Errorf("start redis-server: %w", err)
	}
	opt := asynq.RedisClientOpt{Addr: net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), Password: password}
	r := &Redis{Opt: opt, Durable: true, PID: cmd.Process.Pid, About: fmt.Sprintf("redis-server on 127.0.0.1:%d, append-only file", port)}
	r.stop = func() error {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-ended:
		case <-time.After(10 * time.Second):
			_ = cmd.Process.Kill()
			<-ended
		}
		return nil
	}
	if err := waitPing(ctx, opt, ended); err != nil {
		_ = r.stop()
		return nil, err
	}
	return r, nil
}

// startTied starts cmd so that it ends when this process dies, even by
// SIGKILL. Linux ties that to the starting thread, so the goroutine keeps its
// thread until the command ends.
func startTied(cmd *exec.Cmd) (<-chan struct{}, error) {
	// A group of its own: Ctrl-C must not stop Redis before the workers drained.
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM, Setpgid: true}
	started, ended := make(chan error, 1), make(chan struct{})
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer close(ended)
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait()
		}
	}()
	return ended, <-started
}

func waitPing(ctx context.Context, opt asynq.RedisClientOpt, ended <-chan struct{}) error {
	c := redis.NewClient(&redis.Options{Addr: opt.Addr, Password: opt.Password, MaxRetries: -1})
	defer c.Close()
	deadline := time.Now().Add(20 * time.Second) // an append-only file may have to load first
	for {
		err := c.Ping(ctx).Err()
		if err == nil {
			return nil
		}
		select {
		case <-ended:
			return errors.New("redis-server ended at once")
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("redis-server does not answer: %w", err)
		}
	}
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("find a free port: %w", err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}
