package authtest_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/auth/authtest"
	"github.com/restconn/restconn/secrets"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const secret = "s3cret-key/+1"

// function is a Func that Validate does not know.
type function func(*http.Request) error

func (f function) Authenticate(req *http.Request) error { return f(req) }

// set is what a good function does.
func set(req *http.Request) { req.Header.Set("X-Key", secret) }

// do returns a New for an Authenticator that does f beside what is right.
func do(f func(*http.Request)) func() auth.Authenticator {
	return func() auth.Authenticator {
		return function(func(req *http.Request) error {
			set(req)
			f(req)
			return nil
		})
	}
}

// exposed has its secret in a field.
type exposed struct {
	function

	Secret any
}

func expose(secret any) func() auth.Authenticator {
	return func() auth.Authenticator { return exposed{do(func(*http.Request) {})().(function), secret} }
}

// respectful leaves the caller's header alone.
func respectful(f func(*http.Request)) func() auth.Authenticator {
	return func() auth.Authenticator {
		return function(func(req *http.Request) error {
			if req.Header.Get("X-Key") == "" {
				set(req)
			}
			f(req)
			return nil
		})
	}
}

func TestRun(t *testing.T) {
	t.Parallel()
	t.Run("builtin", func(t *testing.T) {
		t.Parallel()
		authtest.Run(t, authtest.Config{
			New:     func() auth.Authenticator { return auth.APIKey(secrets.Static(secret)) },
			Secrets: []string{secret},
		})
	})
	t.Run("none", func(t *testing.T) {
		t.Parallel()
		authtest.Run(t, authtest.Config{New: auth.None})
	})
	t.Run("own", func(t *testing.T) {
		t.Parallel()
		var nonce atomic.Int64
		authtest.Run(t, authtest.Config{
			New: respectful(func(req *http.Request) {
				body, err := req.GetBody, error(nil)
				if body != nil {
					_, err = body() // a signature may read a body of its own
				}
				if req.Header.Get("X-Nonce") == "" {
					req.Header.Set("X-Nonce", fmt.Sprint(nonce.Add(1), err))
				}
			}),
			Secrets: []string{secret},
		})
	})
}

