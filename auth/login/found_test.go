package login_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/auth/login"
	"github.com/restconn/restconn/connection/connectiontest"
	"github.com/restconn/restconn/secrets"
)

// tenanted is a login that finds out a host and a tenant, and that renews there.
func tenanted() login.Config {
	return login.Config{
		BaseURL: home, Lifetime: time.Hour, Token: "body.token",
		Extra: map[string]string{"api": "body.api", "tenant": "body.tenant"},
		Steps: []login.Step{{Path: "/login"}},
		Renew: []login.Step{{URL: "{{api}}/renew/{{tenant}}", Header: login.Fields("Authorization", "Bearer {{token}}")}},
	}
}

const firstAnswer = `{"token":"t1","api":"https://eu.example.test/v1","tenant":"acme corp"}`

func TestRenewalWithExtra(t *testing.T) {
	t.Parallel()
	renew := func(t *testing.T, cfg login.Config) *connectiontest.Server {
		t.Helper()
		n := connectiontest.NewNetwork(t)
		s := n.Serve(home, reply(firstAnswer))
		eu := n.Serve("https://eu.example.test", reply(`{"token":"t2"}`))
		g := bind(t, n, cfg)
		first, err := g.Obtain(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		for range 2 { // what a renewal does not bring again is kept for the next
			if first, err = g.Obtain(t.Context(), first); err != nil || first.Value.Reveal() != "t2" {
				t.Fatalf("the renewal: %v", err)
			}
		}
		if len(s.Requests()) != 1 || len(eu.Requests()) != 2 {
			t.Fatalf("%d and %d requests", len(s.Requests()), len(eu.Requests()))
		}
		return eu
	}
	t.Run("a renewal goes where the login has led", func(t *testing.T) {
		t.Parallel()
		wantLine(t, renew(t, tenanted()).Requests()[1], "POST /v1/renew/acme%20corp HTTP/1.1")
	})
	t.Run("Params win over Extra", func(t *testing.T) {
		t.Parallel()
		cfg := tenanted()
		cfg.Params = map[string]string{"tenant": "mine"}
		wantLine(t, renew(t, cfg).Requests()[0], "POST /v1/renew/mine HTTP/1.1")
	})
	t.Run("Secrets win over Extra", func(t *testing.T) {
		t.Parallel()
		cfg := tenanted()
		cfg.Secrets = static("tenant", "hidden")
		wantLine(t, renew(t, cfg).Requests()[0], "POST /v1/renew/hidden HTTP/1.1")
	})
	t.Run("Compute wins over Extra", func(t *testing.T) {
		t.Parallel()
		cfg := tenanted()
		cfg.Compute = func(context.Context, map[string]string) (map[string]string, error) {
			return map[string]string{"tenant": "made"}, nil
		}
		wantLine(t, renew(t, cfg).Requests()[0], "POST /v1/renew/made HTTP/1.1")
	})
	t.Run("Save wins over Extra", func(t *testing.T) {
		t.Parallel()
		cfg := tenanted()
		cfg.Renew[0].Save = map[string]string{"tenant": "'saved'"}
		cfg.Renew = append(cfg.Renew, login.Step{URL: "{{api}}/x", Form: login.Fields("t", "{{tenant}}")})
		n := connectiontest.NewNetwork(t)
		eu := n.Serve("https://eu.example.test", reply(`{"token":"t2"}`))
		if _, err := bind(t, n, cfg).Obtain(t.Context(), known()); err != nil {
			t.Fatal(err)
		}
		wantBody(t, eu.Requests()[1], "t=saved")
	})
	t.Run("without what a renewal needs there is a login", func(t *testing.T) {
		t.Parallel()
		s := connectiontest.NewServer(t, reply(firstAnswer))
		g := bind(t, s.Network(), tenanted())
		if _, err := g.Obtain(t.Context(), &auth.Token{Value: secrets.Static("t0")}); err != nil {
			t.Fatal(err)
		}
		wantLine(t, s.Requests()[0], "POST /login HTTP/1.1")
	})
	t.Run("K-23 a name that the login does not keep is told at once", func(t *testing.T) {
		t.Parallel()
		cfg := tenanted()
		cfg.Renew[0].URL = "{{apis}}/renew"
		err := login.New(cfg).(auth.Validator).Validate()
		wantText(t, err, "apis (Renew[0].URL, did you mean api?)", "kept for Renew by Extra")
	})
	t.Run("K-23 a name of a token from elsewhere is told when it is missing", func(t *testing.T) {
		t.Parallel()
		cfg := tenanted()
		cfg.Steps, cfg.Extra = nil, nil
		n := connectiontest.NewNetwork(t)
		n.Serve("https://eu.example.test", reply(`{"token":"t2"}`))
		g := bind(t, n, cfg)
		if _, err := g.Obtain(t.Context(), known()); err != nil {
			t.Error(err)
		}
		_, err := g.Obtain(t.Context(), &auth.Token{Value: secrets.Static("t0")})
		if _, ok := errors.AsType[*login.MissingError](err); !ok {
			t.Errorf("error is %v", err)
		}
		wantText(t, err, "api (Renew[0].URL)", "tenant (Renew[0].URL)")
	})
}

func TestCompute(t *testing.T) {
	t.Parallel()
	mine := errors.New("mine")
	computing := func(computed map[string]string, err error) login.Config {
		cfg := simple(login.Step{Form: login.Fields("a", "{{a}}", "b", "{{b}}", "c", "{{c}}")})
		cfg.Params = map[string]string{"b": "param", "c": "param"}
		cfg.Secrets = static("a", "secret")
		cfg.Compute = func(_ context.Context, known map[string]string) (map[string]string, error) {
			if known["a"] != "secret" || known["b"] != "param" {
				t.Errorf("it is given %q", known)
			}
			return computed, err
		}
		return cfg
	}
	t.Run("a secret wins, and a parameter does not", func(t *testing.T) {
		t.Parallel()
		_, requests := obtain(t, computing(map[string]string{"a": "made", "b": "made"}, nil), t1())
		wantBody(t, requests[0], "a=secret&b=made&c=param")
	})
	t.Run("its error is the error, and nothing is sent", func(t *testing.T) {
		t.Parallel()
		if requests, err := failure(t, computing(nil, mine), t1()); !errors.Is(err, mine) || len(requests) != 0 {
			t.Errorf("error is %v after %d requests", err, len(requests))
		}
	})
	t.Run("token is no name for it", func(t *testing.T) {
		t.Parallel()
		requests, err := failure(t, computing(map[string]string{"token": "made-shh"}, nil), t1())
		wantText(t, err, "token and refresh are names of their own")
		if len(requests) != 0 {
			t.Errorf("%d requests", len(requests))
		}
	})
}

// known is a token that has come from a login of tenanted.
func known() *auth.Token {
	return &auth.Token{Value: secrets.Static("t1"), Extra: map[string]secrets.Value{
		"api": secrets.Static("https://eu.example.test/v1"), "tenant": secrets.Static("acme"),
	}}
}

// exchanged is a login at the place that the token of Start names.
func exchanged(place string) login.Config {
	return login.Config{
		NeverExpires: true, Token: "body.token",
		Start: auth.GrantFunc(func(context.Context, *auth.Token) (*auth.Token, error) {
			return &auth.Token{Value: secrets.Static("first"), Extra: map[string]secrets.Value{
				"instance_url": secrets.Static(place),
			}}, nil
		}),
		Steps: []login.Step{{URL: "{{instance_url}}/exchange", Form: login.Fields("subject_token", "{{token}}")}},
	}
}

func TestStartWithExtra(t *testing.T) {
	t.Parallel()
	t.Run("Q-146 the steps go where the first token says", func(t *testing.T) {
		t.Parallel()
		n := connectiontest.NewNetwork(t)
		s := n.Serve("https://tenant7.example.test", reply(`{"token":"t1"}`))
		if _, err := bind(t, n, exchanged("https://tenant7.example.test/")).Obtain(t.Context(), nil); err != nil {
			t.Fatal(err)
		}
		wantLine(t, s.Requests()[0], "POST /exchange HTTP/1.1")
		wantBody(t, s.Requests()[0], "subject_token=first")
	})
	t.Run("K-23 a name that the first token does not bring", func(t *testing.T) {
		t.Parallel()
		cfg := exchanged("https://tenant7.example.test")
		cfg.Steps[0].URL = "{{instance}}/exchange"
		requests, err := failure(t, cfg, t1())
		wantText(t, err, "instance (Steps[0].URL, did you mean instance_url?)")
		if len(requests) != 0 {
			t.Errorf("%d requests", len(requests))
		}
	})
}

// What an answer calls a URL is followed over https; AllowHTTP speaks for this machine only.
func TestFoundURL(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		place string
		allow bool
		ok    bool
	}{
		"S17 https":                                  {"https://found.example.test", false, true},
		"S17 plain http":                             {"http://found.example.test", true, false},
		"S17 plain http, in other words":             {"HTTP://found.example.test", true, false},
		"S17 plain http, on this machine":            {"http://127.0.0.1:8080", false, false},
		"S17 plain http, on this machine, permitted": {"http://127.0.0.1:8080", true, true},
	} {
		for _, by := range []string{"Save", "Start", "BaseURL"} {
			t.Run(name+" by "+by, func(t *testing.T) {
				t.Parallel()
				n := connectiontest.NewNetwork(t)
				n.Serve(home, connectiontest.JSON(200, map[string]string{"api": tt.place}))
				s := n.Serve(strings.ToLower(tt.place), t1())
				cfg := exchanged(tt.place)
				switch by {
				case "Save":
					cfg.Start, cfg.BaseURL = nil, home
					cfg.Steps = []login.Step{
						{Method: "GET", Path: "/a", Save: map[string]string{"api": "body.api"}},
						{URL: "{{api}}/x", Header: login.Fields("X-Key", "{{key}}")},
					}
					cfg.Secrets = static("key", "key-shh")
				case "BaseURL":
					cfg.BaseURL, cfg.Steps[0].URL, cfg.Steps[0].Path = "{{instance_url}}", "", "/x"
				}
				cfg.Token, cfg.Endpoint.AllowHTTP = "body.access_token", tt.allow
				_, err := bind(t, n, cfg).Obtain(t.Context(), nil)
				if tt.ok != (err == nil) || tt.ok != (s.Conns() == 1) {
					t.Errorf("error is %v after %d connections", err, s.Conns())
				}
				if !tt.ok {
					wantText(t, err, "is of an answer, and leads to plain http: Endpoint.AllowHTTP")
				}
			})
		}
	}
	for _, allow := range []bool{false, true} {
		for name, step := range map[string]login.Step{
			"URL": {URL: "http://{{instance_url}}:8080/x"}, "part of the URL": {URL: "http://127.0.0.{{n}}:8080/x"},
			"BaseURL": {Path: "/x"},
		} {
			t.Run(fmt.Sprintf("S17 a host on this machine in %s, AllowHTTP %v", name, allow), func(t *testing.T) {
				t.Parallel()
				n := connectiontest.NewNetwork(t)
				s := n.Serve("http://127.0.0.1:8080", reply(`{"token":"t1"}`))
				cfg := exchanged("127.0.0.1")
				step.Form, step.Save = login.Fields("t", "{{token}}"), map[string]string{"n": "'1'"}
				cfg.BaseURL, cfg.Steps, cfg.Endpoint.AllowHTTP = "http://{{instance_url}}:8080", []login.Step{step}, allow
				if step.URL == "http://127.0.0.{{n}}:8080/x" {
					cfg.Steps = append([]login.Step{{URL: "https://first.example.test", Save: step.Save}}, cfg.Steps...)
					n.Serve("https://first.example.test", connectiontest.Status(200))
				}
				_, err := bind(t, n, cfg).Obtain(t.Context(), nil)
				if allow != (err == nil) || allow != (s.Conns() == 1) {
					t.Errorf("error is %v after %d connections", err, s.Conns())
				}
			})
		}
	}
	t.Run("S17 a path on this machine", func(t *testing.T) {
		t.Parallel()
		n := connectiontest.NewNetwork(t)
		n.Serve("http://127.0.0.1:8080", reply(`{"token":"t1"}`))
		cfg := exchanged("found")
		cfg.Steps[0].URL = "http://127.0.0.1:8080/{{instance_url}}"
		if _, err := bind(t, n, cfg).Obtain(t.Context(), nil); err != nil {
			t.Error(err)
		}
	})
	t.Run("S17 a renewal where the login has led", func(t *testing.T) {
		t.Parallel()
		before := known()
		before.Extra["api"] = secrets.Static("http://127.0.0.1:8080")
		n := connectiontest.NewNetwork(t)
		s := n.Serve("http://127.0.0.1:8080", reply(`{"token":"t2"}`))
		_, err := bind(t, n, tenanted()).Obtain(t.Context(), before)
		wantText(t, err, "leads to plain http")
		if s.Conns() != 0 {
			t.Errorf("%d connections", s.Conns())
		}
	})
	t.Run("S17 what the configuration says", func(t *testing.T) {
		t.Parallel()
		n := connectiontest.NewNetwork(t)
		n.Serve("http://plain.example.test", reply(`{"token":"t1"}`))
		cfg := exchanged("https://found.example.test")
		cfg.Params = map[string]string{"instance_url": "http://plain.example.test"}
		cfg.Endpoint.AllowHTTP = true
		if _, err := bind(t, n, cfg).Obtain(t.Context(), nil); err != nil {
			t.Error(err)
		}
	})
}

