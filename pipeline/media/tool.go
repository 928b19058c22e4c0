package media

import (
	"fmt"
	"os"
)

// toolCommand follows ChildCommand when the child is to become ffmpeg or ffprobe:
// memory, processor time, program, arguments.
const toolCommand = "tool"

// toolLimits are put on ffmpeg and ffprobe.
type toolLimits struct {
	memory int64 // bytes of writable memory
	cpu    int   // seconds of processor time
}

// args gives what follows the child's own program on its command line.
func (l toolLimits) args(program string, args []string) []string {
	return append([]string{ChildCommand, toolCommand, fmt.Sprint(l.memory), fmt.Sprint(l.cpu), program}, args...)
}

// toolMain shuts the process in and becomes the program. It comes back only when
// it cannot, and it does not start a program without its limits.
func toolMain(args []string) int {
	var l toolLimits
	if len(args) < 3 {
		return exitTool
	}
	if _, err := fmt.Sscan(args[0]+" "+args[1], &l.memory, &l.cpu); err != nil || l.memory < 1<<20 || l.cpu < 1 {
		return exitTool
	}
	fmt.Fprintln(os.Stderr, "decode-child:", becomeTool(l, args[2:]))
	return exitTool
}

// exitTool is the exit code of a child that could not become its program.
const exitTool = 97