func TestCheckFindsFaults(t *testing.T) {
	t.Parallel()
	with := func(f func(*http.Request)) authtest.Config {
		return authtest.Config{New: respectful(f), Secrets: []string{secret}}
	}
	holding := func(v any) authtest.Config { return authtest.Config{New: expose(v), Secrets: []string{secret}} }
	failing := func(err error) authtest.Config {
		cfg := with(func(*http.Request) {})
		cfg.Failing = []func() auth.Authenticator{
			func() auth.Authenticator { return function(func(*http.Request) error { return err }) },
		}
		return cfg
	}
	shared := append(make([]string, 0, 4), secret)

	tests := map[string]struct {
		cfg  authtest.Config
		want []string // checks, among others
	}{
		"no New":       {authtest.Config{}, []string{"config"}},
		"nil":          {authtest.Config{New: func() auth.Authenticator { return nil }}, []string{"config"}},
		"no secrets":   {authtest.Config{New: do(func(*http.Request) {})}, []string{"config"}},
		"short secret": {authtest.Config{New: auth.None, Secrets: []string{"pw"}}, []string{"config"}},
		"nil in Failing": {authtest.Config{
			New:     auth.None,
			Failing: []func() auth.Authenticator{func() auth.Authenticator { return nil }},
		}, []string{"errors"}},
		"invalid": {
			authtest.Config{New: func() auth.Authenticator { return auth.Func(nil) }, Secrets: []string{secret}},
			[]string{"validate", "effect"},
		},
		"no effect": {with(func(req *http.Request) { req.Header.Del("X-Key") }), []string{"effect"}},

		"header value": {with(func(req *http.Request) {
			req.Header["X-Key"] = []string{"a\r\nb"}
		}), []string{"wire", "repeat"}},
		"header name":   {with(func(req *http.Request) { req.Header["X Key"] = []string{"a"} }), []string{"wire"}},
		"header case":   {with(func(req *http.Request) { req.Header["x-key"] = []string{"a"} }), []string{"wire"}},
		"header empty":  {with(func(req *http.Request) { req.Header["X-None"] = nil }), []string{"wire"}},
		"header spaces": {with(func(req *http.Request) { req.Header.Set("X-Key", secret+" ") }), []string{"wire"}},
		"query bytes":   {with(func(req *http.Request) { req.URL.RawQuery += "&k=a b" }), []string{"wire"}},

		"body read":      {with(func(req *http.Request) { drain(req) }), []string{"body"}},
		"body closed":    {with(func(req *http.Request) { closeBody(req) }), []string{"body"}},
		"body replaced":  {with(func(req *http.Request) { req.Body = io.NopCloser(req.Body) }), []string{"body"}},
		"body added":     {with(func(req *http.Request) { addBody(req) }), []string{"body"}},
		"body length":    {with(func(req *http.Request) { req.ContentLength = -1 }), []string{"body"}},
		"GetBody gone":   {with(func(req *http.Request) { req.GetBody = nil }), []string{"body"}},
		"GetBody other":  {with(func(req *http.Request) { otherBody(req, nil) }), []string{"body"}},
		"GetBody broken": {with(func(req *http.Request) { otherBody(req, io.ErrUnexpectedEOF) }), []string{"body"}},

		"method":         {with(func(req *http.Request) { req.Method = http.MethodPost }), []string{"request"}},
		"host":           {with(func(req *http.Request) { req.Host = "evil.test" }), []string{"request"}},
		"URL host":       {with(func(req *http.Request) { req.URL.Host = "evil.test" }), []string{"request"}},
		"scheme":         {with(func(req *http.Request) { req.URL.Scheme = "http" }), []string{"request"}},
		"path":           {with(func(req *http.Request) { req.URL.Path += "x" }), []string{"request"}},
		"raw path":       {with(func(req *http.Request) { req.URL.RawPath = "" }), []string{"request"}},
		"fragment":       {with(func(req *http.Request) { req.URL.Fragment = "" }), []string{"request"}},
		"user":           {with(func(req *http.Request) { req.URL.User = url.User("u") }), []string{"request"}},
		"header changed": {with(func(req *http.Request) { req.Header.Add("X-Caller", "three") }), []string{"request"}},
		"header gone":    {with(func(req *http.Request) { req.Header.Del("Accept") }), []string{"request"}},
		"cookie gone":    {with(func(req *http.Request) { req.Header.Set("Cookie", "a=1") }), []string{"request"}},
		"query gone":     {with(func(req *http.Request) { req.URL.RawQuery = "k=1" }), []string{"request"}},
		"query twice":    {with(func(req *http.Request) { req.URL.RawQuery += "&q=1" }), []string{"request"}},
		"query broken":   {with(func(req *http.Request) { req.URL.RawQuery += "&q=%zz" }), []string{"request"}},

		"overwrites": {authtest.Config{New: do(func(*http.Request) {}), Secrets: []string{secret}}, []string{"caller"}},
		"adds":       {with(func(req *http.Request) { req.Header.Add("X-Other", "1") }), []string{"caller"}},

		"accumulates": {with(counting(func(req *http.Request, n int64) {
			req.Header["X-Many"] = slices.Repeat([]string{"v"}, int(n))
		})), []string{"repeat", "concurrent"}},
		"once":          {authtest.Config{New: once, Secrets: []string{secret}}, []string{"repeat", "concurrent"}},
		"shared slice":  {with(func(req *http.Request) { req.Header["X-Key"] = shared }), []string{"repeat"}},
		"alone is fine": {with(counting(func(req *http.Request, n int64) { addLate(req, n) })), []string{"concurrent"}},

		"raw":           {holding(secret), []string{"secrets"}},
		"bytes":         {holding(&box{&[][]byte{[]byte("key=" + secret)}}), []string{"secrets"}},
		"array":         {holding(&box{&[1][13]byte{[13]byte([]byte(secret))}}), []string{"secrets"}},
		"map key":       {holding(&box{map[string]int{secret: 1}}), []string{"secrets"}},
		"cycle":         {holding(cycle(secret)), []string{"secrets"}},
		"behind":        {holding(&box{&map[int]any{1: []any{nil, secret}}}), []string{"secrets"}},
		"query escaped": {holding(url.QueryEscape(secret)), []string{"secrets"}},
		"base64 0":      {holding(encoded("user1:" + secret)), []string{"secrets"}},
		"base64 1":      {holding(encoded("usr:" + secret + ":more")), []string{"secrets"}},
		"base64 2":      {holding(encoded("u:" + secret + ":")), []string{"secrets"}},
		"hex":           {holding("7333637265742d6b65792f2b31"), []string{"secrets"}},
		"JSON":          {holding(marshaler{secret: func() string { return secret }}), []string{"secrets"}},
		"JSON error":    {holding(marshaler{err: errors.New("cannot write " + secret)}), []string{"secrets"}},

		"error text":    {failing(fmt.Errorf("bad key %q", secret)), []string{"errors"}},
		"error field":   {failing(&keyError{secret}), []string{"errors"}},
		"does not fail": {failing(nil), []string{"errors"}},
		"Failing exposed": {authtest.Config{
			New:     respectful(func(*http.Request) {}),
			Secrets: []string{secret},
			Failing: []func() auth.Authenticator{func() auth.Authenticator {
				return exposed{func(*http.Request) error { return errors.ErrUnsupported }, secret}
			}},
		}, []string{"errors"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := authtest.Check(t.Context(), tt.cfg)
			got := names(err)
			for _, want := range tt.want {
				if !slices.Contains(got, want) {
					t.Errorf("check %s did not fail; those that did are %v", want, got)
				}
			}
			if err != nil && strings.Contains(err.Error(), secret) && name != "error text" {
				t.Errorf("the report holds the secret: %v", err)
			}
		})
	}
}

