package oidc_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/auth/oidc"
	"github.com/restconn/restconn/connection/connectiontest"
)

func TestDiscover(t *testing.T) {
	t.Parallel()
	p := newIDP(t, object{
		"authorization_response_iss_parameter_supported": true,
		"mtls_endpoint_aliases":                          object{"token_endpoint": "https://mtls.example.test/token"},
	})
	got, err := oidc.Discover(t.Context(), issuer, oidc.Via(via(p.Server)))
	if err != nil {
		t.Fatal(err)
	}
	want := oidc.Provider{
		Issuer: issuer, AuthorizationURL: issuer + "/authorize", TokenURL: issuer + "/token", JWKSURL: issuer + "/jwks",
		UserInfoURL: issuer + "/userinfo", RevocationURL: issuer + "/revoke", IntrospectionURL: issuer + "/introspect",
		DeviceURL: issuer + "/device", EndSessionURL: issuer + "/logout",
		MTLS:              oidc.MTLSEndpoints{TokenURL: "https://mtls.example.test/token"},
		Algorithms:        []string{"RS256", "ES256"},
		PKCEMethods:       []string{"S256", "plain"},
		ClientAuthMethods: []string{"client_secret_basic", "client_secret_post"},
		ResponseTypes:     []string{"code", "id_token"},
		Scopes:            []string{"openid", "email"},
		AnnouncesIssuer:   true,
	}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(oidc.Provider{}, "Endpoint")); diff != "" {
		t.Errorf("the provider (-want +got):\n%s", diff)
	}
	if got.Endpoint.Client == nil {
		t.Error("the provider has lost its endpoint")
	}
	equal(t, "request", strings.SplitAfter(p.Requests()[0].Raw, "\r\n"), []string{
		"GET /.well-known/openid-configuration HTTP/1.1\r\n", "Host: idp.example.test\r\n",
		"User-Agent: Go-http-client/1.1\r\n", "Accept: application/json\r\n", "Accept-Encoding: gzip\r\n", "\r\n", "",
	})
	equal(t, "String", got.String(), "provider "+issuer)
}

func TestDiscoverPlaces(t *testing.T) {
	t.Parallel()
	const at, oauth = "/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"
	for issuer, want := range map[string][2]string{
		"https://idp.example.test":       {at, oauth},
		"https://idp.example.test/":      {at, oauth},
		"https://idp.example.test/t/1":   {"/t/1" + at, oauth + "/t/1"},
		"https://idp.example.test/t/1/":  {"/t/1" + at, oauth + "/t/1"},
		"https://idp.example.test/t%2F1": {"/t%2F1" + at, oauth + "/t%2F1"},
	} {
		t.Run("RFC 8414 "+issuer, func(t *testing.T) {
			t.Parallel()
			s := connectiontest.NewNetwork(t).Serve("https://idp.example.test",
				connectiontest.JSON(200, object{"issuer": issuer}))
			p, err := oidc.Discover(t.Context(), issuer, oidc.Via(via(s)))
			if err != nil || p.Issuer != issuer {
				t.Fatalf("error is %v", err)
			}
			if _, err := oidc.DiscoverOAuth(t.Context(), issuer, oidc.Via(via(s))); err != nil {
				t.Fatal(err)
			}
			got := s.Requests()
			equal(t, "targets", [2]string{got[0].Target, got[1].Target}, want)
		})
	}
}

func TestDiscoverMissing(t *testing.T) {
	t.Parallel()
	p := newIDP(t, object{
		"userinfo_endpoint": nil, "device_authorization_endpoint": "", "id_token_signing_alg_values_supported": nil,
		"code_challenge_methods_supported": []string{},
	}).discovered(t)
	if p.UserInfoURL != "" || p.DeviceURL != "" || p.Algorithms != nil || p.AnnouncesIssuer {
		t.Errorf("what is missing is %+v", p)
	}
	if p.PKCEMethods == nil {
		t.Error("S3 that there are no methods is not that nothing was said")
	}
}

