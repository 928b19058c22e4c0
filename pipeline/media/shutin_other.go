//go:build !linux

package media

// childReport is what a child says of its walls when it starts.
type childReport struct {
	Memory, CPU, Files, Seccomp bool
	Turbo, HEIF, Landlock       bool
}

// shutIn can only report here: the limits are Linux's. The worker's wall-clock
// limit and Go's own memory limit still hold.
func shutIn(childLimits) (childReport, error) {
	return childReport{Turbo: loadTurbo() != nil, HEIF: loadHEIF() != nil}, nil
}

func allowCPU(int) error { return nil }
