package store_test

import (
	"errors"
	"sync"
	"sync/atomic"
	"testing"

	"nightlight/queue/store"
)

func TestATenantHasAtMostTwentyLiveEndpointsHoweverManyAreAskedForAtOnce(t *testing.T) {
	both(t, func(w *world) {
		add := func(tenant string) (store.Endpoint, error) {
			return w.CreateEndpoint(t.Context(), store.Endpoint{Tenant: tenant, URL: "https://example.org/", Secrets: []string{"whsec_a"}}, "test")
		}
		var made, full atomic.Int32
		var all sync.WaitGroup
		for range store.MostEndpoints + 10 {
			all.Go(func() {
				switch _, err := add(w.tenant); {
				case err == nil:
					made.Add(1)
				case errors.Is(err, store.ErrFull):
					full.Add(1)
				default:
					t.Error(err)
				}
			})
		}
		all.Wait()
		if made.Load() != store.MostEndpoints || full.Load() != 10 {
			t.Errorf("got %d made and %d refused, want %d and 10", made.Load(), full.Load(), store.MostEndpoints)
		}
		lines, err := w.AuditLog(t.Context(), w.tenant, 1, 100)
		w.must(err)
		if len(lines) != store.MostEndpoints {
			t.Errorf("got %d audit lines, want none about what was refused", len(lines))
		}
		other, err := w.CreateTenant(t.Context(), "another school")
		w.must(err)
		if _, err := add(other.ID); err != nil {
			t.Errorf("got %v for another tenant, want its first endpoint", err)
		}
		list, err := w.Endpoints(t.Context(), w.tenant)
		w.must(err)
		w.must(w.DisableEndpoint(t.Context(), w.tenant, list[0].ID, "asked", "test"))
		if _, err := add(w.tenant); err != nil {
			t.Errorf("got %v after one was deleted, want its place", err)
		}
		if _, err := add(w.tenant); !errors.Is(err, store.ErrFull) {
			t.Errorf("got %v, want ErrFull", err)
		}
	})
}
