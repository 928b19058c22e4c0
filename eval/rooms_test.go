package eval

import (
	"bytes"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// rooms says which of our packages each package may import: a room's name
// stands for all of its packages. Imports point to the middle.
var rooms = []struct {
	from string   // longest prefix wins
	may  []string // prefixes
}{
	{"nightlight/pipeline/media", []string{"nightlight/pipeline/pdq"}},
	{"nightlight/pipeline", []string{"nightlight/pipeline!media"}},
	{"nightlight/models", []string{"nightlight/models", "nightlight/pipeline!media"}},
	{"nightlight/queue/review", []string{"nightlight/pipeline!media"}},
	{"nightlight/queue/store", []string{"nightlight/queue/store", "nightlight/queue/review", "nightlight/pipeline!media"}},
	{"nightlight/queue", []string{"nightlight/pipeline!media"}},
	{"nightlight/workers/examine", []string{"nightlight/pipeline"}},
	{"nightlight/workers/score", []string{"nightlight/pipeline", "nightlight/workers/examine"}},
	{"nightlight/workers", []string{"nightlight/pipeline", "nightlight/queue", "nightlight/workers"}},
	{"nightlight/api/client", []string{"nightlight/pipeline!media"}},
	{"nightlight/api", []string{"nightlight/api", "nightlight/pipeline", "nightlight/queue"}},
	{"nightlight/eval/samples", []string{"nightlight/api/client", "nightlight/pipeline"}},
	{"nightlight/eval/bench", []string{"nightlight/eval/samples", "nightlight/api/client", "nightlight/pipeline"}},
	{"nightlight/eval", []string{"nightlight/eval", "nightlight/api/client", "nightlight/pipeline", "nightlight/workers/examine"}},
}

func golist(t *testing.T, args ...string) []string {
	t.Helper()
	cmd := exec.Command("go", append([]string{"list"}, args...)...)
	var stderr bytes.Buffer
	cmd.Stderr, cmd.Dir = &stderr, ".."
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, stderr.String())
	}
	return strings.Split(strings.TrimSpace(string(out)), "\n")
}

func TestTheRoomsImportOnlyTowardsTheMiddle(t *testing.T) {
	seen := 0
	for _, line := range golist(t, "-f", `{{.ImportPath}} {{join .Imports " "}}`, "./...") {
		fields := strings.Fields(line)
		pkg := fields[0]
		if pkg == "nightlight" {
			continue
		}
		allowed, known := mayImport(pkg)
		if !known {
			t.Errorf("%s is in no room", pkg)
			continue
		}
		for _, imp := range fields[1:] {
			if !strings.HasPrefix(imp, "nightlight/") {
				continue
			}
			seen++
			if imp != pkg && !slices.ContainsFunc(allowed, func(p string) bool { return covers(p, imp) }) {
				t.Errorf("%s imports %s", pkg, imp)
			}
		}
	}
	if seen < 20 {
		t.Errorf("only %d imports were looked at", seen)
	}
}

func mayImport(pkg string) ([]string, bool) {
	for _, r := range rooms {
		if pkg == r.from || strings.HasPrefix(pkg, r.from+"/") {
			return r.may, true
		}
	}
	return nil, false
}

// covers reports whether rule, a prefix with an exception behind !, allows imp.
func covers(rule, imp string) bool {
	prefix, except, _ := strings.Cut(rule, "!")
	if except != "" && strings.HasPrefix(imp, prefix+"/"+except) {
		return false
	}
	return imp == prefix || strings.HasPrefix(imp, prefix+"/")
}

func TestOnlyModelsAndTheBinaryNeedC(t *testing.T) {
	for _, line := range golist(t, "-f", `{{.ImportPath}} {{len .CgoFiles}}`, "-deps", "./...") {
		pkg, n, _ := strings.Cut(line, " ")
		ours := pkg == "nightlight" || strings.HasPrefix(pkg, "nightlight/")
		if ours && n != "0" {
			t.Errorf("%s has C in it", pkg)
		}
	}
	for _, room := range []string{"./pipeline/...", "./queue/...", "./workers/...", "./api/..."} {
		if slices.Contains(golist(t, "-deps", room), "github.com/yalue/onnxruntime_go") {
			t.Errorf("%s needs ONNX Runtime", room)
		}
	}
}

func TestTheMiddleDoesNoIO(t *testing.T) {
	for _, pkg := range []string{"./pipeline", "./pipeline/normal", "./pipeline/rules", "./pipeline/pdq"} {
		for _, imp := range golist(t, "-f", `{{join .Imports "\n"}}`, pkg) {
			if slices.Contains([]string{"os", "net", "net/http", "database/sql", "os/exec", "syscall"}, imp) {
				t.Errorf("%s imports %s", pkg, imp)
			}
		}
	}
}
