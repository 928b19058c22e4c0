package setup_test

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"nightlight/models/catalog"
	"nightlight/models/setup"
)

// shop is a machine whose pip and npm bring what the test puts on the shelf, and count how often they are asked.
type shop struct {
	t     *testing.T
	shelf string
	dir   string
}

func newShop(t *testing.T) *shop {
	t.Helper()
	s := &shop{t: t, shelf: t.TempDir(), dir: filepath.Join(t.TempDir(), "cache")}
	clients := t.TempDir()
	// Both clients name the folder to write to after a flag of their own.
	script := `#!/bin/sh
while [ $# -gt 0 ]; do
  case "$1" in --dest|--pack-destination) to="$2";; esac
  last="$1"; shift
done
echo "$last" >> ` + s.shelf + `/.asked
if [ -e ` + s.shelf + `/.slow ]; then echo waiting; exec /bin/sleep 60; fi
if [ -e ` + s.shelf + `/.broken ]; then echo "no such package"; exit 3; fi
/bin/cp ` + s.shelf + `/* "$to"/
`
	for _, name := range []string{"pip3", "npm"} {
		if err := os.WriteFile(filepath.Join(clients, name), []byte(script), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", clients)
	return s
}

func (s *shop) put(name string, content []byte) {
	s.t.Helper()
	if err := os.WriteFile(filepath.Join(s.shelf, name), content, 0o600); err != nil {
		s.t.Fatal(err)
	}
}

func (s *shop) asked() int {
	b, _ := os.ReadFile(filepath.Join(s.shelf, ".asked"))
	return bytes.Count(b, []byte("\n"))
}

func (s *shop) fetch(m *catalog.Manifest) ([]string, error) {
	var said []string
	err := setup.Fetch(s.t.Context(), m, s.dir, func(line string) { said = append(said, line) })
	return said, err
}

func wheel(t *testing.T, files map[string]string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, name := range []string{"pkg/libonnxruntime.so.1", "pkg/LICENSE", "../../evil"} {
		if content, ok := files[name]; ok {
			w, err := z.Create(name)
			if err != nil {
				t.Fatal(err)
			}
			w.Write([]byte(content))
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func tarball(t *testing.T, name, content string) []byte {
	t.Helper()
	var b bytes.Buffer
	gz := gzip.NewWriter(&b)
	w := tar.NewWriter(gz)
	w.WriteHeader(&tar.Header{Name: name, Typeflag: tar.TypeReg, Mode: 0o644, Size: int64(len(content))})
	w.Write([]byte(content))
	if err := errors.Join(w.Close(), gz.Close()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// list is a manifest of a library in a wheel and a model in a tarball.
func list(t *testing.T, whl, tgz []byte) *catalog.Manifest {
	t.Helper()
	platform := runtime.GOOS + "/" + runtime.GOARCH
	digest := func(s string) string { return catalog.Digest([]byte(s)) }
	m, err := catalog.Parse(fmt.Appendf(nil, `version: 1
sources:
  - {name: lib, client: pip, package: onnxruntime, version: "1", for: %s, archive: lib.whl, sha256: %s, licence: MIT, members: [
      {path: pkg/libonnxruntime.so.1, file: libonnxruntime.so.1, sha256: %s}, {path: pkg/LICENSE, file: licences/lib, sha256: %s}]}
  - {name: elsewhere, client: pip, package: onnxruntime, version: "1", for: plan9/mips, archive: no.whl, sha256: %[2]s, licence: MIT}
  - {name: net, client: npm, package: net, version: "2", archive: net-2.tgz, sha256: %[5]s, licence: MIT, members: [{path: package/net.onnx, file: net.onnx, sha256: %[6]s}]}
`, platform, catalog.Digest(whl), digest("library"), digest("licence"), catalog.Digest(tgz), digest("net")))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func stocked(t *testing.T) (*shop, *catalog.Manifest) {
	t.Helper()
	s := newShop(t)
	whl := wheel(t, map[string]string{"pkg/libonnxruntime.so.1": "library", "pkg/LICENSE": "licence", "../../evil": "evil"})
	tgz := tarball(t, "package/net.onnx", "net")
	s.put("lib.whl", whl)
	s.put("net-2.tgz", tgz)
	return s, list(t, whl, tgz)
}

func TestSetUpBringsEveryFileAndASecondRunBringsNothing(t *testing.T) {
	s, m := stocked(t)
	if missing := setup.Missing(m, s.dir); len(missing) != 3 {
		t.Errorf("at first missing %v, want 3 files", missing)
	}
	if _, err := s.fetch(m); err != nil {
		t.Fatal(err)
	}
	for file, want := range map[string]string{"libonnxruntime.so.1": "library", "licences/lib": "licence", "net.onnx": "net"} {
		if got, err := os.ReadFile(filepath.Join(s.dir, file)); err != nil || string(got) != want {
			t.Errorf("%s holds %q, %v, want %q", file, got, err, want)
		}
	}
	if missing := setup.Missing(m, s.dir); len(missing) != 0 {
		t.Errorf("afterwards missing %v", missing)
	}
	var left []string
	filepath.WalkDir(filepath.Dir(s.dir), func(path string, d os.DirEntry, err error) error {
		if !d.IsDir() {
			left = append(left, filepath.Base(path))
		}
		return err
	})
	if got := strings.Join(left, " "); got != ".lock libonnxruntime.so.1 lib net.onnx" {
		t.Errorf("the folder holds %s", got)
	}
	before := s.asked()
	if said, err := s.fetch(m); err != nil || s.asked() != before {
		t.Errorf("the second run asked %d times more and said %v, %v", s.asked()-before, said, err)
	}
}

func TestSetUpMendsWhatIsWrong(t *testing.T) {
	s, m := stocked(t)
	if _, err := s.fetch(m); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(s.dir, "net.onnx"), []byte("NET"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := s.fetch(m); err != nil {
		t.Fatal(err)
	}
	if got, _ := os.ReadFile(filepath.Join(s.dir, "net.onnx")); string(got) != "net" {
		t.Errorf("net.onnx holds %q, want net", got)
	}
	if s.asked() != 3 {
		t.Errorf("clients were asked %d times, want 3: the library was right", s.asked())
	}
}

func TestAnArchiveOfAnEarlierRunIsUsed(t *testing.T) {
	s, m := stocked(t)
	kept := filepath.Join(s.dir, ".partial")
	if err := os.MkdirAll(kept, 0o755); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(filepath.Join(s.shelf, "lib.whl"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(kept, "lib.whl"), whole, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(kept, "net-2.tgz"), []byte("half of it"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := s.fetch(m); err != nil {
		t.Fatal(err)
	}
	if s.asked() != 1 {
		t.Errorf("clients were asked %d times, want once, for the one that was not whole", s.asked())
	}
}

func TestWhatIsNotPinnedIsNotKept(t *testing.T) {
	whl := wheel(t, map[string]string{"pkg/libonnxruntime.so.1": "library", "pkg/LICENSE": "licence"})
	tgz := tarball(t, "package/net.onnx", "net")
	swapped := wheel(t, map[string]string{"pkg/libonnxruntime.so.1": "LIBRARY", "pkg/LICENSE": "licence"})
	thin := wheel(t, map[string]string{"pkg/LICENSE": "licence"})
	for name, tc := range map[string]struct {
		shelf  []byte // what pip brings as lib.whl
		pinned []byte // what the manifest pins as lib.whl
	}{
		"another archive":             {swapped, whl},
		"another member inside":       {swapped, swapped},
		"an archive without a member": {thin, thin},
		"an archive that is no zip":   {[]byte("text"), []byte("text")},
	} {
		t.Run(name, func(t *testing.T) {
			s := newShop(t)
			s.put("lib.whl", tc.shelf)
			s.put("net-2.tgz", tgz)
			_, err := s.fetch(list(t, tc.pinned, tgz))
			if err == nil {
				t.Error("got no error")
			}
			if _, err := os.Stat(filepath.Join(s.dir, "libonnxruntime.so.1")); err == nil {
				t.Error("the library was put in place")
			}
		})
	}
}

func TestAClientThatFailsOrIsAbsentIsNamed(t *testing.T) {
	s, m := stocked(t)
	s.put(".broken", nil)
	if _, err := s.fetch(m); err == nil || !strings.Contains(err.Error(), "no such package") {
		t.Errorf("got %v, want what the client said", err)
	}
	t.Setenv("PATH", t.TempDir())
	if _, err := s.fetch(m); !errors.Is(err, setup.ErrNoClient) {
		t.Errorf("got %v, want ErrNoClient", err)
	}
}

func TestCancellingEndsTheClient(t *testing.T) {
	s, m := stocked(t)
	s.put(".slow", nil)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- setup.Fetch(ctx, m, s.dir, func(string) {}) }()
	for s.asked() == 0 {
		time.Sleep(time.Millisecond)
	}
	cancel()
	select {
	case err := <-ended:
		if err == nil {
			t.Error("got no error")
		}
	case <-time.After(30 * time.Second):
		t.Error("set-up goes on 30 s after it was cancelled")
	}
}

func TestTwoSetUpsAtOnceDoTheWorkOnce(t *testing.T) {
	s, m := stocked(t)
	var group sync.WaitGroup
	for range 3 {
		group.Go(func() {
			if err := setup.Fetch(t.Context(), m, s.dir, func(string) {}); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if s.asked() != 2 {
		t.Errorf("clients were asked %d times, want twice", s.asked())
	}
}

func TestAMachineWithoutALibraryIsTold(t *testing.T) {
	s, m := stocked(t)
	m.Sources = m.Sources[1:]
	if _, err := s.fetch(m); err == nil || !strings.Contains(err.Error(), runtime.GOARCH) {
		t.Errorf("got %v, want the platform named", err)
	}
}
