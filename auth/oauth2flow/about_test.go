package oauth2flow_test

import (
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/auth/oauth2flow"
	"github.com/restconn/restconn/connection/connectiontest"
	"github.com/restconn/restconn/secrets"
)

func TestS53Revoke(t *testing.T) {
	t.Parallel()
	revocable := func(s *connectiontest.Server) client {
		return clientOf(s, func(c *client) {
			c.RevocationURL, c.Auth = s.URL+"/revoke", oauth2flow.InHeader()
			c.Header, c.Params = http.Header{"X-Tenant": {"7"}}, oauth2flow.Params{{"extra", "1"}}
			c.Encoding = oauth2flow.JSON
		})
	}
	const both = "token=t0&token_type_hint=access_token"
	for name, status := range map[string]int{
		"S53 both are revoked": 200, "S53 one that is refused does not keep the other": 400,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, connectiontest.Status(status), connectiontest.Status(200))
			g := oauth2flow.Refresh(revocable(s), nil)
			bound, err := g.(auth.GrantBinder).BindGrant(auth.Host{})
			if err != nil {
				t.Fatal(err)
			}
			err = bound.(auth.Revoker).Revoke(t.Context(), prev("r1"))
			equal(t, "there is an error", err != nil, status != 200)
			got := sent(t, s, 2)
			equal(t, "first", string(got[0].Body), "token=r1&token_type_hint=refresh_token")
			equal(t, "second", string(got[1].Body), both)
			for _, req := range got {
				equal(t, "target", req.Target, "/revoke")
				equal(t, "Authorization", req.Header.Get("Authorization"), "Basic Y2lkOmNzZWM=")
				equal(t, "Content-Type", req.Header.Get("Content-Type"), formType)
				equal(t, "X-Tenant", req.Header.Get("X-Tenant"), "7")
			}
		})
	}
	t.Run("a code of the answer", func(t *testing.T) {
		t.Parallel()
		s := serve(t, connectiontest.JSON(400, object{"error": "unsupported_token_type"}))
		err := oauth2flow.Revoke(t.Context(), revocable(s), secrets.Static("t0"), "access_token")
		equal(t, "code", as[*oauth2flow.Error](t, err).Code, "unsupported_token_type")
	})
	t.Run("an answer that is not JSON is a success", func(t *testing.T) {
		t.Parallel()
		s := serve(t, connectiontest.Text(200, "<p>bye"))
		if err := oauth2flow.Revoke(t.Context(), revocable(s), secrets.Static("t0"), ""); err != nil {
			t.Error(err)
		}
	})
	t.Run("nothing to revoke", func(t *testing.T) {
		t.Parallel()
		s := serve(t)
		g := oauth2flow.Refresh(revocable(s), nil).(auth.Revoker)
		for _, token := range []*auth.Token{nil, {}} {
			if err := g.Revoke(t.Context(), token); err != nil {
				t.Error(err)
			}
		}
		sent(t, s, 0)
	})
	t.Run("without a URL nothing can be revoked", func(t *testing.T) {
		t.Parallel()
		s := serve(t)
		c := clientOf(s)
		if _, ok := oauth2flow.ClientCredentials(c).(auth.Revoker); ok {
			t.Error("the grant is a Revoker")
		}
		if err := oauth2flow.Revoke(t.Context(), c, secrets.Static("t0"), ""); err == nil {
			t.Error("it was revoked")
		}
		c.RevocationURL = "http://auth.example.test/"
		if err := oauth2flow.Revoke(t.Context(), c, secrets.Static("t0"), ""); err == nil {
			t.Error("S17 it was sent over plain http")
		}
		if err := oauth2flow.Refresh(c, nil).(auth.Revoker).Revoke(t.Context(), prev("r1")); err == nil {
			t.Error("S17 it was sent over plain http")
		}
		sent(t, s, 0)
	})
}