func TestDiscoverRefuses(t *testing.T) {
	t.Parallel()
	text := func(s string) http.Handler {
		return connectiontest.Text(200, s).Header("Content-Type", "application/json")
	}
	with := func(name string, value any) http.Handler {
		return connectiontest.JSON(200, documentOf(issuer, object{name: value}))
	}
	aliased := object{"token_endpoint": "http://leak.test"}
	away := connectiontest.Status(302).Header("Location", "https://leak.test/")
	const algorithms, announced = "id_token_signing_alg_values_supported", "authorization_response_iss_parameter_supported"
	big := func(n int) http.Handler {
		begin, end := `{"issuer":"`+issuer+`","x":"`, `"}`
		return text(begin + strings.Repeat("x", n-len(begin)-len(end)) + end)
	}
	for name, tt := range map[string]struct {
		reply http.Handler
		want  error
		says  string
	}{
		"F7 S21 another issuer":         {with("issuer", "https://leak.test"), oidc.ErrIssuer, "issuer"},
		"F7 S21 a slash too many":       {with("issuer", issuer+"/"), oidc.ErrIssuer, "slash"},
		"F7 S21 another case":           {with("issuer", "https://IDP.example.test"), oidc.ErrIssuer, ""},
		"F7 S21 the default port":       {with("issuer", issuer+":443"), oidc.ErrIssuer, ""},
		"F7 S21 no issuer":              {with("issuer", nil), oidc.ErrIssuer, ""},
		"F7 S21 an issuer in a list":    {with("issuer", []string{issuer}), oidc.ErrIssuer, ""},
		"S24 the issuer twice":          {text(`{"issuer":"` + issuer + `","issuer":"` + issuer + `"}`), nil, "twice"},
		"S24 a name in another case":    {text(`{"Issuer":"` + issuer + `"}`), oidc.ErrIssuer, ""},
		"F7 S17 a token endpoint":       {with("token_endpoint", "http://leak.test/t"), nil, "token_endpoint: plain"},
		"S17 userinfo":                  {with("userinfo_endpoint", "http://leak.test"), nil, "userinfo_endpoint"},
		"S17 keys":                      {with("jwks_uri", "http://leak.test"), nil, "jwks_uri"},
		"S17 authorization":             {with("authorization_endpoint", "javascript:leak"), nil, "authorization_endpoint"},
		"S17 revocation":                {with("revocation_endpoint", "http://leak.test"), nil, "revocation_endpoint"},
		"S17 introspection":             {with("introspection_endpoint", "http://leak.test"), nil, "introspection_"},
		"S17 device":                    {with("device_authorization_endpoint", "http://leak.test"), nil, "device_"},
		"S17 logout":                    {with("end_session_endpoint", "ftp://leak.test"), nil, "end_session_endpoint"},
		"S17 a user in a URL":           {with("jwks_uri", "https://leak@idp.test"), nil, "jwks_uri"},
		"S17 a fragment in a URL":       {with("jwks_uri", "https://idp.test/#leak"), nil, "jwks_uri"},
		"S17 a path alone":              {with("jwks_uri", "/leak"), nil, "jwks_uri"},
		"S17 no URL":                    {with("jwks_uri", "https://[leak"), nil, "jwks_uri: it is empty or no URL"},
		"S17 a number":                  {with("jwks_uri", 1), nil, "jwks_uri"},
		"S17 S29 an alias":              {with("mtls_endpoint_aliases", aliased), nil, "aliases: token_endpoint"},
		"F2 aliases that are none":      {with("mtls_endpoint_aliases", "leak"), nil, "mtls_endpoint_aliases"},
		"F2 algorithms that are none":   {with(algorithms, "leak"), nil, "id_token_signing_alg"},
		"F2 an announcement is a text":  {with(announced, "true"), nil, "iss_parameter"},
		"S18 a redirect":                {away, oidc.ErrRedirect, "302"},
		"S18 a redirect on the host":    {connectiontest.Status(308).Header("Location", "/leak"), oidc.ErrRedirect, "308"},
		"F2 a refusal":                  {connectiontest.Text(404, "leak"), nil, "answered 404: is this the issuer"},
		"F2 no content":                 {connectiontest.Status(204), nil, "204"},
		"F2 HTML":                       {connectiontest.Text(200, "<p>leak"), nil, "not a JSON object"},
		"F2 no answer":                  {connectiontest.Cut(), nil, "idp.example.test"},
		"S20 F2 more than 256 KiB":      {big(256<<10 + 1), nil, "256 KiB"},
		"S20 F2 much more than 256 KiB": {big(2 << 20), nil, "256 KiB"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := connectiontest.NewNetwork(t).Serve(issuer, tt.reply)
			p, err := oidc.Discover(t.Context(), issuer, oidc.Via(via(s)))
			e := as[*oidc.DiscoveryError](t, err)
			equal(t, "URL", e.URL, issuer+"/.well-known/openid-configuration")
			if tt.want != nil {
				is(t, err, tt.want)
			}
			says(t, err, "oidc: no metadata at https://idp.example.test", tt.says)
			hides(t, err, "leak")
			if p.Issuer != "" || len(s.Requests()) != 1 {
				t.Error("there is a provider, or not one request")
			}
		})
	}
	t.Run("S20 F2 exactly 256 KiB", func(t *testing.T) {
		t.Parallel()
		s := connectiontest.NewNetwork(t).Serve(issuer, big(256<<10))
		if _, err := oidc.Discover(t.Context(), issuer, oidc.Via(via(s))); err != nil {
			t.Error(err)
		}
	})
}

