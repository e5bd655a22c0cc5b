package oauth2flow_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/restconn/restconn/auth/oauth2flow"
)

func TestBrowserURLs(t *testing.T) {
	t.Parallel()
	allowed := func(c *client, _ *authorization) { c.Endpoint.AllowHTTP = true }
	at := func(u string) change { return func(_ *client, a *authorization) { a.URL = u } }
	issuer := func(u string) change { return func(_ *client, a *authorization) { a.Issuer = u } }
	redirect := func(u string) change { return func(_ *client, a *authorization) { a.RedirectURI = u } }
	moved := func(c *client, a *authorization) {
		at("http://localhost/a")(c, a)
		a.Rewrite = func(u *url.URL) { u.Host = "idp:8080" }
	}
	const (
		notIssuer = "Authorization.Issuer: it must be an https URL, with neither query nor fragment"
		isPlain   = "Authorization.URL: it is http to another machine, which AllowHTTP of Client.Endpoint permits"
		noneOf    = "Authorization.RedirectURI: it is none of https, http to a literal loopback address"
	)
	for name, c := range map[string]struct {
		changes []change
		want    string // "" for no fault
	}{
		"S17 http to localhost":                  {[]change{at("http://localhost:8/a"), issuer("http://localhost:8")}, ""},
		"S17 http to a loopback address":         {[]change{at("http://127.0.0.1/a"), issuer("http://[::1]:1")}, ""},
		"S17 http to a network of containers":    {[]change{at("http://idp:8080/a"), issuer("http://idp:8080"), allowed}, ""},
		"S17 Rewrite to a network of containers": {[]change{moved, allowed}, ""},
		"S17 Rewrite to http":                    {[]change{moved}, "Authorization.Rewrite"},
		"S17 http":                               {[]change{at("http://idp:8080/a")}, isPlain},
		"S17 an issuer of http":                  {[]change{issuer("http://idp:8080")}, notIssuer},
		"an issuer with a query":                 {[]change{issuer("https://idp.test?x")}, notIssuer},
		"no URL":                                 {[]change{at("")}, "Authorization.URL: it is empty"},
		"a URL that is none":                     {[]change{at("https://%zz")}, "Authorization.URL: it is not a URL"},
		"a URL without a scheme":                 {[]change{at("idp.test/a")}, "URL: it does not begin with http"},
		"a URL without a host":                   {[]change{at("https:///a")}, "Authorization.URL: there is no host"},
		"S17 a URL with a user":                  {[]change{at("https://u:p@idp.test/a")}, "URL: there is a user name"},
		"S17 a URL with a zone":                  {[]change{at("https://[fe80::1%25x]/a")}, "URL: there is a zone"},
		"S13 back to localhost": {
			[]change{redirect("http://LOCALHOST:9/"), allowed}, "RedirectURI: write 127.0.0.1 in place of localhost",
		},
		"S13 back over http":         {[]change{redirect("http://app.test/"), allowed}, noneOf},
		"S13 back to a script":       {[]change{redirect("javascript:x")}, noneOf},
		"S13 back to a path":         {[]change{redirect("/cb")}, noneOf},
		"back to a URL that is none": {[]change{redirect("https://%zz")}, "RedirectURI: it is not a URL"},
		"S13 back to a user":         {[]change{redirect("https://u@app.test/")}, "RedirectURI: there is a user name"},
		"S13 back to a fragment":     {[]change{redirect("https://app.test/#")}, "RedirectURI: there is a fragment"},
		"S7 back to a state":         {[]change{redirect("https://app.test/?state=x")}, "RedirectURI: there is a parameter"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := signIn(serve(t), c.changes...).Begin(t.Context())
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("error %v, want %q", err, c.want)
			}
		})
	}
	t.Run("S17 a device page over http", func(t *testing.T) {
		t.Parallel()
		for isAllowed, host := range map[bool]string{false: "localhost:8080", true: "idp:8080"} {
			s := serveDevice(t, deviceAnswer("verification_uri", "http://"+host+"/device"), issued)
			c := clientOf(s.Server, func(c *client) { c.Endpoint.AllowHTTP = isAllowed })
			if _, err := oauth2flow.NewDeviceCode(c, s.URL+"/device").Begin(t.Context()); err != nil {
				t.Errorf("%s: %v", host, err)
			}
		}
	})
}
