package models

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"

	"nightlight/models/catalog"
	"nightlight/models/onnx"
)

// Entry is one line of `nightlight models list` and `verify`.
type Entry struct {
	Name     string         `json:"name"`
	Version  string         `json:"version"`
	Kind     string         `json:"kind"`
	Required bool           `json:"required"`
	Origin   catalog.Origin `json:"origin"`
	File     string         `json:"file"`
	SHA256   string         `json:"sha256"`
	Bytes    int64          `json:"bytes"`
	Licence  string         `json:"licence"`
	Source   string         `json:"source"`
	Card     string         `json:"card,omitempty"`
	State    State          `json:"state"`
	Detail   string         `json:"detail,omitempty"` // why the state is not ok
}

// State says how a file stands.
type State string

// The states of a file.
const (
	Present  State = "present"  // there; List does not read it
	OK       State = "ok"       // there, and what its pin says
	Missing  State = "missing"  // not there
	Mismatch State = "mismatch" // there, but not what is pinned, or not allowed
)

// List tells of the library and each model, and whether its file is there.
func List(manifest *catalog.Manifest, dirs Dirs) []Entry {
	entries := entriesOf(manifest)
	for i := range entries {
		e := &entries[i]
		e.State = Present
		if _, err := os.Stat(filepath.Join(e.dir(dirs), filepath.FromSlash(e.File))); err != nil {
			e.State = Missing
		}
	}
	return entries
}

// Verify reads every file, the ones beside a model too, and compares it with its pin, just as Load does.
func Verify(manifest *catalog.Manifest, dirs Dirs) []Entry {
	entries := entriesOf(manifest)
	for i := range entries {
		e := &entries[i]
		e.State, e.Detail = e.verify(manifest, dirs)
	}
	return entries
}

// entriesOf gives the library first and then the models in the manifest's order.
func entriesOf(manifest *catalog.Manifest) []Entry {
	var entries []Entry
	platform := runtime.GOOS + "/" + runtime.GOARCH
	if library, ok := manifest.Library(platform); ok {
		for _, s := range manifest.Sources {
			if s.For == platform && s.Package == "onnxruntime" {
				entries = append(entries, Entry{Name: s.Package, Version: s.Version, Kind: "library", Required: true, Origin: catalog.Downloaded,
					File: library.File, SHA256: library.SHA256, Licence: s.Licence, Source: s.Name})
			}
		}
	}
	for _, m := range manifest.Models {
		entries = append(entries, Entry{Name: m.Name, Version: m.Version, Kind: m.Kind, Required: m.Required, Origin: m.Origin, File: m.File,
			SHA256: m.SHA256, Bytes: m.Bytes, Licence: m.Licence, Source: m.Source, Card: m.Card})
	}
	return entries
}

func (e Entry) dir(dirs Dirs) string {
	if e.Origin == catalog.Committed {
		return dirs.Weights
	}
	return dirs.Cache
}

func (e Entry) verify(manifest *catalog.Manifest, dirs Dirs) (State, string) {
	err := e.read(manifest, dirs)
	switch {
	case err == nil:
		return OK, ""
	case errors.Is(err, catalog.ErrMissing):
		return Missing, err.Error()
	}
	return Mismatch, err.Error()
}

func (e Entry) read(manifest *catalog.Manifest, dirs Dirs) error {
	if e.Kind == "library" {
		return verifyLibrary(filepath.Join(dirs.Cache, e.File), dirs, catalog.Member{File: e.File, SHA256: e.SHA256})
	}
	m, _ := manifest.Model(e.Name)
	content, err := catalog.Read(dirs.Of(m), m.Main())
	if err != nil {
		return err
	}
	if _, err := onnx.Inspect(content); err != nil {
		return err
	}
	for _, f := range m.Also {
		if _, err := catalog.Read(dirs.Of(m), f); err != nil {
			return err
		}
	}
	return nil
}
