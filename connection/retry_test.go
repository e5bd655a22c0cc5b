package connection_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/connection"
	"github.com/restconn/restconn/connection/connectiontest"
	"github.com/restconn/restconn/request"
)

// bubble runs a case on a clock of its own.
func bubble(t *testing.T, name string, f func(t *testing.T)) {
	t.Helper()
	t.Run(name, func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, f)
	})
}

// connectTo opens a connection to srv through its network.
func connectTo(t *testing.T, srv *connectiontest.Server, options ...connection.Option) *connection.Connection {
	t.Helper()
	return connect(t, srv.URL, append(options, srv.Network().Option())...)
}

// retries is a policy of so many retries, one second apart.
func retries(n int) connection.Option {
	return connection.WithRetry(connection.Retry{Max: n, Wait: connection.Constant(time.Second)})
}

func status(code int) connectiontest.Reply { return connectiontest.Status(code) }

// newRequest makes a request for a path below the base URL.
func newRequest(ctx context.Context, t *testing.T, method string, body io.Reader) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, method, "/things", body)
	if err != nil {
		t.Fatal(err)
	}
	return req
}

// sent checks how many requests a server has got.
func sent(t *testing.T, srv *connectiontest.Server, want int) {
	t.Helper()
	if got := len(srv.Requests()); got != want {
		t.Errorf("the server got %d requests, want %d", got, want)
	}
}

// passed checks how much time has passed since began.
func passed(t *testing.T, began time.Time, want time.Duration) {
	t.Helper()
	if got := time.Since(began); got != want {
		t.Errorf("%v have passed, want %v", got, want)
	}
}

// answered checks the status of a response that is there, reads its body and closes it.
func answered(t *testing.T, resp *http.Response, err error, want int) string {
	t.Helper()
	if err != nil {
		t.Fatalf("error %v, want status %d", err, want)
	}
	defer resp.Body.Close()
	if resp.StatusCode != want {
		t.Errorf("status %d, want %d", resp.StatusCode, want)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Errorf("body: %v", err)
	}
	return string(body)
}

