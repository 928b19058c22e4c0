package bench

import (
	"slices"
	"testing"
	"time"
)

func TestAProcessIsReadWhateverItsNameHolds(t *testing.T) {
	const rest = " S 4242 4300 4242 0 -1 4194560 31337 2200 12 3 1234 567 89 10 20 0 18 0 98765 2400000000 51000 18446744073709551615 1 1 0 0 0 0 0 0 2143420159 0 0 0 17 1 0 0 0 0 0\n"
	want := procTimes{pid: 4300, parent: 4242, own: (1234 + 567) * tick, reaped: (89 + 10) * tick}
	for _, name := range []string{"nightlight", "redis-server *:0", "a) R 1 (b", ""} {
		got, err := parseProcStat("4300 (" + name + ")" + rest)
		if err != nil || got != want {
			t.Errorf("command %q: got %+v, %v; want %+v", name, got, err, want)
		}
	}
}

func TestAProcessThatCannotBeReadIsAnError(t *testing.T) {
	for _, text := range []string{"", "4300", "4300 (a) S 1 2 3", "x (a) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16", ") 1 ("} {
		if got, err := parseProcStat(text); err == nil {
			t.Errorf("%q: got %+v, want an error", text, got)
		}
	}
}

func TestATreeIsItsProcessItsDescendantsAndWhatTheyReaped(t *testing.T) {
	all := []procTimes{
		{pid: 1, parent: 0, own: 1000 * tick},
		{pid: 10, parent: 1, own: 100 * tick, reaped: 7 * tick},
		{pid: 11, parent: 10, own: 20 * tick},                   // a server of its own
		{pid: 12, parent: 11, own: 5 * tick, reaped: 1 * tick},  // a child of that
		{pid: 20, parent: 10, own: 300 * tick},                  // the program under test
		{pid: 21, parent: 20, own: 40 * tick, reaped: 2 * tick}, // with a child
		{pid: 30, parent: 1, own: 9999 * tick},                  // a stranger
	}
	for _, c := range []struct {
		what   string
		root   int
		except []int
		want   time.Duration
	}{
		{"everything below", 10, nil, 475 * tick},
		{"without the program under test", 10, []int{20}, 133 * tick},
		{"the program under test", 20, nil, 342 * tick},
		{"a process that is gone", 99, nil, 0},
	} {
		if got := treeTime(all, c.root, c.except...); got != c.want {
			t.Errorf("%s: got %v, want %v", c.what, got, c.want)
		}
	}
}

func TestTheMachineIsBusyWithEverythingButIdlingAndWaiting(t *testing.T) {
	got, err := parseMachineStat("cpu  100 20 30 4000 500 6 7 8 9 10\ncpu0 50 10 15 2000 250 3 3 4 4 5\nintr 1\n")
	want := machineTimes{busy: (100 + 20 + 30 + 6 + 7 + 8) * tick, idle: 4500 * tick}
	if err != nil || got != want {
		t.Errorf("got %+v, %v; want %+v", got, err, want)
	}
	for _, text := range []string{"", "cpu0 1 2 3 4 5 6 7 8", "cpu 1 2 3", "cpu a b c d e f g h"} {
		if got, err := parseMachineStat(text); err == nil {
			t.Errorf("%q: got %+v, want an error", text, got)
		}
	}
}

func TestTheProcessorIsNamedWithTheFeaturesThatMatter(t *testing.T) {
	for _, c := range []struct {
		what, text, model string
		features          []string
	}{
		{
			"x86", "processor\t: 0\nmodel name\t: A Processor @ 2.80GHz\nflags\t\t: fpu sse2 avx avx2 avx512f avx512_vnni avx2x\n\nprocessor\t: 1\nmodel name\t: Another\nflags\t\t: fpu avx2\n",
			"A Processor @ 2.80GHz", []string{"avx2", "avx512f", "avx512_vnni"},
		},
		{"arm", "processor\t: 0\nFeatures\t: fp asimd asimddp i8mm\n", "", []string{"asimd", "asimddp", "i8mm"}},
		{"nothing", "", "", nil},
	} {
		model, features := parseCPU(c.text)
		if model != c.model || !slices.Equal(features, c.features) {
			t.Errorf("%s: got %q %v, want %q %v", c.what, model, features, c.model, c.features)
		}
	}
}

func TestWhatOthersUsedIsTheRestOfWhatWasBusy(t *testing.T) {
	start := reading{at: time.Unix(100, 0), system: 50 * tick, self: 10 * tick, machine: machineTimes{busy: 1000 * tick, idle: 2000 * tick}}
	end := reading{at: time.Unix(102, 0), system: 150 * tick, self: 30 * tick, machine: machineTimes{busy: 1200 * tick, idle: 2200 * tick}}
	got := start.until(end)
	want := spent{wall: 2 * time.Second, system: 100 * tick, self: 20 * tick, others: 0.2}
	if got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	// Clocks that step apart must not make others' share negative.
	end.machine.busy = start.machine.busy + 100*tick
	if got := start.until(end).others; got != 0 {
		t.Errorf("others: got %v, want 0", got)
	}
}
