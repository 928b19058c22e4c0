//go:build linux && !amd64 && !arm64

package media

// auditArch 0 says that no filter was written for this processor.
const auditArch = 0

var refused, refusedOpening []uint32
