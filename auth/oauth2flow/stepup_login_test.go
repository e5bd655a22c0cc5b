package oauth2flow_test

import (
	"errors"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/auth/oauth2flow"
	"github.com/restconn/restconn/connection"
	"github.com/restconn/restconn/connection/connectiontest"
	"github.com/restconn/restconn/request"
	"github.com/restconn/restconn/secrets"
)

// A service says what its token lacks, and the next login asks for it.
func TestStepUpLogin(t *testing.T) {
	t.Parallel()
	network := connectiontest.NewNetwork(t)
	granted := func(access, scope string) connectiontest.Reply {
		return connectiontest.JSON(200, object{"access_token": access, "refresh_token": "r", "scope": scope})
	}
	issuer := network.Serve("https://auth.example.test", connectiontest.Sequence(
		granted("t1", "read"), granted("t2", "read"), granted("t3", "read write"), granted("t4", "read write admin")))
	const lacks = `Bearer error="insufficient_scope", scope="write", max_age="60"`
	api := network.Serve("https://api.example.test", connectiontest.Sequence(
		connectiontest.Status(403).Header("WWW-Authenticate", lacks), connectiontest.Status(204)))
	code := signIn(issuer, func(c *client, _ *authorization) {
		c.Endpoint, c.Scopes, c.RequireScopes = auth.Endpoint{}, []string{"read"}, true
	})
	tokens := auth.Manage(code)
	conn, err := connection.New(api.URL, network.Option(), connection.WithAuth(auth.Bearer(tokens)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	set := func(token *auth.Token) {
		t.Helper()
		if err := tokens.Set(t.Context(), token); err != nil {
			t.Fatal(err)
		}
	}
	set(completes(t, code))
	lack, ok := errors.AsType[*auth.StepUpError](request.Post(conn, "/x").Exec(t.Context()))
	if !ok {
		t.Fatal("the error does not say what is missing")
	}
	equal(t, "S52 calls of the token endpoint", len(issuer.Requests()), 1)

	login, asked := asksFor(t, code, oauth2flow.LoginStepUp(lack, nil))
	equal(t, "scope", asked.Get("scope"), "read write")
	equal(t, "max_age", asked.Get("max_age"), "60")
	_, err = code.Complete(t.Context(), callback(asked), login.Browser)
	is(t, err, oauth2flow.ErrScopes) // S26: the server grants what it did before

	login, asked = asksFor(t, code, oauth2flow.LoginStepUp(lack, nil))
	token, err := code.Complete(t.Context(), callback(asked), login.Browser)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "scopes", token.Scopes, []string{"read", "write"})
	set(token)
	if err := request.Post(conn, "/x").Exec(t.Context()); err != nil {
		t.Error(err)
	}
	calls := sent(t, api, 2)
	equal(t, "token", calls[1].Header.Get("Authorization"), "Bearer t3")
	if _, err := tokens.Renew(t.Context()); !errors.Is(err, oauth2flow.ErrScopes) {
		t.Errorf("S26 a refresh widens what was granted: %v", err)
	}
}

func TestStepUpScopesAreThoseOfTheLogin(t *testing.T) {
	t.Parallel()
	s := serve(t, answered("t1", "r1", ""), connectiontest.JSON(200, object{
		"access_token": "t2", "scope": "read write",
	}), connectiontest.JSON(200, object{"access_token": "t3", "scope": "read write admin"}))
	code := signIn(s, func(c *client, _ *authorization) { c.Scopes = []string{"read"} })
	login, asked := asksFor(t, code, oauth2flow.LoginScopes("write"))
	token, err := code.Complete(t.Context(), callback(asked), login.Browser)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "S26 what was not told is what was asked for", token.Scopes, []string{"read", "write"})
	token = obtain(t, code, token)
	_, err = code.Obtain(t.Context(), token)
	is(t, err, oauth2flow.ErrScopes)
	equal(t, "S23 calls", len(s.Requests()), 3)
}

// What a service asks of the user is told apart from a token that has expired.
func TestStepUpOfTheUser(t *testing.T) {
	t.Parallel()
	const lacks = `Bearer error="insufficient_user_authentication", acr_values="gold", max_age="0"`
	lack := auth.StepUp(http.StatusUnauthorized, http.Header{"Www-Authenticate": {lacks}})
	code, v := openID(serve(t, answered("t1", "", "idp/ann")))
	login, asked := asksFor(t, code, oauth2flow.LoginStepUp(lack, nil))
	if _, err := code.Complete(t.Context(), callback(asked), login.Browser); err != nil {
		t.Fatal(err)
	}
	want := v.wants[0]
	equal(t, "S41 acr", want.ACR, []string{"gold"})
	equal(t, "S41 max_age", want.MaxAge, time.Duration(0))
	equal(t, "S41 fresh", want.HasMaxAge, true)
}

// A step-up is for the user of the token before.
func TestStepUpIsForTheSameUser(t *testing.T) {
	t.Parallel()
	ann := &auth.Token{Extra: map[string]secrets.Value{
		oauth2flow.ExtraIssuer: secrets.Static("idp"), oauth2flow.ExtraSubject: secrets.Static("ann"),
	}}
	for name, c := range map[string]struct {
		kind  oauth2flow.ResponseType
		id    string
		have  *auth.Token
		want  error
		calls int
	}{
		"the same one":              {id: "idp/ann", have: ann, calls: 1},
		"another one":               {id: "idp/eve", have: ann, want: oauth2flow.ErrOtherUser, calls: 1},
		"of another issuer":         {id: "evil/ann", have: ann, want: oauth2flow.ErrOtherUser, calls: 1},
		"anybody without a token":   {id: "idp/eve", calls: 1},
		"anybody without a subject": {id: "idp/eve", have: new(auth.Token), calls: 1},
		"another one that the browser brings": {
			kind: oauth2flow.ResponseIDToken, id: "idp/eve", have: ann, want: oauth2flow.ErrOtherUser,
		},
		"another one before the code is sent": {
			kind: oauth2flow.ResponseCodeIDToken, id: "idp/eve", have: ann, want: oauth2flow.ErrOtherUser,
		},
		"the same one by both": {kind: oauth2flow.ResponseCodeIDToken, id: "idp/ann", have: ann, calls: 1},
	} {
		t.Run("S43 "+name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, answered("t1", "", c.id))
			pending := oauth2flow.NewPendingMemory()
			shared := func(_ *client, a *authorization) { a.Pending = pending }
			code, _ := openID(s, ofKind(c.kind), shared)
			login, asked := asksFor(t, code, oauth2flow.LoginStepUp(&auth.StepUpError{}, c.have))
			answer := url.Values{"state": asked["state"]}
			if c.kind != oauth2flow.ResponseIDToken {
				answer.Set("code", "c0de")
			}
			if c.kind != oauth2flow.ResponseCode {
				answer.Set("id_token", c.id)
			}
			code, _ = openID(s, ofKind(c.kind), shared) // of another process
			if _, err := code.Complete(t.Context(), answer, login.Browser); !errors.Is(err, c.want) {
				t.Errorf("error %v, want %v", err, c.want)
			}
			equal(t, "calls", len(s.Requests()), c.calls)
		})
	}
	t.Run("S26 one that has not logged in by OpenID Connect", func(t *testing.T) {
		t.Parallel()
		code := signIn(serve(t))
		login, asked := asksFor(t, code, oauth2flow.LoginStepUp(&auth.StepUpError{}, ann))
		if _, err := code.Complete(t.Context(), callback(asked), login.Browser); err != nil {
			t.Error(err)
		}
	})
}
