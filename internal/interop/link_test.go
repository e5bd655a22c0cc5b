package interop_test

import (
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/restconn/restconn/internal/interop/servers"
)

// link returns a link to a server, which is stopped after the test, and the URL of the server at the end of it.
func link(t *testing.T, target string) (l *servers.Link, linked string) {
	t.Helper()
	l, err := servers.NewLink(t.Context(), host(t, target))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Down)
	return l, strings.Replace(target, host(t, target), l.Address(), 1)
}

func TestLink(t *testing.T) {
	web := server(t, servers.Nginx)
	for _, role := range []string{servers.TLS, servers.Plain} {
		t.Run(role, func(t *testing.T) {
			l, base := link(t, web.At[role])
			fresh := func() *http.Client { return plainClient(t, dials(1)) } // a second attempt would hide the first
			wantStatus(t, 200, fresh(), base+"/echo")

			l.Set(servers.Weather{Cut: true, Reset: true})
			if _, err := ask(t, fresh(), base+"/echo"); !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("reset: %v", err)
			}
			l.Set(servers.Weather{Cut: true})
			if _, err := ask(t, fresh(), base+"/echo"); !errors.Is(err, io.EOF) {
				t.Errorf("cut at once: %v", err)
			}
			l.Set(servers.Weather{Cut: true, After: 40_000})
			whole := func(r *http.Request) { r.Header.Set("Accept-Encoding", "identity") }
			got, err := ask(t, fresh(), base+"/files/big.txt", whole)
			if !errors.Is(err, io.ErrUnexpectedEOF) || got.Response == nil || got.StatusCode != 200 {
				t.Errorf("cut in the body: %d bytes, %v", len(got.body), err)
			}

			l.Set(servers.Weather{Mute: true})
			silent := fresh()
			silent.Timeout = 200 * time.Millisecond
			_, err = ask(t, silent, base+"/echo")
			if timeout, ok := errors.AsType[net.Error](err); !ok || !timeout.Timeout() {
				t.Errorf("mute: %v", err)
			}

			l.Set(servers.Weather{Slice: 7})
			wantStatus(t, 200, fresh(), base+"/echo")

			l.Set(servers.Weather{Latency: 100 * time.Millisecond})
			begin := time.Now()
			wantStatus(t, 200, fresh(), base+"/echo")
			if took := time.Since(begin); took < 100*time.Millisecond {
				t.Errorf("latency: %v", took)
			}

			l.Set(servers.Weather{})
			wantStatus(t, 200, fresh(), base+"/echo")
			l.Down()
			if _, err := ask(t, fresh(), base+"/echo"); !errors.Is(err, syscall.ECONNREFUSED) {
				t.Errorf("down: %v", err)
			}
			if err := l.Up(t.Context()); err != nil {
				t.Fatal(err)
			}
			before, again := l.Accepted(), fresh()
			wantStatus(t, 200, again, base+"/echo")
			wantStatus(t, 200, again, base+"/echo")
			if n := l.Accepted() - before; n != 1 {
				t.Errorf("two requests after the link was down are %d connections", n)
			}
		})
	}
}
