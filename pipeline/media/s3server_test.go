package media

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"
)

// bucket gives a fresh bucket on a real S3 server (versitygw, posix backend) that
// runs for this test. NIGHTLIGHT_VERSITYGW names the program, otherwise PATH is
// searched. Without it the test is skipped, except in CI, where it fails.
func bucket(t *testing.T) Store {
	t.Helper()
	program := os.Getenv("NIGHTLIGHT_VERSITYGW")
	if program == "" {
		found, err := exec.LookPath("versitygw")
		if err != nil {
			if os.Getenv("CI") == "true" {
				t.Fatal("versitygw is neither on PATH nor in NIGHTLIGHT_VERSITYGW")
			}
			t.Skip("versitygw is neither on PATH nor in NIGHTLIGHT_VERSITYGW")
		}
		program = found
	}
	addr, dir := freeAddr(t), t.TempDir()
	meta, data := filepath.Join(dir, "meta"), filepath.Join(dir, "data")
	for _, d := range []string{meta, data} {
		if err := os.Mkdir(d, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command(program, "--access", "tester", "--secret", "only-for-tests", "--region", "us-east-1", "--port", addr, "--quiet", "posix", "--sidecar", meta, data)
	cmd.Env = []string{"HOME=" + dir}
	cmd.Dir = dir
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	for start := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		c, err := net.Dial("tcp", addr)
		if err == nil {
			_ = c.Close()
			break
		}
		if time.Since(start) > 20*time.Second {
			t.Fatalf("versitygw does not listen: %v", err)
		}
	}
	s, err := OpenS3(t.Context(), S3Options{Endpoint: addr, Insecure: true, Bucket: fmt.Sprintf("media-%d", buckets.Add(1)), Prefix: "t/", AccessKey: "tester", SecretKey: "only-for-tests"})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

var buckets atomic.Int64

func freeAddr(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}
