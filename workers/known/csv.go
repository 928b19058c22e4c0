package known

import (
	"bufio"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"nightlight/queue/store"
)

// A file of hashes is CSV: a hash of 64 hexadecimal digits, and behind a comma,
// if there is one, what its giver calls it. Empty lines, lines that begin with
// # and a first line that names its columns (hash,…) are passed over. More
// columns are not looked at. A reference is kept as it is, without quotes.

// LineError names the line of a file that is wrong.
type LineError struct {
	Line   int
	Reason string
}

// Error says what is wrong; it never quotes the line.
func (e *LineError) Error() string { return fmt.Sprintf("line %d: %s", e.Line, e.Reason) }

const (
	maxLine      = 4096
	maxReference = 200
)

// ReadCSV reads a file of hashes, or gives a *LineError for the first line that
// is wrong; then nothing of the file is used. A file without any hash is wrong
// too.
func ReadCSV(r io.Reader) ([]store.BankHash, error) {
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 0, maxLine), maxLine)
	var list []store.BankHash
	n := 0
	for lines.Scan() {
		n++
		line := strings.TrimSpace(lines.Text())
		if n == 1 {
			line = strings.TrimPrefix(line, "\ufeff") // as spreadsheets write it
		}
		if line == "" || strings.HasPrefix(line, "#") || len(list) == 0 && isHeader(line) {
			continue
		}
		h, reason := readLine(line)
		if reason != "" {
			return nil, &LineError{n, reason}
		}
		list = append(list, h)
	}
	switch err := lines.Err(); {
	case errors.Is(err, bufio.ErrTooLong):
		return nil, &LineError{n + 1, fmt.Sprintf("longer than %d bytes", maxLine)}
	case err != nil:
		return nil, fmt.Errorf("read hashes: %w", err)
	case len(list) == 0:
		return nil, &LineError{max(n, 1), "the file has no hash"}
	}
	return list, nil
}

func isHeader(line string) bool {
	first, _, _ := strings.Cut(line, ",")
	switch strings.ToLower(unquote(first)) {
	case "hash", "pdq", "sha256", "signal", "value":
		return true
	}
	return false
}

func unquote(field string) string {
	field = strings.TrimSpace(field)
	if len(field) >= 2 && field[0] == '"' && field[len(field)-1] == '"' {
		field = field[1 : len(field)-1]
	}
	return field
}

func readLine(line string) (h store.BankHash, reason string) {
	first, rest, _ := strings.Cut(line, ",")
	first = unquote(first)
	if len(first) != 64 {
		return h, "want a hash of 64 hexadecimal digits"
	}
	if _, err := hex.Decode(h.Hash[:], []byte(first)); err != nil {
		return h, "want a hash of 64 hexadecimal digits"
	}
	reference, _, _ := strings.Cut(rest, ",")
	h.Reference = unquote(reference)
	if len(h.Reference) > maxReference || !utf8.ValidString(h.Reference) || strings.ContainsRune(h.Reference, 0) {
		return h, fmt.Sprintf("want a reference of at most %d bytes of UTF-8", maxReference)
	}
	return h, ""
}
