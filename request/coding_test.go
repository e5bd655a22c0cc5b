package request_test

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/restconn/restconn/connection"
	"github.com/restconn/restconn/connection/connectiontest"
	"github.com/restconn/restconn/request"
)

// coded returns a request to a server that answers with a body, and with one Content-Encoding for each coding.
func coded(t *testing.T, body string, codings []string, opts ...connection.Option) request.Builder {
	t.Helper()
	s := connectiontest.NewNetwork(t).Serve("http://127.0.0.1:8080",
		http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.Header()["Content-Encoding"] = codings
			_, _ = io.WriteString(w, body)
		}))
	return request.Get(connectTo(t, s, "", opts...), "/x")
}

func times(n int, s string) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = s
	}
	return all
}

func TestContentCodings(t *testing.T) {
	t.Parallel()
	const body = `{"id":7}`
	for name, codings := range map[string][]string{
		"I3 br":                               {"br"},
		"I3 deflate":                          {"deflate"},
		"I3 a coding that nobody knows":       {"x-secret"},
		"I3 gzip twice in one field":          {"gzip, gzip"},
		"I3 gzip 5,000 times in one field":    {strings.Repeat("gzip,", 5000)},
		"I3 another coding 5,000 times":       times(5000, "br"),
		"I3 identity, and then another":       {"identity, br"},
		"I3 a coding of many unprintable one": {strings.Repeat("\xff", 5000)},
	} {
		t.Run(name+" is an error whatever is wanted, and the bytes are kept", func(t *testing.T) {
			t.Parallel()
			b := coded(t, body, codings)
			for target, call := range map[string]func() error{
				"a struct":     func() error { _, err := request.Do[account](t.Context(), b); return err },
				"a string":     func() error { _, err := request.Do[string](t.Context(), b); return err },
				"a RawMessage": func() error { _, err := request.Do[json.RawMessage](t.Context(), b); return err },
				"[]byte":       func() error { _, err := request.Do[[]byte](t.Context(), b); return err },
				"Binary":       func() error { _, err := request.Do[request.Binary](t.Context(), b); return err },
			} {
				err := call()
				e := wantStage[*request.DecodeError](t, err, request.StageDecode)
				if string(e.Body) != body || !strings.Contains(err.Error(), "was not undone") || len(err.Error()) > 10<<10 {
					t.Errorf("%s: %q with %q", target, err, e.Body)
				}
			}
		})
	}
	for name, codings := range map[string][]string{
		"I3 identity": {"identity"}, "I3 IDENTITY 5,000 times": times(5000, "IDENTITY"), "I3 an empty coding": {"", " , "},
	} {
		t.Run(name+" is no coding", func(t *testing.T) {
			t.Parallel()
			b := coded(t, body, codings)
			decoded(account{ID: 7})(t, b)
			decoded([]byte(body))(t, b)
		})
	}
	t.Run("I3 of 5,000 fields that say gzip net/http undoes one, and a typed body is an error", func(t *testing.T) {
		t.Parallel()
		b := coded(t, gzipped(gzipped(body)), times(5000, "gzip"))
		refused[account](t, b)
		refused[string](t, b)
		decoded([]byte(gzipped(body)))(t, b)
	})
	t.Run("I3 with an Accept-Encoding of its own a request gets the bytes as they are, and no value", func(t *testing.T) {
		t.Parallel()
		packed := gzipped(body)
		own := connection.WithHeader("Accept-Encoding", "gzip")
		for where, b := range map[string]request.Builder{
			"request":    coded(t, packed, []string{"gzip"}).Header("accept-encoding", "gzip"),
			"connection": coded(t, packed, []string{"gzip"}, own),
			"retried":    coded(t, packed, []string{"gzip"}, own, connection.WithRetry(connection.Retry{Max: 1})),
		} {
			decoded([]byte(packed))(t, b)
			decoded(request.Binary{Data: []byte(packed), ContentType: "application/json"})(t, b)
			refused[account](t, b)
			refused[string](t, b)
			if err := b.Exec(t.Context()); err != nil || t.Failed() {
				t.Errorf("%s: Exec: %v", where, err)
			}
		}
	})
	t.Run("I3 I10 a coding of no body at all is none", func(t *testing.T) {
		t.Parallel()
		const header = jsonType + "\nContent-Encoding: br"
		for _, status := range []int{http.StatusNoContent, http.StatusNotModified} {
			b, _ := answered(t, status, header, "")
			decoded(account{})(t, b)
			decoded("")(t, b)
		}
		b, s := answered(t, http.StatusOK, header, "")
		decoded[*account](nil)(t, b)
		decoded(account{})(t, request.Head(connectTo(t, s, ""), "/x"))
	})
	t.Run("I3 the body of an error keeps its coding", func(t *testing.T) {
		t.Parallel()
		b, _ := answered(t, http.StatusBadGateway, jsonType+"\nContent-Encoding: br", body)
		err := b.Exec(t.Context())
		if e, ok := errors.AsType[*request.ResponseError](err); !ok || string(e.Body) != body {
			t.Errorf("the error is %v", err)
		}
	})
}
