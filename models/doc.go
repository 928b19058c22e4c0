// Package models is where weights run: it opens ONNX Runtime, loads the model files that manifest.yaml pins, and
// turns their numbers into pipeline Signals with calibrated scores. It is the only room with C in it. A model is
// loaded once and shared; each holds its own bound on how many runs go at a time, and every run ends when its
// context does. A file that is not the pinned one is refused before ONNX Runtime sees a byte of it, and a file that
// is missing is said to be missing, so that what it would have judged is held for a person.
package models

import (
	_ "embed"

	"nightlight/models/catalog"
)

//go:embed manifest.yaml
var manifest []byte

// Manifest gives the list of models that this build was made with. The pins are part of the binary, so that nobody
// can change a model by changing the list beside it.
func Manifest() (*catalog.Manifest, error) {
	return catalog.Parse(manifest)
}
