package webhook

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// local lets a test receiver on this machine be reached.
func local(t *testing.T, srv *httptest.Server) Rules {
	t.Helper()
	addr := netip.MustParseAddrPort(srv.Listener.Addr().String())
	return Rules{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, Ports: []uint16{addr.Port()}, PlainHTTP: true}
}

func TestSignatureMatchesTheSpecificationsExample(t *testing.T) {
	// The example of the Standard Webhooks specification and its libraries.
	const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	got, err := Sign("msg_p5jXN8AQM9LWM0D4loKWxJek", time.Unix(1614265330, 0), []byte(`{"test": 2432232314}`), secret)
	if err != nil {
		t.Fatal(err)
	}
	if want := "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestAReceiverCanVerifyWithEitherOfTwoSecrets(t *testing.T) {
	old, new := NewSecret(), NewSecret()
	now := time.Unix(1_700_000_000, 0)
	sig, err := Sign("m1", now, []byte("{}"), old, new)
	if err != nil {
		t.Fatal(err)
	}
	h := http.Header{}
	h.Set(HeaderID, "m1")
	h.Set(HeaderTimestamp, "1700000000")
	h.Set(HeaderSignature, sig)
	for _, s := range []string{old, new} {
		if err := Verify(h, []byte("{}"), now, s); err != nil {
			t.Errorf("a live secret: %v", err)
		}
	}
	if err := Verify(h, []byte("{}"), now, NewSecret()); !errors.Is(err, ErrSignature) {
		t.Errorf("a foreign secret: got %v", err)
	}
	if err := Verify(h, []byte("{ }"), now, old); !errors.Is(err, ErrSignature) {
		t.Errorf("another body: got %v", err)
	}
	if err := Verify(h, []byte("{}"), now.Add(Tolerance+time.Second), old); !errors.Is(err, ErrSignature) {
		t.Errorf("an old webhook: got %v", err)
	}
	h.Set(HeaderID, "m2")
	if err := Verify(h, []byte("{}"), now, old); !errors.Is(err, ErrSignature) {
		t.Errorf("another id: got %v", err)
	}
}

func TestAddressesThatLeadInsideAreRefused(t *testing.T) {
	bad := []string{
		"http://example.org/", "ftp://example.org/", "https://user@example.org/", "https://example.org:22/", "https:///x", "https:example.org", "//example.org/",
		"https://127.0.0.1/", "https://127.1.2.3/", "https://[::1]/", "https://[::]/", "https://0.0.0.0/", "https://0.1.2.3/",
		"https://10.0.0.1/", "https://172.16.0.1/", "https://172.31.255.255/", "https://192.168.1.1/", "https://169.254.169.254/latest/meta-data",
		"https://[::ffff:127.0.0.1]/", "https://[::ffff:10.0.0.1]/", "https://[::ffff:a9fe:a9fe]/", "https://[fe80::1]/", "https://[fc00::1]/", "https://[fd12:3456::1]/",
		"https://[fec0::1]/", "https://100.64.0.1/", "https://192.0.0.1/", "https://192.0.2.1/", "https://198.18.0.1/", "https://198.51.100.1/", "https://203.0.113.1/",
		"https://224.0.0.1/", "https://239.1.1.1/", "https://240.0.0.1/", "https://255.255.255.255/", "https://[ff02::1]/", "https://[64:ff9b::7f00:1]/",
		"https://[2002:7f00:1::]/", "https://[2001:db8::1]/", "https://[100::1]/", "https://192.88.99.1/", "https://[2001:0:7f00:1::]/",
	}
	for _, raw := range bad {
		if err := (Rules{}).CheckURL(raw); !errors.Is(err, ErrAddress) {
			t.Errorf("%s: got %v, want ErrAddress", raw, err)
		}
	}
	for _, raw := range []string{"https://example.org/hook", "https://example.org:443/", "https://8.8.8.8/x", "https://[2606:4700::1111]/"} {
		if err := (Rules{}).CheckURL(raw); err != nil {
			t.Errorf("%s: got %v, want it allowed", raw, err)
		}
	}
}

