// Command fetch runs the set-up of models by itself, without C, so that `make setup` can run it before anything
// else is built.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"nightlight/models/catalog"
	"nightlight/models/setup"
)

func main() {
	manifest := flag.String("manifest", "models/manifest.yaml", "the list of models and their pins")
	dir := flag.String("dir", ".cache/nightlight", "the folder to fill")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := fetch(ctx, *manifest, *dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func fetch(ctx context.Context, manifest, dir string) error {
	text, err := os.ReadFile(manifest)
	if err != nil {
		return err
	}
	m, err := catalog.Parse(text)
	if err != nil {
		return err
	}
	return setup.Fetch(ctx, m, dir, func(line string) { fmt.Println(line) })
}
