package request_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/connection"
	"github.com/restconn/restconn/connection/connectiontest"
	"github.com/restconn/restconn/request"
	"github.com/restconn/restconn/secrets"
)

// arrivals notes when requests arrive, and passes them on.
type arrivals struct {
	next http.Handler

	mu sync.Mutex
	at []time.Time
}

func (a *arrivals) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	a.mu.Lock()
	a.at = append(a.at, time.Now())
	a.mu.Unlock()
	a.next.ServeHTTP(w, req)
}

// waits returns the time between each request and the next.
func (a *arrivals) waits() []time.Duration {
	a.mu.Lock()
	defer a.mu.Unlock()
	var all []time.Duration
	for i := 1; i < len(a.at); i++ {
		all = append(all, a.at[i].Sub(a.at[i-1]))
	}
	return all
}

// sentIDs returns the Last-Event-ID of each request; "-" stands for none.
func sentIDs(srv *connectiontest.Server) []string {
	var ids []string
	for _, r := range srv.Requests() {
		ids = append(ids, strings.Join(append(r.Header["Last-Event-Id"], "-")[:max(1, len(r.Header["Last-Event-Id"]))], ","))
	}
	return ids
}

// Some of the answers of these tests.
var (
	oneEvent    = stream("data: a\n\n")
	nothingMore = connectiontest.Status(204)
	status      = connectiontest.Status
)

// A GET is resumed where it was, with the ID of the last event that was complete.
func TestEventResume(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		replies []http.Handler
		options []request.EventOption
		want    []string // data
		ids     []string // that were sent
	}{
		{
			"L6 204 ends it",
			[]http.Handler{oneEvent, stream("data: b\n\n"), nothingMore}, nil,
			[]string{"a", "b"}, []string{"-", "-", "-"},
		},
		{
			"the id of the last event",
			[]http.Handler{stream("id: 1\ndata: a\n\n"), stream("id: 2\ndata: b\n\n"), nothingMore}, nil,
			[]string{"a", "b"}, []string{"-", "1", "2"},
		},
		{
			"an id stays over streams",
			[]http.Handler{stream("id: 1\ndata: a\n\n"), stream("data: b\n\n"), stream(""), nothingMore}, nil,
			[]string{"a", "b"}, []string{"-", "1", "1", "1"},
		},
		{
			"an empty id takes it back",
			[]http.Handler{stream("id: 1\ndata: a\n\n"), stream("id\ndata: b\n\n"), nothingMore}, nil,
			[]string{"a", "b"}, []string{"-", "1", "-"},
		},
		{
			"an id alone counts",
			[]http.Handler{stream("id: 1\n\n"), nothingMore}, nil,
			nil, []string{"-", "1"},
		},
		{
			"an event that breaks off does not count", []http.Handler{
				stream("id: 1\ndata: a\n\nid: 2\ndata: b\n"), cutStream("data: c\n\nid: 3\ndata: d\n"), nothingMore,
			}, nil,
			[]string{"a", "c"}, []string{"-", "1", "1"},
		},
		{
			"an event that does not end is none, in a stream that goes on from an id", []http.Handler{
				stream("id: 1\ndata: a\n\n"), stream("data: b\n"), nothingMore,
			}, nil,
			[]string{"a"}, []string{"-", "1", "1"},
		},
		{
			"a stream that is cut",
			[]http.Handler{cutStream("id: 1\ndata: a\n\n"), cutStream("id: 2\ndata: b\n\n"), nothingMore}, nil,
			[]string{"a", "b"}, []string{"-", "1", "2"},
		},
		{
			"an earlier run", []http.Handler{oneEvent, nothingMore},
			[]request.EventOption{request.LastEventID("0"), request.LastEventID("4 2")},
			[]string{"a"}, []string{"4 2", "4 2"},
		},
		{
			"L6 an id with NUL",
			[]http.Handler{stream("id: 1\ndata: a\n\nid: 2\x00\ndata: b\n\n"), nothingMore}, nil,
			[]string{"a", "b"}, []string{"-", "1"},
		},
		{
			"an id that no header can hold", []http.Handler{
				stream("id: 1\x01\ndata: a\n\n"), stream("id: \x1b[2J\ndata: a\n\n"), stream("id: \x7f\ndata: a\n\n"),
				stream("id:   \ndata: a\n\n"), nothingMore,
			}, nil,
			[]string{"a", "a", "a", "a"}, []string{"-", "-", "-", "-", "-"},
		},
		{
			"an id in UTF-8",
			[]http.Handler{stream("id: \u00e4\u20ac\ndata: a\n\n"), nothingMore}, nil,
			[]string{"a"}, []string{"-", "\u00e4\u20ac"},
		},
	} {
		inBubble(t, tt.name, func(t *testing.T) {
			conn, srv := streaming(t, nil, tt.replies...)
			got, err := all(t, request.Events(t.Context(), request.Get(conn, "/x"), tt.options...))
			if err != nil {
				t.Error(err)
			}
			wantSame(t, "data", data(got), tt.want)
			wantSame(t, "ids sent", sentIDs(srv), tt.ids)
		})
	}
	inBubble(t, "an event has the id of the stream before", func(t *testing.T) {
		conn, _ := streaming(t, nil, stream("id: 1\ndata: a\n\n"), stream("data: b\n\nid:\ndata: c\n\n"), nothingMore)
		got, _ := all(t, request.Events(t.Context(), request.Get(conn, "/x")))
		wantSame(t, "events", got, []request.Event{
			{ID: "1", Type: "message", Data: "a"}, {ID: "1", Type: "message", Data: "b"}, message("c"),
		})
	})
}

