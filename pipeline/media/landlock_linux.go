package media

import (
	"fmt"
	"os"
	"path/filepath"
	"unsafe"

	"golang.org/x/sys/unix"
)

// landlockABI is the version of Landlock that the kernel offers, 0 for none
// (Linux, Documentation/userspace-api/landlock.rst).
func landlockABI() int {
	v, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, unix.LANDLOCK_CREATE_RULESET_VERSION)
	if errno != 0 {
		return 0
	}
	return int(v)
}

// Rights over files that a rule of the first version can grant or take: the
// thirteen that it knows; REFER and TRUNCATE came with the second and third.
const (
	landlockFirst = 1<<13 - 1
	landlockRead  = unix.LANDLOCK_ACCESS_FS_EXECUTE | unix.LANDLOCK_ACCESS_FS_READ_FILE | unix.LANDLOCK_ACCESS_FS_READ_DIR
	landlockFile  = unix.LANDLOCK_ACCESS_FS_EXECUTE | unix.LANDLOCK_ACCESS_FS_READ_FILE
)

// toolRoots are what ffmpeg needs to start: itself and its libraries, and the
// names under which it finds its descriptors.
var toolRoots = []string{"/usr", "/lib", "/lib64", "/lib32", "/opt", "/nix/store", "/etc/ld.so.cache", "/etc/ld.so.preload", "/etc/ld.so.conf", "/etc/ld.so.conf.d", "/proc/self", "/dev/null", "/sys/devices/system/cpu"}

// landlock lets the calling thread, and the program that it becomes, open only
// what is below toolRoots, beside the program, and the film; nothing can be
// written, and from the fourth version on no TCP connection made. The kernel's
// other walls stand without it, so it is nil where there is no Landlock.
func landlock(program string, film int) error {
	abi := landlockABI()
	if abi == 0 {
		return nil
	}
	attr := unix.LandlockRulesetAttr{Handled_access_fs: landlockFirst}
	if abi >= 2 {
		attr.Handled_access_fs |= unix.LANDLOCK_ACCESS_FS_REFER
	}
	if abi >= 3 {
		attr.Handled_access_fs |= unix.LANDLOCK_ACCESS_FS_TRUNCATE
	}
	size := unsafe.Sizeof(attr.Handled_access_fs)
	if abi >= 4 {
		attr.Handled_access_net = unix.LANDLOCK_ACCESS_NET_BIND_TCP | unix.LANDLOCK_ACCESS_NET_CONNECT_TCP
		size += unsafe.Sizeof(attr.Handled_access_net)
	}
	rules, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, uintptr(unsafe.Pointer(&attr)), size, 0)
	if errno != 0 {
		return fmt.Errorf("make rules for files: %w", errno)
	}
	defer func() { _ = unix.Close(int(rules)) }() // kept by the thread
	for _, root := range append(toolRoots[:len(toolRoots):len(toolRoots)], filepath.Dir(program)) {
		if err := landlockAllow(int(rules), root); err != nil {
			return err
		}
	}
	// A film in memory has no place in the tree, and needs no rule.
	_ = landlockAdd(int(rules), film, unix.LANDLOCK_ACCESS_FS_READ_FILE)
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("set no new privileges: %w", err)
	}
	if _, _, errno := unix.Syscall(unix.SYS_LANDLOCK_RESTRICT_SELF, rules, 0, 0); errno != 0 {
		return fmt.Errorf("keep to the rules for files: %w", errno)
	}
	return nil
}

// landlockAllow lets what is below a path be read and run; one that is not there
// needs no rule.
func landlockAllow(rules int, path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return nil
	}
	fd, err := unix.Open(path, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil
	}
	defer func() { _ = unix.Close(fd) }() // only named
	access := uint64(landlockFile)
	if info.IsDir() {
		access = landlockRead
	}
	if err := landlockAdd(rules, fd, access); err != nil {
		return fmt.Errorf("allow reading below %s: %w", path, err)
	}
	return nil
}

func landlockAdd(rules, fd int, access uint64) error {
	rule := unix.LandlockPathBeneathAttr{Allowed_access: access, Parent_fd: int32(fd)}
	_, _, errno := unix.Syscall6(unix.SYS_LANDLOCK_ADD_RULE, uintptr(rules), unix.LANDLOCK_RULE_PATH_BENEATH, uintptr(unsafe.Pointer(&rule)), 0, 0, 0)
	if errno != 0 {
		return errno
	}
	return nil
}
