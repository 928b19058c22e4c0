package models

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"

	"nightlight/models/catalog"
)

// Dirs are the two places where model files lie.
type Dirs struct {
	Cache   string // what set-up brought: the library and others' models
	Weights string // ours, as committed in models/weights
}

// At gives the places as they lie below the root of a checkout or an installed copy of it.
func At(root string) Dirs {
	return Dirs{Cache: filepath.Join(root, ".cache", "nightlight"), Weights: filepath.Join(root, "models", "weights")}
}

// Find looks for the model files, so that the binary works from any working directory: at override, if it is given
// (a root as in At), else beside the executable, following links: the folder above it (./bin/nightlight) or its own.
// It does not fall back from an override that holds nothing, since that is more likely a mistake.
func Find(executable, override string) (Dirs, error) {
	if override != "" {
		root, err := filepath.Abs(override)
		if err != nil {
			return Dirs{}, fmt.Errorf("find models: %w", err)
		}
		if !isRoot(root) {
			return Dirs{}, fmt.Errorf("find models: neither .cache/nightlight nor models/weights is in %s", override)
		}
		return At(root), nil
	}
	real, err := filepath.EvalSymlinks(executable)
	if err != nil {
		return Dirs{}, fmt.Errorf("find models: %w", err)
	}
	beside := filepath.Dir(real)
	for _, root := range []string{filepath.Dir(beside), beside} {
		if isRoot(root) {
			return At(root), nil
		}
	}
	return Dirs{}, errors.New("find models: none beside the executable; run make setup, or say where they are")
}

func isRoot(root string) bool {
	dirs := At(root)
	return isDir(dirs.Cache) || isDir(dirs.Weights)
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// Of gives the folder in which a model's files lie.
func (d Dirs) Of(m catalog.Model) string {
	if m.Origin == catalog.Committed {
		return d.Weights
	}
	return d.Cache
}

// Library gives the path of the ONNX Runtime library for this machine.
func (d Dirs) Library(m *catalog.Manifest) (string, error) {
	member, ok := m.Library(runtime.GOOS + "/" + runtime.GOARCH)
	if !ok {
		return "", fmt.Errorf("no ONNX Runtime library is known for %s/%s", runtime.GOOS, runtime.GOARCH)
	}
	return filepath.Join(d.Cache, filepath.FromSlash(member.File)), nil
}
