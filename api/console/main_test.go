package console

import (
	"context"
	"os"
	"testing"

	"nightlight/pipeline/media"
)

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == media.ChildCommand {
		os.Exit(media.ChildMain(context.Background()))
	}
	os.Exit(m.Run())
}
