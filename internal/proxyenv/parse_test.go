package proxyenv

import (
	"errors"
	"strconv"
	"strings"
	"testing"
	"unicode"
)

func TestParse(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"proxy.test:3128":                  "http://proxy.test:3128",
		"10.0.0.1:3128":                    "http://10.0.0.1:3128",
		"[2001:DB8::1]:3128":               "http://[2001:db8::1]:3128",
		"user:pass@proxy.test:3128":        "http://user:pass@proxy.test:3128",
		"proxy.test:3128/":                 "http://proxy.test:3128",
		"http://proxy.test":                "http://proxy.test:80",
		"https://proxy.test/":              "https://proxy.test:443",
		"socks5://proxy.test":              "socks5://proxy.test:1080",
		"SOCKS5H://Proxy.Test":             "socks5h://proxy.test:1080",
		"http://proxy.test:08080":          "http://proxy.test:8080",
		"http://proxy.test.:1":             "http://proxy.test.:1",
		"http://[::1]":                     "http://[::1]:80",
		"http://[fe80::1%25eth0]:1":        "http://[fe80::1%25eth0]:1",
		"http://bücher.test:1":             "http://xn--bcher-kva.test:1",
		"http://my_proxy:65535":            "http://my_proxy:65535",
		"http://u:p%40%3A%2F%25%20@x.test": "http://u:p%40%3A%2F%25%20@x.test:80",
		"http://u@x.test":                  "http://u@x.test:80",
		"http://u:@x.test":                 "http://u:@x.test:80",
		"socks5://a%3Ab:p@x.test":          "socks5://a%3Ab:p@x.test:1080",
		"socks5://" + strings.Repeat("u", 255) + ":" + strings.Repeat("p", 255) + "@x.test": "socks5://" +
			strings.Repeat("u", 255) + ":" + strings.Repeat("p", 255) + "@x.test:1080",
		"http://u:" + strings.Repeat("p", 4000) + "@x.test": "http://u:" + strings.Repeat("p", 4000) + "@x.test:80",
	} {
		u, err := Parse(in)
		if err != nil || u.String() != want {
			t.Errorf("%s is %v, want %s: %v", in, u, want, err)
		}
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 256)
	for _, c := range []struct{ name, in, reason string }{
		{"C2 nothing", "", "blank"},
		{"C2 blanks", " \t ", "blank"},
		{"C2 foo", "foo://proxy.test:1", "scheme"},
		{"C2 socks4", "socks4://proxy.test:1", "scheme"},
		{"C2 a file", "file:///etc/passwd", "scheme"},
		{"C2 a host alone", "proxy.test", "port is missing"},
		{"C2 a word", "none", "port is missing"},
		{"C2 a scheme alone", "http://", "no host"},
		{"C2 a scheme without slashes", "http:proxy.test:1", "not a URL"},
		{"C2 an opaque URL", "http:x://proxy.test:1", "no host"},
		{"C2 a blank before it", " http://proxy.test:1", "blanks"},
		{"C2 a blank behind it", "http://proxy.test:1 ", "blanks"},
		{"C2 a blank in it", "http://proxy .test:1", "blanks"},
		{"C1 a line break", "http://proxy.test:1\r\nX: y", "control bytes"},
		{"C1 NUL", "http://proxy.test:1\x00", "control bytes"},
		{"C1 an escaped line break in the password", "http://u:p%0d%0a@proxy.test:1", "control bytes"},
		{"C1 an escaped NUL in the user name", "socks5://u%00:p@proxy.test:1", "control bytes"},
		{"C1 a path", "http://proxy.test:1/pac", "path"},
		{"C1 an escaped path", "http://proxy.test:1/%2F", "path"},
		{"C1 two slashes", "http://proxy.test:1//", "path"},
		{"C1 a query", "http://proxy.test:1?a", "query"},
		{"C1 an empty query", "http://proxy.test:1?", "query"},
		{"C1 a fragment", "http://proxy.test:1#a", "fragment"},
		{"C1 an empty fragment", "http://proxy.test:1#", "fragment"},
		{"C1 a backslash", `http://proxy.test:1\@evil.test`, "backslash"},
		{"C1 port 0", "http://proxy.test:0", "port"},
		{"C1 port 65536", "http://proxy.test:65536", "port"},
		{"C1 a huge port", "http://proxy.test:18446744073709551696", "port"},
		{"C1 an empty port", "http://proxy.test:", "port is missing"},
		{"C1 a port in letters", "http://proxy.test:http", "not a URL"},
		{"C1 IPv6 without brackets", "http://2001:db8::1", "not a URL"},
		{"C1 one bracket", "http://[::1:80", "not a URL"},
		{"C1 IPv4 in brackets", "http://[10.0.0.1]:80", ""},
		{"C1 a name in brackets", "http://[proxy.test]:80", ""},
		{"C1 a zone with odd bytes", "http://[fe80::1%25e/h]:80", ""},
		{"C1 no address", "http://256.1.1.1:80", "number"},
		{"C1 a short address", "http://10.1:80", "number"},
		{"C1 an empty label", "http://a..test:80", "two dots"},
		{"C1 a dot", "http://.:80", "two dots"},
		{"C1 a host with odd bytes", "http://pro*xy.test:80", "other characters"},
		{"C1 no punycode", "http://\u200d.test:80", "punycode"},
		{"C1 invalid UTF-8", "http://\xff.test:80", ""},
		{"C1 a bad escape", "http://u:%zz@proxy.test:80", "not a URL"},
		{"C1 a password with an @ before a slash", "http://u:p/@proxy.test:80", "not a URL"},
		{"a password without a user name", "http://:p@proxy.test:80", "user name"},
		{"an @ alone", "http://@proxy.test:80", "user name"},
		{"a colon in a user name", "https://a%3Ab:p@proxy.test:80", "colon"},
		{"C9 a long user name", "socks5://" + long + ":p@proxy.test", "255"},
		{"C9 a long password", "socks5h://u:" + long + "@proxy.test", "255"},
		{"C9 a long host", "socks5://" + strings.Repeat("a.", 127) + "ab", "255"},
		{"C9 a long host of http", "http://" + strings.Repeat("a.", 127) + "ab", "255"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			u, err := Parse(c.in)
			e, ok := errors.AsType[*Error](err)
			if !ok || u != nil || !strings.Contains(e.Reason, c.reason) || e.Variable != "" || e.Entry != 0 {
				t.Errorf("%q is %v with error %v, want one about %q", c.in, u, err, c.reason)
			}
		})
	}
}

