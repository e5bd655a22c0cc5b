package servers

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"os/exec"
	"strconv"
	"strings"

	"github.com/restconn/restconn/internal/interop/debian"
	"github.com/restconn/restconn/internal/interop/pki"
)

// ProxyRealm is the realm of [Squid] and [SquidDigest].
const ProxyRealm = "proxy realm"

// ProxyHost is a name that [Squid] and [SquidDigest] know, for 127.0.0.1. Nobody else does.
const ProxyHost = pki.Name

const squidSettings = `pid_filename @dir@/squid.pid
access_log stdio:@dir@/access.log
cache_log @dir@/cache.log
cache deny all
cache_mem 8 MB
max_filedescriptors 1024
pinger_enable off
coredump_dir @dir@
visible_hostname proxy.test
hosts_file @dir@/hosts
shutdown_lifetime 0 seconds
acl known proxy_auth REQUIRED
acl loopback dst 127.0.0.0/8
http_access deny !loopback
http_access allow known
http_access deny all
`

// squid starts a proxy for loopback, which is spoken to in clear text and over TLS.
func squid(ctx context.Context, dir string, certs *pki.Set) (*Server, error) {
	ports, err := freePorts(ctx, 2)
	if err != nil {
		return nil, err
	}
	s := newServer()
	s.At[Plain], s.At[TLS] = s.proxyURL("http", ports[0]), s.proxyURL("https", ports[1])
	s.URL = s.At[Plain]
	sum := md5.Sum([]byte(s.Password))
	files := map[string]string{"passwords": s.User + ":" + hex.EncodeToString(sum[:]) + "\n"}
	addCertificates(files, certs)
	settings := "http_port " + address(ports[0]) + "\n" +
		"https_port " + address(ports[1]) + " tls-cert=@dir@/server.pem tls-key=@dir@/server.key\n" +
		"auth_param basic program /usr/lib/squid/basic_ncsa_auth @dir@/passwords\n" +
		"auth_param basic realm " + ProxyRealm + "\nauth_param basic credentialsttl 1 second\n" + squidSettings
	return s.runSquid(ctx, dir, files, settings, ports)
}

// squidDigest starts a proxy for loopback.
func squidDigest(ctx context.Context, dir string) (*Server, error) {
	port, err := freePort(ctx)
	if err != nil {
		return nil, err
	}
	s := newServer()
	s.URL = s.proxyURL("http", port)
	settings := "http_port " + address(port) + "\n" +
		"auth_param digest program /usr/lib/squid/digest_file_auth -c @dir@/passwords\n" +
		"auth_param digest realm " + ProxyRealm + "\n" + squidSettings
	return s.runSquid(ctx, dir, map[string]string{"passwords": digestLine(s, ProxyRealm)}, settings, []int{port})
}

// runSquid runs Squid as one process, with a name of its own: two with one name are in each other's way.
func (s *Server) runSquid(
	ctx context.Context, dir string, files map[string]string, settings string, ports []int,
) (*Server, error) {
	binary, err := debian.Program(ctx, "squid", "squid", "/usr/sbin/squid")
	if err != nil {
		return nil, err
	}
	files["hosts"] = "127.0.0.1 " + ProxyHost + "\n"
	files["squid.conf"] = strings.ReplaceAll(settings, "@dir@", dir)
	if err := write(dir, files); err != nil {
		return nil, err
	}
	//nolint:noctx // Stop ends it
	cmd := exec.Command(binary, "-N", "-d", "1", "-n", "interop"+strconv.Itoa(ports[0]), "-f", dir+"/squid.conf")
	return s.serve(ctx, cmd, dir, ports...)
}

// tinyproxy starts a proxy. Its package with the program alone has no service.
func tinyproxy(ctx context.Context, dir string) (*Server, error) {
	binary, err := debian.Program(ctx, "tinyproxy", "tinyproxy-bin", "/usr/bin/tinyproxy")
	if err != nil {
		return nil, err
	}
	port, err := freePort(ctx)
	if err != nil {
		return nil, err
	}
	s := newServer()
	s.URL = s.proxyURL("http", port)
	settings := "Port " + strconv.Itoa(port) + "\nListen 127.0.0.1\nTimeout 30\nMaxClients 50\nAllow 127.0.0.1\n" +
		"PidFile \"" + dir + "/tinyproxy.pid\"\nLogFile \"" + dir + "/tinyproxy.log\"\n" +
		"BasicAuth " + s.User + " " + s.Password + "\n"
	if err := write(dir, map[string]string{"tinyproxy.conf": settings}); err != nil {
		return nil, err
	}
	cmd := exec.Command(binary, "-d", "-c", dir+"/tinyproxy.conf") //nolint:noctx // Stop ends it
	return s.serve(ctx, cmd, dir, port)
}

// microsocks starts a SOCKS5 proxy.
func microsocks(ctx context.Context, dir string) (*Server, error) {
	binary, err := debian.Program(ctx, "microsocks", "microsocks", "/usr/bin/microsocks")
	if err != nil {
		return nil, err
	}
	port, err := freePort(ctx)
	if err != nil {
		return nil, err
	}
	s := newServer()
	s.URL = s.proxyURL("socks5", port)
	//nolint:noctx // Stop ends it
	cmd := exec.Command(binary, "-i", "127.0.0.1", "-p", strconv.Itoa(port), "-u", s.User, "-P", s.Password)
	return s.serve(ctx, cmd, dir, port)
}
