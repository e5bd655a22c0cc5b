package oauth2flow_test

import (
	"context"
	"errors"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/auth/oauth2flow"
	"github.com/restconn/restconn/connection/connectiontest"
	"github.com/restconn/restconn/secrets"
)

var errIDToken = errors.New("the ID token is not good")

// verifier takes "issuer subject" for the ID token of that user, and notes what it was to compare. It knows no other
// check: those are in the package that verifies.
type verifier struct {
	mu    sync.Mutex
	wants []oauth2flow.IDTokenWant
}

// idExpiry is when the ID tokens end.
func idExpiry() time.Time { return time.Now().Truncate(time.Hour).Add(3 * time.Hour) }

func (v *verifier) VerifyIDToken(
	_ context.Context, token secrets.Value, want oauth2flow.IDTokenWant,
) (*oauth2flow.IDToken, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.wants = append(v.wants, want)
	switch issuer, subject, ok := strings.Cut(token.Reveal(), "/"); {
	case !ok:
		return nil, errIDToken
	case issuer == "nil":
		return nil, nil //nolint:nilnil // a verifier with a fault
	default:
		return &oauth2flow.IDToken{Issuer: issuer, Subject: subject, Expiry: idExpiry()}, nil
	}
}

// openID is a login of OpenID Connect at s.
func openID(s *connectiontest.Server, changes ...change) (*oauth2flow.AuthorizationCode, *verifier) {
	v := &verifier{}
	all := []change{func(_ *client, a *authorization) { a.OpenID = &oauth2flow.OpenID{Verifier: v} }}
	return signIn(s, append(all, changes...)...), v
}

func asToken(_ *client, a *authorization) { a.OpenID.AsToken = true }

func ofKind(kind oauth2flow.ResponseType) change {
	return func(_ *client, a *authorization) { a.ResponseType = kind }
}

// answered is an answer with an ID token.
func answered(access, refresh, id string) connectiontest.Reply {
	o := object{"access_token": access, "expires_in": 60}
	if refresh != "" {
		o["refresh_token"] = refresh
	}
	if id != "" {
		o["id_token"] = id
	}
	return connectiontest.JSON(200, o)
}

func TestOpenIDLogin(t *testing.T) {
	t.Parallel()
	s := serve(t, answered("t1", "r1", "idp/ann"))
	code, v := openID(s, func(c *client, a *authorization) {
		c.Scopes, a.Params = []string{"mail"}, oauth2flow.NewParams("max_age", "60", "acr_values", "gold silver")
	})
	login, asked := asksFor(t, code)
	equal(t, "scope", asked.Get("scope"), "openid mail")
	nonce := asked.Get("nonce")
	if len(nonce) < 26 {
		t.Errorf("S39 the nonce is %q", nonce)
	}
	_, again := asksFor(t, code)
	if again.Get("nonce") == nonce {
		t.Error("S39 two logins have the same nonce")
	}
	token, err := code.Complete(t.Context(), callback(asked), login.Browser)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "token", token.Value.Reveal(), "t1")
	equal(t, "extra", extras(token), map[string]string{
		oauth2flow.ExtraIDToken: "idp/ann", oauth2flow.ExtraIssuer: "idp", oauth2flow.ExtraSubject: "ann",
	})
	want := v.wants[0]
	if want.ClientID != "cid" || want.Nonce != nonce || want.AccessToken.Reveal() != "t1" ||
		want.Code.Reveal() != "" || want.Issuer != "" || want.Subject != "" {
		t.Errorf("S39 S40 it is compared with %+v", want)
	}
	if want.MaxAge != time.Minute || !want.HasMaxAge || !slices.Equal(want.ACR, []string{"gold", "silver"}) {
		t.Errorf("S41 it is compared with %+v", want)
	}
}