// Only a GET without a body is sent again, and only if it may be.
func TestEventOnce(t *testing.T) {
	t.Parallel()
	get := func(conn *connection.Connection) request.Builder { return request.Get(conn, "/x") }
	for name, c := range map[string]struct {
		build   func(conn *connection.Connection) request.Builder
		options []request.EventOption
	}{
		"POST": {func(conn *connection.Connection) request.Builder { return request.Post(conn, "/x").JSON(1) }, nil},
		"POST with a key and a retry": {func(conn *connection.Connection) request.Builder {
			return request.Post(conn, "/x").Idempotent().Retry(connection.Retry{Max: 3})
		}, nil},
		"PUT": {func(conn *connection.Connection) request.Builder { return request.Put(conn, "/x").Text("a") }, nil},
		"GET with a body": {func(conn *connection.Connection) request.Builder {
			return get(conn).AllowBody().Text("a")
		}, nil},
		"GET without reconnects": {get, []request.EventOption{request.Reconnects(0)}},
	} {
		inBubble(t, name+": an end is the end", func(t *testing.T) {
			conn, srv := streaming(t, nil, stream("retry: 1\nid: 1\ndata: a\n\n"))
			got, err := all(t, request.Events(t.Context(), c.build(conn), c.options...))
			if err != nil || len(got) != 1 || len(srv.Requests()) != 1 {
				t.Errorf("%v, %v, %d requests", got, err, len(srv.Requests()))
			}
		})
		inBubble(t, name+": a cut is an error", func(t *testing.T) {
			conn, srv := streaming(t, nil, cutStream("data: a\n\ndata: b\n"))
			got, err := all(t, request.Events(t.Context(), c.build(conn), c.options...))
			e := wantStage[*request.Error](t, err, request.StageRead)
			if len(got) != 1 || len(srv.Requests()) != 1 || e.Attempts != 1 || !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Errorf("%v, %v, %d requests", got, err, len(srv.Requests()))
			}
		})
		inBubble(t, "L8 "+name+": silence is an error", func(t *testing.T) {
			conn, srv := streaming(t, []connection.Option{
				connection.WithTimeouts(connection.Timeouts{Idle: time.Minute}),
			}, openStream("data: a\n\n"))
			began := time.Now()
			got, err := all(t, request.Events(t.Context(), c.build(conn), c.options...))
			wantStage[*request.Error](t, err, request.StageRead)
			late, ok := errors.AsType[*connection.TimeoutError](err)
			if len(got) != 1 || len(srv.Requests()) != 1 || !ok || late.Phase != connection.PhaseIdle {
				t.Errorf("%v, %v, %d requests", got, err, len(srv.Requests()))
			}
			if d := time.Since(began); d != time.Minute {
				t.Errorf("it took %v", d)
			}
		})
	}
}

