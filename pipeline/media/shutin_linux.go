package media

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// childReport is what a child says of its walls when it starts.
type childReport struct {
	Memory, CPU, Files, Seccomp bool
	Turbo, HEIF, Landlock       bool
}

// shutIn puts limits on the calling process that it cannot raise again.
func shutIn(l childLimits) (childReport, error) {
	r := childReport{Turbo: loadTurbo() != nil, HEIF: loadHEIF() != nil, Landlock: landlockABI() > 0}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	watchCPU()
	size, data, err := mapped()
	if err != nil {
		return r, err
	}
	for _, lim := range []struct {
		what  int
		value uint64
	}{
		// What Go has mapped before it reads a file comes on top: it reserves far more
		// than it uses, and fills the arenas of 64 MiB that it maps only in part.
		{unix.RLIMIT_AS, size + 2*uint64(l.memory)},
		{unix.RLIMIT_DATA, data + uint64(l.memory) + 64<<20},
		{unix.RLIMIT_NOFILE, 16},
		{unix.RLIMIT_FSIZE, 0},
		{unix.RLIMIT_CORE, 0},
	} {
		if err := unix.Setrlimit(lim.what, &unix.Rlimit{Cur: lim.value, Max: lim.value}); err != nil {
			return r, fmt.Errorf("set limit %d: %w", lim.what, err)
		}
	}
	r.Memory, r.Files = true, true
	hard := uint64(l.cpu*l.files + 60)
	if err := unix.Setrlimit(unix.RLIMIT_CPU, &unix.Rlimit{Cur: hard, Max: hard}); err != nil {
		return r, fmt.Errorf("set processor limit: %w", err)
	}
	r.CPU = true
	r.Seccomp = seccomp(append(refused, refusedOpening...)) == nil
	return r, nil
}

// watchCPU ends the process when its timer runs out or at the soft processor
// limit. The hard limit ends it without its help.
func watchCPU() {
	c := make(chan os.Signal, 1)
	signal.Notify(c, unix.SIGXCPU, unix.SIGVTALRM)
	go func() {
		<-c
		os.Exit(exitCPU)
	}()
}

// allowCPU gives the process so many seconds more from now on. The timer counts
// its own work exactly; the limit counts the kernel's for it too, in whole seconds.
func allowCPU(seconds int) error {
	if _, err := unix.Setitimer(unix.ITIMER_VIRTUAL, unix.Itimerval{Value: unix.Timeval{Sec: int64(seconds)}}); err != nil {
		return fmt.Errorf("set processor timer: %w", err)
	}
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		return fmt.Errorf("read processor time: %w", err)
	}
	var lim unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_CPU, &lim); err != nil {
		return fmt.Errorf("read processor limit: %w", err)
	}
	lim.Cur = min(uint64(u.Utime.Sec+u.Stime.Sec)+uint64(seconds)+1, lim.Max)
	if err := unix.Setrlimit(unix.RLIMIT_CPU, &lim); err != nil {
		return fmt.Errorf("set processor limit: %w", err)
	}
	return nil
}

// mapped gives the bytes of address space, and of writable memory of its own, that
// the process has now (proc(5), statm).
func mapped() (size, data uint64, err error) {
	b, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0, 0, fmt.Errorf("read address space: %w", err)
	}
	var skip uint64
	if _, err := fmt.Sscan(string(b), &size, &skip, &skip, &skip, &skip, &data); err != nil {
		return 0, 0, fmt.Errorf("read address space: %w", err)
	}
	page := uint64(os.Getpagesize())
	return size * page, data * page, nil
}

// seccomp takes system calls from every thread. Refused calls fail with EPERM.
// Threads and memory stay allowed, or neither Go nor ffmpeg could run.
func seccomp(refused []uint32) error {
	if auditArch == 0 {
		return errors.New("no filter for this processor")
	}
	const deny = unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM)
	filter := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: 4}, // architecture
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, Jt: 1, K: auditArch},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_KILL_PROCESS},
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: 0}, // number
	}
	for _, nr := range refused {
		filter = append(filter,
			unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, Jf: 1, K: nr},
			unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: deny})
	}
	if auditArch == unix.AUDIT_ARCH_X86_64 { // the x32 numbers are another door to the same calls
		filter = append(filter,
			unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JGE | unix.BPF_K, Jf: 1, K: 0x40000000},
			unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: deny})
	}
	filter = append(filter, unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW})
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("set no new privileges: %w", err)
	}
	prog := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	_, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_TSYNC, uintptr(unsafe.Pointer(&prog)))
	runtime.KeepAlive(filter)
	if errno != 0 {
		return fmt.Errorf("install filter: %w", errno)
	}
	return nil
}