func TestOpenIDDemands(t *testing.T) {
	t.Parallel()
	params := func(name, value string) oauth2flow.LoginOption {
		return oauth2flow.LoginParams(oauth2flow.NewParams(name, value))
	}
	stepUp := oauth2flow.LoginStepUp(&auth.StepUpError{ACRValues: []string{"gold"}, HasMaxAge: true}, nil)
	for name, c := range map[string]struct {
		change change
		opts   []oauth2flow.LoginOption
		age    time.Duration
		fresh  bool
		acr    []string
	}{
		"nothing":   {},
		"a step-up": {opts: []oauth2flow.LoginOption{stepUp}, fresh: true, acr: []string{"gold"}},
		"LoginParams": {
			opts: []oauth2flow.LoginOption{params("max_age", "5")}, age: 5 * time.Second, fresh: true,
		},
		"the query of the URL": {
			change: func(_ *client, a *authorization) { a.URL += "&acr_values=gold" }, acr: []string{"gold"},
		},
		"Rewrite of the URL": {
			change: func(_ *client, a *authorization) {
				a.Rewrite = func(u *url.URL) { u.RawQuery += "&max_age=7" }
			},
			age: 7 * time.Second, fresh: true,
		},
		"the later one of both": {
			opts: []oauth2flow.LoginOption{params("acr_values", "tin"), stepUp}, fresh: true, acr: []string{"gold"},
		},
	} {
		t.Run("S41 "+name, func(t *testing.T) {
			t.Parallel()
			changes := []change{ofKind(oauth2flow.ResponseIDToken)}
			if c.change != nil {
				changes = append(changes, c.change)
			}
			code, v := openID(serve(t), changes...)
			login, asked := asksFor(t, code, c.opts...)
			answer := url.Values{"state": asked["state"], "id_token": {"idp/ann"}}
			if _, err := code.Complete(t.Context(), answer, login.Browser); err != nil {
				t.Fatal(err)
			}
			want := v.wants[0]
			equal(t, "max_age", want.MaxAge, c.age)
			equal(t, "fresh", want.HasMaxAge, c.fresh)
			equal(t, "acr", want.ACR, c.acr)
		})
	}
	for name, query := range map[string]string{
		"max_age twice": "&max_age=1&max_age=2", "acr_values twice": "&acr_values=a&acr_values=b",
		"max_age that is none": "&max_age=soon", "a negative max_age": "&max_age=-1",
	} {
		t.Run("S41 no login begins with "+name, func(t *testing.T) {
			t.Parallel()
			code, _ := openID(serve(t), func(_ *client, a *authorization) { a.URL += query })
			if _, err := code.Begin(t.Context()); err == nil {
				t.Error("it begins")
			}
		})
	}
}

func TestOpenIDLoginRefuses(t *testing.T) {
	t.Parallel()
	for name, id := range map[string]string{
		"S36 no ID token": "", "a bad one": "b4d", "one that the verifier says nothing of": "nil/x", "no subject": "idp/",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			code, _ := openID(serve(t, answered("t1", "r1", id)))
			hides(t, refuses(t, code, func(url.Values) {}), "t1", "r1", "b4d", "nil/x")
		})
	}
}

func TestOpenIDAmongManyMembers(t *testing.T) {
	t.Parallel()
	many := object{"access_token": "t1", "id_token": "idp/ann"}
	for c := range strings.SplitSeq("abcdefghijklmnopqrstuvwxyzABCDEFGHIJ", "") {
		many["a"+c] = "x" // before it
	}
	code, _ := openID(serve(t, connectiontest.JSON(200, many)))
	equal(t, "subject", completes(t, code).Extra[oauth2flow.ExtraSubject].Reveal(), "ann")
}