func TestRetryMethod(t *testing.T) {
	t.Parallel()
	for method, want := range map[string]int{
		"GET": 3, "HEAD": 3, "OPTIONS": 3, "TRACE": 3, "PUT": 3, "DELETE": 3,
		"POST": 1, "PATCH": 1, "CONNECT-ISH": 1, "PROPFIND": 1,
	} {
		for _, code := range []int{500, 501, 502, 503, 504, 505, 599} {
			bubble(t, fmt.Sprintf("D1 %s answered with %d", method, code), func(t *testing.T) {
				srv := connectiontest.NewServer(t, status(code))
				began := time.Now()
				resp, err := connectTo(t, srv, retries(2)).Do(newRequest(t.Context(), t, method, nil))
				answered(t, resp, err, code)
				sent(t, srv, want)
				passed(t, began, time.Duration(want-1)*time.Second)
			})
		}
		bubble(t, "D2 "+method+" read by the server, then the connection cut", func(t *testing.T) {
			srv := connectiontest.NewServer(t, connectiontest.Cut())
			_, err := connectTo(t, srv, retries(2)).Do(newRequest(t.Context(), t, method, nil))
			if !errors.Is(err, io.EOF) {
				t.Errorf("error %v, want io.EOF among its causes", err)
			}
			re, ok := errors.AsType[*connection.RetryError](err)
			if !ok || len(re.History) != want || (re.History[want-1].Stopped != "") != (want == 1) {
				t.Errorf("error %v, want a *RetryError of %d attempts that says why there was no second", err, want)
			}
			te, ok := errors.AsType[*connection.TransportError](err)
			if !ok || te.Unsent || strings.Contains(err.Error(), "may have processed") != (want == 1) {
				t.Errorf("error %v: want a *TransportError that says whether the server may have processed it", err)
			}
			sent(t, srv, want)
		})
		bubble(t, "D2 "+method+" that finds nobody is known not to have been sent", func(t *testing.T) {
			srv := connectiontest.NewServer(t, status(200))
			srv.Refuse()
			_, err := connectTo(t, srv).Do(newRequest(t.Context(), t, method, nil))
			te, ok := errors.AsType[*connection.TransportError](err)
			if !ok || !te.Unsent || strings.Contains(err.Error(), "may have processed") {
				t.Errorf("error %v: want a *TransportError that is Unsent", err)
			}
		})
	}
	bubble(t, "D2 POST, the connection reset after the request was read", func(t *testing.T) {
		n := connectiontest.NewNetwork(t)
		srv := n.ServeRaw("https://api.example.test", func(conn net.Conn) {
			_, _ = io.CopyN(io.Discard, conn, 1)
			_ = connectiontest.Reset(conn)
		})
		_, err := connectTo(t, srv, retries(2)).Do(newRequest(t.Context(), t, "POST", strings.NewReader("once")))
		if err == nil {
			t.Error("no error")
		}
		if got := srv.Conns(); got != 1 {
			t.Errorf("%d connections, want 1", got)
		}
	})
	bubble(t, "D1 a retry set on the request applies to POST", func(t *testing.T) {
		srv := connectiontest.NewServer(t, connectiontest.Sequence(status(503), connectiontest.Cut(), status(204)))
		again := connection.Retry{Max: 2, Wait: connection.Constant(time.Second)}
		b := request.Post(connectTo(t, srv), "/things").Text("body").Retry(again)
		if err := b.Exec(t.Context()); err != nil {
			t.Error(err)
		}
		sent(t, srv, 3)
		for i, r := range srv.Requests() {
			if string(r.Body) != "body" {
				t.Errorf("body of request %d: %q", i, r.Body)
			}
		}
	})
	bubble(t, "D1 a retry set on the request replaces that of the connection whole", func(t *testing.T) {
		srv := connectiontest.NewServer(t, status(503))
		b := request.Get(connectTo(t, srv, retries(5)), "/things")
		if err := b.Retry(connection.NoRetry()).Exec(t.Context()); !errors.Is(err, request.Status(503)) {
			t.Errorf("error %v, want status 503", err)
		}
		sent(t, srv, 1)
		began := time.Now()
		if err := b.Retry(connection.Retry{Max: 1}).Exec(t.Context()); !errors.Is(err, request.Status(503)) {
			t.Errorf("error %v, want status 503", err)
		}
		sent(t, srv, 3)
		passed(t, began, 0) // the wait of the connection is replaced, too
	})
}

func TestIdempotencyKey(t *testing.T) {
	t.Parallel()
	bubble(t, "D1 D9 an Idempotency-Key makes POST retryable: a key a call, the same on all attempts", func(t *testing.T) {
		srv := connectiontest.NewServer(t, status(503))
		b := request.Post(connectTo(t, srv, retries(2)), "/things").JSON(1).Idempotent()
		for range 2 {
			if err := b.Exec(t.Context()); !errors.Is(err, request.Status(503)) {
				t.Errorf("error %v, want status 503", err)
			}
		}
		var keys []string
		for _, r := range srv.Requests() {
			keys = append(keys, r.Header.Get("Idempotency-Key"))
		}
		if len(keys) != 6 {
			t.Fatalf("%d requests, want 6", len(keys))
		}
		if first := keys[0]; len(first) < 20 || first != keys[1] || first != keys[2] {
			t.Errorf("keys of the first call: %q", keys[:3])
		}
		if second := keys[3]; second == keys[0] || second != keys[4] || second != keys[5] {
			t.Errorf("keys of the second call: %q, after %q", keys[3:], keys[0])
		}
	})
	bubble(t, "D1 an Idempotency-Key of the caller's own on Do and HTTPClient", func(t *testing.T) {
		srv := connectiontest.NewServer(t, status(503))
		conn := connectTo(t, srv, retries(1))
		for _, send := range []func(*http.Request) (*http.Response, error){conn.Do, conn.HTTPClient().Do} {
			req := newRequest(t.Context(), t, "POST", strings.NewReader("body"))
			req.URL.Scheme, req.URL.Host = "https", "api.example.test"
			req.Header["idempotency-key"] = []string{"mine"}
			resp, err := send(req)
			answered(t, resp, err, 503)
		}
		sent(t, srv, 4)
		for i, r := range srv.Requests() {
			if got := r.Header.Get("Idempotency-Key"); got != "mine" || string(r.Body) != "body" {
				t.Errorf("request %d: key %q, body %q", i, got, r.Body)
			}
		}
	})
}

