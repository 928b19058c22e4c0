package media

import (
	"os"

	"golang.org/x/sys/unix"
)

// memoryFile holds bytes in a file that exists in memory only and has no name.
func memoryFile(data []byte) (*os.File, error) {
	fd, err := unix.MemfdCreate("film", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(fd), "film")
	if _, err := f.Write(data); err != nil {
		_ = f.Close() // nothing in it is needed
		return nil, err
	}
	return f, nil
}
