package testidp_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/restconn/restconn/internal/testidp"
)

func TestCode(t *testing.T) {
	t.Parallel()
	t.Run("an access token that is good, once", func(t *testing.T) {
		t.Parallel()
		p := start(t)
		code := p.login("scope", "openid profile email").Get("code")
		status, first := p.exchange(code)
		if status != 200 || first["token_type"] != "Bearer" || first["expires_in"] != 3600.0 ||
			first["scope"] != "email openid profile" {
			t.Fatalf("%d %v", status, shown(first))
		}
		if status, who := p.userinfo(first["access_token"]); status != 200 || who["sub"] != "ann" ||
			who["name"] != "Ann Example" || who["email"] != "ann@example.test" {
			t.Errorf("%d %v", status, who)
		}
		p.want(400, "invalid_grant")(p.exchange(code))
		p.want(401, "invalid_token")(p.userinfo(first["access_token"]))
		p.want(400, "invalid_grant")(p.renew(first["refresh_token"]))
	})
	for name, changes := range map[string]params{
		"another code":               {"code", "x"},
		"another redirect_uri":       {"redirect_uri", "http://127.0.0.1/cb"},
		"no verifier":                {"-code_verifier", ""},
		"another verifier":           {"code_verifier", strings.Repeat("v", 43)},
		"the client of another code": {"client_id", "con fidential", "client_secret", "s3+/ret"},
	} {
		t.Run("refused: "+name, func(t *testing.T) {
			t.Parallel()
			p := start(t)
			p.want(400, "invalid_grant")(p.exchange(p.login().Get("code"), changes...))
		})
	}
	t.Run("a verifier that nobody asked for", func(t *testing.T) {
		t.Parallel()
		p := start(t)
		answer := p.login("client_id", "con fidential", "-code_challenge", "", "-code_challenge_method", "")
		p.want(400, "invalid_grant")(p.exchange(answer.Get("code"), "client_id", "con fidential", "client_secret", "s3+/ret"))
	})
	t.Run("userinfo is for OpenID Connect", func(t *testing.T) {
		t.Parallel()
		p := start(t)
		p.want(403, "insufficient_scope")(p.userinfo(p.tokens("scope", "read")["access_token"]))
	})
	t.Run("a code that is too old", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			p := start(t)
			code := p.login().Get("code")
			time.Sleep(time.Minute)
			p.want(400, "invalid_grant")(p.exchange(code))
		})
	})
}

func TestRevokeAll(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"access_token", "refresh_token"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			p := start(t, func(c *testidp.Config) { c.RevokeAll = true })
			first, second := p.tokens(), p.tokens()
			_, other := p.exchange(p.login("client_id", "con fidential").Get("code"),
				"client_id", "con fidential", "client_secret", "s3+/ret")
			p.want(200, "")(p.post("/revoke", "", "", params{"token", first[kind].(string), "client_id", "public"}.values()))
			p.want(401, "invalid_token")(p.userinfo(second["access_token"]))
			p.want(400, "invalid_grant")(p.renew(second["refresh_token"]))
			p.want(200, "")(p.userinfo(other["access_token"]))
			p.filledIn()
			p.want(200, "")(p.userinfo(p.tokens()["access_token"]))
			if got := p.filledIn(); got != "consent" {
				t.Errorf("the user is asked for %q", got)
			}
		})
	}
}

func TestExtras(t *testing.T) {
	t.Parallel()
	const host = "https://north.example.test"
	p := start(t, func(c *testidp.Config) {
		c.Users[0].TokenMembers = map[string]string{"instance_url": host, "token_type": "other"}
		c.Users[0].CallbackParams = map[string]string{"realmId": "7001", "code": "x", "iss": "x"}
	})
	answer := p.login()
	if answer.Get("realmId") != "7001" || answer.Get("iss") != issuer || len(answer["code"]) != 1 {
		t.Errorf("the browser brings %v", answer)
	}
	status, first := p.exchange(answer.Get("code"))
	if status != 200 || first["instance_url"] != host || first["token_type"] != "Bearer" {
		t.Errorf("%d %v", status, shown(first))
	}
	if _, next := p.renew(first["refresh_token"]); next["instance_url"] != host {
		t.Errorf("a renewal brings %v", shown(next))
	}
	if denied := p.login("scope", "nonsense"); denied.Has("realmId") || denied.Get("error") == "" {
		t.Errorf("a refusal brings %v", denied)
	}
}

