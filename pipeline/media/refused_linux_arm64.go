package media

import "golang.org/x/sys/unix"

const auditArch = unix.AUDIT_ARCH_AARCH64

// refused are the system calls that neither a decoding child nor ffmpeg may make.
var refused = refusedEverywhere

// refusedOpening are refused besides once a child has all that it needs open.
var refusedOpening = openingEverywhere