// TestRetryNothingReached is about requests that no server has seen: any method is sent again.
func TestRetryNothingReached(t *testing.T) {
	t.Parallel()
	for _, method := range []string{"POST", "PATCH", "GET"} {
		bubble(t, "D3 "+method+" is sent again after a refused dial", func(t *testing.T) {
			srv := connectiontest.NewServer(t, status(204))
			srv.Refuse()
			time.AfterFunc(1500*time.Millisecond, srv.Up)
			began := time.Now()
			req := newRequest(t.Context(), t, method, strings.NewReader("body"))
			resp, err := connectTo(t, srv, retries(3)).Do(req)
			answered(t, resp, err, 204)
			passed(t, began, 2*time.Second)
			sent(t, srv, 1)
			if got := string(srv.Requests()[0].Body); got != "body" {
				t.Errorf("body %q", got)
			}
		})
		bubble(t, "D3 "+method+" is sent again after a dial that hung", func(t *testing.T) {
			srv := connectiontest.NewServer(t, status(204))
			srv.Hang()
			time.AfterFunc(1500*time.Millisecond, srv.Up)
			limit := connection.WithTimeouts(connection.Timeouts{Attempt: time.Second})
			resp, err := connectTo(t, srv, retries(3), limit).Do(newRequest(t.Context(), t, method, nil))
			answered(t, resp, err, 204)
			sent(t, srv, 1)
		})
		bubble(t, "D3 "+method+" is sent again after a TLS handshake that failed", func(t *testing.T) {
			var handshakes atomic.Int32
			n := connectiontest.NewNetwork(t)
			srv := n.ServeTLS("https://api.example.test", status(204), &tls.Config{
				Certificates: []tls.Certificate{n.Certificate("api.example.test")},
				GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
					if handshakes.Add(1) == 1 {
						return nil, errors.New("not today")
					}
					return nil, nil //nolint:nilnil // as crypto/tls wants it
				},
			})
			resp, err := connectTo(t, srv, retries(1)).Do(newRequest(t.Context(), t, method, nil))
			answered(t, resp, err, 204)
			if got := srv.Conns(); got != 2 {
				t.Errorf("%d connections, want 2", got)
			}
			sent(t, srv, 1)
		})
	}
	bubble(t, "D3 what refuses for good is a RetryError with every cause", func(t *testing.T) {
		srv := connectiontest.NewServer(t, status(204))
		srv.Refuse()
		_, err := connectTo(t, srv, retries(2)).Do(newRequest(t.Context(), t, "POST", nil))
		re, ok := errors.AsType[*connection.RetryError](err)
		if !ok || len(re.History) != 3 || !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("error %v, want a *RetryError of three refused attempts", err)
		}
	})
	bubble(t, "B1 a certificate that is not trusted is no reason to try again", func(t *testing.T) {
		stranger := connectiontest.NewNetwork(t)
		n := connectiontest.NewNetwork(t)
		srv := n.ServeTLS("https://api.example.test", status(204), &tls.Config{
			Certificates: []tls.Certificate{stranger.Certificate("api.example.test")},
		})
		for _, method := range []string{"GET", "POST"} {
			before, began := srv.Conns(), time.Now()
			_, err := connectTo(t, srv, retries(3)).Do(newRequest(t.Context(), t, method, nil))
			if _, ok := errors.AsType[x509.UnknownAuthorityError](err); !ok {
				t.Errorf("error %v, want an x509.UnknownAuthorityError", err)
			}
			if got := srv.Conns() - before; got != 1 {
				t.Errorf("%s: %d connections, want 1", method, got)
			}
			passed(t, began, 0)
		}
	})
}

