// Package servers starts real servers on loopback: from nothing, in a directory that goes away with them, and stops
// them by their process id. It is made for Debian and for tests.
package servers

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/restconn/restconn/internal/interop/pki"
	"github.com/restconn/restconn/internal/wait"
)

// Server is a server that runs.
type Server struct {
	// URL is where it is. That of a store and of a proxy has user and password in it.
	URL string
	// At is where else it is, by role: see [TLS] and the others there.
	At map[string]string
	// User and Password are what a web server or a proxy asks for.
	User, Password string

	dir     string
	process *process
	signal  syscall.Signal                              // asks it to end
	again   func(ctx context.Context) (*process, error) // starts it once more, in the same place; nil if it cannot be
}

// Stop ends the server, and removes its directory.
func (s *Server) Stop() error {
	return errors.Join(s.process.stop(s.signal), os.RemoveAll(s.dir))
}

// Crash kills the server, and starts it again after a while. It finds what it has written before.
func (s *Server) Crash(ctx context.Context, down time.Duration) error {
	if s.again == nil {
		return errors.New("this server cannot be started again")
	}
	if err := s.process.cmd.Process.Kill(); err != nil {
		return err
	}
	<-s.process.done
	if err := wait.For(ctx, down); err != nil {
		return err
	}
	p, err := s.again(ctx)
	if err != nil {
		return err
	}
	s.process = p
	return nil
}

// Seen is a request that [Nginx] is done with.
type Seen struct {
	Port, Connection, Method, Path, Status string
	ID                                     string // the header X-Id, or "-"
}

// Seen returns the requests that [Nginx] is done with, in their order.
func (s *Server) Seen() ([]Seen, error) {
	text, err := s.Log("seen.log")
	if err != nil {
		return nil, err
	}
	var all []Seen
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) != 6 || !strings.HasSuffix(line, "\n") {
			continue // no request, or not written to its end
		}
		all = append(all, Seen{f[0], f[1], f[2], f[3], f[4], strings.Trim(f[5], `"`)})
	}
	return all, nil
}

// Log returns what the server has written to a file in its directory, such as the "access.log" of [Squid].
func (s *Server) Log(name string) (string, error) {
	text, err := os.ReadFile(filepath.Join(s.dir, name))
	return string(text), err
}

// The kinds of servers that are no stores.
const (
	// Nginx is a web server, with the roles from [TLS] to [OldTLS].
	Nginx = "nginx"
	// Apache is a web server with the roles [Digest], [RefuseMTLS] and [LateMTLS].
	Apache = "apache"
	// Squid is a proxy that asks for Basic credentials, with the roles [Plain] and [TLS].
	Squid = "squid"
	// SquidDigest is a proxy that asks for Digest credentials.
	SquidDigest = "squiddigest"
	// Tinyproxy is a proxy that asks for Basic credentials.
	Tinyproxy = "tinyproxy"
	// Microsocks is a SOCKS5 proxy that asks for user and password.
	Microsocks = "microsocks"
	// OIDC is an OpenID provider, with the roles [Mock] and [Control].
	OIDC = "oidc"
	// Chromium is a browser. Its URL is where it is driven over the DevTools protocol.
	Chromium = "chromium"
)

// Kinds are the kinds of stores that [Start] knows. A server needs those before it.
func Kinds() []string { return []string{"postgres", "pgbouncer", "redis", "rediscluster"} }

// Needs is what a server is started with.
type Needs struct {
	// Upstream is the URL of a server of kind "postgres". "pgbouncer" needs it.
	Upstream string
	// Certificates are those of servers and their clients. [Nginx], [Apache], [Squid], [OIDC] and
	// [Chromium] need them.
	Certificates *pki.Set
}

// starter starts a server in a directory.
type starter func(ctx context.Context, dir string) (*Server, error)