func TestDiscoverIssuer(t *testing.T) {
	t.Parallel()
	for _, issuer := range []string{
		"", "idp.example.test", "https://", "http://idp.example.test", "https://leak@idp.example.test",
		"https://idp.example.test?a=leak", "https://idp.example.test#leak", "https://idp.example.test/?", "https://[leak",
		"ftp://idp.example.test", "https:leak", "https://idp.example.test/\nleak",
	} {
		t.Run("S17 S21 "+issuer, func(t *testing.T) {
			t.Parallel()
			s := connectiontest.NewNetwork(t).Serve("http://idp.example.test", connectiontest.Status(200))
			_, err := oidc.Discover(t.Context(), issuer, oidc.Via(via(s)))
			if e := as[*oidc.DiscoveryError](t, err); e.URL != "" || e.Status != 0 {
				t.Errorf("error is %+v", e)
			}
			says(t, err, "the issuer is no https URL")
			hides(t, err, "leak")
			if n := s.Conns(); n != 0 {
				t.Errorf("there were %d connections", n)
			}
		})
	}
	for _, issuer := range []string{"http://127.0.0.1:8080", "http://[::1]:8080/t"} {
		t.Run("S17 this machine "+issuer, func(t *testing.T) {
			t.Parallel()
			origin := strings.TrimSuffix(issuer, "/t")
			s := connectiontest.NewNetwork(t).Serve(origin, connectiontest.JSON(200, documentOf(issuer)))
			if p, err := oidc.Discover(t.Context(), issuer, oidc.Via(via(s))); err != nil || p.TokenURL != issuer+"/token" {
				t.Error(err)
			}
		})
	}
	t.Run("S17 AllowHTTP", func(t *testing.T) {
		t.Parallel()
		s := connectiontest.NewNetwork(t).Serve("http://idp.example.test",
			connectiontest.JSON(200, documentOf("http://idp.example.test")))
		e := via(s)
		e.AllowHTTP = true
		if _, err := oidc.Discover(t.Context(), "http://idp.example.test", oidc.Via(e)); err != nil {
			t.Error(err)
		}
	})
}

