package servers

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"os/exec"
	"strconv"
	"time"

	"github.com/restconn/restconn/internal/interop/debian"
	"github.com/restconn/restconn/internal/interop/pki"
)

// chromium starts a browser without a window, which is driven over the DevTools protocol at its URL. It accepts the
// certificate of [pki.Set].Server beside those of the system, and knows no way off this machine. Names that end with
// .test are this machine.
func chromium(ctx context.Context, dir string, certs *pki.Set) (*Server, error) {
	// The program that people start is a script, which adds what an administrator has configured.
	binary, err := debian.File(ctx, "/usr/lib/chromium/chromium", "chromium")
	if err != nil {
		return nil, err
	}
	port, err := freePort(ctx)
	if err != nil {
		return nil, err
	}
	key := sha256.Sum256(certs.Server.Certificate.RawSubjectPublicKeyInfo)
	cmd := exec.Command(binary, //nolint:noctx // Stop ends it
		"--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
		"--no-default-browser-check", "--disable-background-networking", "--disable-component-update",
		"--disable-default-apps", "--disable-sync", "--disable-extensions", "--disable-breakpad",
		"--metrics-recording-only", "--password-store=basic", "--no-proxy-server",
		"--host-resolver-rules=MAP *.test 127.0.0.1, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
		"--ignore-certificate-errors-spki-list="+base64.StdEncoding.EncodeToString(key[:]),
		"--user-data-dir="+dir, "--remote-debugging-address=127.0.0.1", "--remote-debugging-port="+strconv.Itoa(port),
		"about:blank")
	cmd.Env = []string{"HOME=" + dir, "TMPDIR=" + dir, "PATH=" + systemPath}
	cmd.WaitDelay = 5 * time.Second // what it has started may still hold its output
	s := newServer()
	s.URL = "http://" + address(port)
	return s.serve(ctx, cmd, dir, port)
}

// systemPath is where the browser finds programs.
const systemPath = "/usr/bin:/bin"
