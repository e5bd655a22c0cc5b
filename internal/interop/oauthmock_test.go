package interop_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/auth/oauth2flow"
	"github.com/restconn/restconn/internal/interop/servers"
	"github.com/restconn/restconn/internal/wait"
	"github.com/restconn/restconn/secrets"
)

// mockCall is one that the mock has answered.
type mockCall struct {
	Grant, User, Refresh, Client string
	Status                       int
}

// mockControl has the next calls fail, if there are to be any that do, and returns those that there were of a client.
func mockControl(t *testing.T, s *servers.Server, client string, times, status int) []mockCall {
	t.Helper()
	method, target := http.MethodGet, s.At[servers.Control]+"/calls"
	if times > 0 {
		method, target = http.MethodPost, fmt.Sprintf("%s/fail?times=%d&status=%d", s.At[servers.Control], times, status)
	}
	req, err := http.NewRequestWithContext(t.Context(), method, target, nil)
	if err != nil {
		t.Fatal(err)
	}
	got, err := send(plainClient(t), req)
	if err != nil {
		t.Fatal(err)
	}
	var all, own []mockCall
	if err := json.Unmarshal([]byte(got.body), &all); err != nil {
		t.Fatal(err, got.body)
	}
	for _, c := range all {
		if c.Client == client {
			c.Client = ""
			own = append(own, c)
		}
	}
	return own
}

// TestPasswordGrant is about a server that fails when it is told to.
func TestPasswordGrant(t *testing.T) { //nolint:tparallel // each subtest has the one server fail
	t.Parallel()
	s := server(t, servers.OIDC)
	tokens := func(t *testing.T, client string, opts ...auth.ManageOption) *auth.Manager {
		t.Helper()
		return managed(t, oauth2flow.Password(oauth2flow.Client{
			ID: client, TokenURL: s.At[servers.Mock] + "/token", Endpoint: auth.Endpoint{TrustedCA: certificates(t).CA.PEM},
		}, oauth2flow.ResourceOwner{Username: "alice", Password: secrets.Static("s3cret"), AcceptRisk: true}), opts...)
	}
	ask := func(t *testing.T, m *auth.Manager, not secrets.Value) *auth.Token {
		t.Helper()
		token, err := m.Token(within(t, time.Minute), auth.Want{Not: not})
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	const grant = "password"
	t.Run("N-21 the password once, and then the refresh token", func(t *testing.T) {
		m := tokens(t, "plain")
		first := ask(t, m, secrets.Value{})
		second := ask(t, m, first.Value)
		if first.Value.Reveal() == second.Value.Reveal() || first.Refresh.Reveal() == second.Refresh.Reveal() {
			t.Error("nothing was renewed")
		}
		wantEqual(t, mockControl(t, s, "plain", 0, 0), []mockCall{
			{grant, "alice", "", "", 200}, {grantRefresh, "", first.Refresh.Reveal(), "", 200},
		})
	})
	t.Run("E13 a fault is told to all who ask before the next try", func(t *testing.T) {
		m := tokens(t, "backoff")
		mockControl(t, s, "", 1, http.StatusServiceUnavailable)
		ctx := within(t, time.Minute)
		var failed *auth.RenewalError
		for range 3 {
			_, err := m.Token(ctx, auth.Want{})
			failed = as[*auth.RenewalError](t, err)
			if refused := as[*oauth2flow.Error](t, err); refused.Status != http.StatusServiceUnavailable {
				t.Error(err)
			}
		}
		failure := mockCall{grant, "alice", "", "", 503}
		wantEqual(t, mockControl(t, s, "backoff", 0, 0), []mockCall{failure})
		if err := wait.For(ctx, time.Until(failed.RetryAt)); err != nil {
			t.Fatal(err)
		}
		ask(t, m, secrets.Value{})
		wantEqual(t, mockControl(t, s, "backoff", 0, 0), []mockCall{failure, {grant, "alice", "", "", 200}})
	})
	t.Run("E13 Retries goes over a fault", func(t *testing.T) {
		m := tokens(t, "retries", auth.Retries(2))
		mockControl(t, s, "", 1, http.StatusServiceUnavailable)
		ask(t, m, secrets.Value{})
		wantEqual(t, mockControl(t, s, "retries", 0, 0), []mockCall{
			{grant, "alice", "", "", 503}, {grant, "alice", "", "", 200},
		})
	})
	t.Run("S51 a fault costs no refresh token", func(t *testing.T) {
		m := tokens(t, "refresh", auth.Retries(2))
		first := ask(t, m, secrets.Value{})
		mockControl(t, s, "", 1, http.StatusServiceUnavailable)
		ctx := within(t, time.Minute)
		_, err := m.Token(ctx, auth.Want{Not: first.Value})
		failed := as[*auth.RenewalError](t, err)
		if err := wait.For(ctx, time.Until(failed.RetryAt)); err != nil {
			t.Fatal(err)
		}
		ask(t, m, first.Value)
		text := first.Refresh.Reveal()
		wantEqual(t, mockControl(t, s, "refresh", 0, 0), []mockCall{
			{grant, "alice", "", "", 200}, {grantRefresh, "", text, "", 503}, {grantRefresh, "", text, "", 200},
		})
	})
}
