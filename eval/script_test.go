package eval

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestWhatUsersTypeOnTheCommandLine(t *testing.T) {
	bin := filepath.Dir(mustBinary(t))
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(e *testscript.Env) error {
			e.Setenv("PATH", bin+string(os.PathListSeparator)+os.Getenv("PATH"))
			e.Setenv("TMPDIR", e.WorkDir)
			return nil
		},
	})
}