// The waits before reconnects lie within their bounds, whatever the server asks for.
func TestEventWaits(t *testing.T) {
	t.Parallel()
	type bounds struct{ least, most time.Duration }
	first := bounds{500 * time.Millisecond, 600 * time.Millisecond}
	longest := bounds{50 * time.Second, time.Minute}
	busy := status(503).Header("Connection", "close")
	after := func(code int, v string) http.Handler { return status(code).Header("Retry-After", v) }
	for _, tt := range []struct {
		name    string
		replies []http.Handler
		options []request.EventOption
		want    []bounds
	}{
		{"an event in each stream", []http.Handler{oneEvent, cutStream("data: a\n\n"), oneEvent}, nil,
			[]bounds{first, first, first}},
		{"no event", []http.Handler{stream(""), stream(": x\n\n"), busy, connectiontest.Cut(), oneEvent}, nil, []bounds{
			first, {time.Second, 1200 * time.Millisecond}, {2 * time.Second, 2400 * time.Millisecond},
			{4 * time.Second, 4800 * time.Millisecond}, first,
		}},
		{"up to the longest", []http.Handler{stream(""), busy, busy, busy, busy},
			[]request.EventOption{request.ReconnectWait(10*time.Second, time.Minute)}, []bounds{
				{10 * time.Second, 12 * time.Second}, {20 * time.Second, 24 * time.Second}, {40 * time.Second, 48 * time.Second},
				longest, longest,
			}},
		{"bounds without room", []http.Handler{stream(""), busy, busy},
			[]request.EventOption{request.ReconnectWait(time.Second, time.Second)},
			[]bounds{{time.Second, time.Second}, {time.Second, time.Second}, {time.Second, time.Second}}},
		{"retry", []http.Handler{stream("retry: 3000\n\n"), busy, stream("retry:7000\ndata: a\n\n"), oneEvent}, nil,
			[]bounds{
				{3 * time.Second, 3600 * time.Millisecond}, {6 * time.Second, 7200 * time.Millisecond},
				{7 * time.Second, 8400 * time.Millisecond}, {7 * time.Second, 8400 * time.Millisecond},
			}},
		{"retry between failures", []http.Handler{stream(""), stream("retry: 9000\n\n"), busy}, nil, []bounds{
			first, {9 * time.Second, 10800 * time.Millisecond}, {18 * time.Second, 21600 * time.Millisecond},
		}},
		{"retry in an event that breaks off", []http.Handler{stream("data: a\nretry: 3000\n")}, nil,
			[]bounds{{3 * time.Second, 3600 * time.Millisecond}}},
		{"retry in a line that breaks off", []http.Handler{stream("retry: 3000")}, nil, []bounds{first}},
		{"L6 retry: 0", []http.Handler{stream("retry: 0\ndata: a\n\n")}, nil, []bounds{first}},
		{"L6 retry: 999999999999", []http.Handler{stream("retry: 999999999999\n\n")}, nil, []bounds{longest}},
		{"L6 retry in 30 digits", []http.Handler{stream("retry: " + strings.Repeat("9", 30) + "\n")}, nil, []bounds{longest}},
		{"L6 retry that is not digits", []http.Handler{
			stream("retry: 1e12\ndata: a\n\n"), stream("retry: -1\ndata: a\n\n"), stream("retry: +9000\ndata: a\n\n"),
			stream("retry:  9000\ndata: a\n\n"), stream("retry: 9000 \ndata: a\n\n"), stream("retry:\ndata: a\n\n"),
			stream("retry\ndata: a\n\n"), stream("retry: 0x9\ndata: a\n\n"), stream("retry: \u0669\ndata: a\n\n"),
		}, nil, slices.Repeat([]bounds{first}, 9)},
		{"Retry-After", []http.Handler{oneEvent, after(503, "20"), after(429, "30")}, nil,
			[]bounds{first, {20 * time.Second, 20 * time.Second}, {30 * time.Second, 30 * time.Second}}},
		{"a Retry-After that is too long", []http.Handler{oneEvent, after(429, "86400")}, nil,
			[]bounds{first, {time.Minute, time.Minute}}},
		{"a Retry-After that is too short", []http.Handler{oneEvent, after(503, "0")}, nil,
			[]bounds{first, {time.Second, 1200 * time.Millisecond}}},
	} {
		inBubble(t, tt.name, func(t *testing.T) {
			clock := &arrivals{next: connectiontest.Sequence(append(slices.Clone(tt.replies), nothingMore)...)}
			conn, _ := streaming(t, nil, clock)
			if _, err := all(t, request.Events(t.Context(), request.Get(conn, "/x"), tt.options...)); err != nil {
				t.Error(err)
			}
			got := clock.waits()
			if len(got) != len(tt.want) {
				t.Fatalf("%d waits: %v; want %d", len(got), got, len(tt.want))
			}
			for i, w := range tt.want {
				if got[i] < w.least || got[i] > w.most {
					t.Errorf("wait %d is %v, want %v to %v", i+1, got[i], w.least, w.most)
				}
			}
		})
	}
	inBubble(t, "the waits differ", func(t *testing.T) {
		replies := append(slices.Repeat([]http.Handler{oneEvent}, 20), nothingMore)
		clock := &arrivals{next: connectiontest.Sequence(replies...)}
		conn, _ := streaming(t, nil, clock)
		_, _ = all(t, request.Events(t.Context(), request.Get(conn, "/x")))
		if got := clock.waits(); len(got) != 20 || len(slices.Compact(slices.Sorted(slices.Values(got)))) < 10 {
			t.Errorf("waits are %v", got)
		}
	})
}

