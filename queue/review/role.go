package review

// Role says what a person may do in the console.
type Role string

// The roles.
const (
	RoleReviewer Role = "reviewer"
	Senior       Role = "senior"
	Auditor      Role = "auditor"
	ML           Role = "ml"
	Admin        Role = "admin"
)

// Known reports whether r is one of the five roles.
func (r Role) Known() bool {
	switch r {
	case RoleReviewer, Senior, Auditor, ML, Admin:
		return true
	}
	return false
}

// MayReview reports whether r takes and decides cases.
func (r Role) MayReview() bool { return r == RoleReviewer || r == Senior }

// Reviewer is who asks for a case: the id of a user, the tenant they work for
// (empty: every tenant) and their role.
type Reviewer struct {
	ID     string
	Tenant string
	Role   Role
}