func TestClientAuthentication(t *testing.T) {
	t.Parallel()
	p := start(t)
	form := func(more ...string) params { return append(params{"token", "x"}, more...) }
	for _, tt := range []struct {
		name, user, password string
		form                 params
		status               int
		code                 string
	}{
		{"Basic, as a form has it", "con+fidential", "s3%2B%2Fret", form(), 200, ""},
		{"Basic, as it is", "con fidential", "s3+/ret", form(), 401, "invalid_client"},
		{"Basic that cannot be decoded", "%zz", "", form(), 401, "invalid_client"},
		{"the body", "", "", form("client_id", "con fidential", "client_secret", "s3+/ret"), 200, ""},
		{"the body without the secret", "", "", form("client_id", "con fidential"), 401, "invalid_client"},
		{"both", "con+fidential", "s3%2B%2Fret", form("client_secret", "s3+/ret"), 400, "invalid_request"},
		{"two clients", "con+fidential", "s3%2B%2Fret", form("client_id", "public"), 400, "invalid_request"},
		{"a public client", "", "", form("client_id", "public"), 200, ""},
		{"a public client with a secret", "", "", form("client_id", "public", "client_secret", "x"), 401, "invalid_client"},
		{"nobody", "", "", form(), 401, "invalid_client"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			own := &provider{Server: p.Server, t: t}
			own.want(tt.status, tt.code)(own.post("/revoke", tt.user, tt.password, tt.form.values()))
		})
	}
	t.Run("a secret in the query does not count", func(t *testing.T) {
		t.Parallel()
		own := &provider{Server: p.Server, t: t}
		own.want(401, "invalid_client")(own.post("/revoke?client_id=public", "", "", form().values()))
	})
	t.Run("a parameter twice", func(t *testing.T) {
		t.Parallel()
		own := &provider{Server: p.Server, t: t}
		values := form("client_id", "public").values()
		values.Add("token", "y")
		own.want(400, "invalid_request")(own.post("/revoke", "", "", values))
	})
}

func TestRefresh(t *testing.T) {
	t.Parallel()
	t.Run("another refresh token each time; an old one ends all", func(t *testing.T) {
		t.Parallel()
		p := start(t)
		first := p.tokens()
		_, second := p.renew(first["refresh_token"])
		_, third := p.renew(second["refresh_token"])
		if first["refresh_token"] == second["refresh_token"] || third["id_token"] == nil {
			t.Error("nothing was rotated")
		}
		p.want(200, "")(p.userinfo(third["access_token"]))
		p.want(400, "invalid_grant")(p.renew(first["refresh_token"]))
		p.want(400, "invalid_grant")(p.renew(third["refresh_token"]))
		p.want(401, "invalid_token")(p.userinfo(third["access_token"]))
	})
	t.Run("fewer scopes, not more, and the refresh token keeps its own", func(t *testing.T) {
		t.Parallel()
		p := start(t)
		_, narrow := p.renew(p.tokens()["refresh_token"], "scope", "read")
		if narrow["scope"] != "read" || narrow["id_token"] != nil {
			t.Errorf("got %v", narrow)
		}
		p.want(400, "invalid_scope")(p.renew(narrow["refresh_token"], "scope", "read write"))
		if _, wide := p.renew(narrow["refresh_token"]); wide["scope"] != "openid read" {
			t.Errorf("got %v", wide["scope"])
		}
	})
	t.Run("of another client", func(t *testing.T) {
		t.Parallel()
		p := start(t)
		p.want(400, "invalid_grant")(p.renew(p.tokens()["refresh_token"], "client_id", "con fidential", "client_secret",
			"s3+/ret"))
	})
	t.Run("tokens end", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			p := start(t)
			got := p.tokens()
			time.Sleep(time.Hour - time.Second)
			p.want(200, "")(p.userinfo(got["access_token"]))
			time.Sleep(time.Second)
			p.want(401, "invalid_token")(p.userinfo(got["access_token"]))
			time.Sleep(30 * 24 * time.Hour)
			p.want(400, "invalid_grant")(p.renew(got["refresh_token"]))
		})
	})
	t.Run("other grants", func(t *testing.T) {
		t.Parallel()
		p := start(t)
		p.want(400, "unsupported_grant_type")(p.renew("x", "grant_type", "password"))
		p.want(400, "invalid_request")(p.renew("x", "-grant_type", ""))
	})
}