// A stream is given up after so many reconnects in a row that brought no event, and at once where there is no hope.
func TestEventGivenUp(t *testing.T) {
	t.Parallel()
	silent := connection.WithTimeouts(connection.Timeouts{Attempt: time.Second, Idle: time.Minute})
	hung := status(200).Delay(time.Hour)
	count := func(n int) []request.EventOption { return []request.EventOption{request.Reconnects(n)} }
	for _, tt := range []struct {
		name     string
		replies  []http.Handler
		options  []request.EventOption
		stage    request.Stage
		requests int
		events   int
		givenUp  bool
	}{
		{"503, by default", []http.Handler{oneEvent, status(503)}, nil, request.StageStatus, 11, 1, true},
		{"503", []http.Handler{oneEvent, status(503)}, count(3), request.StageStatus, 4, 1, true},
		{"429", []http.Handler{oneEvent, status(429)}, count(2), request.StageStatus, 3, 1, true},
		{"599", []http.Handler{stream(""), status(599)}, count(1), request.StageStatus, 2, 0, true},
		{"cut before the answer", []http.Handler{oneEvent, connectiontest.Cut()}, count(3), request.StageSend, 4, 1, true},
		{"no answer in time", []http.Handler{oneEvent, hung}, count(3), request.StageSend, 4, 1, true},
		{"streams that end", []http.Handler{stream("id: 1\n\n: x\n\n")}, count(3), request.StageRead, 4, 0, true},
		{"streams that break off", []http.Handler{cutStream("data: a\n")}, count(3), request.StageRead, 4, 0, true},
		{"silent streams", []http.Handler{openStream("")}, count(3), request.StageRead, 4, 0, true},
		{"an event in between", []http.Handler{
			stream(""), stream(""), oneEvent, connectiontest.Cut(), stream("data: b\n\n"), stream(""), stream(""),
		}, count(2), request.StageRead, 7, 2, true},
		{"404", []http.Handler{oneEvent, status(404)}, nil, request.StageStatus, 2, 1, false},
		{"201", []http.Handler{oneEvent, status(201)}, nil, request.StageStatus, 2, 1, false},
		{"L6 401 that stays", []http.Handler{oneEvent, status(401)}, nil, request.StageStatus, 2, 1, false},
		{"another type", []http.Handler{oneEvent, connectiontest.Text(200, "x")}, nil, request.StageDecode, 2, 1, false},
		{"too large", []http.Handler{oneEvent, stream("data: " + strings.Repeat("x", 1<<20) + "\n\n")}, nil,
			request.StageRead, 2, 1, false},
		{"a redirect that is refused", []http.Handler{
			oneEvent, status(302).Header("Location", "http://api.example.test/x"),
		}, nil, request.StageSend, 2, 1, false},
	} {
		inBubble(t, tt.name, func(t *testing.T) {
			conn, srv := streaming(t, []connection.Option{silent}, tt.replies...)
			got, err := all(t, request.Events(t.Context(), request.Get(conn, "/x"), tt.options...))
			wantStage[error](t, err, tt.stage)
			if errors.Is(err, request.ErrTooManyReconnects) != tt.givenUp {
				t.Errorf("error is %v", err)
			}
			if len(got) != tt.events || len(srv.Requests()) != tt.requests {
				t.Errorf("%v, %d requests; want %d", got, len(srv.Requests()), tt.requests)
			}
		})
	}
	inBubble(t, "nobody there", func(t *testing.T) {
		conn, srv := streaming(t, nil, feedOf(eventStream, func(send func(string), _ *http.Request) { send("data: a\n\n") }))
		var last error
		for _, err := range request.Events(t.Context(), request.Get(conn, "/x"), request.Reconnects(2)) {
			last = err
			srv.Down()
		}
		wantStage[*request.Error](t, last, request.StageSend)
		if !errors.Is(last, request.ErrTooManyReconnects) || !errors.Is(last, syscall.ECONNREFUSED) {
			t.Errorf("error is %v", last)
		}
	})
	inBubble(t, "somebody else there", func(t *testing.T) {
		n := connectiontest.NewNetwork(t)
		wrong := n.Certificate("other.example.test")
		var mu sync.Mutex
		shown := n.Certificate("api.example.test")
		srv := n.ServeTLS("https://api.example.test", oneEvent, &tls.Config{
			GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
				mu.Lock()
				defer mu.Unlock()
				now := shown
				shown = wrong
				return &now, nil
			},
		})
		conn := connectTo(t, srv, "")
		var last error
		for _, err := range request.Events(t.Context(), request.Get(conn, "/x").Header("Connection-Id", "1")) {
			last = err
			srv.Down()
			srv.Up()
		}
		wantStage[*request.Error](t, last, request.StageSend)
		_, untrusted := errors.AsType[*tls.CertificateVerificationError](last)
		if !untrusted || errors.Is(last, request.ErrTooManyReconnects) {
			t.Errorf("error is %v", last)
		}
	})
}

