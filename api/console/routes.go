package console

import (
	"net/http"
	"slices"

	"nightlight/queue/review"
)

// access says who may use a route. Nobody is the zero value.
type access struct {
	public bool // also without a session
	roles  []review.Role
}

func (a access) allows(role review.Role) bool { return a.public || slices.Contains(a.roles, role) }

// route is one door. The table below is the only place where doors are made;
// a test walks it with every role and knows every line of it.
type route struct {
	method, path string
	access       access
	handle       func(*visit) error
}

func (r route) pattern() string { return r.method + " " + r.path }

func (c *Console) table() []route {
	anyone := access{public: true}
	everybody := access{roles: []review.Role{review.RoleReviewer, review.Senior, review.Auditor, review.ML, review.Admin}}
	reviewers := access{roles: []review.Role{review.RoleReviewer, review.Senior}}
	readers := access{roles: []review.Role{review.RoleReviewer, review.Senior, review.Auditor}}
	overseers := access{roles: []review.Role{review.Senior, review.Auditor}}
	auditors := access{roles: []review.Role{review.Auditor}}
	admins := access{roles: []review.Role{review.Admin}}
	return []route{
		{"GET", "/console/static/{file}", anyone, c.static},
		{"GET", "/console/login", anyone, c.loginPage},
		{"POST", "/console/login", anyone, c.login},
		{"POST", "/console/language", anyone, c.language},
		{"POST", "/console/logout", everybody, c.logout},
		{"POST", "/console/logout-everywhere", everybody, c.logoutEverywhere},

		{"GET", "/console/{$}", everybody, c.home},
		{"POST", "/console/next", reviewers, c.next},
		{"GET", "/console/cases", readers, c.caseList},
		{"GET", "/console/case/{id}", readers, c.casePage},
		{"POST", "/console/case/{id}/look", overseers, c.look},
		{"POST", "/console/case/{id}/show", readers, c.show},
		{"POST", "/console/case/{id}/listen", readers, c.listen},
		{"POST", "/console/case/{id}/claim", reviewers, c.claim},
		{"POST", "/console/case/{id}/heartbeat", reviewers, c.heartbeat},
		{"POST", "/console/case/{id}/release", reviewers, c.release},
		{"POST", "/console/case/{id}/escalate", reviewers, c.escalate},
		{"POST", "/console/case/{id}/decide", reviewers, c.decide},
		{"POST", "/console/case/{id}/undo", reviewers, c.undo},

		{"GET", "/console/audit", auditors, c.auditPage},
		{"GET", "/console/users", admins, c.usersPage},
		{"POST", "/console/users", admins, c.addUser},
		{"POST", "/console/users/{id}/role", admins, c.setRole},
		{"POST", "/console/users/{id}/password", admins, c.resetPassword},
		{"POST", "/console/users/{id}/disable", admins, c.disableUser},
		{"GET", "/console/health", admins, c.healthPage},
		{"POST", "/console/health/replay", admins, c.replay},
	}
}

func (c *Console) mount() {
	c.routes = c.table()
	c.mux = http.NewServeMux()
	for _, r := range c.routes {
		c.mux.Handle(r.pattern(), c.guard(r))
	}
	c.mux.Handle("/console/", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		secure(w.Header())
		v := c.visit(w, r)
		c.fail(v, errMissing)
	}))
}