func TestDiscoverTime(t *testing.T) {
	t.Parallel()
	for name, limit := range map[string]time.Duration{"S20 no deadline": 0, "S20 a deadline too far": time.Hour} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				p := connectiontest.NewNetwork(t).Serve(issuer, connectiontest.Status(200).Delay(2*time.Hour))
				ctx := t.Context()
				if limit > 0 {
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(ctx, limit)
					defer cancel()
				}
				began := time.Now()
				_, err := oidc.Discover(ctx, issuer, oidc.Via(via(p)))
				is(t, err, context.DeadlineExceeded)
				equal(t, "time", time.Since(began), 30*time.Second)
			})
		})
	}
}

func TestDiscoverTrust(t *testing.T) {
	t.Parallel()
	n := connectiontest.NewNetwork(t)
	n.Serve(issuer, connectiontest.JSON(200, documentOf(issuer)))
	transport := n.Transport()
	transport.TLSClientConfig = &tls.Config{}
	e := auth.Endpoint{Client: &http.Client{Transport: transport}}
	if _, err := oidc.Discover(t.Context(), issuer, oidc.Via(e)); err == nil {
		t.Error("S19 a certificate of nobody is trusted")
	}
	e.TrustedCA, e.TrustedCAOnly = n.Authority(), true
	if _, err := oidc.Discover(t.Context(), issuer, oidc.Via(e)); err != nil {
		t.Error(err)
	}
	e.TrustedCA = bytes.Repeat([]byte("x"), 10)
	if _, err := oidc.Discover(t.Context(), issuer, oidc.Via(e)); err == nil {
		t.Error("certificates that are none are trusted")
	}
}

func TestPublicOnly(t *testing.T) {
	t.Parallel()
	var conns atomic.Int64
	s := httptest.NewUnstartedServer(http.NotFoundHandler())
	s.Config.ErrorLog = nil
	s.Config.ConnState = func(_ net.Conn, _ http.ConnState) { conns.Add(1) }
	s.StartTLS()
	defer s.Close()
	for _, issuer := range []string{
		s.URL, "https://10.1.2.3", "https://169.254.169.254", "https://[::1]", "https://[fd00::1]", "http://127.0.0.1:1",
		"https://[::ffff:127.0.0.1]", "https://100.64.0.1",
	} {
		_, err := oidc.Discover(t.Context(), issuer, oidc.PublicOnly())
		if !errors.Is(err, oidc.ErrNotPublic) {
			t.Errorf("S21 %s: error is %v", issuer, err)
		}
	}
	if n := conns.Load(); n != 0 {
		t.Errorf("S21 there were %d connections", n)
	}
}

func TestDiscoverOptions(t *testing.T) {
	t.Parallel()
	s := connectiontest.NewNetwork(t).Serve(issuer, connectiontest.JSON(200, documentOf(issuer)))
	for name, tt := range map[string]struct {
		opts []oidc.DiscoverOption
		says string
	}{
		"S21 both":  {[]oidc.DiscoverOption{oidc.PublicOnly(), oidc.Via(via(s))}, "Via and PublicOnly exclude each other"},
		"a nil one": {[]oidc.DiscoverOption{nil}, "an option is nil"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p, err := oidc.Discover(t.Context(), issuer, tt.opts...)
			_ = as[*oidc.DiscoveryError](t, err)
			says(t, err, "oidc: no metadata", tt.says)
			_, err = oidc.DiscoverOAuth(t.Context(), issuer, tt.opts...)
			says(t, err, tt.says)
			equal(t, "there is no provider", p.Issuer, "")
			equal(t, "connections", s.Conns(), 0)
		})
	}
}

// Without options a provider on this machine is asked, and the Provider has the zero Endpoint.
func TestDiscoverWithoutOptions(t *testing.T) {
	t.Parallel()
	var s *httptest.Server
	s = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(documentOf(s.URL))
	}))
	defer s.Close()
	p, err := oidc.Discover(t.Context(), s.URL)
	if err != nil || p.TokenURL != s.URL+"/token" || !p.Endpoint.IsZero() {
		t.Errorf("the provider is %v, and the error %v", p, err)
	}
}
