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
// Nothing else asks for a second vote: whatever is decided about an item can be
// decided anew. What cannot be taken back, word that reached a guardian, takes
// as many votes as its case.
func VotesFor(severity int) int {
	if severity >= Severe {
		return 2
	}
	return 1
}

// PriorityOf gives a report, an appeal or a notice that reached nobody, which
// have no verdict of their own, a place in the queue: the severity alone, at
// full confidence.
func PriorityOf(severity int) float64 {
	return float64(min(max(severity, 0), 4)) * 20
}
