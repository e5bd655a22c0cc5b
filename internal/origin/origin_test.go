package origin_test

import (
	"errors"
	"net/url"
	"strings"
	"testing"

	"github.com/restconn/restconn/internal/origin"
)

func parse(t *testing.T, s string) *url.URL {
	t.Helper()
	u, err := url.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func TestSameOrigin(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, a, b string
		same       bool
	}{
		{"A22 case of scheme and host", "https://api.test/x", "HTTPS://API.Test/y", true},
		{"A22 the default port of https", "https://api.test", "https://api.test:443", true},
		{"A22 the default port of http", "http://api.test", "http://api.test:80", true},
		{"A22 an empty port", "https://api.test", "https://api.test:", true},
		{"A22 userinfo is no part of it", "https://api.test", "https://user@api.test", true},
		{"A22 case of an address", "https://[fe80::A]", "https://[FE80::a]", true},
		{"A6 another port", "https://api.test", "https://api.test:8443", false},
		{"A6 the default port of the other scheme", "https://api.test", "https://api.test:80", false},
		{"A5 another scheme", "https://api.test", "http://api.test", false},
		{"A5 another scheme on one port", "https://api.test:443", "http://api.test:443", false},
		{"A7 a sub-domain", "https://api.test", "https://sub.api.test", false},
		{"A22 the parent", "https://sub.api.test", "https://api.test", false},
		{"A22 a name that ends alike", "https://api.test", "https://evil-api.test", false},
		{"A22 a zone that ends alike", "https://foo.com", "https://[::1%25.foo.com]", false},
		{"A22 a zone", "https://[fe80::1]", "https://[fe80::1%25eth0]", false},
		{"A22 a trailing dot", "https://api.test", "https://api.test.", false},
		{"H6 userinfo that looks like a host", "https://api.test", "https://api.test:80@evil.test", false},
		{"H6 one number", "https://127.0.0.1", "https://2130706433", false},
		{"H6 octal", "https://127.0.0.1", "https://0177.0.0.1", false},
		{"H6 a mapped address", "https://127.0.0.1", "https://[::ffff:127.0.0.1]", false},
		{"H6 a leading zero in the port", "https://api.test", "https://api.test:0443", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a, err := origin.Of(parse(t, tt.a))
			if err != nil {
				t.Fatal(err)
			}
			b, err := origin.Of(parse(t, tt.b))
			if err != nil {
				t.Fatal(err)
			}
			if (a == b) != tt.same {
				t.Errorf("%v and %v: same is %t, want %t", a, b, a == b, tt.same)
			}
		})
	}
}

func TestOf(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, url, want string
		err             error
	}{
		{"H5 a host", "https://api.test/x?y#z", "https://api.test", nil},
		{"H5 a port", "http://API.test:8080", "http://api.test:8080", nil},
		{"H5 an address", "https://[2001:DB8::1]:8443", "https://[2001:db8::1]:8443", nil},
		{"H5 no scheme", "api.test", "", origin.ErrScheme},
		{"H5 no host", "http:///x", "", origin.ErrHost},
		{"H5 opaque", "http:api.test/x", "", origin.ErrHost},
		{"H5 a port and no host", "https://:443", "", origin.ErrHost},
		{"H6 port 99999", "https://api.test:99999", "", origin.ErrPort},
		{"H6 port 0", "https://api.test:0", "", origin.ErrPort},
		{"H6 a long port", "https://api.test:" + strings.Repeat("9", 40), "", origin.ErrPort},
		{"A22 a dotted capital I, which folds to i", "https://ap\u0130.test", "", origin.ErrASCII},
		{"A22 Cyrillic a", "https://\u0430pi.test", "", origin.ErrASCII},
		{"A22 Unicode", "https://b\u00fccher.test", "", origin.ErrASCII},
		{"A22 full width", "https://\uff41pi.test", "", origin.ErrASCII},
		{"A22 an ideographic full stop", "https://api%E3%80%82test", "", origin.ErrASCII},
		{"A19 file", "file:///etc/passwd", "", origin.ErrScheme},
		{"A19 gopher", "gopher://api.test", "", origin.ErrScheme},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			o, err := origin.Of(parse(t, tt.url))
			if !errors.Is(err, tt.err) {
				t.Fatalf("error is %v, want %v", err, tt.err)
			}
			if err == nil && o.String() != tt.want {
				t.Errorf("origin is %v, want %s", o, tt.want)
			}
		})
	}

	t.Run("H5 an opaque URL with a host", func(t *testing.T) {
		t.Parallel()
		_, err := origin.Of(&url.URL{Scheme: "https", Host: "api.test", Opaque: "//evil.test/x"})
		if !errors.Is(err, origin.ErrHost) {
			t.Errorf("error is %v, want ErrHost", err)
		}
	})

	t.Run("H6 userinfo in a host that nobody has parsed", func(t *testing.T) {
		t.Parallel()
		o, err := origin.Of(&url.URL{Scheme: "https", Host: "api.test:443@evil.test"})
		home, _ := origin.Parse("https://api.test")
		if err == nil && o == home {
			t.Error("it is taken for home")
		}
	})
}

func TestParse(t *testing.T) {
	t.Parallel()
	const password = "hidden7f3a9c"
	for _, tt := range []struct{ name, s, want string }{
		{"H6 an origin", "https://api.test", "https://api.test"},
		{"H6 a slash", "https://api.test/", "https://api.test"},
		{"H6 a default port", "HTTPS://api.test:443", "https://api.test"},
		{"H6 a path", "https://api.test/v1", ""},
		{"H6 a query", "https://api.test?x", ""},
		{"H6 a fragment", "https://api.test#x", ""},
		{"H6 userinfo", "https://user:" + password + "@api.test", ""},
		{"H6 userinfo and a bad escape", "https://user:" + password + "%zz@api.test", ""},
		{"H6 a host alone", "api.test", ""},
		{"H6 nothing", "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			o, err := origin.Parse(tt.s)
			if (err == nil) != (tt.want != "") || err == nil && o.String() != tt.want {
				t.Errorf("origin is %v, error is %v", o, err)
			}
			if err != nil && strings.Contains(err.Error(), password) {
				t.Errorf("the error has the password: %v", err)
			}
		})
	}
}

func TestLoopback(t *testing.T) {
	t.Parallel()
	for host, want := range map[string]bool{
		"localhost": true, "LOCALHOST:8080": true, "127.0.0.1": true, "127.255.255.254": true, "[::1]": true,
		"[::ffff:127.0.0.1]": true, "localhost.": false, "localhost.evil.test": false, "127.0.0.1.evil.test": false,
		"0.0.0.0": false, "[::]": false, "10.0.0.1": false, "2130706433": false, "0177.0.0.1": false, "127.1": false,
		"[::1%25.evil.test]": false, "[::1%25lo]": false, "api.test": false,
	} {
		t.Run("H6 "+host, func(t *testing.T) {
			t.Parallel()
			o, err := origin.Of(parse(t, "http://"+host))
			if err != nil {
				t.Fatal(err)
			}
			if o.Loopback() != want || o.Secure() {
				t.Errorf("loopback is %t, want %t", o.Loopback(), want)
			}
		})
	}
}
