// Package publicaddr tells whether an IP address is one of the public Internet, so that a server which chooses where
// we go next cannot send us into our own network.
package publicaddr

import (
	"fmt"
	"net/netip"
)

// Error says why an address is not a public one. It repeats the address without its zone, which may hold any text.
type Error struct {
	// Addr is the address that was judged: for an IPv4 address inside an IPv6 address it is the IPv4 address.
	Addr netip.Addr
	// Prefix is the block it lies in; not valid where Addr is not.
	Prefix netip.Prefix
	// Block says what the block is for, such as "private".
	Block string
}

func (e *Error) Error() string {
	if !e.Addr.IsValid() {
		return e.Block
	}
	return fmt.Sprintf("%v is not a public address: %v is %s", e.Addr, e.Prefix, e.Block)
}

// Check returns nil if addr is a globally reachable unicast address, and otherwise an [*Error] that names the
// special-purpose block it lies in. It looks nothing up, allocates only for the error, and is safe for concurrent use.
//
// The blocks are those of the IANA special-purpose address registries (RFC 6890), of multicast (RFC 5771, RFC 4291) and
// of what IANA has reserved. Of IPv6, only 2000::/3 can be public (RFC 4291, section 2.4). Where an IPv6 address holds
// an IPv4 address:
//
//   - IPv4-mapped (::ffff:0:0/96) and NAT64 (64:ff9b::/96): the IPv4 address is judged. The first is the same address
//     in another form, and with the second a network that has no IPv4 reaches the public one.
//   - local NAT64 (64:ff9b:1::/48), IPv4-compatible (::/96), IPv4-translated, 6to4 (2002::/16) and Teredo (2001::/32):
//     refused, whatever they hold. Nobody needs them to reach a service, and they lead where a tunnel leads.
//
// The anycast addresses within 192.0.0.0/24 and 2001::/23, and the identifiers of ORCHIDv2 and DRIP, are refused with
// the block they lie in: the registries call some of them global, but no service is there. Zones are ignored. What
// cannot be seen from an address alone is not judged: a NAT64 prefix of the network's own, and a public address that is
// answered from inside, as 168.63.129.16 is in Azure.
func Check(addr netip.Addr) error {
	if !addr.IsValid() {
		return &Error{Block: "it is not an IP address"}
	}
	addr = addr.WithZone("").Unmap()
	if nat64.Contains(addr) {
		addr = lastFour(addr)
	}
	for _, b := range blocks {
		if b.prefix.Contains(addr) {
			return &Error{Addr: addr, Prefix: b.prefix, Block: b.name}
		}
	}
	return nil
}

// lastFour returns the IPv4 address in the last four bytes of an IPv6 address.
func lastFour(addr netip.Addr) netip.Addr {
	b := addr.As16()
	return netip.AddrFrom4([4]byte(b[12:]))
}
