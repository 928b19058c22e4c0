package media

import "golang.org/x/sys/unix"

const auditArch = unix.AUDIT_ARCH_AARCH64

// refused are the system calls that a decoding child may not make.
var refused = refusedEverywhere
