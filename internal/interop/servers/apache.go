package servers

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"os/exec"
	"strings"

	"github.com/restconn/restconn/internal/interop/debian"
	"github.com/restconn/restconn/internal/interop/pki"
)

// The roles of [Apache].
const (
	// Digest is in clear text, and asks for Digest credentials (RFC 7616, MD5) below /digest/. A nonce is over, and told
	// to be stale, after two seconds.
	Digest = "digest"
	// RefuseMTLS refuses a client without a certificate within the handshake, which is that of TLS 1.2.
	RefuseMTLS = "refusemtls"
	// LateMTLS does the same in TLS 1.3, where the client has finished its handshake by then: the alert is the first
	// thing that it reads.
	LateMTLS = "latemtls"
)

const apacheRealm = "digest realm"

const apacheSettings = `ServerRoot /usr/lib/apache2
ServerName localhost
PidFile @dir@/apache.pid
DefaultRuntimeDir @dir@
Mutex file:@dir@ default
ErrorLog @dir@/error.log
LogLevel warn
LoadModule mpm_event_module modules/mod_mpm_event.so
LoadModule authn_core_module modules/mod_authn_core.so
LoadModule authn_file_module modules/mod_authn_file.so
LoadModule authz_core_module modules/mod_authz_core.so
LoadModule authz_user_module modules/mod_authz_user.so
LoadModule auth_digest_module modules/mod_auth_digest.so
LoadModule socache_shmcb_module modules/mod_socache_shmcb.so
LoadModule ssl_module modules/mod_ssl.so
LoadModule alias_module modules/mod_alias.so
Listen @digest@
Listen @refusemtls@
Listen @latemtls@
DocumentRoot @dir@/www
Alias /digest @dir@/www/files
<Directory @dir@/www>
  Require all granted
</Directory>
<Location /digest>
  AuthType Digest
  AuthName "@realm@"
  AuthDigestProvider file
  AuthUserFile @dir@/htdigest
  AuthDigestNonceLifetime 2
  Require valid-user
</Location>
SSLEngine off
`

const apacheMTLS = `<VirtualHost @address@>
  SSLEngine on
  SSLProtocol -all +@protocol@
  SSLCertificateFile @dir@/server.pem
  SSLCertificateKeyFile @dir@/server.key
  SSLCACertificateFile @dir@/ca.pem
  SSLVerifyClient require
  SSLVerifyDepth 2
</VirtualHost>
`

// apache starts Apache, with a port for each role. Each has /files/a.json and /files/big.txt.
func apache(ctx context.Context, dir string, certs *pki.Set) (*Server, error) {
	binary, err := debian.Program(ctx, "apache2", "apache2-bin", "/usr/sbin/apache2")
	if err != nil {
		return nil, err
	}
	ports, err := freePorts(ctx, 3)
	if err != nil {
		return nil, err
	}
	s := newServer()
	s.At[Digest], s.At[RefuseMTLS], s.At[LateMTLS] =
		"http://"+address(ports[0]), "https://"+address(ports[1]), "https://"+address(ports[2])
	s.URL = s.At[Digest]
	host := func(port int, protocol string) string {
		return strings.NewReplacer("@address@", address(port), "@protocol@", protocol).Replace(apacheMTLS)
	}
	settings := strings.NewReplacer(
		"@dir@", dir, "@realm@", apacheRealm,
		"@digest@", address(ports[0]), "@refusemtls@", address(ports[1]), "@latemtls@", address(ports[2]),
	).Replace(apacheSettings + host(ports[1], "TLSv1.2") + host(ports[2], "TLSv1.3"))
	files := pages()
	addCertificates(files, certs)
	files["apache.conf"], files["htdigest"] = settings, digestLine(s, apacheRealm)
	if err := write(dir, files); err != nil {
		return nil, err
	}
	cmd := exec.Command(binary, "-X", "-f", dir+"/apache.conf") //nolint:noctx // Stop ends it
	return s.serve(ctx, cmd, dir, ports...)
}

// digestLine is the line of a user in a file for Digest.
func digestLine(s *Server, realm string) string {
	sum := md5.Sum([]byte(s.User + ":" + realm + ":" + s.Password))
	return s.User + ":" + realm + ":" + hex.EncodeToString(sum[:]) + "\n"
}