// starters are the kinds of servers.
func starters(needs Needs) map[string]starter {
	certified := func(start func(context.Context, string, *pki.Set) (*Server, error)) starter {
		return func(ctx context.Context, dir string) (*Server, error) { return start(ctx, dir, needs.Certificates) }
	}
	return map[string]starter{
		"postgres": postgres,
		"pgbouncer": func(ctx context.Context, dir string) (*Server, error) {
			return pgbouncer(ctx, dir, needs.Upstream)
		},
		"redis":        func(ctx context.Context, dir string) (*Server, error) { return redisServer(ctx, dir, false) },
		"rediscluster": func(ctx context.Context, dir string) (*Server, error) { return redisServer(ctx, dir, true) },
		Nginx:          certified(nginx),
		Apache:         certified(apache),
		Squid:          certified(squid),
		SquidDigest:    squidDigest,
		Tinyproxy:      tinyproxy,
		Microsocks:     microsocks,
		OIDC:           certified(oidc),
		Chromium:       certified(chromium),
	}
}

// Start starts a server of a kind.
func Start(ctx context.Context, kind string, needs Needs) (*Server, error) {
	start := starters(needs)[kind]
	if start == nil {
		return nil, fmt.Errorf("there is no server %q", kind)
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute) // most of it for an installation
	defer cancel()
	var faults []error
	for range 3 { // somebody else can be quicker to take the port
		dir, err := os.MkdirTemp("", "interop")
		if err != nil {
			return nil, err
		}
		server, err := start(ctx, dir)
		if err == nil {
			server.dir = dir
			return server, nil
		}
		faults = append(faults, fmt.Errorf("%s: %w", kind, err), os.RemoveAll(dir))
	}
	return nil, errors.Join(faults...)
}

// freePort returns a port of loopback that nobody listens on.
func freePort(ctx context.Context) (int, error) {
	ports, err := freePorts(ctx, 1)
	if err != nil {
		return 0, err
	}
	return ports[0], nil
}

// freePorts returns n different ports of loopback that nobody listens on.
func freePorts(ctx context.Context, n int) ([]int, error) {
	var ports []int
	var open []net.Listener
	defer func() { // all at the end, so that they differ
		for _, l := range open {
			_ = l.Close()
		}
	}()
	for range n {
		l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		open = append(open, l)
		addr, ok := l.Addr().(*net.TCPAddr)
		if !ok {
			return nil, errors.New("the listener has no port")
		}
		ports = append(ports, addr.Port)
	}
	return ports, nil
}

// ready waits until check passes, the process ends, or half a minute is over.
func ready(ctx context.Context, p *process, check func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	pause := time.NewTicker(50 * time.Millisecond)
	defer pause.Stop()
	for {
		err := check(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-pause.C:
		case <-p.done:
			return fmt.Errorf("it has ended: %s", p.output())
		case <-ctx.Done():
			return errors.Join(fmt.Errorf("it did not get ready: %w: %s", err, p.output()), p.stop(syscall.SIGKILL))
		}
	}
}

// password returns a new password.
func password() string { return rand.Text() }

func address(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }

// newServer returns a server with a user and a new password.
func newServer() *Server {
	return &Server{At: make(map[string]string), User: account, Password: password()}
}

// proxyURL returns the URL of a proxy, with user and password.
func (s *Server) proxyURL(scheme string, port int) string {
	u := url.URL{Scheme: scheme, User: url.UserPassword(s.User, s.Password), Host: address(port)}
	return u.String()
}

// serve runs a command without rights in a directory, and returns when it listens at these ports.
func (s *Server) serve(ctx context.Context, cmd *exec.Cmd, dir string, ports ...int) (*Server, error) {
	cmd.Dir = dir
	if err := demote(cmd, dir); err != nil {
		return nil, err
	}
	p, err := launch(cmd)
	if err != nil {
		return nil, err
	}
	if err := ready(ctx, p, func(ctx context.Context) error { return dial(ctx, ports...) }); err != nil {
		return nil, err
	}
	s.process, s.signal = p, syscall.SIGTERM
	return s, nil
}

// write writes files below a directory.
func write(dir string, files map[string]string) error {
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return err
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			return err
		}
	}
	return nil
}

// dial fails until something listens at each of these ports.
func dial(ctx context.Context, ports ...int) error {
	for _, port := range ports {
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", address(port))
		if err != nil {
			return err
		}
		if err := conn.Close(); err != nil {
			return err
		}
	}
	return nil
}
