package tokencall_test

import (
	"compress/gzip"
	"context"
	"crypto/tls"
	"encoding/pem"
	"errors"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/restconn/restconn/connection/connectiontest"
	"github.com/restconn/restconn/internal/tokencall"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const home = "https://auth.example.test"

// call sends a POST with a body over a Caller of that configuration.
func call(
	ctx context.Context, t *testing.T, c tokencall.Config, host *http.Client, target string,
) (*tokencall.Answer, error) {
	t.Helper()
	caller, err := tokencall.New(c, host)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = caller.Close() })
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, target, strings.NewReader("secret=1"))
	if err != nil {
		t.Fatal(err)
	}
	return caller.Do(req)
}

func over(n *connectiontest.Network) *http.Client { return &http.Client{Transport: n.Transport()} }

func TestDo(t *testing.T) {
	t.Parallel()
	t.Run("an answer", func(t *testing.T) {
		t.Parallel()
		n := connectiontest.NewNetwork(t)
		s := n.Serve(home, connectiontest.Text(418, "tea"))
		a, err := call(t.Context(), t, tokencall.Config{}, over(n), home+"/token")
		if err != nil || a.Status != 418 || string(a.Body) != "tea" || a.Received.IsZero() || a.URL.Path != "/token" {
			t.Errorf("the answer is %v, %v", a, err)
		}
		if got := s.Requests(); len(got) != 1 || string(got[0].Body) != "secret=1" {
			t.Errorf("the requests are %v", got)
		}
	})
	t.Run("F2 S20 an answer of exactly the limit, and one of more", func(t *testing.T) {
		t.Parallel()
		n := connectiontest.NewNetwork(t)
		full := strings.Repeat("x", tokencall.MaxBody)
		n.Serve(home, connectiontest.Sequence(connectiontest.Text(200, full), connectiontest.Text(200, full+"x")))
		if a, err := call(t.Context(), t, tokencall.Config{}, over(n), home); err != nil || len(a.Body) != tokencall.MaxBody {
			t.Errorf("error is %v", err)
		}
		a, err := call(t.Context(), t, tokencall.Config{}, over(n), home)
		if !errors.Is(err, tokencall.ErrTooLarge) || a.Status != 200 || a.Body != nil {
			t.Errorf("error is %v", err)
		}
	})
	t.Run("F2 S20 an answer that is compressed", func(t *testing.T) {
		t.Parallel()
		n := connectiontest.NewNetwork(t)
		n.Serve(home, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			z := gzip.NewWriter(w)
			_, _ = z.Write(make([]byte, 4*tokencall.MaxBody))
			_ = z.Close()
		}))
		if _, err := call(t.Context(), t, tokencall.Config{}, over(n), home); !errors.Is(err, tokencall.ErrTooLarge) {
			t.Errorf("error is %v", err)
		}
	})
	t.Run("an answer that is malformed shows nothing", func(t *testing.T) {
		t.Parallel()
		n := connectiontest.NewNetwork(t)
		n.ServeRaw(home, func(conn net.Conn) {
			_, _ = conn.Read(make([]byte, 4096))
			_, _ = conn.Write([]byte("HTTP/1.1 SECRET\r\n\r\n"))
		})
		_, err := call(t.Context(), t, tokencall.Config{}, over(n), home+"/?key=SECRET")
		if err == nil || strings.Contains(err.Error(), "SECRET") {
			t.Errorf("error is %v", err)
		}
	})
}

func TestTimeout(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		limit, late, want time.Duration
	}{
		"S20 without a deadline there is one":     {0, time.Hour, tokencall.Timeout},
		"S20 a shorter deadline holds":            {time.Second, time.Hour, time.Second},
		"S20 a longer deadline holds as well":     {time.Minute, time.Hour, time.Minute},
		"S20 an answer just in time is an answer": {0, tokencall.Timeout - 1, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				n := connectiontest.NewNetwork(t)
				n.Serve(home, connectiontest.Status(200).Delay(c.late))
				ctx := context.WithoutCancel(t.Context())
				if c.limit > 0 {
					limited, cancel := context.WithTimeout(ctx, c.limit)
					defer cancel()
					ctx = limited
				}
				began := time.Now()
				_, err := call(ctx, t, tokencall.Config{}, over(n), home)
				if c.want == 0 {
					if err != nil {
						t.Error(err)
					}
					return
				}
				if !errors.Is(err, context.DeadlineExceeded) || time.Since(began) != c.want {
					t.Errorf("error is %v after %v, want one after %v", err, time.Since(began), c.want)
				}
			})
		})
	}
}

func TestRedirects(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		to      string
		follow  bool
		reached bool
	}{
		"F1 S18 within the origin":                     {"/b", false, false},
		"F1 S18 elsewhere":                             {"https://evil.example.test/b", false, false},
		"within the origin, where that is followed":    {"/b", true, true},
		"F1 another host is never followed":            {"https://evil.example.test/b", true, false},
		"F1 another port is never followed":            {home + ":444/b", true, false},
		"F1 plain http is never followed":              {"http://auth.example.test/b", true, false},
		"without end, where that is followed, it ends": {"/", true, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := connectiontest.NewNetwork(t)
			n.Serve(home, http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
				if req.URL.Path == "/b" {
					return
				}
				http.Redirect(w, req, c.to, http.StatusTemporaryRedirect)
			}))
			elsewhere := []*connectiontest.Server{
				n.Serve("https://evil.example.test", connectiontest.Status(200)),
				n.Serve(home+":444", connectiontest.Status(200)),
				n.Serve("http://auth.example.test", connectiontest.Status(200)),
			}
			a, err := call(t.Context(), t, tokencall.Config{Follow: c.follow}, over(n), home+"/")
			if c.reached {
				if err != nil || a.URL.Path != "/b" {
					t.Errorf("the answer is %v, %v", a, err)
				}
			} else if !errors.Is(err, tokencall.ErrRedirect) || a.Status != 307 || a.Body != nil {
				t.Errorf("error is %v", err)
			}
			for _, s := range elsewhere {
				if s.Conns() != 0 {
					t.Errorf("%s was reached", s.URL)
				}
			}
		})
	}
}