func TestOpenIDRenewal(t *testing.T) {
	t.Parallel()
	first := answered("t1", "r1", "idp/ann")
	ofAnn := map[string]string{oauth2flow.ExtraIssuer: "idp", oauth2flow.ExtraSubject: "ann"}
	t.Run("S43 without an ID token the user is still known", func(t *testing.T) {
		t.Parallel()
		many := object{"access_token": "t2", oauth2flow.ExtraSubject: "eve", oauth2flow.ExtraIssuer: "evil",
			"id_token_due": "1"}
		for c := range strings.SplitSeq("abcdefghijklmnopqrstuvwxyzABCDEFGHIJ", "") {
			many["x"+c] = "x"
		}
		code, v := openID(serve(t, first, connectiontest.JSON(200, many), answered("t3", "", "idp/ann")))
		token := obtain(t, code, completes(t, code))
		equal(t, "tokens verified", len(v.wants), 1)
		equal(t, "due", token.Extra["id_token_due"].Reveal(), "")
		for name, want := range ofAnn {
			equal(t, name, token.Extra[name].Reveal(), want)
		}
		_ = obtain(t, code, token)
		want := v.wants[1]
		if want.Issuer != "idp" || want.Subject != "ann" || want.Nonce != "" || want.AccessToken.Reveal() != "t3" {
			t.Errorf("S43 it is compared with %+v", want)
		}
	})
	for name, id := range map[string]string{
		"S43 another user": "idp/eve", "S43 another issuer": "evil/ann", "a bad one": "b4d",
	} {
		t.Run("an ID token that is refused keeps the refresh token: "+name, func(t *testing.T) {
			t.Parallel()
			code, _ := openID(serve(t, first, answered("t2", "r2", id)), func(_ *client, a *authorization) {
				a.Keep = []string{"realmId"}
			})
			token, err := code.Obtain(t.Context(), completes(t, code, "realmId", "7"))
			if err == nil || token == nil || token.Value.Reveal() != "" || token.Refresh.Reveal() != "r2" {
				t.Fatalf("the token is %v, and the error %v", token, err)
			}
			equal(t, "extra", extras(token), map[string]string{
				oauth2flow.ExtraIssuer: "idp", oauth2flow.ExtraSubject: "ann", "realmId": "7",
				oauth2flow.ExtraIDToken: "idp/ann", "id_token_due": "1",
			})
			hides(t, err, "t2", "r2", "b4d")
		})
	}
	t.Run("F18 S43 after one that was refused, the next has to be good", func(t *testing.T) {
		t.Parallel()
		code, _ := openID(serve(t, first, answered("t2", "r2", "idp/eve"), answered("t3", "", ""),
			connectiontest.JSON(200, object{"refresh_token": "r4"}), answered("t5", "", ""),
			answered("t6", "", "idp/ann"), answered("t7", "", "")))
		token := completes(t, code)
		for c := range strings.SplitSeq("abcdefghijklmnopqrstuvwxyzABCDEFGHIJ", "") {
			token.Extra["a"+c] = secrets.Static("x") // more than are kept
		}
		for i, refresh := range []string{"r2", "r2", "r4", "r4"} {
			left, err := code.Obtain(t.Context(), token)
			if err == nil || left.Value.Reveal() != "" || left.Refresh.Reveal() != refresh {
				t.Fatalf("what may be of somebody else is %v, and the error %v", left, err)
			}
			if i%2 == 1 {
				is(t, err, auth.ErrLoginRequired)
			}
			token = left
		}
		for _, access := range []string{"t6", "t7"} {
			token = obtain(t, code, token)
			equal(t, "token", token.Value.Reveal(), access)
			equal(t, "extra", extras(token)["id_token_due"], "")
		}
	})
	t.Run("an ID token that is refused keeps the old refresh token too", func(t *testing.T) {
		t.Parallel()
		code, _ := openID(serve(t, first, answered("t2", "", "b4d")))
		token, err := code.Obtain(t.Context(), completes(t, code))
		is(t, err, errIDToken)
		equal(t, "refresh token", token.Refresh.Reveal(), "r1")
	})
}

func TestOpenIDAsToken(t *testing.T) {
	t.Parallel()
	t.Run("S45 the ID token is what is sent, and ends when it ends", func(t *testing.T) {
		t.Parallel()
		s := serve(t, answered("t1", "r1", "idp/ann"), answered("t2", "", "idp/ann"), connectiontest.Status(200))
		code, _ := openID(s, asToken, func(c *client, _ *authorization) { c.RevocationURL = s.URL + "/revoke" })
		token := completes(t, code)
		for _, access := range []string{"t1", "t2"} {
			equal(t, "token", token.Value.Reveal(), "idp/ann")
			equal(t, "expiry", token.Expiry, idExpiry())
			equal(t, "access token", token.Extra[oauth2flow.ExtraAccessToken].Reveal(), access)
			if access == "t1" {
				token = obtain(t, code, token)
			}
		}
		if err := code.Revoke(t.Context(), token); err != nil {
			t.Fatal(err)
		}
		equal(t, "S53 revoked", formOf(t, sent(t, s, 4)[3]).Get("token"), "t2")
	})
	t.Run("S45 a renewal without one is refused", func(t *testing.T) {
		t.Parallel()
		code, _ := openID(serve(t, answered("t1", "r1", "idp/ann"), answered("t2", "r2", "")), asToken)
		token, err := code.Obtain(t.Context(), completes(t, code))
		if err == nil || token.Value.Reveal() != "" || token.Refresh.Reveal() != "r2" {
			t.Errorf("the token is %v, and the error %v", token, err)
		}
	})
	t.Run("it is another configuration", func(t *testing.T) {
		t.Parallel()
		s := serve(t)
		plain, _ := openID(s)
		as, _ := openID(s, asToken)
		if plain.Traits().Config == as.Traits().Config {
			t.Error("both have the same")
		}
	})
}

