// Command views gives the readings of texts that the product's classifiers
// see, so that training and calibration see the same: a JSON string a line
// comes in, a JSON array of the readings' texts, raw first, goes out.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"

	"nightlight/pipeline/normal"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "views:", err)
		os.Exit(1)
	}
}

func run() error {
	in, out := bufio.NewReader(os.Stdin), bufio.NewWriter(os.Stdout)
	dec, enc := json.NewDecoder(in), json.NewEncoder(out)
	enc.SetEscapeHTML(false)
	for dec.More() {
		var text string
		if err := dec.Decode(&text); err != nil {
			return fmt.Errorf("read a line: %w", err)
		}
		var texts []string
		for _, v := range normal.Views(text) {
			texts = append(texts, v.Text)
		}
		if err := enc.Encode(texts); err != nil {
			return fmt.Errorf("write a line: %w", err)
		}
		if err := out.Flush(); err != nil {
			return fmt.Errorf("write a line: %w", err)
		}
	}
	return nil
}