// renewingTokens is a source of tokens tok-1, tok-2 and so on: the next one once the one before was rejected, or has
// expired.
type renewingTokens struct {
	ttl time.Duration // 0: unknown

	mu      sync.Mutex
	n       int
	expires time.Time
}

func (r *renewingTokens) Token(_ context.Context, want auth.Want) (*auth.Token, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	expired := r.ttl > 0 && !time.Now().Before(r.expires)
	if r.n == 0 || expired || want.Not.Reveal() == r.text() {
		r.n++
		r.expires = time.Now().Add(r.ttl)
	}
	token := &auth.Token{Value: secrets.Static(r.text())}
	if r.ttl > 0 {
		token.Expiry = r.expires
	}
	return token, nil
}

func (r *renewingTokens) text() string { return fmt.Sprintf("tok-%d", r.n) }

func authorizations(srv *connectiontest.Server) []string {
	var all []string
	for _, r := range srv.Requests() {
		all = append(all, r.Header.Get("Authorization"))
	}
	return all
}

// The credential is asked for anew with each reconnect, and goes to its origin only.
func TestEventCredentials(t *testing.T) {
	t.Parallel()
	inBubble(t, "L6 a token that was revoked meanwhile is renewed", func(t *testing.T) {
		conn, srv := streaming(t, []connection.Option{connection.WithAuth(auth.Bearer(&renewingTokens{}))},
			stream("id: 1\ndata: a\n\n"), status(401), stream("data: b\n\n"), nothingMore)
		got, err := all(t, request.Events(t.Context(), request.Get(conn, "/x")))
		if err != nil {
			t.Error(err)
		}
		wantSame(t, "data", data(got), []string{"a", "b"})
		wantSame(t, "credentials", authorizations(srv), []string{
			"Bearer tok-1", "Bearer tok-1", "Bearer tok-2", "Bearer tok-2",
		})
		wantSame(t, "ids sent", sentIDs(srv), []string{"-", "1", "1", "1"})
	})
	inBubble(t, "L9 a token that expires does not cut the stream, the next request has another", func(t *testing.T) {
		long := feedOf(eventStream, func(send func(string), _ *http.Request) {
			for range 240 {
				time.Sleep(30 * time.Second)
				send(": still here\n")
			}
			send("data: a\n\n")
		})
		conn, srv := streaming(t, []connection.Option{connection.WithAuth(auth.Bearer(&renewingTokens{ttl: time.Hour}))},
			long, nothingMore)
		began := time.Now()
		got, err := all(t, request.Events(t.Context(), request.Get(conn, "/x")))
		if err != nil || len(got) != 1 || time.Since(began) < 2*time.Hour {
			t.Errorf("%v, %v after %v", got, err, time.Since(began))
		}
		wantSame(t, "credentials", authorizations(srv), []string{"Bearer tok-1", "Bearer tok-2"})
	})
	inBubble(t, "L6 a redirect to another origin gets neither the credential nor the id", func(t *testing.T) {
		n := connectiontest.NewNetwork(t)
		home := n.Serve("https://api.example.test", connectiontest.Sequence(
			stream("id: 1\ndata: a\n\n"),
			status(307).Header("Location", "https://other.example.test/y"),
			status(307).Header("Location", "/z"),
			stream("data: c\n\n"),
			nothingMore))
		foreign := n.Serve("https://other.example.test", stream("id: 2\ndata: b\n\n"))
		conn := connectTo(t, home, "", connection.WithAuth(auth.Bearer(auth.Static(secrets.Static("canary")))))
		got, err := all(t, request.Events(t.Context(), request.Get(conn, "/x"), request.LastEventID("0")))
		if err != nil {
			t.Error(err)
		}
		wantSame(t, "data", data(got), []string{"a", "b", "c"})
		wantSame(t, "ids sent home", sentIDs(home), []string{"0", "1", "2", "2", "2"})
		wantSame(t, "ids sent elsewhere", sentIDs(foreign), []string{"-"})
		if raw := foreign.Requests()[0].Raw; strings.Contains(raw, "canary") {
			t.Errorf("the credential went along:\n%s", raw)
		}
	})
}