func TestOpenIDFrontChannel(t *testing.T) {
	t.Parallel()
	t.Run("an ID token alone takes no call and no secret", func(t *testing.T) {
		t.Parallel()
		s := serve(t)
		code, v := openID(s, asToken, ofKind(oauth2flow.ResponseIDToken), func(c *client, _ *authorization) {
			c.Secret, c.TokenURL = nil, ""
		})
		login, asked := asksFor(t, code)
		equal(t, "asked", []string{asked.Get("response_type"), asked.Get("response_mode"), asked.Get("code_challenge")},
			[]string{"id_token", "form_post", ""})
		if !login.Posted {
			t.Error("the login does not say that the answer is posted")
		}
		answer := url.Values{"state": asked["state"], "id_token": {"idp/ann"}}
		token, err := code.Complete(t.Context(), answer, login.Browser)
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "token", token.Value.Reveal(), "idp/ann")
		equal(t, "expiry", token.Expiry, idExpiry())
		equal(t, "nonce", v.wants[0].Nonce, asked.Get("nonce"))
		equal(t, "code", v.wants[0].Code.Reveal(), "")
		equal(t, "calls", len(s.Requests()), 0)
		is(t, refused(t, code, token), auth.ErrLoginRequired)
	})
	hybrid := func(t *testing.T, front, back string) (*auth.Token, *verifier, *connectiontest.Server, error) {
		t.Helper()
		s := serve(t, answered("t1", "r1", back))
		code, v := openID(s, ofKind(oauth2flow.ResponseCodeIDToken))
		login, asked := asksFor(t, code)
		equal(t, "response_type", asked.Get("response_type"), "code id_token")
		if !asked.Has("code_challenge") {
			t.Error("S1 there is no challenge")
		}
		token, err := code.Complete(t.Context(), callback(asked, "id_token", front), login.Browser)
		return token, v, s, err
	}
	t.Run("S40 both ID tokens are verified, the first one with the code", func(t *testing.T) {
		t.Parallel()
		token, v, _, err := hybrid(t, "idp/ann", "idp/ann")
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "token", token.Value.Reveal(), "t1")
		front, back := v.wants[0], v.wants[1]
		if front.Code.Reveal() != "c0de" || front.AccessToken.Reveal() != "" || front.Subject != "" {
			t.Errorf("the first one is compared with %+v", front)
		}
		if back.Code.Reveal() != "" || back.AccessToken.Reveal() != "t1" || back.Subject != "ann" ||
			back.Issuer != "idp" || back.Nonce != front.Nonce || back.Nonce == "" {
			t.Errorf("the second one is compared with %+v", back)
		}
	})
	for name, back := range map[string]string{"user": "idp/eve", "issuer": "evil/ann"} {
		t.Run("the second ID token is of another "+name, func(t *testing.T) {
			t.Parallel()
			if token, _, _, err := hybrid(t, "idp/ann", back); err == nil || token != nil {
				t.Errorf("it passes: %v", err)
			}
		})
	}
	t.Run("S40 the code is not used with an ID token that is refused", func(t *testing.T) {
		t.Parallel()
		_, _, s, err := hybrid(t, "b4d", "idp/ann")
		is(t, err, errIDToken)
		equal(t, "calls", len(s.Requests()), 0)
	})
	t.Run("the first ID token is enough", func(t *testing.T) {
		t.Parallel()
		token, _, _, err := hybrid(t, "idp/ann", "")
		if err != nil {
			t.Fatal(err)
		}
		equal(t, "extra", extras(token), map[string]string{
			oauth2flow.ExtraIDToken: "idp/ann", oauth2flow.ExtraIssuer: "idp", oauth2flow.ExtraSubject: "ann",
		})
	})
}