// TestRefusedStream speaks HTTP/2 by hand (RFC 9113): the server refuses streams, then answers one. net/http sends a
// refused stream again seven times by itself, so that it takes eight refusals to see ours.
func TestRefusedStream(t *testing.T) {
	t.Parallel()
	const ownTries = 8
	for _, c := range []struct {
		name            string
		code            byte
		streams, answer int
	}{
		{"D3 POST is sent again after REFUSED_STREAM", 7, ownTries + 1, 200},
		{"D3 POST is not sent again after INTERNAL_ERROR", 2, 1, 0},
	} {
		bubble(t, c.name, func(t *testing.T) {
			var streams atomic.Int32
			n := connectiontest.NewNetwork(t)
			srv := n.ServeRaw("http://127.0.0.1:8080", func(conn net.Conn) {
				_, _ = io.CopyN(io.Discard, conn, int64(len("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")))
				_, _ = conn.Write([]byte{0, 0, 0, 4, 0, 0, 0, 0, 0}) // SETTINGS
				for {
					head := make([]byte, 9)
					if _, err := io.ReadFull(conn, head); err != nil {
						return
					}
					size := int64(head[0])<<16 | int64(head[1])<<8 | int64(head[2])
					_, _ = io.CopyN(io.Discard, conn, size)
					if head[3] != 1 { // HEADERS
						continue
					}
					id := head[5:9]
					if streams.Add(1) <= ownTries {
						_, _ = conn.Write(append([]byte{0, 0, 4, 3, 0, id[0], id[1], id[2], id[3]}, 0, 0, 0, c.code))
						continue
					}
					_, _ = conn.Write([]byte{0, 0, 1, 1, 5, id[0], id[1], id[2], id[3], 0x88}) // :status 200, the end
				}
			})
			transport := n.Transport()
			transport.Protocols = new(http.Protocols)
			transport.Protocols.SetUnencryptedHTTP2(true)
			conn := connect(t, srv.URL, connection.WithTransport(transport), retries(1),
				connection.WithTimeouts(connection.Timeouts{Attempt: time.Hour}))
			resp, err := conn.Do(newRequest(t.Context(), t, "POST", strings.NewReader("body")))
			switch {
			case c.answer != 0:
				answered(t, resp, err, c.answer)
			case err == nil:
				t.Error("no error")
			}
			if got := int(streams.Load()); got != c.streams {
				t.Errorf("%d streams, want %d", got, c.streams)
			}
			transport.CloseIdleConnections()
		})
	}
}

