package media

import (
	"fmt"
	"runtime"

	"golang.org/x/sys/unix"
)

// filmDescriptor is where a tool gets its film.
const filmDescriptor = 3

// becomeTool limits the process, leaves it only the files that the program needs,
// takes sockets and changes to the file tree from
// it where the kernel has the filter, and turns it into the program.
func becomeTool(l toolLimits, argv []string) error {
	runtime.LockOSThread()
	for what, value := range map[int]uint64{
		unix.RLIMIT_CPU: uint64(l.cpu), unix.RLIMIT_FSIZE: 0, unix.RLIMIT_NOFILE: 32, unix.RLIMIT_CORE: 0,
	} {
		if err := unix.Setrlimit(what, &unix.Rlimit{Cur: value, Max: value}); err != nil {
			return fmt.Errorf("set limit %d: %w", what, err)
		}
	}
	if err := landlock(argv[0], filmDescriptor); err != nil {
		return err
	}
	_ = seccomp(refused) // Sandbox, by the decoding child, reports whether this kernel has it
	// Memory last: this process, Go's, has more mapped than the program may have.
	for what, value := range map[int]uint64{unix.RLIMIT_DATA: uint64(l.memory), unix.RLIMIT_AS: uint64(l.memory) + 2<<30} {
		if err := unix.Setrlimit(what, &unix.Rlimit{Cur: value, Max: value}); err != nil {
			return fmt.Errorf("set limit %d: %w", what, err)
		}
	}
	return fmt.Errorf("become program: %w", unix.Exec(argv[0], argv, []string{"LC_ALL=C"}))
}
