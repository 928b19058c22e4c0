package bench

import (
	"fmt"
	"os"
	"time"
)

// meter takes CPU and wall time of the system under test, of this process and
// of the whole machine, all at one moment.
type meter struct{ system int } // pid of the program under test, 0 for none

type reading struct {
	at           time.Time
	system, self time.Duration
	machine      machineTimes
}

func (m meter) read() (reading, error) {
	all, err := readProcesses()
	if err != nil {
		return reading{}, err
	}
	r := reading{at: time.Now(), self: treeTime(all, os.Getpid(), m.system)}
	if m.system != 0 {
		r.system = treeTime(all, m.system)
	}
	r.machine, err = readMachine()
	return r, err
}

// spent is what passed between two readings.
type spent struct {
	wall, system, self time.Duration
	// others is the share of the machine that neither the system under test
	// nor this process used, and that was not idle.
	others float64
}

func (r reading) until(end reading) spent {
	s := spent{wall: end.at.Sub(r.at), system: end.system - r.system, self: end.self - r.self}
	busy, idle := end.machine.busy-r.machine.busy, end.machine.idle-r.machine.idle
	if total := busy + idle; total > 0 {
		s.others = max(0, float64(busy-s.system-s.self)/float64(total))
	}
	return s
}

// during measures what f takes.
func (m meter) during(f func() error) (spent, error) {
	start, err := m.read()
	if err != nil {
		return spent{}, fmt.Errorf("measure: %w", err)
	}
	if err := f(); err != nil {
		return spent{}, err
	}
	end, err := m.read()
	if err != nil {
		return spent{}, fmt.Errorf("measure: %w", err)
	}
	return start.until(end), nil
}
