package publicaddr

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
)

func TestCheck(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ first, last, block string }{
		{"0.0.0.0", "0.0.0.0", "unspecified"},
		{"0.0.0.1", "0.255.255.255", "this network"},
		{"10.0.0.0", "10.255.255.255", "private"},
		{"100.64.0.0", "100.127.255.255", "carrier"},
		{"127.0.0.0", "127.255.255.255", "loopback"},
		{"169.254.0.0", "169.254.255.255", "link-local"},
		{"169.254.169.254", "169.254.169.254", "metadata"},
		{"172.16.0.0", "172.31.255.255", "private"},
		{"192.0.0.0", "192.0.0.255", "IETF"},
		{"192.0.2.0", "192.0.2.255", "documentation"},
		{"192.88.99.0", "192.88.99.255", "6to4"},
		{"192.168.0.0", "192.168.255.255", "private"},
		{"198.18.0.0", "198.19.255.255", "benchmarking"},
		{"198.51.100.0", "198.51.100.255", "documentation"},
		{"203.0.113.0", "203.0.113.255", "documentation"},
		{"224.0.0.0", "239.255.255.255", "multicast"},
		{"240.0.0.0", "255.255.255.254", "reserved"},
		{"255.255.255.255", "255.255.255.255", "broadcast"},
		{"::", "::", "unspecified"},
		{"::1", "::1", "loopback"},
		{"::2", "::255.255.255.255", "IPv4-compatible"},
		{"::ffff:0:0:0", "::ffff:0:ffff:ffff", "IPv4-translated"},
		{"64:ff9b:1::", "64:ff9b:1:ffff:ffff:ffff:ffff:ffff", "NAT64"},
		{"100::", "100::ffff:ffff:ffff:ffff", "discard"},
		{"100:0:0:1::", "100::1:ffff:ffff:ffff:ffff", "dummy"},
		{"2001::", "2001:0:ffff:ffff:ffff:ffff:ffff:ffff", "Teredo"},
		{"2001:1::1", "2001:1::3", "IETF"},
		{"2001:2::", "2001:2:0:ffff:ffff:ffff:ffff:ffff", "benchmarking"},
		{"2001:10::", "2001:1f:ffff:ffff:ffff:ffff:ffff:ffff", "ORCHID "},
		{"2001:20::", "2001:2f:ffff:ffff:ffff:ffff:ffff:ffff", "ORCHIDv2"},
		{"2001:30::", "2001:3f:ffff:ffff:ffff:ffff:ffff:ffff", "DRIP"},
		{"2001:40::", "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff", "IETF"},
		{"2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", "documentation"},
		{"2002::", "2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "6to4"},
		{"2002:808:808::1", "2002:a00:1::1", "6to4"},
		{"3fff::", "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff", "documentation"},
		{"5f00::", "5f00:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "segment routing"},
		{"fc00::", "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "unique local"},
		{"fd00:ec2::254", "fd00:ec2::254", "unique local"},
		{"fe80::", "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "link-local"},
		{"fec0::", "feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "site-local"},
		{"ff00::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "multicast"},
		{"1fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "4000::", "reserved"},
		{"8000::", "fbff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "reserved"},
		// The same address in another form.
		{"::ffff:127.0.0.1", "::ffff:127.255.255.255", "loopback"},
		{"::ffff:10.0.0.1", "::ffff:10.0.0.1", "private"},
		{"::ffff:169.254.169.254", "::ffff:169.254.169.254", "metadata"},
		{"64:ff9b::a00:1", "64:ff9b::192.168.0.1", "private"},
		{"64:ff9b::169.254.169.254", "64:ff9b::169.254.169.254", "metadata"},
		{"fe80::1%eth0", "fe80::1%evil\nzone", "link-local"},
		{"::1%eth0", "::ffff:127.0.0.1%eth0", "loopback"},
		{"::ffff:127.0.0.1%64:ff9b::8.8.8.8", "::1%2001:4860:4860::8888", "loopback"},
	} {
		for _, s := range []string{c.first, c.last} {
			t.Run("A20 "+s, func(t *testing.T) {
				t.Parallel()
				err := Check(netip.MustParseAddr(s))
				e, ok := errors.AsType[*Error](err)
				if !ok || !strings.Contains(e.Block, c.block) {
					t.Fatalf("error %v, want one that names %s", err, c.block)
				}
				if text := err.Error(); strings.ContainsAny(text, "%\n") || !strings.Contains(text, e.Prefix.String()) {
					t.Errorf("the text is %q", text)
				}
			})
		}
	}
}

func TestPublic(t *testing.T) {
	t.Parallel()
	for _, s := range []string{
		// Beside every block.
		"1.0.0.0", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255", "128.0.0.0",
		"169.253.255.255", "169.255.0.0", "172.15.255.255", "172.32.0.0", "191.255.255.255", "192.0.1.0",
		"192.0.1.255", "192.0.3.0", "192.88.98.255", "192.88.100.0", "192.167.255.255", "192.169.0.0",
		"198.17.255.255", "198.20.0.0", "198.51.99.255", "198.51.101.0", "203.0.112.255", "203.0.114.0",
		"223.255.255.255",
		"2000::", "2001:200::", "2001:db7:ffff:ffff::", "2001:db9::", "2003::", "3ffe:ffff::", "3fff:1000::",
		// AS112, which the registries call global.
		"192.31.196.1", "192.175.48.6", "2620:4f:8000::6",
		"8.8.8.8", "2001:4860:4860::8888", "2606:4700::1111",
		"::ffff:8.8.8.8", "64:ff9b::8.8.8.8", "::ffff:8.8.8.8%eth0", "2001:4860:4860::8888%fe80::1",
	} {
		t.Run("A20 "+s, func(t *testing.T) {
			t.Parallel()
			if err := Check(netip.MustParseAddr(s)); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestNoAddress(t *testing.T) {
	t.Parallel()
	if err := Check(netip.Addr{}); err == nil || err.Error() != "it is not an IP address" {
		t.Errorf("error %v", err)
	}
}

// A wider block that stands first would hide the name of a narrower one.
func TestNarrowBlocksFirst(t *testing.T) {
	t.Parallel()
	for i, b := range blocks {
		if b.prefix != b.prefix.Masked() || b.name == "" {
			t.Errorf("%v %q has bits beside its mask, or no name", b.prefix, b.name)
		}
		for _, later := range blocks[i+1:] {
			if b.prefix.Overlaps(later.prefix) && later.prefix.Bits() >= b.prefix.Bits() {
				t.Errorf("%v hides %v", b.prefix, later.prefix)
			}
		}
	}
}

// FuzzCheck: an IPv4 address is judged alike in all its forms, and what net/netip knows to be special is never public.
func FuzzCheck(f *testing.F) {
	for _, s := range []string{
		"127.0.0.1", "8.8.8.8", "169.254.169.254", "::1", "fe80::1", "2001:4860:4860::8888", "64:ff9b::7f00:1",
		"::ffff:10.0.0.1", "255.255.255.255", "2002:7f00:1::", "fd00::1",
	} {
		f.Add(netip.MustParseAddr(s).AsSlice(), "eth0")
	}
	f.Fuzz(func(t *testing.T, raw []byte, zone string) {
		addr, ok := netip.AddrFromSlice(raw)
		if !ok {
			return
		}
		err := Check(addr)
		special := !addr.Unmap().IsGlobalUnicast() || addr.Unmap().IsPrivate()
		if err == nil && special {
			t.Fatalf("%v is public", addr)
		}
		if addr.Is6() {
			if zoned := Check(addr.WithZone(zone)); text(zoned) != text(err) {
				t.Fatalf("%v: %v, with a zone: %v", addr, err, zoned)
			}
			return
		}
		mapped, carried := netip.AddrFrom16(addr.As16()), nat64.Addr().As16()
		copy(carried[12:], raw)
		for _, form := range []netip.Addr{mapped, netip.AddrFrom16(carried)} {
			if got := Check(form); text(got) != text(err) {
				t.Fatalf("%v: %v, as %v: %v", addr, err, form, got)
			}
		}
	})
}

func text(err error) string {
	if err == nil {
		return "public"
	}
	return err.Error()
}
