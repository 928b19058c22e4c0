package api

import (
	"context"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"nightlight/queue/store"
)

// sent is an account that told of itself and sent a message, whose id it returns.
func (d *desk) sent(account string) (item string) {
	d.t.Helper()
	d.bodyOf(d.ask("PUT", "/v1/accounts/"+account, `{"age":9}`), 200)
	body := strings.NewReplacer(`"m-1"`, `"of-`+account+`"`, `"a1"`, `"`+account+`"`).Replace(message)
	return decode[AcceptedView](d, d.ask("POST", "/v1/items", body), 202).ID
}

func TestAnErasureAskedForAgainHasTheSameReceipt(t *testing.T) {
	d := open(t)
	d.sent("a1")
	first := d.bodyOf(d.ask("DELETE", "/v1/accounts/a1", ""), 200)
	if again := d.bodyOf(d.ask("DELETE", "/v1/accounts/a1", ""), 200); again != first {
		t.Errorf("got %s, want %s again", again, first)
	}
	d.bodyOf(d.ask("DELETE", "/v1/accounts/nobody", ""), 404)
}

func TestAnErasureGoesOnWhenItsClientHasGone(t *testing.T) {
	d := open(t)
	item := d.sent("a1")
	ctx, gone := context.WithCancel(t.Context())
	gone()
	r := httptest.NewRequestWithContext(ctx, "DELETE", "/v1/accounts/a1", nil)
	r.Header.Set("Authorization", "Bearer "+d.key)
	w := httptest.NewRecorder()
	d.ServeHTTP(w, r)
	d.bodyOf(w.Result(), 200)
	if got := decode[ItemView](d, d.ask("GET", "/v1/items/"+item, ""), 200); got.State != store.Erased {
		t.Errorf("got state %s, want it erased", got.State)
	}
}

func TestAnErasureThatTakesTooLongSaysToAskAgain(t *testing.T) {
	d := open(t)
	item := d.sent("a1")
	usual := d.Limits.EraseFor
	d.Limits.EraseFor = time.Nanosecond
	res := d.ask("DELETE", "/v1/accounts/a1", "")
	if p := decode[Problem](d, res, 503); res.Header.Get("Retry-After") != "1" || !strings.Contains(p.Detail, "goes on") {
		t.Errorf("got %+v with Retry-After %q, want that the same again goes on", p, res.Header.Get("Retry-After"))
	}
	d.Limits.EraseFor = usual
	if got := decode[ReceiptView](d, d.ask("DELETE", "/v1/accounts/a1", ""), 200); got.ErasedItems != 1 {
		t.Errorf("got %+v, want all of it", got)
	}
	if got := decode[ItemView](d, d.ask("GET", "/v1/items/"+item, ""), 200); got.State != store.Erased {
		t.Errorf("got state %s, want it erased", got.State)
	}
}