func TestTheDialledAddressIsChecked(t *testing.T) {
	var hits atomic.Int32
	srv := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { hits.Add(1) }))
	defer srv.Close()
	port := netip.MustParseAddrPort(srv.Listener.Addr().String()).Port()
	s := NewSender(Rules{Ports: []uint16{port}})
	// localhost and number forms pass as names and are refused at the dial.
	_, host, _ := strings.Cut(srv.URL, "127.0.0.1")
	for _, name := range []string{"localhost", "0x7f000001", "2130706433", "0177.0.0.1", "127.1"} {
		_, err := s.Send(context.Background(), Message{ID: "m", URL: "https://" + name + host, Body: []byte("{}"), Secrets: []string{NewSecret()}})
		if !errors.Is(err, ErrAddress) && !errors.Is(err, ErrUnreachable) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	if hits.Load() != 0 {
		t.Errorf("%d requests reached this machine", hits.Load())
	}
}

func TestSend(t *testing.T) {
	tests := []struct {
		name    string
		handler http.HandlerFunc
		want    error
	}{
		{"a plain answer is a delivery", func(w http.ResponseWriter, r *http.Request) {}, nil},
		{"a redirect is a failure and is not followed", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/elsewhere", 302) }, ErrRefused},
		{"a 500 is a failure", func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(500) }, ErrRefused},
		{"a 410 ends the endpoint", func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(410) }, ErrGone},
		{"a cut connection is no answer", func(w http.ResponseWriter, r *http.Request) { panic(http.ErrAbortHandler) }, ErrUnreachable},
		{"silence is a time-out", func(w http.ResponseWriter, r *http.Request) {
			_, _ = io.Copy(io.Discard, r.Body)
			<-r.Context().Done()
		}, context.DeadlineExceeded},
		{"an endless answer is cut off", func(w http.ResponseWriter, r *http.Request) {
			block := make([]byte, 1<<16)
			for range 1 << 10 {
				if _, err := w.Write(block); err != nil {
					return
				}
			}
		}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var requests atomic.Int32
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				requests.Add(1)
				tt.handler(w, r)
			}))
			defer srv.Close()
			s := NewSender(local(t, srv))
			s.client.Transport.(*http.Transport).ResponseHeaderTimeout = time.Second
			_, err := s.Send(context.Background(), Message{ID: "m", URL: srv.URL, Body: []byte("{}"), Secrets: []string{NewSecret()}})
			if !errors.Is(err, tt.want) {
				t.Errorf("got %v, want %v", err, tt.want)
			}
			if err != nil && strings.Contains(err.Error(), srv.URL) {
				t.Errorf("the error tells the address: %v", err)
			}
			if got := requests.Load(); got != 1 {
				t.Errorf("requests: got %d, want 1", got)
			}
		})
	}
}

func TestWhatIsSentCanBeVerified(t *testing.T) {
	secret := NewSecret()
	verified := make(chan error, 1)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		verified <- Verify(r.Header, body, time.Now(), secret)
	}))
	defer srv.Close()
	if _, err := NewSender(local(t, srv)).Send(context.Background(), Message{ID: "m", URL: srv.URL, Body: []byte(`{"a":1}`), Secrets: []string{secret}}); err != nil {
		t.Fatal(err)
	}
	if err := <-verified; err != nil {
		t.Error(err)
	}
}

func TestTenTriesOverThreeDays(t *testing.T) {
	var total time.Duration
	tries := 1
	for ; ; tries++ {
		d, ok := Pause(tries)
		if !ok {
			break
		}
		total += d
	}
	if tries != MaxTries {
		t.Errorf("tries: got %d, want %d", tries, MaxTries)
	}
	if total < 75*time.Hour || total > 84*time.Hour {
		t.Errorf("from first to last try: %v, want about three days", total)
	}
}
