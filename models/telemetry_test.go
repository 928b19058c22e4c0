package models_test

import (
	"os"
	"os/exec"
	"testing"

	"nightlight/models/modelstest"
)

// TestOpeningTheRuntimeTellsNobody re-executes itself, because a process can
// open the runtime once, in a temporary folder of its own.
func TestOpeningTheRuntimeTellsNobody(t *testing.T) {
	if os.Getenv("NIGHTLIGHT_TEST_OPEN_RUNTIME") == "1" {
		modelstest.Runtime(t)
		return
	}
	modelstest.Dirs(t) // skips, or fails in CI, where there is no library
	tmp := t.TempDir()
	cmd := exec.Command(os.Args[0], "-test.run=^TestOpeningTheRuntimeTellsNobody$")
	cmd.Env = append(os.Environ(), "NIGHTLIGHT_TEST_OPEN_RUNTIME=1", "TMPDIR="+tmp)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if _, err := os.Stat(tmp + "/.ses"); err == nil {
		t.Error("the library's telemetry wrote its session file")
	}
}