// Only silence ends an open stream: neither the limits of a call nor a slow consumer do.
func TestEventTime(t *testing.T) {
	t.Parallel()
	limits := connection.WithTimeouts(connection.Timeouts{
		Attempt: time.Second, Total: 2 * time.Second, Idle: 5 * time.Minute,
	})
	for name, part := range map[string]string{
		"events": "data: a\n\n", "comments": ": x\n", "empty lines": "\n", "parts of a line": "x",
	} {
		inBubble(t, "L8 kept alive by "+name, func(t *testing.T) {
			conn, srv := streaming(t, []connection.Option{limits}, feedOf(eventStream, func(send func(string), _ *http.Request) {
				for range 10 {
					time.Sleep(4 * time.Minute)
					send(part)
				}
				send("\ndata: last\n\n")
			}))
			got, err := all(t, request.Events(t.Context(), request.Get(conn, "/x"), request.Reconnects(0)))
			if err != nil || len(got) == 0 || got[len(got)-1].Data != "last" || len(srv.Requests()) != 1 {
				t.Errorf("%v, %v", got, err)
			}
		})
	}
	inBubble(t, "L8 an idle stream is reconnected", func(t *testing.T) {
		clock := &arrivals{next: connectiontest.Sequence(openStream("id: 1\ndata: a\n\n"), nothingMore)}
		conn, srv := streaming(t, []connection.Option{limits}, clock)
		got, err := all(t, request.Events(t.Context(), request.Get(conn, "/x")))
		if err != nil || len(got) != 1 {
			t.Errorf("%v, %v", got, err)
		}
		wantSame(t, "ids sent", sentIDs(srv), []string{"-", "1"})
		const least, most = 5*time.Minute + 500*time.Millisecond, 5*time.Minute + 600*time.Millisecond
		if w := clock.waits(); len(w) != 1 || w[0] < least || w[0] > most {
			t.Errorf("waits are %v", w)
		}
	})
	inBubble(t, "a slow consumer is not an idle server", func(t *testing.T) {
		conn, srv := streaming(t, []connection.Option{limits}, feedOf(eventStream, func(send func(string), _ *http.Request) {
			send("data: a\n\n")
			send("data: b\n\n")
		}), nothingMore)
		n := 0
		for _, err := range request.Events(t.Context(), request.Get(conn, "/x")) {
			if err != nil {
				t.Error(err)
			}
			n++
			time.Sleep(time.Hour)
		}
		if n != 2 || len(srv.Requests()) != 2 {
			t.Errorf("%d events, %d requests", n, len(srv.Requests()))
		}
	})
}

