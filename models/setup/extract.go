package setup

import (
	"archive/tar"
	"archive/zip"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"nightlight/models/catalog"
	"nightlight/models/tfjs"
	"nightlight/models/whisper"
)

// maxMember bounds one extracted file, so that a wrong archive cannot fill memory.
const maxMember = 256 << 20

// extract reads the named members of an archive into memory, each compared with its pin. Nothing else is unpacked,
// and no name out of the archive is ever used as a path.
func extract(archive string, s catalog.Source) (map[string][]byte, error) {
	wanted := map[string]string{}
	for _, m := range s.Members {
		wanted[m.Path] = m.SHA256
	}
	read := tarMembers
	if strings.HasSuffix(archive, ".whl") || strings.HasSuffix(archive, ".zip") {
		read = zipMembers
	}
	members, err := read(archive, wanted)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", s.Archive, err)
	}
	for name, want := range wanted {
		content, ok := members[name]
		if !ok {
			return nil, fmt.Errorf("open %s: no %s in it", s.Archive, name)
		}
		if got := catalog.Digest(content); got != want {
			return nil, fmt.Errorf("open %s: %w: %s has sha256 %s, want %s", s.Archive, catalog.ErrMismatch, name, got, want)
		}
	}
	return members, nil
}

func zipMembers(archive string, wanted map[string]string) (map[string][]byte, error) {
	z, err := zip.OpenReader(archive)
	if err != nil {
		return nil, err
	}
	defer z.Close()
	members := map[string][]byte{}
	for _, entry := range z.File {
		if _, ok := wanted[entry.Name]; !ok {
			continue
		}
		r, err := entry.Open()
		if err != nil {
			return nil, err
		}
		content, err := readMember(r)
		r.Close()
		if err != nil {
			return nil, err
		}
		members[entry.Name] = content
	}
	return members, nil
}

func tarMembers(archive string, wanted map[string]string) (map[string][]byte, error) {
	file, err := os.Open(archive)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	gz, err := gzip.NewReader(file)
	if err != nil {
		return nil, err
	}
	members := map[string][]byte{}
	for t := tar.NewReader(gz); len(members) < len(wanted); {
		entry, err := t.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		if _, ok := wanted[entry.Name]; !ok || entry.Typeflag != tar.TypeReg {
			continue
		}
		if members[entry.Name], err = readMember(t); err != nil {
			return nil, err
		}
	}
	return members, nil
}

func readMember(r io.Reader) ([]byte, error) {
	content, err := io.ReadAll(io.LimitReader(r, maxMember+1))
	if len(content) > maxMember {
		return nil, fmt.Errorf("a member is over %d MB", maxMember>>20)
	}
	return content, err
}

// convert makes a model out of the members that are read for it only, in the manifest's order, and puts it in place
// if it is what the manifest pins.
func (f *fetcher) convert(model catalog.Model, parts [][]byte) error {
	f.say(fmt.Sprintf("  converting %s to ONNX", model.Name))
	content, err := converted(model, parts)
	if err != nil {
		return err
	}
	if got := catalog.Digest(content); got != model.SHA256 {
		return fmt.Errorf("convert %s: %w: sha256 %s, want %s (%d bytes)", model.Name, catalog.ErrMismatch, got, model.SHA256, len(content))
	}
	return f.place(model.File, content)
}

func converted(model catalog.Model, parts [][]byte) ([]byte, error) {
	if len(parts) == 0 {
		return nil, fmt.Errorf("convert %s: no member to read", model.Name)
	}
	switch model.Convert { // the topology, and then the shards
	case "tfjs-graph":
		return tfjs.Convert(model.Name, parts[0], parts[1:]...)
	case "tfjs-layers":
		return tfjs.ConvertLayers(model.Name, parts[0], parts[1:]...)
	}
	original, err := whisper.Read(parts...)
	if err != nil {
		return nil, fmt.Errorf("convert %s: %w", model.Name, err)
	}
	switch model.Convert {
	case "whisper-encoder":
		return original.Encoder(whisper.Exact)
	case "whisper-decoder-int8":
		return original.Decoder(whisper.Int8)
	}
	return nil, fmt.Errorf("convert %s: conversion %q is not known", model.Name, model.Convert)
}

// matches tells whether a file is there with that hash.
func matches(path, want string) bool {
	got, err := fileDigest(path)
	return err == nil && got == want
}

func fileDigest(path string) (string, error) {
	file, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer file.Close()
	h := sha256.New()
	if _, err := io.Copy(h, file); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
