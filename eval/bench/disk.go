package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"
)

// Disk is how long the disk under the data folder takes to keep a page, in milliseconds. An item is acknowledged and a
// verdict told only after such a wait, so no latency's tail can be shorter than this one's.
type Disk struct {
	Syncs int     `json:"syncs"`
	P50   float64 `json:"p50_ms"`
	P99   float64 `json:"p99_ms"`
	Max   float64 `json:"max_ms"`
}

func (d Disk) String() string {
	return fmt.Sprintf("%d pages of 4 KiB, each synced, 10 ms apart: p50 %.1f ms, p99 %.1f, largest %.1f", d.Syncs, d.P50, d.P99, d.Max)
}

// disk syncs n pages to a file in the folder, some way apart as an unhurried
// system does, and removes the file.
func disk(ctx context.Context, folder string, n int) (d Disk, err error) {
	f, err := os.CreateTemp(folder, "sync-")
	if err != nil {
		return d, err
	}
	defer func() { err = errors.Join(err, f.Close(), os.Remove(f.Name())) }()
	page, waits := make([]byte, 4096), make([]time.Duration, 0, n)
	for range n {
		if _, err := f.Write(page); err != nil {
			return d, err
		}
		began := time.Now()
		if err := f.Sync(); err != nil {
			return d, err
		}
		waits = append(waits, time.Since(began))
		if !sleepUntil(ctx, time.Now().Add(10*time.Millisecond)) {
			return d, ctx.Err()
		}
	}
	slices.Sort(waits)
	return Disk{Syncs: n, P50: milliseconds(percentile(waits, 0.5)), P99: milliseconds(percentile(waits, 0.99)), Max: milliseconds(waits[n-1])}, nil
}
