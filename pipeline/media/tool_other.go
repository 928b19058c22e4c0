//go:build !linux

package media

import (
	"fmt"
	"syscall"
)

// becomeTool can only become the program here; the wall-clock limit still holds.
func becomeTool(_ toolLimits, argv []string) error {
	return fmt.Errorf("become program: %w", syscall.Exec(argv[0], argv, []string{"LC_ALL=C"}))
}
