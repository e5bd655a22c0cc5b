package oauth2flow_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/auth/oauth2flow"
	"github.com/restconn/restconn/connection/connectiontest"
	"github.com/restconn/restconn/secrets"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// object is a JSON object.
type object = map[string]any

// client has a short name, as it stands in all tables.
type client = oauth2flow.Client

// issued is the shortest good answer.
var issued = connectiontest.JSON(200, object{"access_token": "t1"})

// text is an answer of those bytes.
func text(body string) connectiontest.Reply {
	return connectiontest.Text(200, body).Header("Content-Type", "application/json")
}

// serve returns an authorization server at https://auth.example.test with those answers.
func serve(t *testing.T, replies ...http.Handler) *connectiontest.Server {
	t.Helper()
	if len(replies) == 0 {
		replies = []http.Handler{issued}
	}
	return connectiontest.NewNetwork(t).Serve("https://auth.example.test", connectiontest.Sequence(replies...))
}

// via lets calls go to the network of s.
func via(s *connectiontest.Server) auth.Endpoint {
	return auth.Endpoint{Client: &http.Client{Transport: s.Network().Transport()}}
}

// clientOf returns a client of s, with the id cid and the secret csec.
func clientOf(s *connectiontest.Server, changes ...func(c *client)) client {
	c := client{
		ID: "cid", Secret: secrets.Static("csec"), TokenURL: s.URL + "/token", Endpoint: via(s),
	}
	for _, change := range changes {
		change(&c)
	}
	return c
}

// obtain makes one exchange that has to succeed.
func obtain(t *testing.T, g auth.Grant, prev *auth.Token) *auth.Token {
	t.Helper()
	token, err := g.Obtain(t.Context(), prev)
	if err != nil {
		t.Fatalf("Obtain: %v", err)
	}
	return token
}

// refused makes one exchange that has to fail, and returns its error.
func refused(t *testing.T, g auth.Grant, prev *auth.Token) error {
	t.Helper()
	token, err := g.Obtain(t.Context(), prev)
	if err == nil || token != nil {
		t.Fatalf("Obtain returned a token, and the error %v", err)
	}
	return err
}

// fails makes one exchange that has to fail.
func fails(t *testing.T, g auth.Grant, prev *auth.Token) {
	t.Helper()
	_ = refused(t, g, prev)
}

// sent returns the requests that s received, which have to be so many.
func sent(t *testing.T, s *connectiontest.Server, want int) []connectiontest.Request {
	t.Helper()
	got := s.Requests()
	if len(got) != want {
		t.Fatalf("the server received %d requests, want %d", len(got), want)
	}
	return got
}

// body returns the body of the only request.
func body(t *testing.T, s *connectiontest.Server) string {
	t.Helper()
	return string(sent(t, s, 1)[0].Body)
}

func equal(t *testing.T, what string, got, want any) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func is(t *testing.T, err, target error) {
	t.Helper()
	if !errors.Is(err, target) {
		t.Errorf("error is %v, want one that is %v", err, target)
	}
}

func as[T error](t *testing.T, err error) T {
	t.Helper()
	e, ok := errors.AsType[T](err)
	if !ok {
		t.Fatalf("error is %v, want a %T", err, e)
	}
	return e
}

// hides asserts that v shows none of the texts, with whatever verb, nor does any error in it.
func hides(t *testing.T, v any, texts ...string) {
	t.Helper()
	encoded, _ := json.Marshal(v)
	shown := fmt.Sprintf("%v %+v %#v %s %q %x %s", v, v, v, v, v, v, encoded)
	if err, ok := v.(error); ok {
		shown += chain(err)
	}
	for _, text := range texts {
		if strings.Contains(shown, text) || strings.Contains(shown, fmt.Sprintf("%x", text)) {
			t.Errorf("%q is shown in %s", text, shown)
		}
	}
}

// chain returns the texts of all errors below err.
func chain(err error) string {
	all := []string{fmt.Sprintf("%v %+v %#v", err, err, err)}
	switch e := err.(type) { //nolint:errorlint // this is one step of a walk
	case interface{ Unwrap() error }:
		if inner := e.Unwrap(); inner != nil {
			all = append(all, chain(inner))
		}
	case interface{ Unwrap() []error }:
		for _, inner := range e.Unwrap() {
			all = append(all, chain(inner))
		}
	}
	return strings.Join(all, "\n")
}

// prev is a token with a refresh token.
func prev(refresh string) *auth.Token {
	return &auth.Token{Value: secrets.Static("t0"), Refresh: secrets.Static(refresh)}
}
