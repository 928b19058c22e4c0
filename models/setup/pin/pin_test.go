package main

import (
	"errors"
	"io/fs"
	"strings"
	"testing"

	"nightlight/models/catalog"
)

const before = `version: 1
models:
  # ours
  - name: a
    origin: committed
    file: a/model.onnx
    sha256: 00
    bytes: 1
    also:
      - {name: fold, file: b/fold.gz, sha256: 00, bytes: 1}
  - name: theirs
    origin: downloaded
    file: t.onnx
    sha256: 11
    bytes: 2
`

func TestPinningWritesOnlyThePinsOfCommittedFiles(t *testing.T) {
	files := map[string]string{"a/model.onnx": "model", "b/fold.gz": "folded"}
	read := func(name string) ([]byte, error) {
		content, ok := files[name]
		if !ok {
			return nil, errors.New("asked for " + name)
		}
		return []byte(content), nil
	}
	got, err := pinned(before, read)
	if err != nil {
		t.Fatal(err)
	}
	want := strings.NewReplacer(
		"    sha256: 00\n    bytes: 1\n", "    sha256: "+catalog.Digest([]byte("model"))+"\n    bytes: 5\n",
		"sha256: 00, bytes: 1}", "sha256: "+catalog.Digest([]byte("folded"))+", bytes: 6}",
	).Replace(before)
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	absent := func(string) ([]byte, error) { return nil, fs.ErrNotExist }
	if _, err := pinned(before, absent); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("without its file, a model that is needed gave %v", err)
	}
	optional := strings.Replace(before, "    origin: committed", "    required: false\n    origin: committed", 1)
	if got, err := pinned(optional, absent); err != nil || got != optional {
		t.Errorf("without its file, an optional model became %q, %v, want it left alone", got, err)
	}
	delete(files, "b/fold.gz")
	if _, err := pinned(before, read); err == nil {
		t.Error("a file that is missing gave no error")
	}
}
