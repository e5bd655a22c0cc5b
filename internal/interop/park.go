package interop

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/restconn/restconn/auth/tokenstore"
	"github.com/restconn/restconn/internal/interop/pki"
	"github.com/restconn/restconn/internal/interop/servers"
)

// ErrNoServer says that a server is neither named by the environment nor to be started.
var ErrNoServer = errors.New("no server")

// LocalKinds are the kinds of places that need no server.
func LocalKinds() []string { return []string{"file", "sqlite"} }

// Park finds servers in the environment, and starts those that are not there, each once. It is safe for concurrent
// use.
type Park struct {
	start bool

	mu      sync.Mutex
	running map[string]*servers.Server
	order   []*servers.Server
	failed  map[string]error

	certificates func() (*pki.Set, error)
	keystores    *pki.Keystores
	files        string // the directory of keystores
}

// NewPark returns a park that starts servers, or does not.
func NewPark(start bool) *Park {
	return &Park{
		start: start, running: make(map[string]*servers.Server), failed: make(map[string]error),
		certificates: sync.OnceValues(pki.NewSet),
	}
}

// Place returns a new place of a kind. path is for kinds that keep their tokens in a file.
func (p *Park) Place(ctx context.Context, kind, path string) (Place, error) {
	place := Place{
		Kind: kind, Address: path, Space: "t_" + strings.ToLower(rand.Text()), Lease: tokenstore.DefaultLease,
	}
	if slices.Contains(LocalKinds(), kind) {
		return place, nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	var err error
	place.Address, err = p.find(ctx, kind)
	return place, err
}

// find returns the address of a server.
func (p *Park) find(ctx context.Context, kind string) (string, error) {
	name := "RESTCONN_TEST_" + strings.ToUpper(kind)
	if address := os.Getenv(name); address != "" {
		return address, nil
	}
	if p.running[kind] == nil && !p.start {
		return "", fmt.Errorf("%w: set %s, or RESTCONN_INTEROP=1 to start one", ErrNoServer, name)
	}
	var needs servers.Needs
	if kind == "pgbouncer" {
		upstream, err := p.find(ctx, "postgres")
		if err != nil {
			return "", err
		}
		needs.Upstream = upstream
	}
	s, err := p.run(ctx, kind, needs)
	if err != nil {
		return "", err
	}
	return s.URL, nil
}

// run returns a server that runs, and is started if it does not.
func (p *Park) run(ctx context.Context, kind string, needs servers.Needs) (*servers.Server, error) {
	if s := p.running[kind]; s != nil {
		return s, nil
	}
	if err := p.failed[kind]; err != nil {
		return nil, err
	}
	s, err := servers.Start(ctx, kind, needs)
	if err != nil {
		p.failed[kind] = err
		return nil, err
	}
	p.running[kind] = s
	p.order = append(p.order, s)
	return s, nil
}

// Server returns a server that is no store, such as [servers.Nginx]. It is started if it does not run yet.
func (p *Park) Server(ctx context.Context, kind string) (*servers.Server, error) {
	if !p.start {
		return nil, fmt.Errorf("%w: set RESTCONN_INTEROP=1 to start %s", ErrNoServer, kind)
	}
	certs, err := p.Certificates()
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.run(ctx, kind, servers.Needs{Certificates: certs})
}

// Certificates returns the certificates of all servers and of their clients.
func (p *Park) Certificates() (*pki.Set, error) { return p.certificates() }

// Keystores returns the files of the client in [Park.Certificates], which are written if they are not there yet.
func (p *Park) Keystores(ctx context.Context) (*pki.Keystores, error) {
	if !p.start {
		return nil, fmt.Errorf("%w: set RESTCONN_INTEROP=1 to run openssl and keytool", ErrNoServer)
	}
	certs, err := p.Certificates()
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.keystores != nil {
		return p.keystores, nil
	}
	dir, err := os.MkdirTemp("", "interop")
	if err != nil {
		return nil, err
	}
	k, err := certs.Keystores(ctx, dir, certs.Client)
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	p.keystores, p.files = k, dir
	return k, nil
}

// Crash kills the server of a kind, and starts it again after a while. It has to be one that was started here.
func (p *Park) Crash(ctx context.Context, kind string, down time.Duration) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.running[kind]
	if s == nil {
		return fmt.Errorf("no %q was started here", kind)
	}
	return s.Crash(ctx, down)
}

// Close stops what was started, the last first, and removes its files.
func (p *Park) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	var faults []error
	for len(p.order) > 0 {
		last := len(p.order) - 1
		faults = append(faults, p.order[last].Stop())
		p.order = p.order[:last]
	}
	clear(p.running)
	if p.files != "" {
		faults = append(faults, os.RemoveAll(p.files))
		p.keystores, p.files = nil, ""
	}
	return errors.Join(faults...)
}

// Clear removes the tables of a place.
func Clear(ctx context.Context, p Place) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	h, err := Open(ctx, p)
	if err != nil {
		return err
	}
	defer func() { _ = h.Close() }()
	if h.DB == nil {
		return nil
	}
	for _, table := range []string{p.Space, p.Space + "_schema"} {
		if _, err := h.DB.ExecContext(ctx, `DROP TABLE "`+table+`"`); err != nil {
			return err
		}
	}
	return nil
}
