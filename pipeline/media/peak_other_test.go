//go:build !linux

package media

import (
	"os"
	"time"
)

// peakBytes is not known here.
func peakBytes(*os.ProcessState) int64 { return 0 }

// childrenCPU is not known here.
func childrenCPU() time.Duration { return 0 }

// usedBy is not known here.
func usedBy(int) (memory int64, cpu time.Duration) { return 0, 0 }
