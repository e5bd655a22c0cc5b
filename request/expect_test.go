package request_test

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/restconn/restconn/connection"
	"github.com/restconn/restconn/connection/connectiontest"
	"github.com/restconn/restconn/request"
)

func TestExpectStatus(t *testing.T) {
	t.Parallel()
	refusal := errors.New("no")
	check := func(ok bool) func(*http.Response, []byte) error {
		return func(*http.Response, []byte) error {
			if ok {
				return nil
			}
			return refusal
		}
	}
	for name, c := range map[string]struct {
		status int
		build  func(b request.Builder) request.Builder
		ok     bool
		cause  error
	}{
		"I19 a 404 that is expected is a success": {404, func(b request.Builder) request.Builder {
			return b.ExpectStatus(200, 404)
		}, true, nil},
		"I19 a 200 that is not expected is an error": {200, func(b request.Builder) request.Builder {
			return b.ExpectStatus(201, 202)
		}, false, nil},
		"I19 a 304 is expected, or an error": {304, func(b request.Builder) request.Builder {
			return b.ExpectStatus(200)
		}, false, nil},
		"I19 the last list counts": {200, func(b request.Builder) request.Builder {
			return b.ExpectStatus(200).ExpectStatus(201)
		}, false, nil},
		"I19 Check does not see a status that is not expected": {500, func(b request.Builder) request.Builder {
			return b.ExpectStatus(200).Check(check(true))
		}, false, nil},
		"I19 Check decides about a status that is expected": {404, func(b request.Builder) request.Builder {
			return b.ExpectStatus(404).Check(check(false))
		}, false, refusal},
		"I19 both agree": {404, func(b request.Builder) request.Builder {
			return b.Check(check(true)).ExpectStatus(404)
		}, true, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, _ := answered(t, c.status, jsonType, `{"id":7}`)
			b = c.build(b)
			judge := func(terminal string, err error) {
				if c.ok {
					if err != nil {
						t.Errorf("%s: %v", terminal, err)
					}
					return
				}
				e := wantStage[*request.ResponseError](t, err, request.StageStatus)
				hasBody := c.status == http.StatusNotModified || string(e.Body) == `{"id":7}`
				if e.Status != c.status || !hasBody || c.status != 200 && !errors.Is(e.Err, c.cause) {
					t.Errorf("%s: %d with %q and %v", terminal, e.Status, e.Body, e.Err)
				}
				if c.status == 200 && !strings.Contains(err.Error(), "ExpectStatus") {
					t.Errorf("%s: %v, which looks like a success", terminal, err)
				}
			}
			v, err := request.Do[account](t.Context(), b)
			judge("Do", err)
			if c.ok && v.ID != 7 {
				t.Errorf("Do: %+v", v)
			}
			judge("Exec", b.Exec(t.Context()))
			resp, err := b.Stream(t.Context())
			judge("Stream", err)
			if err == nil {
				if body, err := io.ReadAll(resp.Body); err != nil || string(body) != `{"id":7}` {
					t.Errorf("Stream: %q, %v", body, err)
				}
				_ = resp.Body.Close()
			}
		})
	}
}

func TestExpectStatusBeside(t *testing.T) {
	t.Parallel()
	t.Run("I19 retries are decided first, by the policy", func(t *testing.T) {
		t.Parallel()
		s := connectiontest.NewServer(t, connectiontest.Sequence(
			connectiontest.Status(503), connectiontest.Status(404), connectiontest.Status(200)))
		conn := connectTo(t, s, "", connection.WithRetry(connection.Retry{Max: 5, Wait: connection.Constant(0)}))
		full, err := request.Full[struct{}](t.Context(), request.Get(conn, "/").ExpectStatus(404))
		if err != nil || full.Status != 404 || full.Attempts != 2 {
			t.Errorf("%+v, %v", full, err)
		}
	})
	t.Run("I19 an expected status that the policy retries is the answer in the end", func(t *testing.T) {
		t.Parallel()
		s := connectiontest.NewServer(t, connectiontest.Status(503))
		conn := connectTo(t, s, "", connection.WithRetry(connection.Retry{Max: 2, Wait: connection.Constant(0)}))
		b := request.Get(conn, "/").ExpectStatus(503)
		full, err := request.Full[struct{}](t.Context(), b)
		if err != nil || full.Status != 503 || full.Attempts != 3 {
			t.Errorf("%+v, %v", full, err)
		}
		full, err = request.Full[struct{}](t.Context(), b.Retry(connection.NoRetry()))
		if err != nil || full.Status != 503 || full.Attempts != 1 {
			t.Errorf("%+v, %v", full, err)
		}
	})
	t.Run("I19 a redirect is expected where none is followed", func(t *testing.T) {
		t.Parallel()
		s := connectiontest.NewServer(t, connectiontest.Status(302).Header("Location", "/y"))
		b := request.Get(connectTo(t, s, ""), "/").ExpectStatus(302)
		full, err := request.Full[struct{}](t.Context(), b.MaxRedirects(0))
		if err != nil || full.Header.Get("Location") != "/y" {
			t.Errorf("%+v, %v", full, err)
		}
	})
	t.Run("I19 what is no status of a response is refused, and nothing is sent", func(t *testing.T) {
		t.Parallel()
		b, s := answered(t, http.StatusOK, jsonType, `{}`)
		for _, status := range []int{-1, 0, 100, 199, 600} {
			wantStage[*request.Error](t, b.ExpectStatus(200, status).Exec(t.Context()), request.StageBuild)
		}
		wantStage[*request.Error](t, b.ExpectStatus().Exec(t.Context()), request.StageBuild)
		wantStage[*request.Error](t, b.ExpectStatus(200).ExpectStatus().Exec(t.Context()), request.StageBuild)
		if _, err := b.ExpectStatus(200).Request(t.Context()); err == nil {
			t.Error("an *http.Request has an expected status")
		}
		if got := s.Conns(); got != 0 {
			t.Errorf("the server saw %d connections", got)
		}
	})
	t.Run("I19 the caller's list is copied", func(t *testing.T) {
		t.Parallel()
		b, _ := answered(t, http.StatusOK, jsonType, `{}`)
		list := []int{200}
		b = b.ExpectStatus(list...)
		list[0] = 404
		if err := b.Exec(t.Context()); err != nil {
			t.Error(err)
		}
	})
}
