package media

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestAToolReadsItsFilmAndNoOtherFile(t *testing.T) {
	if landlockABI() == 0 {
		t.Skip("this kernel has no Landlock")
	}
	cat, err := exec.LookPath("cat")
	if err != nil {
		t.Skip("no cat")
	}
	name := filepath.Join(t.TempDir(), "film")
	if err := os.WriteFile(name, []byte("film"), 0o600); err != nil {
		t.Fatal(err)
	}
	onDisk, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer onDisk.Close()
	inMemory, err := memoryFile([]byte("film"))
	if err != nil {
		t.Fatal(err)
	}
	defer inMemory.Close()
	for _, c := range []struct {
		what string
		film *os.File
		read string
		want string
	}{
		{"a film in a file", onDisk, "/proc/self/fd/3", "film"},
		{"a film in memory", inMemory, "/proc/self/fd/3", "film"},
		{"another's file", inMemory, "/etc/passwd", ""},
		{"a file by its name", onDisk, name, "film"}, // it is the film: the rule is for the file, whatever it is called
		{"its folder's neighbour", onDisk, self(t) + "/../x", ""},
		{"another process's memory map", inMemory, "/proc/1/maps", ""},
	} {
		cmd := exec.Command(self(t), toolLimits{memory: 512 << 20, cpu: 5}.args(cat, []string{c.read})...)
		cmd.ExtraFiles = []*os.File{c.film}
		out, err := cmd.Output()
		if got := strings.TrimSpace(string(out)); got != c.want || (err == nil) != (c.want != "") {
			t.Errorf("%s: got %q, %v", c.what, got, err)
		}
	}
}
