package proxyenv

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
)

const canary = "hunter2canary"

// environment returns a function in the place of os.Getenv; it is given names and values in turn.
func environment(pairs ...string) func(string) string {
	env := make(map[string]string)
	for i := 0; i < len(pairs); i += 2 {
		env[pairs[i]] = pairs[i+1]
	}
	return func(name string) string { return env[name] }
}

func mustRead(t *testing.T, pairs ...string) *Proxies {
	t.Helper()
	p, err := read(environment(pairs...))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func mustURL(t *testing.T, s string) *url.URL {
	t.Helper()
	u, err := url.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// via returns the proxy for a URL as a text; "" if there is none.
func via(t *testing.T, p *Proxies, target string) string {
	t.Helper()
	if u := p.For(mustURL(t, target)); u != nil {
		return u.String()
	}
	return ""
}

// faults returns the variable and entry of each *Error in err, in their order.
func faults(err error) []string {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var all []string
		for _, e := range joined.Unwrap() {
			all = append(all, faults(e)...)
		}
		return all
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return []string{fmt.Sprintf("%s %d", e.Variable, e.Entry)}
	}
	return nil
}

func TestFromEnvironment(t *testing.T) {
	for _, name := range []string{"http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "no_proxy", "NO_PROXY"} {
		t.Setenv(name, "")
	}
	t.Setenv("REQUEST_METHOD", "")
	for _, port := range []string{"1", "2"} { // nothing is kept from one call to the next
		t.Setenv("HTTPS_PROXY", "proxy.test:"+port)
		p, err := FromEnvironment()
		if err != nil {
			t.Fatal(err)
		}
		if got := via(t, p, "https://api.test"); got != "http://proxy.test:"+port {
			t.Errorf("I-27 the proxy is %q", got)
		}
	}
}

func TestFor(t *testing.T) {
	t.Parallel()
	p := mustRead(t, "HTTP_PROXY", "plain.test:3128", "HTTPS_PROXY", "socks5://u:p@safe.test", "NO_PROXY", "out.test")
	for target, want := range map[string]string{
		"http://api.test/x":   "http://plain.test:3128",
		"https://api.test/x":  "socks5://u:p@safe.test:1080",
		"HTTPS://API.test":    "socks5://u:p@safe.test:1080",
		"https://out.test":    "",
		"ftp://api.test":      "",
		"ws://api.test":       "",
		"//api.test":          "",
		"https://localhost":   "",
		"http://LOCALHOST:81": "",
	} {
		if got := via(t, p, target); got != want {
			t.Errorf("I-27 %s goes by %q, want %q", target, got, want)
		}
	}
	only := mustRead(t, "https_proxy", "proxy.test:1")
	if got := via(t, only, "http://api.test"); got != "" {
		t.Errorf("I-27 http goes by %q, the proxy of https", got)
	}
	if got := via(t, mustRead(t, "http_proxy", "lower.test:1", "HTTP_PROXY", "upper.test:1"), "http://api.test"); got !=
		"http://lower.test:1" {
		t.Errorf("I-27 of two variables, %q is used", got)
	}
}

func TestAll(t *testing.T) {
	t.Parallel()
	p := mustRead(t, "HTTP_PROXY", "a.test:1", "HTTPS_PROXY", "b.test:2", "NO_PROXY", "*")
	var hosts []string
	for _, u := range p.All() {
		hosts = append(hosts, u.Host)
		u.Host = "changed.test:1"
	}
	if !slices.Equal(hosts, []string{"a.test:1", "b.test:2"}) || p.All()[0].Host != "a.test:1" {
		t.Errorf("the proxies are %v, then %v", hosts, p.All())
	}
	same := mustRead(t, "HTTP_PROXY", "a.test:1", "HTTPS_PROXY", "http://A.test:01/")
	if got := same.All(); len(got) != 1 {
		t.Errorf("the one proxy is %v", got)
	}
	changed := same.For(mustURL(t, "http://api.test"))
	changed.Host = "changed.test:1"
	if got := via(t, same, "http://api.test"); got != "http://a.test:1" {
		t.Errorf("a caller has changed the proxy to %s", got)
	}
	for _, none := range []*Proxies{nil, {}, mustRead(t)} {
		if none.For(mustURL(t, "http://api.test")) != nil || none.For(nil) != nil || len(none.All()) > 0 ||
			!strings.Contains(none.String(), "none") {
			t.Errorf("there is a proxy: %v", none)
		}
	}
}

func TestEnvironmentFaults(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		env  []string
		want []string
	}{
		"C1 a proxy that does not parse": {
			[]string{"HTTPS_PROXY", "http://u:" + canary + "@[::1"}, []string{"HTTPS_PROXY 0"},
		},
		"C1 one whose password has a slash": {
			[]string{"http_proxy", "http://u:" + canary + "/x@proxy.test:1"}, []string{"http_proxy 0"},
		},
		"C1 all at once": {
			[]string{"HTTP_PROXY", canary, "https_proxy", "http://:" + canary + "@x:1", "NO_PROXY", "a,10.0.0.0/99,[::1"},
			[]string{"HTTP_PROXY 0", "https_proxy 0", "NO_PROXY 2", "NO_PROXY 3"},
		},
		"C1 also where NO_PROXY is *": {
			[]string{"HTTPS_PROXY", "foo://" + canary, "NO_PROXY", "*"}, []string{"HTTPS_PROXY 0"},
		},
		"C1 also behind a *":            {[]string{"NO_PROXY", "*,[::1"}, []string{"NO_PROXY 2"}},
		"C2 another scheme":             {[]string{"HTTP_PROXY", "foo://" + canary + ":1"}, []string{"HTTP_PROXY 0"}},
		"C2 a blank":                    {[]string{"HTTP_PROXY", "  "}, []string{"HTTP_PROXY 0"}},
		"a proxy of http in CGI":        {[]string{"HTTP_PROXY", "a:1", "REQUEST_METHOD", "GET"}, []string{"HTTP_PROXY 0"}},
		"and in lower case":             {[]string{"http_proxy", "a:1", "REQUEST_METHOD", "GET"}, []string{"http_proxy 0"}},
		"a proxy of https in CGI":       {[]string{"HTTPS_PROXY", "a:1", "REQUEST_METHOD", "GET"}, nil},
		"empty entries have a position": {[]string{"NO_PROXY", ", ,x y"}, []string{"NO_PROXY 3"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, err := read(environment(c.env...))
			if got := faults(err); !slices.Equal(got, c.want) || (p == nil) != (err != nil) {
				t.Errorf("the faults are %q, want %q: %v", got, c.want, err)
			}
			if err != nil && strings.Contains(err.Error(), canary) {
				t.Errorf("the error shows the password: %v", err)
			}
			if err != nil && !strings.Contains(err.Error(), strings.Fields(c.want[0])[0]) {
				t.Errorf("the error does not name the variable: %v", err)
			}
		})
	}
}

func TestNothingPrintsThePassword(t *testing.T) {
	t.Parallel()
	p := mustRead(t, "HTTP_PROXY", "http://"+canary+":"+canary+"@proxy.test:1")
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d"} {
		for _, v := range []any{p, *p, struct{ P *Proxies }{p}, struct{ p *Proxies }{p}} {
			if got := fmt.Sprintf(verb, v); strings.Contains(got, canary) {
				t.Errorf("%s prints %s", verb, got)
			}
		}
	}
	if got := p.String(); got != "proxies: http http://proxy.test:1, https none" {
		t.Errorf("it is %q", got)
	}
}