func TestRevokeAndIntrospect(t *testing.T) {
	t.Parallel()
	p := start(t)
	got := p.tokens()
	ask := func(token any) object {
		t.Helper()
		_, out := p.post("/introspect", "con+fidential", "s3%2B%2Fret", params{"token", token.(string)}.values())
		return out
	}
	revoke := func(token any, more ...string) (int, object) {
		t.Helper()
		return p.post("/revoke", "", "", append(params{"token", token.(string), "client_id", "public"}, more...).values())
	}
	about := ask(got["access_token"])
	if about["active"] != true || about["sub"] != "ann" || about["client_id"] != "public" ||
		about["scope"] != "openid read" {
		t.Errorf("got %v", about)
	}
	p.want(401, "invalid_client")(p.post("/introspect", "", "", params{"token", "x", "client_id", "public"}.values()))
	p.want(400, "invalid_grant")(revoke(got["access_token"], "client_id", "con fidential", "client_secret", "s3+/ret"))
	p.want(200, "")(revoke(got["access_token"]))
	if ask(got["access_token"])["active"] != false || ask(got["refresh_token"])["active"] != true {
		t.Error("revoking an access token ends that one alone")
	}
	_, next := p.renew(got["refresh_token"])
	if p.ActiveTokens() != 1 {
		t.Errorf("%d tokens are good", p.ActiveTokens())
	}
	p.want(200, "")(revoke(next["refresh_token"]))
	if ask(next["access_token"])["active"] != false || ask(next["refresh_token"])["active"] != false ||
		p.ActiveTokens() != 0 {
		t.Error("revoking a refresh token ends all of its grant")
	}
	p.want(200, "")(revoke("unknown"))
	p.want(400, "invalid_request")(revoke(""))
}

func TestDevice(t *testing.T) {
	t.Parallel()
	begin := func(p *provider) object {
		p.t.Helper()
		status, out := p.post("/device_authorization", "", "", params{"client_id", "public", "scope", "read"}.values())
		if status != 200 || out["interval"] != 5.0 || out["expires_in"] != 600.0 || len(out["user_code"].(string)) != 9 {
			p.t.Fatalf("%d %v", status, out)
		}
		return out
	}
	poll := func(p *provider, about object) (int, object) {
		p.t.Helper()
		return p.post("/token", "", "", params{
			"grant_type", "urn:ietf:params:oauth:grant-type:device_code", "client_id", "public",
			"device_code", about["device_code"].(string),
		}.values())
	}
	allow := func(p *provider, about object) *testidp.Page {
		p.t.Helper()
		page, err := p.browser.Visit(p.t.Context(), about["verification_uri_complete"].(string), "ann", "pw-a")
		if err != nil {
			p.t.Fatal(err)
		}
		return page
	}
	t.Run("waits, slows down, and gets a token once", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			p := start(t)
			about := begin(p)
			p.want(400, "authorization_pending")(poll(p, about))
			time.Sleep(4 * time.Second)
			p.want(400, "slow_down")(poll(p, about))
			time.Sleep(9 * time.Second)
			p.want(400, "slow_down")(poll(p, about))
			time.Sleep(15 * time.Second)
			p.want(400, "authorization_pending")(poll(p, about))
			if page := allow(p, about); page.Status != 200 || p.filledIn() != "device login consent" {
				t.Errorf("%v", page)
			}
			time.Sleep(15 * time.Second)
			status, out := poll(p, about)
			if status != 200 || out["scope"] != "read" {
				t.Errorf("%d %v", status, out)
			}
			p.want(400, "invalid_grant")(poll(p, about))
		})
	})
	t.Run("the user says no", func(t *testing.T) {
		t.Parallel()
		p := start(t)
		about := begin(p)
		p.browser.Deny = true
		allow(p, about)
		p.want(400, "access_denied")(poll(p, about))
	})
	t.Run("a code that was used is none any more", func(t *testing.T) {
		t.Parallel()
		p := start(t)
		about := begin(p)
		allow(p, about)
		page, err := p.browser.Post(t.Context(), issuer+"/device", params{
			"user_code", strings.ToLower(about["user_code"].(string)),
		}.values())
		if err != nil || page.Status != 400 {
			t.Errorf("%v, %v", page, err)
		}
	})
	t.Run("nobody comes", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			p := start(t)
			about := begin(p)
			time.Sleep(10 * time.Minute)
			p.want(400, "expired_token")(poll(p, about))
		})
	})
	t.Run("another client, another code, another scope", func(t *testing.T) {
		t.Parallel()
		p := start(t)
		about := begin(p)
		p.want(400, "invalid_grant")(poll(p, object{"device_code": "x"}))
		p.want(400, "invalid_grant")(p.post("/token", "con+fidential", "s3%2B%2Fret", params{
			"grant_type", "urn:ietf:params:oauth:grant-type:device_code", "device_code", about["device_code"].(string),
		}.values()))
		p.want(400, "invalid_scope")(p.post("/device_authorization", "", "",
			params{"client_id", "public", "scope", "admin"}.values()))
	})
}

