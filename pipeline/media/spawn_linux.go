package media

import (
	"os"
	"os/exec"
	"syscall"

	"golang.org/x/sys/unix"
)

// isolation is one way of starting a process apart from the network.
type isolation struct {
	name  string
	flags uintptr
	user  bool
}

// isolations are tried from the strongest; which one a machine permits is found
// once and reported by Sandbox.
var isolations = []isolation{
	{"network, ipc and mount namespaces", unix.CLONE_NEWNET | unix.CLONE_NEWIPC | unix.CLONE_NEWNS, false},
	{"user, network, ipc and mount namespaces", unix.CLONE_NEWUSER | unix.CLONE_NEWNET | unix.CLONE_NEWIPC | unix.CLONE_NEWNS, true},
	{"", 0, false},
}

func (i isolation) apply(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Cloneflags: i.flags}
	if i.user {
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 65534, HostID: os.Getuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 65534, HostID: os.Getgid(), Size: 1}}
	}
}

// killGroup ends a process and all that it started.
func killGroup(cmd *exec.Cmd) {
	if cmd.Process != nil {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // it may be gone already
	}
}
