package console

import (
	"fmt"
	"net/http"
	"time"

	"nightlight/queue/store"
)

// deliveryStates are the states worth a look, worst first.
var deliveryStates = [...]store.DeliveryState{store.DeliveryDead, store.DeliveryPending, store.DeliveryWaiting}

type healthPage struct {
	Took    time.Duration // the database's answer
	Letters []store.DeadLetter
	Groups  []deliveryGroup
}

// deliveryGroup is what is on its way for one tenant, in one state.
type deliveryGroup struct {
	Tenant string
	State  store.DeliveryState
	List   []store.Delivery
	More   bool
	Replay bool
}

// healthPage shows what the system could not do by itself. It holds ids and
// fixed words only.
func (c *Console) healthPage(v *visit) error {
	began := time.Now()
	if _, err := c.Store.Now(v.ctx()); err != nil {
		return err
	}
	p := healthPage{Took: time.Since(began)}
	if v.user().Tenant == "" { // tasks are known by id, not by tenant
		letters, err := c.Store.DeadLetters(v.ctx(), pageLength)
		if err != nil {
			return err
		}
		p.Letters = letters
	}
	tenants, err := c.ownTenants(v)
	if err != nil {
		return err
	}
	for _, t := range tenants {
		for _, state := range deliveryStates {
			list, next, err := c.Store.Deliveries(v.ctx(), t.ID, "", state, "", pageLength)
			if err != nil {
				return err
			}
			if len(list) > 0 {
				p.Groups = append(p.Groups, deliveryGroup{t.Name, state, list, next != "", state == store.DeliveryDead})
			}
		}
	}
	return c.render(v, http.StatusOK, "health", p)
}

// ownTenants lists the tenants that the admin looks after.
func (c *Console) ownTenants(v *visit) (own []store.Tenant, err error) {
	all, err := c.Store.Tenants(v.ctx())
	for _, t := range all {
		if mine := v.user().Tenant; mine == "" || mine == t.ID {
			own = append(own, t)
		}
	}
	return own, err
}

// replay sends a dead delivery once more.
func (c *Console) replay(v *visit) error {
	tenant, id := v.value("tenant"), v.value("delivery")
	if own := v.user().Tenant; own != "" && tenant != own {
		return errMissing
	}
	if err := c.Store.Replay(v.ctx(), tenant, id, v.user().ID); err != nil {
		return fmt.Errorf("replay delivery: %w", err)
	}
	return v.go303("/console/health")
}
