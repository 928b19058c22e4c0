package media

import (
	"bufio"
	"cmp"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"
)

// TestMain lets the test binary be the decoding child too, a well-behaved one or
// one that was taken over.
func TestMain(m *testing.M) {
	switch {
	case len(os.Args) > 1 && os.Args[1] == ChildCommand:
		os.Exit(ChildMain(context.Background()))
	case len(os.Args) > 2 && os.Args[1] == "misbehave":
		deed := os.Args[2]
		os.Args = append(os.Args[:1:1], os.Args[3:]...)
		os.Exit(misbehave(deed))
	case len(os.Args) > 1 && os.Args[1] == "escape":
		escape()
		os.Exit(0)
	case len(os.Args) > 1 && os.Args[1] == "escape from tool":
		fmt.Print(escapes(nil))
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func newDecoder(t testing.TB, o DecoderOptions) *Decoder {
	t.Helper()
	if raceDetector { // the child is this binary, and many times slower
		o.CPUSeconds, o.Timeout = cmp.Or(o.CPUSeconds, 30), cmp.Or(o.Timeout, 2*time.Minute)
	}
	d, err := NewDecoder(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	return d
}

func self(t testing.TB) string {
	t.Helper()
	name, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return name
}

func runSelf(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.Command(self(t), args...).Output()
	if err != nil {
		t.Fatalf("%s: %v", out, err)
	}
	return string(out)
}

var sink [][]byte

// misbehave is a child that serves like any other until a file ends with
// "misbehave".
func misbehave(deed string) int {
	limits, err := parseChildLimits(os.Args)
	if err != nil {
		return 2
	}
	report, err := shutIn(limits)
	if err != nil {
		return 3
	}
	out := bufio.NewWriter(os.Stdout)
	if writeMessage(out, report) != nil || out.Flush() != nil {
		return 4
	}
	for {
		var ask request
		data, err := readMessage(os.Stdin, &ask, 1<<30)
		if err != nil {
			return 0
		}
		if err := allowCPU(limits.cpu); err != nil {
			return 4
		}
		if strings.HasSuffix(string(data), "misbehave") {
			doDeed(deed)
			continue
		}
		d, err := decodeGuarded(data, ask)
		if respond(out, d, err) != nil || out.Flush() != nil {
			return 4
		}
	}
}

func doDeed(deed string) {
	switch deed {
	case "panic":
		done := make(chan bool)
		go func() { panic("made up, as in imaging's own goroutine") }()
		<-done
	case "memory":
		for {
			b := make([]byte, 8<<20)
			for i := 0; i < len(b); i += 4096 {
				b[i] = 1
			}
			sink = append(sink, b)
		}
	case "spin":
		for {
			runtime.KeepAlive(sink)
		}
	case "hang":
		time.Sleep(time.Hour)
	case "nonsense":
		fmt.Print(strings.Repeat("nonsense ", 100))
	case "flood":
		fmt.Print(wireMagic + "\x02\x00\x00\x00\xff\xff\xff\xff\xff\xff\x00\x00{}")
	case "lie":
		d := &Decoded{Type: PNG, Frames: []Frame{{Crops: []Crop{{Tensor: make([]float32, 5)}}}}}
		_ = respond(os.Stdout, d, nil)
	}
}

// escape puts up the walls of a decoding child and prints what can be done behind
// them all the same.
func escape() {
	file, err := os.CreateTemp("", "escape")
	if err != nil {
		fmt.Println(err)
		return
	}
	if _, err := shutIn(childLimits{memory: 256 << 20, cpu: 5, files: 1}); err != nil {
		fmt.Println(err)
		return
	}
	could := escapes(file)
	if _, err := os.Open("/etc/hostname"); err == nil {
		could += "open a file\n"
	}
	if err := exec.Command("/bin/true").Run(); err == nil {
		could += "start a program\n"
	}
	fmt.Print(could)
}

// escapes tries what no tool and no child may do. It begins with a line of its
// own, so that silence is not taken for a result.
func escapes(file *os.File) string {
	could := "tried\n"
	try := func(what string, err error) {
		if err == nil {
			could += what + "\n"
		}
	}
	_, err := net.Listen("tcp", "127.0.0.1:0")
	try("listen", err)
	_, err = net.Dial("udp", "127.0.0.1:9")
	try("dial", err)
	_, err = net.Listen("unix", "@nightlight-escape")
	try("listen on a unix socket", err)
	created, err := os.Create(os.TempDir() + "/new")
	if err == nil {
		_, err = created.Write([]byte("x"))
	}
	try("write a new file", err)
	if file != nil {
		_, err = file.WriteAt([]byte("x"), 0)
		try("write to an open file", err)
		try("remove a file", os.Remove(file.Name()))
	}
	try("make a folder", os.Mkdir(os.TempDir()+"/folder", 0o700))
	return could
}
