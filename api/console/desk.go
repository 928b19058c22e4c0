package console

import (
	"context"
	"time"

	"nightlight/queue/review"
	"nightlight/queue/store"
)

// desk is what the console asks of the database. *store.Store is one; tests
// put one in front of it that fails on demand, to see that nothing is shown.
type desk interface {
	sessions
	cases
	records
}

// sessions is who is logged in.
type sessions interface {
	CreateSession(ctx context.Context, userID string, idle, absolute time.Duration) (string, store.Session, error)
	Session(ctx context.Context, token string) (store.Session, error)
	EndSession(ctx context.Context, token string) error
	EndSessions(ctx context.Context, userID string) error
	LoginThrottle(ctx context.Context, key string) (store.Throttle, error)
	LoginFailed(ctx context.Context, key string) (store.Throttle, error)
	LoginSucceeded(ctx context.Context, key string) error
	UserByName(ctx context.Context, name string) (store.User, error)
	User(ctx context.Context, id string) (store.User, error)
	Users(ctx context.Context, tenant string) ([]store.User, error)
	CreateUser(ctx context.Context, u store.User, by string) (store.User, error)
	SetPassword(ctx context.Context, id, hash, by string) error
	SetRole(ctx context.Context, id string, role review.Role, by string) error
	DisableUser(ctx context.Context, id, by string) error
}

// cases is the reviewers' work.
type cases interface {
	NextCase(ctx context.Context, r review.Reviewer) (review.Case, review.Lease, error)
	ClaimCase(ctx context.Context, r review.Reviewer, caseID string) (review.Case, review.Lease, error)
	HeartbeatCase(ctx context.Context, r review.Reviewer, caseID, token string) (review.Lease, error)
	ReleaseCase(ctx context.Context, r review.Reviewer, caseID, token, reason string) error
	EscalateCase(ctx context.Context, r review.Reviewer, e review.Escalation) error
	Case(ctx context.Context, r review.Reviewer, caseID string) (review.Case, error)
	Cases(ctx context.Context, r review.Reviewer, f store.CaseFilter) ([]review.Case, string, error)
	CaseCounts(ctx context.Context, r review.Reviewer) (review.Counts, error)
	View(ctx context.Context, r review.Reviewer, caseID, token, what string) error
	Exposure(ctx context.Context, reviewer string) (store.Exposure, error)
	Decide(ctx context.Context, r review.Reviewer, d review.Decision) (review.Decided, error)
	Undo(ctx context.Context, r review.Reviewer, caseID string) (review.Lease, error)
	Votes(ctx context.Context, r review.Reviewer, caseID string) ([]review.Vote, error)
	Notes(ctx context.Context, r review.Reviewer, caseID string) ([]store.Note, error)
}

// records is what is known of items, and the log.
type records interface {
	Now(ctx context.Context) (time.Time, error)
	Item(ctx context.Context, tenant, id string) (store.Item, error)
	Text(ctx context.Context, tenant, id string) (string, error)
	Conversation(ctx context.Context, tenant, itemID string, before, after int) ([]store.Message, error)
	Evidence(ctx context.Context, tenant, itemID string) ([]store.Evidence, error)
	ItemKey(ctx context.Context, tenant, itemID string) ([]byte, error)
	Guardians(ctx context.Context, tenant string, children ...string) ([]store.Guardian, error)
	Tenants(ctx context.Context) ([]store.Tenant, error)
	AuditLog(ctx context.Context, chain string, from int64, limit int) ([]store.Entry, error)
	AuditHeads(ctx context.Context) ([]store.Anchor, error)
	VerifyAudit(ctx context.Context, anchors ...store.Anchor) (store.AuditReport, error)
	DeadLetters(ctx context.Context, limit int) ([]store.DeadLetter, error)
	Deliveries(ctx context.Context, tenant, endpoint string, state store.DeliveryState, cursor string, limit int) ([]store.Delivery, string, error)
	Replay(ctx context.Context, tenant, id, by string) error
}

var _ desk = (*store.Store)(nil)