func TestCheck(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := start(t)
		token, _ := p.tokens()["access_token"].(string)
		time.Sleep(time.Minute)
		for _, tt := range []struct {
			name, header, want string
			need               testidp.Need
			status             int
		}{
			{"no token", "", "Bearer", testidp.Need{}, 401},
			{"another scheme", "Basic x", `Bearer error="invalid_request"`, testidp.Need{}, 400},
			{"an unknown token", "Bearer x", `Bearer error="invalid_token"`, testidp.Need{}, 401},
			{"a good one", "bearer " + token, "", testidp.Need{Scopes: []string{"read"}}, 200},
			{"a scope is missing", "Bearer " + token, `Bearer error="insufficient_scope", scope="read write"`,
				testidp.Need{Scopes: []string{"read", "write"}}, 403},
			{"the password is enough", "Bearer " + token, "", testidp.Need{ACR: testidp.ACRPassword}, 200},
			{"a second factor is missing", "Bearer " + token,
				`Bearer error="insufficient_user_authentication", acr_values="mfa"`,
				testidp.Need{ACR: testidp.ACRSecondFactor}, 401},
			{"the login is too old", "Bearer " + token, `Bearer error="insufficient_user_authentication", max_age="30"`,
				testidp.Need{MaxAge: 30 * time.Second}, 401},
			{"the login is recent enough", "Bearer " + token, "", testidp.Need{MaxAge: time.Minute}, 200},
		} {
			w, req := httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil)
			if tt.header != "" {
				req.Header.Set("Authorization", tt.header)
			}
			access, ok := p.Check(w, req, tt.need)
			if ok != (tt.want == "") || w.Code != tt.status || w.Header().Get("WWW-Authenticate") != tt.want {
				t.Errorf("%s: %v %d %q", tt.name, ok, w.Code, w.Header().Get("WWW-Authenticate"))
			}
			if ok && (access.User.Name != "ann" || access.ClientID != "public" || len(access.Scopes) != 2) {
				t.Errorf("%s: %v", tt.name, access)
			}
		}
	})
}

func TestConcurrentUse(t *testing.T) {
	t.Parallel()
	p := start(t)
	code := p.login().Get("code")
	var wg sync.WaitGroup
	results := make(chan int, 16)
	for range cap(results) {
		wg.Go(func() {
			own := &provider{Server: p.Server, t: t}
			status, _ := own.exchange(code)
			results <- status
		})
	}
	wg.Wait()
	close(results)
	good := 0
	for status := range results {
		if status == 200 {
			good++
		}
	}
	if good != 1 {
		t.Errorf("%d exchanges of one code were good", good)
	}
}