// TestCheckFindsOnly checks that a fault is reported by its own check, and a correct one by none.
func TestCheckFindsOnly(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		f    func(*http.Request)
		want []string
	}{
		"correct": {func(*http.Request) {}, nil},
		"values in a slice of their own": {func(req *http.Request) {
			if req.Header["X-More"] == nil {
				req.Header["X-More"] = append(make([]string, 0, 4), "a", "b", "c")
			}
		}, nil},
		"body": {closeBody, []string{"body"}},
	}
	for name, tt := range tests {
		err := authtest.Check(t.Context(), authtest.Config{New: respectful(tt.f), Secrets: []string{secret}})
		if diff := cmp.Diff(tt.want, names(err)); diff != "" {
			t.Errorf("%s: failed checks (-want +got):\n%s\n%v", name, diff, err)
		}
	}
}

func TestCancel(t *testing.T) {
	t.Parallel()
	other := errors.New("not the context's")
	tests := map[string]struct {
		f    func(context.Context) error
		want []string
	}{
		"returns the cause": {func(ctx context.Context) error { return ctx.Err() }, nil},
		"does not look":     {func(context.Context) error { return nil }, nil},
		"another error": {func(ctx context.Context) error {
			if ctx.Err() != nil {
				return other
			}
			return nil
		}, []string{"cancel"}},
	}
	for name, tt := range tests {
		a := function(func(req *http.Request) error {
			if req.Header.Get("X-Key") == "" {
				set(req)
			}
			return tt.f(req.Context())
		})
		cfg := authtest.Config{New: func() auth.Authenticator { return a }, Secrets: []string{secret}}
		if diff := cmp.Diff(tt.want, names(authtest.Check(t.Context(), cfg))); diff != "" {
			t.Errorf("%s: failed checks (-want +got):\n%s", name, diff)
		}
	}
}

func TestCancelBlocks(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		defer close(release)
		a := function(func(req *http.Request) error {
			if req.Context().Err() != nil {
				<-release
			}
			if req.Header.Get("X-Key") == "" {
				set(req)
			}
			return nil
		})
		cfg := authtest.Config{New: func() auth.Authenticator { return a }, Secrets: []string{secret}}
		err := authtest.Check(t.Context(), cfg)
		want := "authtest: cancel: Authenticate with a cancelled context did not return within 5s"
		if diff := cmp.Diff(want, fmt.Sprint(err)); diff != "" {
			t.Errorf("error (-want +got):\n%s", diff)
		}
		cfg.Patience = 1
		if diff := cmp.Diff([]string{"cancel"}, names(authtest.Check(t.Context(), cfg))); diff != "" {
			t.Errorf("failed checks (-want +got):\n%s", diff)
		}
	})
}

// names returns the checks that failed.
func names(err error) []string {
	var names []string
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, err := range joined.Unwrap() {
			if e, ok := errors.AsType[*authtest.CheckError](err); ok {
				names = append(names, e.Check)
			}
		}
	}
	return names
}

func drain(req *http.Request) {
	if req.Body != nil {
		_, _ = io.Copy(io.Discard, req.Body)
	}
}

func closeBody(req *http.Request) {
	if req.Body != nil {
		_ = req.Body.Close()
	}
}

func addBody(req *http.Request) {
	if req.Body == nil {
		req.Body = http.NoBody
	}
}

func otherBody(req *http.Request, err error) {
	req.GetBody = func() (io.ReadCloser, error) {
		if err != nil {
			return nil, err
		}
		return io.NopCloser(strings.NewReader("other")), nil
	}
}

// counting calls f with the number of its call.
func counting(f func(*http.Request, int64)) func(*http.Request) {
	var n atomic.Int64
	return func(req *http.Request) { f(req, n.Add(1)) }
}

// addLate is wrong from the 30th call on, which no check but the concurrent one gets to alone.
func addLate(req *http.Request, n int64) {
	if n > 30 {
		req.Header.Set("X-Late", "1")
	}
}

// once returns an Authenticator that works for one request.
func once() auth.Authenticator {
	var used atomic.Bool
	return function(func(req *http.Request) error {
		if used.Swap(true) {
			return errors.ErrUnsupported
		}
		set(req)
		return nil
	})
}

// marshaler has a secret that only JSON shows.
type marshaler struct {
	secret func() string
	err    error
}

func (m marshaler) MarshalJSON() ([]byte, error) {
	if m.err != nil {
		return nil, m.err
	}
	return []byte(`"` + m.secret() + `"`), nil
}

// box is something that fmt prints only the address of, one level down.
type box struct{ value any }

// cycle returns a box in which s stands beside the box itself.
func cycle(s string) *box {
	b := &box{}
	list := []any{b, nil, s}
	list[1] = list
	b.value = &list
	return b
}

func encoded(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }

// keyError has a secret that only a dumper shows.
type keyError struct{ key string }

func (*keyError) Error() string { return "bad key" }

// rude forgets that the caller's header wins.
type rude struct{}

func (rude) Authenticate(req *http.Request) error {
	req.Header.Set("X-Key", "s3cret-key")
	return nil
}

func Example() {
	err := authtest.Check(context.Background(), authtest.Config{
		New: func() auth.Authenticator {
			return rude{}
		},
		Secrets: []string{"s3cret-key"},
	})
	fmt.Println(err)
	// Output: authtest: caller: header X-Key of the caller was replaced, or got a second value
}