// The nonce is in the record that a process of any kind keeps, as the verifier is.
// TestOpenIDIssuerIsRequired is about answers without the parameter iss, in which an ID token can name the issuer.
func TestOpenIDIssuerIsRequired(t *testing.T) {
	t.Parallel()
	const (
		issuer, own   = "https://idp.example.test", "id-token-of-ann"
		evil, foreign = "https://evil.example.test", "id-token-of-ann-elsewhere"
	)
	required := func(_ *client, a *authorization) {
		a.Issuer, a.RequireIssuer = issuer, true
		a.OpenID.Verifier = issuers{own: issuer, foreign: evil}
	}
	for name, c := range map[string]struct {
		kind oauth2flow.ResponseType
		edit []string
		want error
	}{
		"an ID token of the issuer": {kind: oauth2flow.ResponseIDToken},
		"a code beside it":          {kind: oauth2flow.ResponseCodeIDToken, edit: []string{"code", "c0de"}},
		"an ID token of another issuer": {
			kind: oauth2flow.ResponseIDToken, edit: []string{"id_token", foreign}, want: oauth2flow.ErrIssuer,
		},
		"that and a code": {
			kind: oauth2flow.ResponseCodeIDToken, edit: []string{"id_token", foreign, "code", "c0de"},
			want: oauth2flow.ErrIssuer,
		},
		"another issuer beside it": {
			kind: oauth2flow.ResponseIDToken, edit: []string{"iss", evil}, want: oauth2flow.ErrIssuer,
		},
		"an error, which nobody vouches for": {
			kind: oauth2flow.ResponseIDToken, edit: []string{"error", "access_denied"}, want: oauth2flow.ErrIssuer,
		},
		"no ID token": {kind: oauth2flow.ResponseIDToken, edit: []string{"id_token", ""}, want: oauth2flow.ErrCallback},
		"one that is not asked for": {
			kind: oauth2flow.ResponseCode, edit: []string{"code", "c0de"}, want: oauth2flow.ErrIssuer,
		},
	} {
		t.Run("F6 S8 "+name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, answered("t1", "", own))
			code, _ := openID(s, required, ofKind(c.kind))
			login, asked := asksFor(t, code)
			answer := url.Values{"state": asked["state"], "id_token": {own}}
			for i := 0; i < len(c.edit); i += 2 {
				answer.Set(c.edit[i], c.edit[i+1])
			}
			_, err := code.Complete(t.Context(), answer, login.Browser)
			if !errors.Is(err, c.want) {
				t.Errorf("error %v, want %v", err, c.want)
			}
			if n := len(s.Requests()); c.want != nil && n != 0 {
				t.Errorf("there were %d token calls", n)
			}
		})
	}
}

// issuers are those of ID tokens, each of which is Ann's.
type issuers map[string]string

func (all issuers) VerifyIDToken(
	_ context.Context, token secrets.Value, _ oauth2flow.IDTokenWant,
) (*oauth2flow.IDToken, error) {
	issuer, ok := all[token.Reveal()]
	if !ok {
		return nil, errIDToken
	}
	return &oauth2flow.IDToken{Issuer: issuer, Subject: "ann", Expiry: idExpiry()}, nil
}

func TestOpenIDNonceIsPending(t *testing.T) {
	t.Parallel()
	s, store := serve(t, answered("t1", "", "idp/ann")), oauth2flow.NewPendingMemory()
	shared := func(_ *client, a *authorization) { a.Pending = store }
	began, _ := openID(s, shared)
	ends, v := openID(s, shared)
	login, asked := asksFor(t, began)
	if _, err := ends.Complete(t.Context(), callback(asked), login.Browser); err != nil {
		t.Fatal(err)
	}
	equal(t, "S10 S39 nonce", v.wants[0].Nonce, asked.Get("nonce"))
}

// A login that another grant of the client began, in the same store, is none of this one.
func TestOpenIDOfAnotherGrant(t *testing.T) {
	t.Parallel()
	s, store := serve(t), oauth2flow.NewPendingMemory()
	shared := func(_ *client, a *authorization) { a.Pending = store }
	unbound := func(_ *client, a *authorization) { a.PKCE = oauth2flow.PKCENone }
	plain, open := signIn(s, shared), signIn(s, shared, unbound)
	front, v := openID(s, shared, asToken, ofKind(oauth2flow.ResponseIDToken))
	login, asked := asksFor(t, plain)
	stolen := url.Values{"state": asked["state"], "id_token": {"idp/victim"}}
	if token, err := front.Complete(t.Context(), stolen, login.Browser); !errors.Is(err, oauth2flow.ErrState) {
		t.Errorf("F10 S39 an ID token of any login is of this one: %v, %v", token, err)
	}
	login, asked = asksFor(t, open)
	if token, err := plain.Complete(t.Context(), callback(asked), login.Browser); !errors.Is(err, oauth2flow.ErrState) {
		t.Errorf("S1 a code that is bound to nothing is used: %v, %v", token, err)
	}
	equal(t, "verified", len(v.wants), 0)
	equal(t, "calls", len(s.Requests()), 0)
}
