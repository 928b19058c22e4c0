package catalog

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// ErrMismatch says that a file is there but is not the one that the manifest pins.
var ErrMismatch = errors.New("file does not match its pin")

// ErrMissing says that a file is not there.
var ErrMissing = errors.New("file is missing")

// Read gives the bytes of a pinned file below dir, after they were compared with their pin: what is returned is
// what was checked, read once. Links and names that lead out of dir are refused by the operating system.
func Read(dir string, f File) ([]byte, error) {
	if err := localFile(f.File); err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read %s: %w", f.File, ErrMissing)
	}
	if err != nil {
		return nil, fmt.Errorf("open model folder: %w", err)
	}
	defer root.Close()
	file, err := root.Open(f.File)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("read %s: %w", f.File, ErrMissing)
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", f.File, err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", f.File, err)
	}
	if !info.Mode().IsRegular() || info.Size() != f.Bytes {
		return nil, fmt.Errorf("read %s: %w: %d bytes, want %d", f.File, ErrMismatch, info.Size(), f.Bytes)
	}
	var b bytes.Buffer
	b.Grow(int(f.Bytes) + bytes.MinRead)
	if _, err := b.ReadFrom(io.LimitReader(file, f.Bytes+1)); err != nil {
		return nil, fmt.Errorf("read %s: %w", f.File, err)
	}
	if got := Digest(b.Bytes()); got != f.SHA256 {
		return nil, fmt.Errorf("read %s: %w: sha256 %s, want %s", f.File, ErrMismatch, got, f.SHA256)
	}
	return b.Bytes(), nil
}

// Digest gives the SHA-256 of b in hexadecimal.
func Digest(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// Main is the model's own file, in the form of the files beside it.
func (model Model) Main() File {
	return File{Name: model.Name, File: model.File, SHA256: model.SHA256, Bytes: model.Bytes}
}
