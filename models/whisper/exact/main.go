// Command exact writes Whisper's encoder and decoder with no weight rounded, to hold them against the original runtime
// (../compare.py). The product's decoder is rounded to seven bits.
//
//	go run ./models/whisper/exact MODEL.BIN FOLDER
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"nightlight/models/whisper"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: exact MODEL.BIN FOLDER")
		os.Exit(2)
	}
	if err := write(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "exact:", err)
		os.Exit(1)
	}
}

func write(from, to string) error {
	raw, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	m, err := whisper.Read(raw)
	if err != nil {
		return err
	}
	for name, graph := range map[string]func(whisper.Weights) ([]byte, error){"encoder.onnx": m.Encoder, "decoder.onnx": m.Decoder} {
		b, err := graph(whisper.Exact)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(to, name), b, 0o644); err != nil {
			return err
		}
	}
	return nil
}
