package proxyenv

import (
	"errors"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"testing"
)

func TestNoProxy(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, list      string
		direct, proxied string // hosts, with blanks between them
	}{
		{"nothing", "", "", "api.test 192.0.2.1"},
		{"a name", "example.com", "example.com a.example.com a.b.example.com example.com:8443",
			"badexample.com example.com.evil.test com ample.com"},
		{"a suffix", ".example.com", "a.example.com a.b.example.com:81", "example.com badexample.com"},
		{"an asterisk and a dot", "*.example.com", "a.example.com a.b.example.com", "example.com badexample.com"},
		{"a single label", "intranet", "intranet a.intranet", "intranet.test"},
		{"case", "EXAMPLE.com,.Sub.TEST", "example.COM A.Example.Com x.sUB.test", "example.net"},
		{"a trailing dot in the entry", "example.com.,.sub.test.,one.test.:81",
			"example.com a.example.com x.sub.test one.test:81", "sub.test one.test"},
		{"a trailing dot in the URL", "example.com,.sub.test", "example.com. a.example.com. x.sub.test.", "sub.test."},
		{"one trailing dot", "example.com", "", "example.com.."},
		{"a port", "example.com:8443", "example.com:8443 a.example.com:8443", "example.com example.com:443"},
		{"the default port", "example.com:443", "example.com example.com:443 example.com:0443", "example.com:8443"},
		{"a port with zeros", "example.com:0443", "example.com", "example.com:444"},
		{"a suffix with a port", ".example.com:81,*.b.test:82", "a.example.com:81 a.b.test:82",
			"example.com:81 a.example.com a.b.test:81"},
		{"IPv4", "192.0.2.1", "192.0.2.1 192.0.2.1:81 [::ffff:192.0.2.1]", "192.0.2.11 192.0.2.2 a.192.0.2.1.test"},
		{"IPv4 with a port", "192.0.2.1:81", "192.0.2.1:81", "192.0.2.1"},
		{"IPv6", "2001:DB8::1", "[2001:db8::1] [2001:db8:0:0::1]:81 [2001:db8::1%25eth0]", "[2001:db8::2]"},
		{"IPv6 in brackets", "[2001:db8::1]", "[2001:db8::1] [2001:db8::1]:81", "[2001:db8::2]"},
		{"IPv6 with a port", "[2001:db8::1]:81", "[2001:db8::1]:81 [2001:db8::1%25eth0]:81", "[2001:db8::1]"},
		{"a mapped address", "::ffff:192.0.2.1,[::ffff:192.0.2.2]:81", "192.0.2.1 [::ffff:c000:201] 192.0.2.2:81",
			"192.0.2.2"},
		{"a prefix", "192.0.2.0/24", "192.0.2.0 192.0.2.255:81 [::ffff:192.0.2.7]", "192.0.3.0 192.0.2.0.test"},
		{"a prefix with bits behind it", "192.0.2.7/24", "192.0.2.255", "192.0.3.0"},
		{"a prefix of IPv6", "2001:db8::/32,fe80::/10", "[2001:db8:ffff::1] [fe80::1] [fe80::1%25eth0]:81", "[2001:db9::1]"},
		{"all of IPv4", "0.0.0.0/0", "8.8.8.8", "example.com [2001:db8::1]"},
		{"a name in a zone", "*.example.com,example.com", "", "[2001:db8::1%25.example.com] [fe80::1%25a.example.com]"},
		{"a name outside ASCII", "bücher.test,.straße.test", "xn--bcher-kva.test b%C3%BCcher.test a.xn--strae-oqa.test",
			"xn--strae-oqa.test"},
		{"underscores", "_a._b.test,my_host", "_a._b.test my_host", "_b.test"},
		{"several", "a.test, b.test\t,,c.test,", "a.test b.test c.test", "d.test"},
		{"everything", "*", "api.test 192.0.2.1 [2001:db8::1]", ""},
		{"everything among others", "a.test,*,b.test", "api.test 192.0.2.1", ""},
		{"loopback whatever it says", "a.test",
			"localhost LOCALHOST:81 localhost. 127.0.0.1 127.255.0.1:81 [::1] [::ffff:127.0.0.1] [::1%25lo]",
			"localhost.test a.localhost 128.0.0.1"},
	} {
		t.Run("C8 "+c.name, func(t *testing.T) {
			t.Parallel()
			p := mustRead(t, "HTTPS_PROXY", "proxy.test:1", "HTTP_PROXY", "proxy.test:2", "no_proxy", c.list)
			for host := range strings.FieldsSeq(c.direct) {
				if got := via(t, p, "https://"+host+"/x"); got != "" {
					t.Errorf("%s goes by %s", host, got)
				}
			}
			for host := range strings.FieldsSeq(c.proxied) {
				if got := via(t, p, "https://"+host+"/x"); got != "http://proxy.test:1" {
					t.Errorf("%s goes by %q", host, got)
				}
			}
		})
	}
	t.Run("C8 the default port of http", func(t *testing.T) {
		t.Parallel()
		p := mustRead(t, "HTTP_PROXY", "proxy.test:2", "NO_PROXY", "a.test:80")
		if got := via(t, p, "http://a.test"); got != "" {
			t.Errorf("it goes by %q", got)
		}
	})
}

