package bench

import (
	"context"
	"os"
	"testing"
)

func TestTheDiskIsMeasuredByItselfAndLeftAsItWas(t *testing.T) {
	folder := t.TempDir()
	d, err := disk(t.Context(), folder, 5)
	if err != nil {
		t.Fatal(err)
	}
	if d.Syncs != 5 || d.P50 <= 0 || d.P99 < d.P50 || d.Max < d.P99 {
		t.Errorf("got %+v", d)
	}
	if left, err := os.ReadDir(folder); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := disk(ended, folder, 1000); err == nil {
		t.Error("an interrupted measurement gave no error")
	}
	if _, err := disk(t.Context(), folder+"/nowhere", 1); err == nil {
		t.Error("a folder that is not there gave no error")
	}
}
