//go:build !linux

package bench

import "errors"

// errLinux says why nothing is measured: CPU time of a tree of processes is
// read from /proc.
var errLinux = errors.New("the benchmark needs Linux: it reads CPU times from /proc")

func readProcesses() ([]procTimes, error)        { return nil, errLinux }
func readMachine() (machineTimes, error)         { return machineTimes{}, errLinux }
func readCPU() (model string, features []string) { return "unknown", nil }