// What an answer says is not in errors, not even in those of the network.
func TestFoundHostIsMasked(t *testing.T) {
	t.Parallel()
	n := connectiontest.NewNetwork(t)
	_, err := bind(t, n, exchanged("https://found-shh.example.test/v1")).Obtain(t.Context(), nil)
	wantText(t, err, "login: Steps[0]: ", "[REDACTED]")
	cfg := exchanged("tenant-shh")
	cfg.Steps[0].URL = "https://{{instance_url}}.example.test"
	_, err = bind(t, n, cfg).Obtain(t.Context(), nil)
	wantText(t, err, "login: Steps[0]: ", "[REDACTED]")
}

func TestTokenIsKept(t *testing.T) {
	t.Parallel()
	extending := login.Config{
		BaseURL: home, Lifetime: 30 * 24 * time.Hour, Token: "body.token ?? token",
		Steps: []login.Step{{Path: "/login"}},
		Renew: []login.Step{{Path: "/extend", Form: login.Fields("t", "{{token}}"), Ok: "body.result == '0000'"}},
	}
	t.Run("Q-090 a renewal that only extends", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			s := connectiontest.NewServer(t, connectiontest.Sequence(reply(`{"token":"t1"}`), reply(`{"result":"0000"}`)))
			g := bind(t, s.Network(), extending)
			first, err := g.Obtain(t.Context(), nil)
			if err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Hour)
			second, err := g.Obtain(t.Context(), first)
			if err != nil || second.Value.Reveal() != "t1" || second.Expiry.Sub(first.Expiry) != time.Hour {
				t.Errorf("the renewal: %v, %v", second, err)
			}
		})
	})
	t.Run("there is none before a login", func(t *testing.T) {
		t.Parallel()
		_, err := failure(t, extending, reply(`{"result":"0000"}`))
		wantText(t, err, "Token: body.token ?? token: body has no token; there is no token before")
	})
	t.Run("it is told at once that there never is one", func(t *testing.T) {
		t.Parallel()
		cfg := simple(login.Step{})
		cfg.Token = "token"
		if got := fields(login.New(cfg).(auth.Validator).Validate()); len(got) != 1 || got[0] != "Token" {
			t.Errorf("faults of %q", got)
		}
	})
}

// The cookies of another origin stay there.
func TestCookiesOfTheLastOrigin(t *testing.T) {
	t.Parallel()
	set := func(lines ...string) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Header()["Set-Cookie"] = lines })
	}
	for name, cfg := range map[string]login.Config{
		"S19 all":     {AllCookies: true},
		"S19 by name": {Cookies: []string{"sid"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := connectiontest.NewNetwork(t)
			n.Serve("https://idp.example.test", set("idp=secret", "sid=other"))
			n.Serve(home, set("sid=s1"))
			cfg.BaseURL, cfg.NeverExpires = home, true
			cfg.Steps = []login.Step{{URL: "https://idp.example.test/"}, {Path: "/login"}}
			token, err := bind(t, n, cfg).Obtain(t.Context(), nil)
			if err != nil || token.Value.Reveal() != "sid=s1" {
				t.Errorf("token is %q, %v", token.Value.Reveal(), err)
			}
		})
	}
}
