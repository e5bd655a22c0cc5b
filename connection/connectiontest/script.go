package connectiontest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
)

// Exchange is one request that a [Script] waits for, and its answer.
type Exchange struct {
	// Want is the method and the request-target, as they are sent: "GET /v1/users?page=2".
	Want string

	// Header has fields that the request must have. A field that was sent more than once counts as one, joined with
	// ", "; the value "" is for a field that must not be there. Fields that are not in Header are not looked at.
	Header map[string]string

	// Body, unless nil, says what is wrong with the body. [BodyText] and [BodyJSON] make one.
	Body func(body []byte) error

	// Reply answers: a [Reply], or any handler.
	Reply http.Handler
}

// Script returns a handler that plays the exchanges, in their order. A request that is not the one it waits for fails
// the test and gets a 400; the script goes on waiting. The right request with a wrong header or body fails the test and
// gets its answer. Exchanges that are left over when the test ends fail it as well.
//
// Failures show methods, targets and bodies, and the values of a few header fields that are known to be harmless; the
// value of any other may be a credential, and is not shown. The handler works with any server.
func Script(tb testing.TB, exchanges ...Exchange) http.Handler {
	tb.Helper()
	for i, e := range exchanges {
		if method, target, _ := strings.Cut(e.Want, " "); method == "" || target == "" {
			tb.Fatalf("connectiontest: exchange %d: Want is %q, and must be a method and a target", i+1, e.Want)
		}
		if e.Reply == nil {
			tb.Fatalf("connectiontest: exchange %d (%s): nil Reply", i+1, e.Want)
		}
	}
	s := &script{tb: tb, exchanges: slices.Clone(exchanges)}
	tb.Cleanup(s.finish)
	return s
}

type script struct {
	tb        testing.TB
	exchanges []Exchange

	mu       sync.Mutex
	next     int
	finished bool
}

func (s *script) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	r.Body = io.NopCloser(bytes.NewReader(body))
	e, ok := s.take(r)
	if !ok {
		Text(http.StatusBadRequest, "connectiontest: unexpected request").ServeHTTP(w, r)
		return
	}
	if err == nil && e.Body != nil {
		err = e.Body(body)
	}
	if err != nil {
		s.errorf("%s: %v", e.Want, err)
	}
	for _, key := range slices.Sorted(maps.Keys(e.Header)) {
		if err := checkHeader(r, http.CanonicalHeaderKey(key), e.Header[key]); err != nil {
			s.errorf("%s: %v", e.Want, err)
		}
	}
	e.Reply.ServeHTTP(w, r)
}

// take returns the exchange that r belongs to.
func (s *script) take(r *http.Request) (Exchange, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	got := r.Method + " " + r.RequestURI
	switch {
	case s.finished:
		return Exchange{}, false // too late to fail the test
	case s.next == len(s.exchanges):
		s.tb.Errorf("connectiontest: got %s after the last of %d exchanges", got, s.next)
		return Exchange{}, false
	}
	e := s.exchanges[s.next]
	if got != e.Want {
		s.tb.Errorf("connectiontest: exchange %d of %d: got %s, want %s", s.next+1, len(s.exchanges), got, e.Want)
		return Exchange{}, false
	}
	s.next++
	return e, true
}

func (s *script) errorf(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.finished {
		s.tb.Errorf("connectiontest: "+format, args...)
	}
}

// finish runs when the test ends.
func (s *script) finish() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.finished = true
	for _, e := range s.exchanges[s.next:] {
		s.tb.Errorf("connectiontest: %s was never sent", e.Want)
	}
}

func checkHeader(r *http.Request, key, want string) error {
	got := strings.Join(r.Header[key], ", ")
	if key == "Host" { // net/http moves it
		got = r.Host
	}
	switch {
	case got == want:
		return nil
	case want == "":
		return fmt.Errorf("header %s was sent, and must not be", key)
	case got == "":
		return fmt.Errorf("header %s was not sent", key)
	case harmless[key]:
		return fmt.Errorf("header %s is %q, want %q", key, got, want)
	default:
		return fmt.Errorf("header %s has another value than the one wanted (neither is shown)", key)
	}
}

// harmless has the header fields that carry no credentials.
var harmless = map[string]bool{ //nolint:gochecknoglobals // never changed
	"Accept": true, "Accept-Encoding": true, "Accept-Language": true, "Cache-Control": true, "Content-Encoding": true,
	"Content-Length": true, "Content-Type": true, "Expect": true, "Host": true, "If-Match": true,
	"If-Modified-Since": true, "If-None-Match": true, "If-Range": true, "If-Unmodified-Since": true,
	"Last-Event-Id": true, "Prefer": true, "Range": true, "Transfer-Encoding": true, "User-Agent": true,
}

// BodyText returns a check for [Exchange.Body]: the body is want, byte for byte.
func BodyText(want string) func(body []byte) error {
	return func(body []byte) error {
		if string(body) != want {
			return fmt.Errorf("body is %s, want %s", quote(string(body)), quote(want))
		}
		return nil
	}
}

// BodyJSON returns a check for [Exchange.Body]: the body is the JSON value that want is, in whatever layout and order
// of members.
func BodyJSON(want string) func(body []byte) error {
	return func(body []byte) error {
		wanted, err := decode([]byte(want))
		if err != nil {
			return fmt.Errorf("the wanted body is not JSON: %w", err)
		}
		got, err := decode(body)
		if err != nil {
			return fmt.Errorf("body is %s, which is not JSON: %w", quote(string(body)), err)
		}
		if !reflect.DeepEqual(got, wanted) {
			return fmt.Errorf("body is %s, want the JSON %s", quote(string(body)), quote(want))
		}
		return nil
	}
}

// decode decodes one JSON value, without loss of digits.
func decode(data []byte) (v any, err error) {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	if err := d.Decode(&v); err != nil {
		return nil, err
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, errors.New("more than one value")
	}
	return v, nil
}

// quote quotes what a failure shows of a body.
func quote(s string) string {
	const limit = 1024
	if len(s) > limit {
		return fmt.Sprintf("%q... (%d bytes)", s[:limit], len(s))
	}
	return fmt.Sprintf("%q", s)
}
