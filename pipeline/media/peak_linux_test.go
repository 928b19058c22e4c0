package media

import (
	"os"
	"syscall"
)

// peakBytes is the most memory that an ended process had resident.
func peakBytes(p *os.ProcessState) int64 { return p.SysUsage().(*syscall.Rusage).Maxrss << 10 }
