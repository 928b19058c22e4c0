package review

import "time"

// LeaseFor is how long a reviewer holds a case without a heartbeat.
const LeaseFor = 10 * time.Minute

// UndoFor is how long a decision can be taken back before it has effect.
const UndoFor = 10 * time.Second

// Severe is the severity from which two people must agree.
const Severe = 4

// SevereView is the severity from which looking counts against the caps.
const SevereView = 3

// SevereViewsPerHour and SevereHoursPerDay cap what one person looks at.
const (
	SevereViewsPerHour = 40
	SevereHoursPerDay  = 4
)

// Rank orders open cases, highest first: priority × waiting, where waiting is
// told in deadlines, so that an urgent case grows fast and a patient one still
// comes to the front in the end.
func Rank(c Case, now time.Time) float64 {
	window := max(c.Deadline.Sub(c.OpenedAt), time.Second)
	waited := max(now.Sub(c.OpenedAt), 0)
	return (c.Priority + 1) * (1 + waited.Seconds()/window.Seconds())
}

// VotesFor returns how many people must vote on a case of this severity.
func VotesFor(severity int, irreversible bool) int {
	if severity >= Severe || irreversible {
		return 2
	}
	return 1
}

// PriorityOf gives a report or an appeal, which has no verdict, a place in the
// queue: its severity alone, at full confidence.
func PriorityOf(severity int) float64 {
	return float64(min(max(severity, 0), 4)) * 20
}
