package media

import "golang.org/x/sys/unix"

const auditArch = unix.AUDIT_ARCH_X86_64

// refused are the system calls that neither a decoding child nor ffmpeg may make.
var refused = append([]uint32{
	unix.SYS_UNLINK, unix.SYS_RENAME, unix.SYS_LINK, unix.SYS_SYMLINK, unix.SYS_MKDIR, unix.SYS_RMDIR,
	unix.SYS_CHMOD, unix.SYS_CHOWN, unix.SYS_MKNOD,
}, refusedEverywhere...)

// refusedOpening are refused besides once a child has all that it needs open.
var refusedOpening = append([]uint32{unix.SYS_OPEN, unix.SYS_CREAT, unix.SYS_FORK, unix.SYS_VFORK}, openingEverywhere...)
