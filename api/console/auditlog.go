package console

import (
	"net/http"
	"slices"
	"strconv"

	"nightlight/queue/store"
)

type auditPage struct {
	Chains  []chain
	Chain   string
	Entries []store.Entry // newest first
	Older   int64         // where the page before begins, 0 when there is none
	Whole   store.AuditReport
	Checked bool
	Of      string // the chain that was checked or is broken, by name; empty for every chain and for what concerns all
}

// chain is one chain of the log; the empty one concerns every tenant.
type chain struct {
	ID, Name string
	Lines    int64
	Here     bool
}

// auditPage shows the log, newest first, and checks it when asked to.
func (c *Console) auditPage(v *visit) error {
	q := v.r.URL.Query()
	p := auditPage{Chain: q.Get("chain")}
	if own := v.user().Tenant; own != "" {
		if p.Chain == "" {
			p.Chain = own
		}
		if p.Chain != own {
			return errMissing
		}
	}
	lines, err := c.chains(v, &p)
	if err != nil {
		return err
	}
	last := lines
	if to, err := strconv.ParseInt(q.Get("to"), 10, 64); err == nil && to > 0 {
		last = min(last, to)
	}
	from := max(last-pageLength+1, 1)
	if last > 0 {
		if p.Entries, err = c.Store.AuditLog(v.ctx(), p.Chain, from, int(last-from+1)); err != nil {
			return err
		}
		slices.Reverse(p.Entries)
	}
	if from > 1 {
		p.Older = from - 1
	}
	if q.Has("check") {
		if err := c.check(v, &p); err != nil {
			return err
		}
	}
	return c.render(v, http.StatusOK, "audit", p)
}

// check walks every chain that the auditor may read.
func (c *Console) check(v *visit, p *auditPage) (err error) {
	of := v.user().Tenant
	if of != "" {
		p.Whole, err = c.Store.VerifyChain(v.ctx(), of)
	} else {
		p.Whole, err = c.Store.VerifyAudit(v.ctx())
	}
	if err != nil {
		return err
	}
	if p.Whole.Broken != nil {
		of = p.Whole.Broken.Chain
	}
	p.Checked, p.Of = true, of
	if i := slices.IndexFunc(p.Chains, func(one chain) bool { return one.ID == of }); i >= 0 {
		p.Of = p.Chains[i].Name
	}
	return nil
}

// chains lists the chains that the auditor may read, and returns the length
// of the one that is shown.
func (c *Console) chains(v *visit, p *auditPage) (lines int64, err error) {
	heads, err := c.Store.AuditHeads(v.ctx())
	if err != nil {
		return 0, err
	}
	tenants, err := c.Store.Tenants(v.ctx())
	if err != nil {
		return 0, err
	}
	for _, h := range heads {
		if own := v.user().Tenant; own != "" && h.Chain != own {
			continue
		}
		one := chain{ID: h.Chain, Name: h.Chain, Lines: h.Seq, Here: h.Chain == p.Chain}
		if i := slices.IndexFunc(tenants, func(t store.Tenant) bool { return t.ID == h.Chain }); i >= 0 {
			one.Name = tenants[i].Name
		}
		if one.Here {
			lines = h.Seq
		}
		p.Chains = append(p.Chains, one)
	}
	return lines, nil
}