// The caller's context ends a sequence wherever it is, and says so.
func TestEventContext(t *testing.T) {
	t.Parallel()
	errMine := errors.New("enough")
	for _, tt := range []struct {
		name    string
		replies []http.Handler
		stage   request.Stage
	}{
		{"in a stream", []http.Handler{openStream("data: a\n\n")}, request.StageRead},
		{"in a wait", []http.Handler{stream("retry: 60000\ndata: a\n\n")}, request.StageSend},
		{"in a wait after a failure", []http.Handler{stream("retry: 20000\ndata: a\n\n"), status(503)}, request.StageStatus},
		{"in a request", []http.Handler{oneEvent, status(200).Delay(time.Hour)}, request.StageSend},
		{"in the first request", []http.Handler{status(200).Delay(time.Hour)}, request.StageSend},
	} {
		for _, how := range []string{"deadline", "cancel"} {
			inBubble(t, tt.name+", "+how, func(t *testing.T) {
				want := context.DeadlineExceeded
				ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
				defer cancel()
				if how == "cancel" {
					var cancel context.CancelCauseFunc
					ctx, cancel = context.WithCancelCause(t.Context())
					time.AfterFunc(30*time.Second, func() { cancel(errMine) })
					want = context.Canceled
				}
				conn, srv := streaming(t, nil, tt.replies...)
				began := time.Now()
				_, err := all(t, request.Events(ctx, request.Get(conn, "/x")))
				if tt.stage == request.StageStatus {
					wantStage[*request.ResponseError](t, err, tt.stage)
				} else {
					wantStage[*request.Error](t, err, tt.stage)
				}
				if !errors.Is(err, want) || errors.Is(err, errMine) != (how == "cancel") ||
					!strings.Contains(err.Error(), srv.URL+"/x") {
					t.Errorf("error is %v", err)
				}
				d := time.Since(began)
				early := how == "deadline" && strings.HasPrefix(tt.name, "in a wait") // which is not begun
				if d > 30*time.Second || d < 30*time.Second != early {
					t.Errorf("it took %v", d)
				}
				synctest.Wait()
			})
		}
	}
	inBubble(t, "in the loop, at the end of a stream", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		s := connectiontest.NewNetwork(t).ServeRaw("http://127.0.0.1:8080", func(conn net.Conn) {
			_, _ = conn.Read(make([]byte, 4<<10))
			_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: 9\r\n\r\n"+
				"data: a\n\n")
			_, _ = io.Copy(io.Discard, conn)
		})
		began := time.Now()
		var last error
		for _, err := range request.Events(ctx, request.Get(connectTo(t, s, ""), "/x")) {
			last = err
			cancel()
		}
		if !errors.Is(last, context.Canceled) || time.Since(began) != 0 {
			t.Errorf("error is %v after %v", last, time.Since(began))
		}
	})
}

// outage is what an authenticator fails with: the answer to a request of its own, which others may hold as well.
func outage() *request.ResponseError {
	return &request.ResponseError{
		Status: 503, Header: http.Header{"Retry-After": {"40"}}, Method: "POST", URL: "https://login.example.test/token",
	}
}

// failing returns an authenticator that works once, and from then on fails with err.
func failing(err error) connection.Option {
	var n atomic.Int32
	return connection.WithAuth(auth.Func(func(req *http.Request) error {
		if n.Add(1) > 1 {
			return err
		}
		req.Header.Set("X-Key", "1")
		return nil
	}))
}

// wantOutage checks that a request ended with what its authenticator failed with, which is as it was.
func wantOutage(t *testing.T, err error, cause *request.ResponseError) {
	t.Helper()
	e, ok := err.(*request.Error) //nolint:errorlint // the outermost counts
	if !ok || e.Stage != request.StageAuth || !errors.Is(err, cause) {
		t.Errorf("error %T %v, want an *Error of StageAuth around the cause", err, err)
	}
	if cause.Err != nil || cause.Error() != outage().Error() {
		t.Errorf("the cause is now %v", cause)
	}
}

// A 503 inside an error is that of another request.
func TestEventOutage(t *testing.T) {
	t.Parallel()
	for name, options := range map[string][]request.EventOption{
		"the first of several": nil,
		"the last":             {request.Reconnects(1)},
	} {
		inBubble(t, "L6 a reconnect without a credential, "+name, func(t *testing.T) {
			cause := outage()
			conn, srv := streaming(t, []connection.Option{failing(cause)}, oneEvent)
			began := time.Now()
			got, err := all(t, request.Events(t.Context(), request.Get(conn, "/x"), options...))
			wantOutage(t, err, cause)
			wantRequests(t, srv, 1)
			if took := time.Since(began); len(got) != 1 || took > time.Second {
				t.Errorf("%d events after %v", len(got), took)
			}
		})
	}
}
