package bench

import (
	"fmt"
	"os"
	"strconv"
)

// readProcesses reads the CPU times of every process. One that ends meanwhile
// is left out: its parent's reaped time has it.
func readProcesses() ([]procTimes, error) {
	names, err := os.ReadDir("/proc")
	if err != nil {
		return nil, fmt.Errorf("read processes: %w", err)
	}
	var all []procTimes
	for _, n := range names {
		if _, err := strconv.Atoi(n.Name()); err != nil {
			continue
		}
		text, err := os.ReadFile("/proc/" + n.Name() + "/stat")
		if err != nil {
			continue
		}
		p, err := parseProcStat(string(text))
		if err != nil {
			return nil, err
		}
		all = append(all, p)
	}
	return all, nil
}

func readMachine() (machineTimes, error) {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return machineTimes{}, fmt.Errorf("read processors: %w", err)
	}
	return parseMachineStat(string(text))
}

func readCPU() (model string, features []string) {
	text, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return "unknown", nil
	}
	return parseCPU(string(text))
}
