package auth_test

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/auth/oauth2flow"
	"github.com/restconn/restconn/connection"
	"github.com/restconn/restconn/connection/connectiontest"
	"github.com/restconn/restconn/request"
	"github.com/restconn/restconn/secrets"
)

// challenged answers with those challenges and a body.
func challenged(status int, challenges ...string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header()["Www-Authenticate"] = challenges
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = w.Write([]byte(`{"detail":"why"}`))
	})
}

// refusedCall makes a call to an API with tokens of a server of its own. It returns how many token calls and requests
// there were, and the error.
func refusedCall(t *testing.T, api http.Handler, opts ...auth.BearerOption) (tokens, requests int, err error) {
	t.Helper()
	n := connectiontest.NewNetwork(t)
	srv := n.Serve("https://api.example.test", api)
	idp := n.Serve("https://auth.example.test", connectiontest.Sequence(
		connectiontest.JSON(200, map[string]any{"access_token": "t1", "expires_in": 3600}),
		connectiontest.JSON(200, map[string]any{"access_token": "t2", "expires_in": 3600})))
	source := manage(t, oauth2flow.Refresh(oauth2flow.Client{
		ID: "cid", Secret: secrets.Static("csec"), TokenURL: idp.URL,
		Endpoint: auth.Endpoint{Client: &http.Client{Transport: n.Transport()}},
	}, secrets.Static("r0")))
	conn, err := connection.New(srv.URL, n.Option(), connection.WithAuth(auth.Bearer(source, opts...)))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close() //nolint:errcheck // the manager is closed on its own
	_, err = request.Do[map[string]string](t.Context(), request.Get(conn, "/x"))
	return len(idp.Requests()), len(srv.Requests()), err
}

func TestStepUp(t *testing.T) {
	t.Parallel()
	const scope, user = "insufficient_scope", "insufficient_user_authentication"
	many := strings.TrimSuffix(strings.Repeat("s ", 101), " ")
	for _, c := range []struct {
		name       string
		status     int
		challenges []string
		options    []auth.BearerOption
		want       *auth.StepUpError // nil for none
		requests   int               // default 1
	}{
		{
			name: "S52 RFC 6750, a scope, 403", status: 403,
			challenges: []string{`Bearer error="insufficient_scope", scope="a b:c"`},
			want:       &auth.StepUpError{Code: scope, Scopes: []string{"a", "b:c"}},
		},
		{
			name: "S52 RFC 6750, a scope, 401", status: 401,
			challenges: []string{`Bearer realm="x", error="insufficient_scope"`},
			want:       &auth.StepUpError{Code: scope},
		},
		{
			name: "S52 a scope, where a 403 rejects tokens", status: 403,
			challenges: []string{`Bearer error=insufficient_scope`},
			options:    []auth.BearerOption{auth.RejectedBy(401, 403)}, want: &auth.StepUpError{Code: scope},
		},
		{
			name: "S52 RFC 9470, acr_values and max_age", status: 401,
			challenges: []string{`Bearer error="insufficient_user_authentication", acr_values="gold silver", max_age="300"`},
			want: &auth.StepUpError{
				Code: user, ACRValues: []string{"gold", "silver"}, MaxAge: 5 * time.Minute, HasMaxAge: true,
			},
		},
		{
			name: "S52 RFC 9470, at once", status: 401,
			challenges: []string{`bearer ERROR="insufficient_user_authentication", max_age=0`},
			want:       &auth.StepUpError{Code: user, HasMaxAge: true},
		},
		{
			name: "S52 DPoP, in the second field", status: 401,
			challenges: []string{`Basic realm="x"`, `DPoP algs="ES256", error="insufficient_scope", scope="a"`},
			want:       &auth.StepUpError{Code: scope, Scopes: []string{"a"}},
		},
		{
			name: "S52 behind another error", status: 401,
			challenges: []string{`Bearer error="invalid_token", Bearer error="insufficient_scope"`},
			want:       &auth.StepUpError{Code: scope},
		},
		{
			name: "S52 an expired token is renewed", status: 401,
			challenges: []string{`Bearer error="invalid_token"`}, requests: 2,
		},
		{
			name: "S52 of another scheme", status: 401, challenges: []string{`Basic error="insufficient_scope"`}, requests: 2,
		},
		{name: "S52 another status", status: 400, challenges: []string{`Bearer error="insufficient_scope"`}},
		{
			name: "F19 10,000 challenges, and the error behind them", status: 403,
			challenges: []string{strings.Repeat(`Bearer realm="x", `, 10_000) + `Bearer error="insufficient_scope"`},
		},
		{
			name: "F19 10,000 challenges, and the error before them", status: 403,
			challenges: []string{`Bearer error="insufficient_scope", ` + strings.Repeat(`Bearer realm="x", `, 10_000)},
			want:       &auth.StepUpError{Code: scope},
		},
		{
			name: "F19 a quote without an end", status: 403, challenges: []string{`Bearer error="insufficient_scope`},
		},
		{
			name: "F19 resource_metadata of another host is not asked", status: 403,
			challenges: []string{`Bearer error="insufficient_scope", resource_metadata="https://evil.test/"`},
			want:       &auth.StepUpError{Code: scope},
		},
		{
			name: "F19 too many scopes", status: 403,
			challenges: []string{`Bearer error="insufficient_scope", scope="` + many + `"`},
			want:       &auth.StepUpError{Code: scope},
		},
		{
			name: "F19 scopes that are no scopes", status: 403,
			challenges: []string{`Bearer error="insufficient_scope", scope="a \"b\"", acr_values="` + "\u00e9" + `"`},
			want:       &auth.StepUpError{Code: scope},
		},
		{
			name: "F19 an age that is none", status: 401,
			challenges: []string{`Bearer error="insufficient_user_authentication", max_age="-1"`},
			want:       &auth.StepUpError{Code: user},
		},
		{
			name: "F19 an age beyond numbers", status: 401,
			challenges: []string{`Bearer error="insufficient_user_authentication", max_age="99999999999999999999"`},
			want:       &auth.StepUpError{Code: user},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			tokens, requests, err := refusedCall(t, challenged(c.status, c.challenges...), c.options...)
			answer, ok := errors.AsType[*request.ResponseError](err)
			if !ok || answer.Status != c.status || !bytes.Equal(answer.Body, []byte(`{"detail":"why"}`)) {
				t.Fatalf("error is %v, want the answer with its body", err)
			}
			got, found := errors.AsType[*auth.StepUpError](err)
			if found != (c.want != nil) {
				t.Fatalf("error has %v", got)
			}
			if diff := cmp.Diff(c.want, got, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("what is missing (-want +got):\n%s", diff)
			}
			if want := max(1, c.requests); requests != want || tokens != want {
				t.Errorf("%d requests and %d token calls, want %d of each", requests, tokens, want)
			}
		})
	}
}

// What a service writes into a challenge does not fill a log.
func TestStepUpErrorText(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("a", 60_000)
	e := auth.StepUp(403, http.Header{"Www-Authenticate": {`Bearer error="insufficient_scope", scope="` + long + `"`}})
	if e == nil || len(e.Error()) > 3000 {
		t.Errorf("F19 the text has %d bytes", len(e.Error()))
	}
	e = auth.StepUp(403, http.Header{"Www-Authenticate": {`Bearer error="insufficient_scope", scope="a b"`}})
	if got := fmt.Sprint(e); got != "the token is not sufficient: insufficient_scope: scopes a b" {
		t.Errorf("text is %q", got)
	}
}