func TestRetryWhat(t *testing.T) {
	t.Parallel()
	for code, want := range map[int]int{
		200: 1, 204: 1, 299: 1, 304: 1, 400: 1, 401: 1, 404: 1, 408: 1, 409: 1, 413: 1, 421: 1, 425: 1, 429: 1, 499: 1,
		500: 2, 501: 2, 502: 2, 503: 2, 504: 2, 505: 2, 507: 2, 511: 2, 599: 2, 600: 1, 999: 1,
	} {
		bubble(t, fmt.Sprintf("D17 %d", code), func(t *testing.T) {
			srv := connectiontest.NewServer(t, status(code))
			resp, err := connectTo(t, srv, retries(1)).Do(newRequest(t.Context(), t, "GET", nil))
			answered(t, resp, err, code)
			sent(t, srv, want)
		})
	}
	bubble(t, "D17 000 is no status to try again for", func(t *testing.T) {
		srv := connectiontest.NewNetwork(t).ServeRaw("https://api.example.test", func(conn net.Conn) {
			_, _ = conn.Read(make([]byte, 4096))
			_, _ = io.WriteString(conn, "HTTP/1.1 000 Nothing\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
		})
		resp, err := connectTo(t, srv, retries(1)).Do(newRequest(t.Context(), t, "GET", nil))
		answered(t, resp, err, 0)
		sent(t, srv, 1)
	})
	for _, c := range []struct {
		name string
		on   connection.Condition
		want map[int]int
	}{
		{"OnAllErrors", connection.OnAllErrors(), map[int]int{200: 1, 304: 2, 404: 2, 429: 2, 500: 2, 999: 2}},
		{"OnSeries", connection.OnSeries(4, 5), map[int]int{200: 1, 304: 1, 404: 2, 500: 2, 999: 1}},
		{"OnStatus", connection.OnStatus(429, 503), map[int]int{428: 1, 429: 2, 500: 1, 503: 2}},
		{"OnStatusRange", connection.OnStatusRange(408, 429), map[int]int{407: 1, 408: 2, 429: 2, 430: 1, 500: 1}},
		{"OnAny", connection.OnAny(connection.OnStatus(404), connection.OnSeries(5)), map[int]int{404: 2, 403: 1, 501: 2}},
	} {
		for code, want := range c.want {
			bubble(t, fmt.Sprintf("D17 %s, status %d", c.name, code), func(t *testing.T) {
				srv := connectiontest.NewServer(t, status(code))
				policy := connection.WithRetry(connection.Retry{Max: 1, On: c.on})
				resp, err := connectTo(t, srv, policy).Do(newRequest(t.Context(), t, "GET", nil))
				answered(t, resp, err, code)
				sent(t, srv, want)
			})
		}
		bubble(t, "D17 "+c.name+" accepts a network error", func(t *testing.T) {
			srv := connectiontest.NewServer(t, connectiontest.Sequence(connectiontest.Cut(), status(204)))
			policy := connection.WithRetry(connection.Retry{Max: 1, On: c.on})
			resp, err := connectTo(t, srv, policy).Do(newRequest(t.Context(), t, "GET", nil))
			answered(t, resp, err, 204)
		})
	}
	bubble(t, "an authentication error is not retried, and nothing is sent", func(t *testing.T) {
		srv := connectiontest.NewServer(t, status(204))
		lost := errors.New("the vault is shut")
		calls := 0
		conn := connectTo(t, srv, connection.WithAuth(auth.Func(func(*http.Request) error {
			calls++
			return lost
		})), connection.WithRetry(connection.Retry{Max: 3, On: connection.OnAllErrors()}))
		_, err := conn.Do(newRequest(t.Context(), t, "GET", nil))
		if _, ok := errors.AsType[*auth.Error](err); !ok || !errors.Is(err, lost) || calls != 1 {
			t.Errorf("error %v after %d calls", err, calls)
		}
		if _, ok := errors.AsType[*connection.RetryError](err); ok {
			t.Errorf("error %v is a *RetryError", err)
		}
		sent(t, srv, 0)
	})
	bubble(t, "a refused redirect is not retried", func(t *testing.T) {
		srv := connectiontest.NewServer(t, status(302).Header("Location", "http://api.example.test/"))
		conn := connectTo(t, srv, connection.WithRetry(connection.Retry{Max: 3, On: connection.OnAllErrors()}))
		_, err := conn.Do(newRequest(t.Context(), t, "GET", nil))
		if _, ok := errors.AsType[*connection.RedirectError](err); !ok {
			t.Errorf("error %v, want a *RedirectError", err)
		}
		sent(t, srv, 1)
	})
	bubble(t, "D18 a truncated 200 is a typed error and not retried", func(t *testing.T) {
		srv := connectiontest.NewServer(t, connectiontest.JSON(200, []int{1, 2, 3}).Header("Content-Length", "100"))
		conn := connectTo(t, srv, retries(3))
		_, err := request.Do[[]int](t.Context(), request.Get(conn, "/things"))
		if !errors.Is(err, request.StageRead) || !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("error %v, want an unexpected end at StageRead", err)
		}
		sent(t, srv, 1)
		resp, err := conn.Do(newRequest(t.Context(), t, "GET", nil))
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if _, err := io.ReadAll(resp.Body); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("error %v, want io.ErrUnexpectedEOF", err)
		}
		sent(t, srv, 2)
	})
}

// counting is a Challenger whose every credential is new.
type counting struct{ n, challenges *atomic.Int32 }

func newCounting() counting { return counting{new(atomic.Int32), new(atomic.Int32)} }

func (c counting) Authenticate(req *http.Request) error {
	req.Header.Set("X-Nonce", strconv.Itoa(int(c.n.Add(1))))
	return nil
}

func (c counting) Challenged(_ *http.Request, resp *http.Response) (bool, error) {
	c.challenges.Add(1)
	return resp.StatusCode == http.StatusUnauthorized, nil
}

