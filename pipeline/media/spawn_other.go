//go:build !linux

package media

import "os/exec"

// isolation is one way of starting a process; only Linux has more than one.
type isolation struct{ name string }

var isolations = []isolation{{}}

func (isolation) apply(*exec.Cmd) {}

// killGroup ends a process.
func killGroup(cmd *exec.Cmd) {
	if cmd.Process != nil {
		_ = cmd.Process.Kill() // it may be gone already
	}
}