func TestNoProxyRefuses(t *testing.T) {
	t.Parallel()
	for _, entry := range []string{
		"10.0.0.0/99", "10.0.0.0/", "10.0.0/8", "10.0.0.0/8:80", "2001:db8::/129", "fe80::%eth0/64", "/8", "a.test/8",
		"::ffff:10.0.0.0/104", "http://a.test", "a.test/", "https://a.test:1",
		"[::1", "::1]", "[]", "[a.test]", "[10.0.0.1]", "[::1]x", "[::1]:", "[::1]:0", "[::1]:x", "[[::1]]", "fe80::1%eth0",
		"[fe80::1%eth0]:1", "2001:db8::1::2",
		"a.test:", "a.test:0", "a.test:65536", "a.test:http", "a.test:+1", ":80", "a:b:c",
		"*.", ".", "..", "..a.test", "a..test", "*a.test", "a.*", "*.*", "**", "*:80", "*.a*.test", "a.test..",
		"10", "10.", "10.0.0", "192.168.*", "256.0.0.1", "01.2.3.4", "1.2.3.4.5", "*.10.0.0.1", ".10.0.0.1", "a.10",
		"a.test b.test", "a.test;b.test", "a\ntest", "a\x00.test", `"a.test"`, "a@b.test", "a%2etest", `a\b`, "\u200d.test",
		"\xff.test",
	} {
		t.Run("C8 "+entry, func(t *testing.T) {
			t.Parallel()
			_, err := read(environment("NO_PROXY", "ok.test, "+entry+" ,ok.test"))
			if got := faults(err); !slices.Equal(got, []string{"NO_PROXY 2"}) {
				t.Errorf("the faults are %q: %v", got, err)
			}
			if err != nil && len(entry) > 4 && strings.Contains(err.Error(), entry) {
				t.Errorf("the error repeats the entry: %v", err)
			}
		})
	}
}

// sample returns a URL that an entry is about.
func sample(t *testing.T, entry string) *url.URL {
	t.Helper()
	if entry == "*" {
		return &url.URL{Scheme: "https", Host: "api.test"}
	}
	if prefix, err := netip.ParsePrefix(entry); err == nil {
		return &url.URL{Scheme: "https", Host: bracketed(prefix.Addr().String())}
	}
	if _, err := netip.ParseAddr(entry); err == nil {
		return &url.URL{Scheme: "https", Host: bracketed(entry)}
	}
	if strings.HasPrefix(entry, ".") {
		entry = "a" + entry
	}
	return &url.URL{Scheme: "https", Host: entry}
}

func bracketed(host string) string {
	if strings.Contains(host, ":") {
		return "[" + host + "]"
	}
	return host
}

// FuzzNoProxy: nothing panics, and each entry that is accepted is about something: httpproxy has not dropped it.
func FuzzNoProxy(f *testing.F) {
	for _, s := range []string{
		"a.test,.b.test,*.c.test:80", "10.0.0.0/8,::1,[2001:db8::1]:81", "*", "10.0.0.0/99,[::1",
		"fe80::1%eth0,::ffff:1.2.3.4", "bücher.test.,straße.test:1", "a..b,*.*,.,:", "localhost:80,127.0.0.1:1",
	} {
		f.Add(s, "https://a.test:80/")
	}
	f.Fuzz(func(t *testing.T, list, target string) {
		getenv := environment("HTTPS_PROXY", "proxy.test:1", "HTTP_PROXY", "proxy.test:1", "NO_PROXY", list)
		p, err := read(getenv)
		if err != nil {
			if e, ok := errors.AsType[*Error](err); !ok || e.Entry == 0 || p != nil {
				t.Fatalf("%q: %v", list, err)
			}
			return
		}
		if u, err := url.Parse(target); err == nil {
			_ = p.For(u)
		}
		entries, err := parseNoProxy("NO_PROXY", list)
		if err != nil {
			t.Fatal(err)
		}
		for _, entry := range entries {
			if u := sample(t, entry); p.For(u) != nil {
				t.Fatalf("%q in %q does not match %v", entry, list, u)
			}
			again, err := parseEntry(entry)
			if err != nil || again != entry {
				t.Fatalf("%q becomes %q: %v", entry, again, err)
			}
		}
		if p.String() != "proxies: http http://proxy.test:1, https http://proxy.test:1" {
			t.Fatalf("it is %v", p)
		}
	})
}