func TestRetryCredentials(t *testing.T) {
	t.Parallel()
	nonces := func(srv *connectiontest.Server) []string {
		var all []string
		for _, r := range srv.Requests() {
			all = append(all, r.Header.Get("X-Nonce"))
		}
		return all
	}
	bubble(t, "D9 every attempt is authenticated anew, with one value", func(t *testing.T) {
		srv := connectiontest.NewServer(t, status(503))
		conn := connectTo(t, srv, retries(2), connection.WithAuth(newCounting()))
		resp, err := conn.Do(newRequest(t.Context(), t, "GET", nil))
		answered(t, resp, err, 503)
		if diff := cmp.Diff([]string{"1", "2", "3"}, nonces(srv)); diff != "" {
			t.Error(diff)
		}
	})
	bubble(t, "D11 a 401 is sent again once and not retried", func(t *testing.T) {
		srv := connectiontest.NewServer(t, status(401))
		a := newCounting()
		resp, err := connectTo(t, srv, retries(5), connection.WithAuth(a)).Do(newRequest(t.Context(), t, "GET", nil))
		answered(t, resp, err, 401)
		if diff := cmp.Diff([]string{"1", "2"}, nonces(srv)); diff != "" {
			t.Error(diff)
		}
	})
	bubble(t, "D11 a resend does not count as a retry, and retries do not multiply", func(t *testing.T) {
		srv := connectiontest.NewServer(t, connectiontest.Sequence(status(401), status(503)))
		conn := connectTo(t, srv, retries(2), connection.WithAuth(newCounting()))
		err := request.Get(conn, "/things").Exec(t.Context())
		re, ok := errors.AsType[*request.ResponseError](err)
		if !ok || re.Status != 503 || len(re.History) != 3 {
			t.Errorf("error %v, want a 503 after three attempts", err)
		}
		sent(t, srv, 4)
	})
	bubble(t, "D11 the end of one attempt leaves no retry to the next call", func(t *testing.T) {
		srv := connectiontest.NewServer(t, status(503))
		conn := connectTo(t, srv, connection.WithRetry(connection.Retry{Max: 2, Wait: connection.Exponential()}))
		for range 2 {
			began := time.Now()
			resp, err := conn.Do(newRequest(t.Context(), t, "GET", nil))
			answered(t, resp, err, 503)
			if got := time.Since(began); got < 600*time.Millisecond || got > 721*time.Millisecond {
				t.Errorf("waited %v, want 0.6 s to 0.72 s: the delays of a call begin anew", got)
			}
		}
		sent(t, srv, 6)
	})
}