// FuzzParse: what is accepted has a host and a port and is read again as the same; no error shows what it was given.
func FuzzParse(f *testing.F) {
	for _, s := range []string{
		"proxy.test:3128", "http://%s:%s@proxy.test", "https://u:%s@[::1]:1/", "socks5://%s@h", "socks5h://[fe80::1%25a]",
		"%s", "http://%s", "http://proxy.test:%s", "%s://x", "http://x/%s", "http://u:%s/x@y:1", "http://[%s]:1",
		"http://u:%s%zz@y", "http://u:%s\n@y", "http://bücher.%s:1", "http://[fe80::1%25%s]:1", "user:%s@x:1", "@", ":", "[",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		s = strings.ReplaceAll(s, "%s", canary)
		u, err := Parse(s)
		if err != nil {
			if e, ok := errors.AsType[*Error](err); !ok || u != nil || strings.Contains(e.Error(), canary) {
				t.Fatalf("%q: %v", s, err)
			}
			return
		}
		port, portErr := strconv.Atoi(u.Port())
		if u.Hostname() == "" || portErr != nil || port < 1 || port > 65535 || defaultPorts[u.Scheme] == "" {
			t.Fatalf("%q is %v, which has no host or no port", s, u)
		}
		if u.Path+u.RawQuery+u.Fragment+u.Opaque != "" || strings.ContainsFunc(u.Host, unicode.IsControl) {
			t.Fatalf("%q is %v, which has more than a proxy has", s, u)
		}
		again, err := Parse(u.String())
		if err != nil || again.String() != u.String() || again.User.String() != u.User.String() {
			t.Fatalf("%q is %v, and that is %v: %v", s, u, again, err)
		}
	})
}
