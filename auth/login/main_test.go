package login_test

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/auth/login"
	"github.com/restconn/restconn/connection/connectiontest"
	"github.com/restconn/restconn/secrets"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const home = "https://api.example.test"

// bind returns the grant of cfg, with the client of the network.
func bind(t *testing.T, n *connectiontest.Network, cfg login.Config) auth.Grant {
	t.Helper()
	g := login.New(cfg)
	if err := g.(auth.Validator).Validate(); err != nil {
		t.Fatalf("Validate: %v", err)
	}
	bound, err := g.(auth.GrantBinder).BindGrant(auth.Host{Client: &http.Client{Transport: n.Transport()}})
	if err != nil {
		t.Fatalf("BindGrant: %v", err)
	}
	return bound
}

// obtain logs in at a server that answers with the replies, and returns the token and the requests.
func obtain(t *testing.T, cfg login.Config, replies ...http.Handler) (*auth.Token, []connectiontest.Request) {
	t.Helper()
	s := connectiontest.NewServer(t, connectiontest.Sequence(replies...))
	token, err := bind(t, s.Network(), cfg).Obtain(t.Context(), nil)
	if err != nil {
		t.Fatalf("Obtain: %v", err)
	}
	return token, s.Requests()
}

// failure logs in at a server that answers with the replies, and returns the error and the requests.
func failure(t *testing.T, cfg login.Config, replies ...http.Handler) ([]connectiontest.Request, error) {
	t.Helper()
	s := connectiontest.NewServer(t, connectiontest.Sequence(replies...))
	token, err := bind(t, s.Network(), cfg).Obtain(t.Context(), nil)
	if err == nil {
		t.Fatalf("Obtain: no error, and a token: %v", token != nil)
	}
	if token != nil {
		t.Error("there is a token beside the error")
	}
	return s.Requests(), err
}

// simple is a login of one step, whose answer is {"access_token":"t1"}.
func simple(s login.Step) login.Config {
	if s.Path == "" && s.URL == "" {
		s.Path = "/login"
	}
	return login.Config{BaseURL: home, Steps: []login.Step{s}, Token: "body.access_token", NeverExpires: true}
}

// t1 is the answer that simple expects.
func t1() http.Handler { return connectiontest.JSON(200, map[string]string{"access_token": "t1"}) }

// reply is an answer in JSON.
func reply(text string) http.Handler {
	return connectiontest.Text(200, text).Header("Content-Type", "application/json")
}

const (
	typeJSON = "Content-Type: application/json"
	typeForm = "Content-Type: application/x-www-form-urlencoded"
)

// wantHead asserts lines of the head of a request. One that ends with a colon stands for a field that is not there.
func wantHead(t *testing.T, req connectiontest.Request, lines []string) {
	t.Helper()
	for _, line := range lines {
		if name, ok := strings.CutSuffix(line, ":"); ok {
			without(t, req, name)
			continue
		}
		wantLine(t, req, line)
	}
}

// wantLine asserts a line of the head of a request.
func wantLine(t *testing.T, req connectiontest.Request, want string) {
	t.Helper()
	head, _, _ := strings.Cut(req.Raw, "\r\n\r\n")
	n := 0
	for line := range strings.SplitSeq(head, "\r\n") {
		if line == want {
			n++
		}
	}
	if n != 1 {
		t.Errorf("line %q is there %d times, want once:\n%s", want, n, head)
	}
}

// without asserts that the head of a request has no such field.
func without(t *testing.T, req connectiontest.Request, field string) {
	t.Helper()
	if values, ok := req.Header[http.CanonicalHeaderKey(field)]; ok {
		t.Errorf("there is a field %s: %q", field, values)
	}
}

// wantBody asserts the bytes of a body.
func wantBody(t *testing.T, req connectiontest.Request, want string) {
	t.Helper()
	if got := string(req.Body); got != want {
		t.Errorf("body is %q, want %q", got, want)
	}
}

// static makes secrets of names and texts in turn.
func static(namesAndTexts ...string) map[string]secrets.Provider {
	all := map[string]secrets.Provider{}
	for i := 0; i < len(namesAndTexts); i += 2 {
		all[namesAndTexts[i]] = secrets.Static(namesAndTexts[i+1])
	}
	return all
}

// source is an auth.TokenSource of one token.
type source struct{ token *auth.Token }

func (s source) Token(context.Context, auth.Want) (*auth.Token, error) { return s.token, nil }