// TestRetryOutcome is about what is left after the last attempt.
func TestRetryOutcome(t *testing.T) {
	t.Parallel()
	bubble(t, "D21 the last response is kept, with its body and the history", func(t *testing.T) {
		handler := connectiontest.Sequence(connectiontest.Cut(), status(500), connectiontest.Text(503, "still down"))
		srv := connectiontest.NewServer(t, handler)
		conn := connectTo(t, srv, retries(2))
		err := request.Get(conn, "/things").Exec(t.Context())
		re, ok := errors.AsType[*request.ResponseError](err)
		if !ok || re.Status != 503 || string(re.Body) != "still down" {
			t.Fatalf("error %v, want the last 503 and its body", err)
		}
		if len(re.History) != 3 || !errors.Is(re.History[0].Err, io.EOF) || re.History[1].Status != 500 ||
			re.History[2].Status != 503 {
			t.Errorf("attempts %v", re.History)
		}
		for i, want := range []time.Duration{time.Second, time.Second, 0} {
			if got := re.History[i].Wait; got != want {
				t.Errorf("wait after attempt %d: %v, want %v", i+1, got, want)
			}
		}
		resp, err := conn.Do(newRequest(t.Context(), t, "GET", nil))
		if got := answered(t, resp, err, 503); got != "still down" {
			t.Errorf("body %q from Do", got)
		}
		resp, err = conn.HTTPClient().Get(srv.URL + "/things")
		if got := answered(t, resp, err, 503); got != "still down" {
			t.Errorf("body %q from HTTPClient", got)
		}
	})
	bubble(t, "D21 without a last response all causes are joined", func(t *testing.T) {
		first, last := errors.New("first"), errors.New("last")
		var n atomic.Int32
		fail := func(next http.RoundTripper) http.RoundTripper {
			return roundTrip(func(req *http.Request) (*http.Response, error) {
				switch n.Add(1) {
				case 1:
					return nil, first
				case 2:
					return next.RoundTrip(req)
				}
				return nil, last
			})
		}
		srv := connectiontest.NewServer(t, connectiontest.Text(502, "bad gateway"))
		conn := connectTo(t, srv, retries(2), connection.WithAttemptMiddleware(fail))
		_, err := request.Do[string](t.Context(), request.Get(conn, "/things"))
		re, ok := errors.AsType[*connection.RetryError](err)
		if !ok || !errors.Is(err, first) || !errors.Is(err, last) || !errors.Is(err, request.StageSend) {
			t.Fatalf("error %v, want a *RetryError with both causes", err)
		}
		if !errors.Is(re.Err, last) || len(re.History) != 3 || re.History[1].Status != 502 {
			t.Errorf("RetryError %+v", re)
		}
		if got, want := re.Error(), "last (after 3 attempts: first; 502 Bad Gateway; last)"; got != want {
			t.Errorf("text %q, want %q", got, want)
		}
		if e, ok := errors.AsType[*request.Error](err); !ok || e.Attempts != 3 {
			t.Errorf("request.Error %+v", e)
		}
	})
	bubble(t, "D21 what ended the call says whether it is a timeout, as one attempt does", func(t *testing.T) {
		srv := connectiontest.NewServer(t, status(204).Delay(time.Hour))
		conn := connectTo(t, srv, retries(1), connection.WithTimeouts(connection.Timeouts{Attempt: time.Second}))
		_, err := conn.HTTPClient().Get(srv.URL)
		_, ok := errors.AsType[*connection.RetryError](err)
		if late, is := errors.AsType[net.Error](err); !ok || !is || !late.Timeout() || !os.IsTimeout(err) {
			t.Errorf("error %v, want a *RetryError in one of net/http that is a timeout", err)
		}
		srv.Refuse()
		srv.Down()
		if _, err = conn.HTTPClient().Get(srv.URL); err == nil || os.IsTimeout(err) {
			t.Errorf("error %v, want one that is no timeout", err)
		}
	})
	bubble(t, "D21 the text of an error has an end, and the history all attempts", func(t *testing.T) {
		var n atomic.Int32
		fail := func(http.RoundTripper) http.RoundTripper {
			return roundTrip(func(*http.Request) (*http.Response, error) { return nil, fmt.Errorf("fault %d", n.Add(1)) })
		}
		conn := connect(t, "https://api.example.test", retries(99), connection.WithAttemptMiddleware(fail))
		_, err := conn.Do(newRequest(t.Context(), t, "GET", nil))
		re, ok := errors.AsType[*connection.RetryError](err)
		if !ok || len(re.History) != 100 || len(err.Error()) > 200 ||
			!strings.HasPrefix(err.Error(), "fault 100 (after 100 attempts: fault 1; fault 2; ") {
			t.Errorf("error %v", err)
		}
	})
	bubble(t, "D21 one attempt that fails is its own error", func(t *testing.T) {
		srv := connectiontest.NewServer(t, connectiontest.Cut())
		_, err := connectTo(t, srv).Do(newRequest(t.Context(), t, "GET", nil))
		if _, ok := errors.AsType[*connection.RetryError](err); ok || !errors.Is(err, io.EOF) {
			t.Errorf("error %v", err)
		}
	})
	bubble(t, "D21 bodies of answers that were not the last are read and closed", func(t *testing.T) {
		var mu sync.Mutex
		var open int
		count := func(next http.RoundTripper) http.RoundTripper {
			return roundTrip(func(req *http.Request) (*http.Response, error) {
				mu.Lock()
				defer mu.Unlock()
				if open != 0 {
					t.Errorf("%d bodies are open at the next attempt", open)
				}
				resp, err := next.RoundTrip(req)
				if err == nil {
					open++
					resp.Body = &closeCounter{ReadCloser: resp.Body, closed: func() { mu.Lock(); open--; mu.Unlock() }}
				}
				return resp, err
			})
		}
		srv := connectiontest.NewServer(t, connectiontest.Text(503, strings.Repeat("x", 10_000)))
		conn := connectTo(t, srv, retries(3), connection.WithAttemptMiddleware(count))
		resp, err := conn.Do(newRequest(t.Context(), t, "GET", nil))
		answered(t, resp, err, 503)
		if open != 0 || srv.Conns() != 1 {
			t.Errorf("%d bodies open, %d connections; want 0 and 1", open, srv.Conns())
		}
	})
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }

// closeCounter calls closed at every Close.
type closeCounter struct {
	io.ReadCloser
	closed func()
}

func (c *closeCounter) Close() error {
	c.closed()
	return c.ReadCloser.Close()
}
