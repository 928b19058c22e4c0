package media

import (
	"context"
	"os"
	"testing"
)

// TestMain lets the test binary be the decoding child too.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == ChildCommand {
		os.Exit(ChildMain(context.Background()))
	}
	os.Exit(m.Run())
}

func newDecoder(t testing.TB, o DecoderOptions) *Decoder {
	t.Helper()
	d, err := NewDecoder(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	return d
}
