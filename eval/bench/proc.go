package bench

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// tick is the unit of CPU times under /proc: the kernel shows programs a
// hundred a second, whatever its own clock does.
const tick = 10 * time.Millisecond

// procTimes is what /proc/PID/stat says of a process.
type procTimes struct {
	pid, parent int
	// own is user and system time, reaped that of children that have ended
	// and were waited for, with theirs.
	own, reaped time.Duration
}

// parseProcStat reads one /proc/PID/stat. A command's name may hold spaces and
// parentheses, so fields are counted from the last closing one.
func parseProcStat(text string) (procTimes, error) {
	open, closing := strings.IndexByte(text, '('), strings.LastIndexByte(text, ')')
	if open < 1 || closing < open {
		return procTimes{}, fmt.Errorf("process status: no command name")
	}
	rest := strings.Fields(text[closing+1:])
	if len(rest) < 15 {
		return procTimes{}, fmt.Errorf("process status: %d fields after the name, want 15 or more", len(rest))
	}
	var v [6]int64 // pid, parent, utime, stime, cutime, cstime
	for i, field := range []string{strings.TrimSpace(text[:open]), rest[1], rest[11], rest[12], rest[13], rest[14]} {
		n, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return procTimes{}, fmt.Errorf("process status: %w", err)
		}
		v[i] = n
	}
	return procTimes{
		pid: int(v[0]), parent: int(v[1]),
		own: time.Duration(v[2]+v[3]) * tick, reaped: time.Duration(v[4]+v[5]) * tick,
	}, nil
}

// treeTime is the CPU time of a process, its living descendants and those that
// were waited for, but for the trees below except.
func treeTime(all []procTimes, root int, except ...int) time.Duration {
	children := map[int][]procTimes{}
	var sum time.Duration
	for _, p := range all {
		if p.pid == root {
			sum = p.own + p.reaped
		}
		children[p.parent] = append(children[p.parent], p)
	}
	for _, c := range children[root] {
		if !slices.Contains(except, c.pid) && c.pid != root {
			sum += treeTime(all, c.pid, except...)
		}
	}
	return sum
}

// machineTimes is what /proc/stat says of all processors together.
type machineTimes struct{ busy, idle time.Duration }

// parseMachineStat reads /proc/stat. Time stolen by the host counts as busy:
// nobody here could use it.
func parseMachineStat(text string) (machineTimes, error) {
	line, _, _ := strings.Cut(text, "\n")
	fields := strings.Fields(line)
	if len(fields) < 9 || fields[0] != "cpu" {
		return machineTimes{}, fmt.Errorf("machine status: first line is no sum of processors")
	}
	var v [8]time.Duration // user nice system idle iowait irq softirq steal
	for i := range v {
		n, err := strconv.ParseInt(fields[i+1], 10, 64)
		if err != nil {
			return machineTimes{}, fmt.Errorf("machine status: %w", err)
		}
		v[i] = time.Duration(n) * tick
	}
	return machineTimes{busy: v[0] + v[1] + v[2] + v[5] + v[6] + v[7], idle: v[3] + v[4]}, nil
}

// told are the CPU features that decide how fast models run.
var told = [...]string{"avx2", "avx512f", "avx512_vnni", "avx_vnni", "amx_int8", "asimd", "asimddp", "i8mm"}

// parseCPU reads /proc/cpuinfo: the processor's name, and which of the
// features that matter here it has.
func parseCPU(text string) (model string, features []string) {
	for line := range strings.Lines(text) {
		name, value, _ := strings.Cut(line, ":")
		value = strings.TrimSpace(value)
		switch strings.TrimSpace(name) {
		case "model name", "Processor":
			if model == "" {
				model = value
			}
		case "flags", "Features":
			has := strings.Fields(value)
			for _, f := range told {
				if slices.Contains(has, f) && !slices.Contains(features, f) {
					features = append(features, f)
				}
			}
		}
	}
	return model, features
}
