package request_test

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/restconn/restconn/connection"
	"github.com/restconn/restconn/request"
)

// oneAtATime opens a connection that has at most one connection to the server at a time: what is not given back is
// missed by the next request.
func oneAtATime(t *testing.T, status int, header, body string) (request.Builder, func() int) {
	t.Helper()
	_, s := answered(t, status, header, body)
	conn := connectTo(t, s, "", connection.WithMaxConnsPerHost(1),
		connection.WithTimeouts(connection.Timeouts{Attempt: 20 * time.Second}))
	return request.Get(conn, "/x"), s.Conns
}

// explosive is a type whose decoding panics.
type explosive struct{}

func (*explosive) UnmarshalJSON([]byte) error { panic("boom") }

func TestErrorsReuseConnections(t *testing.T) {
	t.Parallel()
	calls := unlessRace(1000, 50)
	if testing.Short() {
		calls = 50
	}
	no := func(*http.Response, []byte) error { return errors.New("no") }
	by := func(codec connection.Codec) func(t *testing.T, b request.Builder) error {
		return func(t *testing.T, b request.Builder) error {
			t.Helper()
			return into[account](t, b.Codec(codec))
		}
	}
	long := `{"x":"` + strings.Repeat("x", 10<<10) + `"}`
	for name, c := range map[string]struct {
		status       int
		header, body string
		call         func(t *testing.T, b request.Builder) error
	}{
		"503, tried again": {503, jsonType, long, func(t *testing.T, b request.Builder) error {
			return b.Retry(connection.Retry{Max: 1, Wait: connection.Constant(0)}).Exec(t.Context())
		}},
		"404 of a stream": {404, jsonType, long, func(t *testing.T, b request.Builder) error {
			_, err := b.Stream(t.Context())
			return err
		}},
		"a status that is not expected": {200, jsonType, long, func(t *testing.T, b request.Builder) error {
			return into[account](t, b.ExpectStatus(201))
		}},
		"Check": {200, jsonType, long, func(t *testing.T, b request.Builder) error {
			return b.Check(no).Exec(t.Context())
		}},
		"malformed XML":     {200, xmlType, "<account>", by(request.XMLCodec())},
		"JSON, and not XML": {200, jsonType, long, by(request.XMLCodec())},
		"two names":         {200, jsonType, `{"id":1,"id":2}`, by(request.StrictJSON())},
		"the wrong charset": {200, "Content-Type: text/plain; charset=x", long, into[string]},
		"a wrong coding":    {200, jsonType + "\nContent-Encoding: br", long, into[[]byte]},
		"null":              {200, jsonType, "null", into[account]},
		"no UTF-8":          {200, jsonType, "{\"id\":7,\"x\":\"\xff\"}", into[json.RawMessage]},
		"the wrong shape":   {200, jsonType, "[]", into[account]},
		"a panic in UnmarshalJSON": {200, jsonType, long, func(t *testing.T, b request.Builder) (err error) {
			defer func() {
				if recover() == "boom" {
					err = errors.New("boom")
				}
			}()
			return into[*explosive](t, b)
		}},
		"a panic in a codec": {200, jsonType, long, func(t *testing.T, b request.Builder) (err error) {
			defer func() {
				if recover() == "boom" {
					err = errors.New("boom")
				}
			}()
			return into[account](t, b.Codec(connection.Codec{Unmarshal: func([]byte, any) error { panic("boom") }}))
		}},
	} {
		t.Run("T7 J1 a thousand errors take one connection: "+name, func(t *testing.T) {
			t.Parallel()
			b, conns := oneAtATime(t, c.status, c.header, c.body)
			for i := range calls {
				if err := c.call(t, b); err == nil {
					t.Fatalf("call %d: there is no error", i)
				}
			}
			if got := conns(); got > 2 {
				t.Errorf("there were %d connections", got)
			}
		})
	}
	t.Run("J1 a body that is too large gives up its connection, and the next one is opened", func(t *testing.T) {
		t.Parallel()
		b, conns := oneAtATime(t, http.StatusOK, jsonType, strings.Repeat(" ", 33<<20))
		rounds := unlessRace(3, 2)
		for range rounds {
			if err := into[account](t, b); !errors.Is(err, request.ErrTooLarge) {
				t.Errorf("the error is %v", err)
			}
		}
		if got := conns(); got != rounds {
			t.Errorf("there were %d connections", got)
		}
	})
}

// A decoder that panics has not spoilt what the next one gets.
func TestPanicLeavesBuffers(t *testing.T) {
	t.Parallel()
	t.Run("J4 after a panic the next body is whole", func(t *testing.T) {
		t.Parallel()
		b, _ := oneAtATime(t, http.StatusOK, jsonType, `{"id":7}`)
		var seen []byte
		panics := connection.Codec{Unmarshal: func(data []byte, _ any) error {
			seen = data
			panic("boom")
		}}
		for range 50 {
			func() {
				defer func() {
					if got := recover(); got != "boom" {
						t.Errorf("recovered %v", got)
					}
				}()
				_ = into[account](t, b.Codec(panics))
			}()
			clear(seen) // what it has kept is its own
			decoded(account{ID: 7})(t, b)
		}
	})
}