func TestCheckURL(t *testing.T) {
	t.Parallel()
	for text, ok := range map[string]bool{
		"https://auth.example.test/token?x=1": true, "http://127.0.0.1:1/": true, "http://localhost/": true,
		"http://auth.example.test/": false, "ftp://h/": false, "/token": false, "https://u:p@h/": false,
		"https://h/#f": false,
	} {
		u, err := url.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		if err := (tokencall.Config{}).CheckURL(u); (err == nil) != ok {
			t.Errorf("S17 %s: %v", text, err)
		}
	}
	u := &url.URL{Scheme: "http", Host: "h"}
	if err := (tokencall.Config{AllowHTTP: true}).CheckURL(u); err != nil {
		t.Error(err)
	}
	n := connectiontest.NewNetwork(t)
	s := n.Serve("http://auth.example.test", connectiontest.Status(200))
	_, err := call(t.Context(), t, tokencall.Config{}, over(n), s.URL)
	if !errors.Is(err, tokencall.ErrInsecure) || s.Conns() != 0 {
		t.Errorf("S17 error is %v", err)
	}
}

func TestTrust(t *testing.T) {
	t.Parallel()
	n := connectiontest.NewNetwork(t)
	cert := n.Certificate("auth.example.test")
	s := n.ServeTLS(home, connectiontest.Status(200), &tls.Config{Certificates: []tls.Certificate{cert}})
	other := n.Certificate("other.example.test")
	inPEM := func(c tls.Certificate) []byte {
		return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Certificate[0]})
	}
	blind := n.Transport()
	blind.TLSClientConfig = &tls.Config{InsecureSkipVerify: true}
	for name, c := range map[string]struct {
		config tokencall.Config
		host   *http.Client
		ok     bool
	}{
		"S19 K-38 the trust of the host":          {tokencall.Config{}, over(n), true},
		"S19 K-38 trust of its own":               {tokencall.Config{CA: inPEM(cert), CAOnly: true}, over(n), true},
		"S19 K-38 trust of its own, beside":       {tokencall.Config{CA: inPEM(cert)}, over(n), true},
		"S19 K-38 of the host's, nothing is left": {tokencall.Config{CA: inPEM(other)}, over(n), false},
		"S19 a host that checks nothing":          {tokencall.Config{}, &http.Client{Transport: blind}, true},
		"S19 trust of its own is checked all the same": {
			tokencall.Config{CA: inPEM(other)}, &http.Client{Transport: blind}, false,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := call(t.Context(), t, c.config, c.host, s.URL)
			if _, refused := errors.AsType[*tls.CertificateVerificationError](err); (err == nil) != c.ok || !c.ok && !refused {
				t.Errorf("error is %v", err)
			}
			c.host.CloseIdleConnections()
		})
	}
}

func TestClients(t *testing.T) {
	t.Parallel()
	n := connectiontest.NewNetwork(t)
	t.Run("a client of its own comes first, one without a transport too", func(t *testing.T) {
		t.Parallel()
		own := tokencall.Config{Client: &http.Client{}, Proxy: http.ProxyURL(nil)}
		caller, err := tokencall.New(own, &http.Client{Transport: foreign{}})
		if err != nil {
			t.Fatal(err) // foreign has no proxy that could be set
		}
		_ = caller.Close()
	})
	t.Run("trust and proxy need a transport that has them", func(t *testing.T) {
		t.Parallel()
		dials := n.Transport()
		dials.DialTLSContext = dials.DialContext
		ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: n.Certificate("h").Certificate[0]})
		for _, c := range []tokencall.Config{
			{Client: &http.Client{Transport: foreign{}}, Proxy: http.ProxyURL(nil)},
			{Client: &http.Client{Transport: foreign{}}, CA: ca},
			{Client: &http.Client{Transport: dials}, CA: ca},
			{CA: []byte("x")},
		} {
			if _, err := tokencall.New(c, nil); err == nil {
				t.Errorf("%+v is accepted", c)
			}
		}
	})
	t.Run("what is wrong without a transport", func(t *testing.T) {
		t.Parallel()
		for _, c := range []tokencall.Config{{CA: []byte("x")}, {CAOnly: true}} {
			if c.Validate() == nil {
				t.Errorf("%+v is accepted", c)
			}
		}
	})
	t.Run("connections of its own are closed with it", func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			n := connectiontest.NewNetwork(t)
			s := n.Serve(home, connectiontest.Status(200))
			caller, err := tokencall.New(tokencall.Config{Proxy: http.ProxyURL(nil)}, over(n))
			if err != nil {
				t.Fatal(err)
			}
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, home, nil)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := caller.Do(req); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			kept := s.OpenConns()
			if err := caller.Close(); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			if kept != 1 || s.OpenConns() != 0 {
				t.Errorf("there were %d connections, and %d after Close", kept, s.OpenConns())
			}
		})
	})
}

// foreign is a transport of somebody else.
type foreign struct{}

func (foreign) RoundTrip(*http.Request) (*http.Response, error) { return nil, errors.New("foreign") }
