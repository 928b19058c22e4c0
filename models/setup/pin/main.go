// Command pin writes the SHA-256 and the size of every committed model file into the manifest, so that a new
// training is pinned by a command and never by hand. Nothing else of the manifest is touched; pins of files that
// come from packages are left as they are, since those are for a person to decide.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"nightlight/models/catalog"
)

func main() {
	manifest := flag.String("manifest", "models/manifest.yaml", "the list of models and their pins")
	weights := flag.String("weights", "models/weights", "the folder of the committed files")
	flag.Parse()
	if err := pin(*manifest, *weights); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func pin(path, weights string) error {
	before, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	after, err := pinned(string(before), func(file string) ([]byte, error) {
		return os.ReadFile(filepath.Join(weights, filepath.FromSlash(file)))
	})
	if err != nil {
		return fmt.Errorf("pin %s: %w", path, err)
	}
	if _, err := catalog.Parse([]byte(after)); err != nil {
		return fmt.Errorf("pin %s: %w", path, err)
	}
	if after == string(before) {
		fmt.Println("every pin is right already")
		return nil
	}
	return os.WriteFile(path, []byte(after), 0o644)
}

var (
	blockStart = regexp.MustCompile(`(?m)^  - name: `)
	fileLine   = regexp.MustCompile(`(?m)^    file: (\S+)$`)
	sumLine    = regexp.MustCompile(`(?m)^    sha256: \S+$`)
	bytesLine  = regexp.MustCompile(`(?m)^    bytes: \d+$`)
	alsoLine   = regexp.MustCompile(`(?m)^(      - \{name: \S+, file: )(\S+)(, sha256: )[0-9a-f]+(, bytes: )\d+\}$`)
)

// pinned gives the manifest's text with new pins in the blocks of committed models. It edits text, not a parsed
// tree, so that comments and layout stay.
func pinned(text string, read func(file string) ([]byte, error)) (string, error) {
	starts := blockStart.FindAllStringIndex(text, -1)
	var out strings.Builder
	last := 0
	for i, at := range starts {
		end := len(text)
		if i+1 < len(starts) {
			end = starts[i+1][0]
		}
		out.WriteString(text[last:at[0]])
		block := text[at[0]:end]
		if strings.Contains(block, "\n    origin: committed\n") {
			var err error
			if block, err = pinBlock(block, read); err != nil {
				return "", err
			}
		}
		out.WriteString(block)
		last = end
	}
	out.WriteString(text[last:])
	return out.String(), nil
}

func pinBlock(block string, read func(file string) ([]byte, error)) (string, error) {
	file := fileLine.FindStringSubmatch(block)
	if file == nil || !sumLine.MatchString(block) || !bytesLine.MatchString(block) {
		return "", fmt.Errorf("no file, sha256 or bytes in the block that begins %q", strings.SplitN(block, "\n", 2)[0])
	}
	content, err := read(file[1])
	if errors.Is(err, fs.ErrNotExist) && strings.Contains(block, "\n    required: false\n") {
		return block, nil
	}
	if err != nil {
		return "", err
	}
	block = sumLine.ReplaceAllString(block, "    sha256: "+catalog.Digest(content))
	block = bytesLine.ReplaceAllString(block, fmt.Sprintf("    bytes: %d", len(content)))
	var failed error
	block = alsoLine.ReplaceAllStringFunc(block, func(line string) string {
		m := alsoLine.FindStringSubmatch(line)
		content, err := read(m[2])
		if err != nil {
			failed = err
			return line
		}
		return fmt.Sprintf("%s%s%s%s%s%d}", m[1], m[2], m[3], catalog.Digest(content), m[4], len(content))
	})
	return block, failed
}