func TestIntrospect(t *testing.T) {
	t.Parallel()
	with := func(s *connectiontest.Server) client {
		return clientOf(s, func(c *client) { c.IntrospectionURL = s.URL + "/introspect" })
	}
	at := time.Unix(1767323045, 0)
	for name, c := range map[string]struct {
		answer string
		want   oauth2flow.Introspection
	}{
		"all members": {
			`{"active":true,"scope":"a b","client_id":"c","username":"u","token_type":"Bearer","exp":1767323045,` +
				`"iat":1767323045.5,"nbf":"1767323045","sub":"s","aud":["x","y"],"iss":"i","jti":"j","ext":{"a":[1]},"Active":0}`,
			oauth2flow.Introspection{
				Active: true, Scope: "a b", ClientID: "c", Username: "u", TokenType: "Bearer", Expiry: at, IssuedAt: at,
				NotBefore: at, Subject: "s", Audience: []string{"x", "y"}, Issuer: "i", JTI: "j",
				Extra: map[string]json.RawMessage{"ext": json.RawMessage(`{"a":[1]}`), "Active": json.RawMessage("0")},
			},
		},
		"one audience": {
			`{"active":true,"aud":"x","sub":null}`, oauth2flow.Introspection{Active: true, Audience: []string{"x"}},
		},
		"not active": {`{"active":false}`, oauth2flow.Introspection{}},
		"a time far ahead": {
			`{"active":true,"exp":99999999999}`, oauth2flow.Introspection{Active: true, Expiry: time.Unix(99999999999, 0)},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, text(c.answer))
			got, err := oauth2flow.Introspect(t.Context(), with(s), secrets.Static("t0"), "access_token")
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(&c.want, got); diff != "" {
				t.Errorf("introspection (-want +got):\n%s", diff)
			}
			req := sent(t, s, 1)[0]
			equal(t, "target", req.Target, "/introspect")
			equal(t, "body", string(req.Body), "client_id=cid&client_secret=csec&token=t0&token_type_hint=access_token")
		})
	}
	for name, answer := range map[string]string{
		"nothing about it":        `{}`,
		"active as text":          `{"active":"true"}`,
		"active as null":          `{"active":null}`,
		"active twice":            `{"active":false,"active":true}`,
		"active in another case":  `{"Active":true}`,
		"a scope that is a list":  `{"active":true,"scope":["LEAK"]}`,
		"an exp that is a date":   `{"active":true,"exp":"LEAK"}`,
		"an exp below 0":          `{"active":true,"exp":-1}`,
		"an exp of NaN":           `{"active":true,"exp":"nan"}`,
		"an exp without end":      `{"active":true,"exp":1e300}`,
		"an audience of a number": `{"active":true,"aud":1}`,
		"HTML":                    `<p>LEAK`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, text(answer))
			got, err := oauth2flow.Introspect(t.Context(), with(s), secrets.Static("t0"), "")
			_ = as[*oauth2flow.AnswerError](t, err)
			equal(t, "introspection", got == nil, true)
			hides(t, err, "LEAK", "csec")
		})
	}
	t.Run("a refusal", func(t *testing.T) {
		t.Parallel()
		s := serve(t, connectiontest.JSON(401, object{"error": "invalid_client"}))
		_, err := oauth2flow.Introspect(t.Context(), with(s), secrets.Static("t0"), "")
		is(t, err, auth.ErrClientRejected)
	})
	t.Run("nothing is sent without a token, a URL or an id", func(t *testing.T) {
		t.Parallel()
		s := serve(t)
		_, err := oauth2flow.Introspect(t.Context(), with(s), secrets.Value{}, "")
		is(t, err, auth.ErrNoToken)
		c := clientOf(s)
		if _, err := oauth2flow.Introspect(t.Context(), c, secrets.Static("t0"), ""); err == nil {
			t.Error("it was sent without a URL")
		}
		c = with(s)
		c.ID = ""
		if _, err := oauth2flow.Introspect(t.Context(), c, secrets.Static("t0"), ""); err == nil {
			t.Error("it was sent without an id")
		}
		sent(t, s, 0)
	})
}
