package setup

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"nightlight/models/catalog"
)

// ErrNoClient says that a package client is not installed on this machine.
var ErrNoClient = errors.New("package client is not installed")

// archive gives the path of a source's archive, checked; it is downloaded if an earlier run did not leave it.
func (f *fetcher) archive(ctx context.Context, s catalog.Source) (string, error) {
	kept := f.path(partial + "/" + s.Archive)
	if matches(kept, s.SHA256) {
		f.say(fmt.Sprintf("%s %s: archive of an earlier run", s.Package, s.Version))
		return kept, nil
	}
	if err := os.MkdirAll(filepath.Dir(kept), 0o755); err != nil {
		return "", err
	}
	// A client writes into a folder of its own, so that its half-written files are never taken for whole ones.
	fresh, err := os.MkdirTemp(filepath.Dir(kept), s.Name+"-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(fresh)
	command, err := command(s, fresh)
	if err != nil {
		return "", err
	}
	f.say(fmt.Sprintf("%s %s: downloading by %s", s.Package, s.Version, s.Client))
	if err := f.run(ctx, command); err != nil {
		return "", err
	}
	got := filepath.Join(fresh, s.Archive)
	digest, err := fileDigest(got)
	if err != nil {
		return "", fmt.Errorf("%s brought no %s", s.Client, s.Archive)
	}
	if digest != s.SHA256 {
		return "", fmt.Errorf("%w: %s has sha256 %s, want %s", catalog.ErrMismatch, s.Archive, digest, s.SHA256)
	}
	return kept, os.Rename(got, kept)
}

// command gives the argument list that makes a client bring the archive into folder. No shell reads it.
func command(s catalog.Source, folder string) ([]string, error) {
	switch s.Client {
	case "pip":
		pip, err := findPip()
		if err != nil {
			return nil, err
		}
		args := append(pip, "download", "--no-deps", "--only-binary=:all:", "--disable-pip-version-check", "--no-input",
			"--quiet", "--dest", folder)
		if s.Python != "" {
			args = append(args, "--python-version", s.Python, "--implementation", "cp")
		}
		if s.Platform != "" {
			args = append(args, "--platform", s.Platform, "--abi", "cp"+s.Python)
		}
		return append(args, s.Package+"=="+s.Version), nil
	case "npm":
		npm, err := exec.LookPath("npm")
		if err != nil {
			return nil, fmt.Errorf("npm: %w", ErrNoClient)
		}
		return []string{npm, "pack", "--ignore-scripts", "--silent", "--pack-destination", folder, s.Package + "@" + s.Version}, nil
	}
	return nil, fmt.Errorf("client %q is not known", s.Client)
}

// findPip prefers the module of python3, which is there even where no script named pip is.
func findPip() ([]string, error) {
	if python, err := exec.LookPath("python3"); err == nil {
		if exec.Command(python, "-m", "pip", "--version").Run() == nil {
			return []string{python, "-m", "pip"}, nil
		}
	}
	for _, name := range []string{"pip3", "pip"} {
		if pip, err := exec.LookPath(name); err == nil {
			return []string{pip}, nil
		}
	}
	return nil, fmt.Errorf("pip: %w", ErrNoClient)
}

// run waits for a client and tells every few seconds that it still waits. When ctx ends, the client and all that it
// started are ended.
func (f *fetcher) run(ctx context.Context, args []string) error {
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	var said tail
	cmd.Stdout, cmd.Stderr = &said, &said
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 5 * time.Second
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start %s: %w", filepath.Base(args[0]), err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	tick := time.NewTicker(5 * time.Second)
	defer tick.Stop()
	for begun := time.Now(); ; {
		select {
		case err := <-ended:
			if err != nil {
				return fmt.Errorf("%s: %w: %s", filepath.Base(args[0]), err, said.b)
			}
			return nil
		case <-tick.C:
			f.say(fmt.Sprintf("  still downloading, %.0f s", time.Since(begun).Seconds()))
		}
	}
}

// tail keeps the last words of a client, for its error.
type tail struct{ b []byte }

func (t *tail) Write(p []byte) (int, error) {
	t.b = append(t.b, p...)
	if over := len(t.b) - 2000; over > 0 {
		t.b = bytes.Clone(t.b[over:])
	}
	return len(p), nil
}
