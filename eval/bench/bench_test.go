package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"image/jpeg"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

func TestTheRealProgramIsMeasuredFromEndToEnd(t *testing.T) {
	binary := os.Getenv("NIGHTLIGHT_TEST_BINARY")
	if binary == "" {
		t.Skip("NIGHTLIGHT_TEST_BINARY names no program")
	}
	var texts, photos atomic.Int64
	var out, progress bytes.Buffer
	report, err := Measure(t.Context(), Options{
		Binary: binary, Out: &out, Progress: &progress, Seconds: time.Second, Rounds: 2, Connections: 4, PhotoConnections: 2, Rates: []float64{20},
		BareText: func(_ context.Context, text string) error { texts.Add(int64(len(text))); return nil },
		BarePhoto: func(_ context.Context, file []byte) error {
			photos.Add(1)
			_, err := jpeg.Decode(bytes.NewReader(file))
			return err
		},
	})
	if err != nil {
		t.Fatalf("%v\n%s", err, progress.String())
	}
	if len(report.Pairings) != 3 || texts.Load() == 0 || photos.Load() == 0 {
		t.Fatalf("got %d kinds of items, want 3", len(report.Pairings))
	}
	for _, p := range report.Pairings {
		if len(p.Rounds) != 2 || p.PathCPU.Median <= 0 || p.Bare.Median <= 0 || len(p.Models) == 0 || len(p.Actions) == 0 {
			t.Errorf("%s: got %+v", p.Name, p)
		}
	}
	if len(report.Latencies) != 2 || report.Latencies[0].Judged == 0 || report.Latencies[0].Due < 5 {
		t.Errorf("latencies: got %+v", report.Latencies)
	}
	if report.CPU == "" || report.Cores == 0 || !strings.Contains(report.Redis, "redis") {
		t.Errorf("surroundings: got %q, %d cores, %q", report.CPU, report.Cores, report.Redis)
	}
	if err := report.Print(&out); err != nil || !strings.Contains(out.String(), "WANTED") {
		t.Errorf("table: %v\n%s", err, out.String())
	}
}

func TestAProgramThatDoesNotStartIsAnErrorWithItsLastWords(t *testing.T) {
	_, err := Run(t.Context(), Options{Binary: "/bin/ls", Out: &bytes.Buffer{}})
	if err == nil || !strings.Contains(err.Error(), "ended before it served") {
		t.Errorf("got %v", err)
	}
	if _, err := Run(t.Context(), Options{Binary: "/nowhere/nightlight", Out: &bytes.Buffer{}}); err == nil {
		t.Error("a program that is not there: got no error")
	}
}

func reportOf(around, ratio, p50 float64, steady bool) Report {
	load := LoadResult{Rate: 2, Due: 60, Judged: 60, P50: p50, P99: p50}
	if !steady {
		load.Judged, load.Unfinished = 50, 10
	}
	r := Report{
		Pairings: []Pairing{{
			Name: "message", MostAround: mostAroundMessage, LeastRatio: leastRatioMessage, Rounds: []Round{{Items: 1}},
			Around: Figure{Median: around}, Ratio: Figure{Median: ratio}, Path: Figure{Median: 201},
		}},
		Latencies: []LatencyRow{{LoadResult: load}},
	}
	r.judge()
	return r
}

func TestAReportIsWellOnlyWhenEveryWantedFigureIsReached(t *testing.T) {
	for _, c := range []struct {
		what string
		r    Report
		want bool
	}{
		{"all reached", reportOf(1.5, 0.7, 20, true), true},
		{"too much around the model", reportOf(1.6, 0.7, 20, true), false},
		{"too slow", reportOf(1, 0.69, 20, true), false},
		{"too late", reportOf(1, 0.8, 21, true), false},
		{"no latency figure", reportOf(1, 0.8, 10, false), false},
	} {
		if c.r.Well != c.want {
			t.Errorf("%s: got well %v, want %v", c.what, c.r.Well, c.want)
		}
	}
}

func TestARowWithBacklogShowsNoLatency(t *testing.T) {
	var steady, behind bytes.Buffer
	if err := reportOf(1, 0.8, 12.3, true).Print(&steady); err != nil {
		t.Fatal(err)
	}
	if err := reportOf(1, 0.8, 12.3, false).Print(&behind); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(steady.String(), "12.3") || strings.Contains(steady.String(), "MISSED") {
		t.Errorf("a steady row:\n%s", steady.String())
	}
	if strings.Contains(behind.String(), "12.3") || !strings.Contains(behind.String(), "no latency figure") || !strings.Contains(behind.String(), "MISSED") {
		t.Errorf("a row with backlog:\n%s", behind.String())
	}
}

func TestAReportIsTheSameAsJSON(t *testing.T) {
	var b bytes.Buffer
	want := reportOf(1.25, 0.75, 12.5, true)
	if err := want.WriteJSON(&b); err != nil {
		t.Fatal(err)
	}
	var got Report
	if err := json.Unmarshal(b.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if got.Pairings[0].Around != want.Pairings[0].Around || got.Latencies[0].P50 != 12.5 || !got.Well {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestHalfOfSaturationStaysWithinTheKeysRate(t *testing.T) {
	r := reportOf(1, 1, 1, true)
	if got := r.half(500); got != 100 {
		t.Errorf("got %v, want 100", got)
	}
	if got := r.half(30); got != 30 {
		t.Errorf("a slow key: got %v, want 30", got)
	}
	if got := (Report{}).half(500); got != 0 {
		t.Errorf("nothing measured: got %v, want 0", got)
	}
}
