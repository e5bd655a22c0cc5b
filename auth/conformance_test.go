package auth_test

import (
	"errors"
	"net/http"
	"testing"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/auth/authtest"
	"github.com/restconn/restconn/secrets"
)

func TestConformance(t *testing.T) {
	t.Parallel()
	const (
		user = "s3cret-user+1"
		text = "s3cret/key+~1"
	)
	key, unsafe := secrets.Static(text), secrets.Static(text+"\r\n")
	boom := failing(errors.New("boom"))
	type failures = []func() auth.Authenticator
	tests := map[string]authtest.Config{
		"none": {New: auth.None},
		"func": {
			New: func() auth.Authenticator {
				return auth.Func(func(req *http.Request) error {
					if req.Header.Get("X-Sig") == "" {
						req.Header.Set("X-Sig", key.Reveal())
					}
					return nil
				})
			},
			Failing: failures{func() auth.Authenticator { return auth.Func(nil) }},
		},
		"basic": {
			New: func() auth.Authenticator { return auth.Basic(user, key) },
			Failing: failures{
				func() auth.Authenticator { return auth.Basic(user, boom) },
				func() auth.Authenticator { return auth.Basic(user, unsafe) },
				func() auth.Authenticator { return auth.Basic(user+":", key) },
			},
		},
		"basic from": {New: func() auth.Authenticator { return auth.BasicFrom(key, secrets.Static("")) }},
		"all": {
			New: func() auth.Authenticator {
				return auth.All(auth.Basic(user, key), auth.APIKey(key, auth.InQuery("k")))
			},
			Failing: failures{func() auth.Authenticator {
				return auth.All(auth.APIKey(key), auth.APIKey(unsafe, auth.InQuery("k")))
			}},
		},
	}
	for name, opts := range map[string][]auth.PlaceOption{
		"":               nil,
		" bare":          {auth.NoPrefix()},
		" in header":     {auth.InHeader("X-API-Key")},
		" with a prefix": {auth.InHeader("X-API-Key"), auth.Prefix("Token")},
		" in query":      {auth.InQuery("api key")},
		" in cookie":     {auth.InCookie("session")},
	} {
		tests["key"+name] = authtest.Config{
			New: func() auth.Authenticator { return auth.APIKey(key, opts...) },
			Failing: failures{
				func() auth.Authenticator { return auth.APIKey(boom, opts...) },
				func() auth.Authenticator { return auth.APIKey(unsafe, opts...) },
			},
		}
		tests["bearer"+name] = authtest.Config{
			New: func() auth.Authenticator { return auth.Bearer(auth.Static(key), forBearer(opts)...) },
			Failing: failures{
				func() auth.Authenticator { return auth.Bearer(auth.Static(boom), forBearer(opts)...) },
				func() auth.Authenticator { return auth.Bearer(auth.Static(unsafe), forBearer(opts)...) },
			},
		}
	}
	for name, cfg := range tests {
		if name != "none" {
			cfg.Secrets = []string{text, user}
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			authtest.Run(t, cfg)
		})
	}
}

// forBearer returns places as options of Bearer.
func forBearer(places []auth.PlaceOption) []auth.BearerOption {
	var opts []auth.BearerOption
	for _, place := range places {
		opts = append(opts, place)
	}
	return opts
}
