package webhook

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"syscall"
	"time"
)

// Rules say where webhooks may go. The zero value allows HTTPS on port 443 to
// public addresses only.
type Rules struct {
	// Allow lists networks that are let through although they are private,
	// such as 127.0.0.0/8 for a receiver on this machine.
	Allow []netip.Prefix
	// Ports lists further ports.
	Ports []uint16
	// PlainHTTP allows http:// addresses; meant for receivers on this machine.
	PlainHTTP bool
}

// ErrAddress is an address to which no webhook goes.
var ErrAddress = errors.New("webhook address is not allowed")

// reserved lists what is neither private nor public by netip's own methods:
// shared address space, documentation, benchmarks, 6to4, NAT64 and the like
// (IANA special-purpose address registries).
var reserved = parsePrefixes(
	"0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "240.0.0.0/4",
	"64:ff9b::/96", "64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20", "5f00::/16", "fec0::/10",
)

func parsePrefixes(list ...string) []netip.Prefix {
	out := make([]netip.Prefix, len(list))
	for i, s := range list {
		out[i] = netip.MustParsePrefix(s)
	}
	return out
}

// CheckURL refuses an address by its text: scheme, user info, port. The host
// is checked when it is dialled, since a name can change its mind.
func (r Rules) CheckURL(raw string) error {
	u, err := url.Parse(raw)
	if err != nil || u.Host == "" || u.User != nil || u.Fragment != "" || u.Opaque != "" {
		return fmt.Errorf("%w: want https://host/path", ErrAddress)
	}
	if u.Scheme != "https" && !(u.Scheme == "http" && r.PlainHTTP) {
		return fmt.Errorf("%w: want https", ErrAddress)
	}
	port, err := net.LookupPort("tcp", cmpPort(u))
	if err != nil || !r.portAllowed(uint16(port)) {
		return fmt.Errorf("%w: port", ErrAddress)
	}
	if ip, err := netip.ParseAddr(u.Hostname()); err == nil {
		return r.checkIP(ip)
	}
	return nil
}

func cmpPort(u *url.URL) string {
	if p := u.Port(); p != "" {
		return p
	}
	return u.Scheme
}

func (r Rules) portAllowed(p uint16) bool {
	return p == 443 || r.PlainHTTP && p == 80 || slices.Contains(r.Ports, p)
}

// checkIP refuses every address that is not on the public internet, unless a
// prefix in Allow holds it. IPv4 inside IPv6 is unwrapped first.
func (r Rules) checkIP(ip netip.Addr) error {
	ip = ip.Unmap().WithZone("")
	in := func(p netip.Prefix) bool { return p.Contains(ip) }
	if slices.ContainsFunc(r.Allow, in) {
		return nil
	}
	if !ip.IsGlobalUnicast() || ip.IsPrivate() || ip.IsLoopback() || ip.IsLinkLocalUnicast() || slices.ContainsFunc(reserved, in) {
		return fmt.Errorf("%w: not a public address", ErrAddress)
	}
	return nil
}

// control is called with the address that a connection really goes to.
func (r Rules) control(_ context.Context, _, address string, _ syscall.RawConn) error {
	ap, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("%w: unreadable", ErrAddress)
	}
	if !r.portAllowed(ap.Port()) {
		return fmt.Errorf("%w: port", ErrAddress)
	}
	return r.checkIP(ap.Addr())
}

func (r Rules) dialer() *net.Dialer {
	return &net.Dialer{Timeout: 5 * time.Second, ControlContext: r.control}
}
