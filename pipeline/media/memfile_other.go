//go:build !linux

package media

import "os"

// memoryFile holds bytes in a file that has no name left.
func memoryFile(data []byte) (*os.File, error) {
	f, err := os.CreateTemp("", "film-*")
	if err != nil {
		return nil, err
	}
	_ = os.Remove(f.Name()) // the open file stays
	if _, err := f.Write(data); err != nil {
		_ = f.Close() // nothing in it is needed
		return nil, err
	}
	return f, nil
}
