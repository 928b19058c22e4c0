package eval

import (
	"bufio"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

func TestACommandThatIsStoppedBeforeItsEndDoesNotLookDone(t *testing.T) {
	cmd := exec.Command(mustBinary(t), "score")
	cmd.Dir = ".."
	var said strings.Builder
	cmd.Stderr = &said
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Fprintln(in, `{"id":1,"text":"what is for homework"}`); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || !strings.Contains(line, `"action":"allow"`) {
		t.Fatalf("first line: %q, %v\n%s", line, err, said.String())
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	var exit *exec.ExitError
	if err := cmd.Wait(); !errors.As(err, &exit) || exit.ExitCode() != 1 || !strings.Contains(said.String(), "stopped before") {
		t.Errorf("got %v and %q, want exit code 1 and a word about it", err, said.String())
	}
}
