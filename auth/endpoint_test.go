package auth_test

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/restconn/restconn/auth"
)

func TestEndpointIsZero(t *testing.T) {
	t.Parallel()
	proxy := func(*http.Request) (*url.URL, error) { return nil, nil } //nolint:nilnil // nil is no proxy
	for name, tt := range map[string]struct {
		endpoint auth.Endpoint
		want     bool
	}{
		"nothing":           {auth.Endpoint{}, true},
		"no certificates":   {auth.Endpoint{TrustedCA: []byte{}}, true},
		"a client":          {auth.Endpoint{Client: new(http.Client)}, false},
		"certificates":      {auth.Endpoint{TrustedCA: []byte("x")}, false},
		"no others":         {auth.Endpoint{TrustedCAOnly: true}, false},
		"a proxy":           {auth.Endpoint{Proxy: proxy}, false},
		"http is permitted": {auth.Endpoint{AllowHTTP: true}, false},
	} {
		if got := tt.endpoint.IsZero(); got != tt.want {
			t.Errorf("%s: IsZero is %t", name, got)
		}
	}
}
