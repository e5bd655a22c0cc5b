package servers

import (
	"context"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/restconn/restconn/internal/interop/debian"
	"github.com/restconn/restconn/internal/interop/pki"
)

// The roles of [OIDC] beside its URL.
const (
	// Mock is an authorization server that grants whatever it is asked for: oauth2-mock-server.
	Mock = "mock"
	// Control is where Mock is told to fail.
	Control = "control"
)

// SecretSuffix is what the secrets of clients end with that are registered at [OIDC]: all that a form changes.
const SecretSuffix = " %41-and-+:&=/"

// programs run on Node.js. Their packages, and Node.js itself, are those that package-lock.json names: the Node.js of
// Debian 12 is too old for them.
//
//go:embed node
var programs embed.FS

// oidc starts an OpenID provider, which is certified: oidc-provider. Clients register themselves there, and any user
// name and password will do. A resource that begins with "urn:api:" knows two scopes, api:read and api:write.
func oidc(ctx context.Context, dir string, certs *pki.Set) (*Server, error) {
	ports, err := freePorts(ctx, 3)
	if err != nil {
		return nil, err
	}
	s := newServer()
	s.URL, s.At[Mock], s.At[Control] = "https://"+address(ports[0]), "https://"+address(ports[1]),
		"http://"+address(ports[2])
	settings, err := json.Marshal(map[string]any{
		"oidc": ports[0], "mock": ports[1], "control": ports[2], "secretSuffix": SecretSuffix,
	})
	if err != nil {
		return nil, err
	}
	files := map[string]string{"settings.json": string(settings), "seen.log": ""}
	addCertificates(files, certs)
	if err := write(dir, files); err != nil {
		return nil, err
	}
	node, err := installPrograms(ctx, dir)
	if err != nil {
		return nil, err
	}
	return s.serve(ctx, exec.Command(node, "main.mjs"), dir, ports...) //nolint:noctx // Stop ends it
}

// installPrograms installs the programs and their packages in a directory, and returns the Node.js to run them. The
// hashes of packages are checked, and none of their scripts is run.
func installPrograms(ctx context.Context, dir string) (string, error) {
	source, err := fs.Sub(programs, "node")
	if err != nil {
		return "", err
	}
	if err := os.CopyFS(dir, source); err != nil {
		return "", err
	}
	npm, err := debian.Program(ctx, "npm", "npm", "/usr/bin/npm")
	if err != nil {
		return "", err
	}
	cache := filepath.Join(dir, "cache")
	cmd := exec.CommandContext(ctx, npm, "ci",
		"--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier", "--cache", cache)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("npm ci: %w\n%s", err, out)
	}
	found, err := filepath.Glob(filepath.Join(dir, "node_modules", "node-linux-*", "bin", "node"))
	if err != nil || len(found) != 1 {
		return "", errors.New("npm has installed no Node.js: it is there for amd64 and arm64")
	}
	return found[0], os.RemoveAll(cache)
}
