// Package servers starts real servers on loopback: from nothing, in a directory that goes away with them, and stops
// them by their process id. It is made for Debian and for tests.
package servers

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"time"

	"github.com/restconn/restconn/internal/wait"
)

// Server is a server that runs.
type Server struct {
	// URL is where it is, user and password included.
	URL string

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

// Kinds are the kinds of servers that [Start] knows. A server needs those before it.
func Kinds() []string { return []string{"postgres", "pgbouncer", "redis", "rediscluster"} }

// Start starts a server of a kind. The upstream of "pgbouncer" is a server of kind "postgres"; other kinds have none.
func Start(ctx context.Context, kind, upstream string) (*Server, error) {
	var start func(context.Context, string) (*Server, error)
	switch kind {
	case "postgres":
		start = postgres
	case "pgbouncer":
		start = func(ctx context.Context, dir string) (*Server, error) { return pgbouncer(ctx, dir, upstream) }
	case "redis":
		start = func(ctx context.Context, dir string) (*Server, error) { return redisServer(ctx, dir, false) }
	case "rediscluster":
		start = func(ctx context.Context, dir string) (*Server, error) { return redisServer(ctx, dir, true) }
	default:
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

// program returns the path of a program, which is installed from a package if it is missing and we may. Some are not
// where programs are looked for, but match a pattern.
func program(ctx context.Context, name, pkg, pattern string) (string, error) {
	find := func() string {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
		found, _ := filepath.Glob(pattern)
		if len(found) == 0 {
			return ""
		}
		return slices.MaxFunc(found, func(a, b string) int { return len(a) - len(b) })
	}
	if path := find(); path != "" {
		return path, nil
	}
	if os.Geteuid() != 0 {
		return "", fmt.Errorf("%s is missing: install the package %s", name, pkg)
	}
	if err := install(ctx, pkg); err != nil {
		return "", fmt.Errorf("%s is missing: %w", name, err)
	}
	if path := find(); path != "" {
		return path, nil
	}
	return "", fmt.Errorf("%s is missing although %s is installed", name, pkg)
}

// install installs a package of Debian without starting what is in it.
func install(ctx context.Context, pkg string) error {
	for _, args := range [][]string{{"update"}, {"install", "-y", "--no-install-recommends", pkg}} {
		cmd := exec.CommandContext(ctx, "apt-get", args...)
		cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive", "RUNLEVEL=1")
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("apt-get %s: %w\n%s", args[0], err, out)
		}
	}
	return nil
}

// freePort returns a port of loopback that nobody listens on.
func freePort(ctx context.Context) (int, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer func() { _ = l.Close() }()
	addr, ok := l.Addr().(*net.TCPAddr)
	if !ok {
		return 0, errors.New("the listener has no port")
	}
	return addr.Port, nil
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
