package servers

import (
	"context"
	"fmt"
	"os/exec"
	"strings"

	"github.com/restconn/restconn/internal/interop/debian"
	"github.com/restconn/restconn/internal/interop/pki"
)

// The roles of [Nginx]: each is a port of its own.
const (
	// TLS speaks HTTP/2 and HTTP/1.1 over TLS 1.2 and 1.3.
	TLS = "tls"
	// TLS11 speaks HTTP/1.1 only, over TLS.
	TLS11 = "tls11"
	// Plain speaks HTTP/1.1 in clear text.
	Plain = "plain"
	// Other is another origin, and where /redirect leads. It takes a certificate of a client, and does not need one.
	Other = "other"
	// Brief says goodbye (GOAWAY, Connection: close) after every second request of a connection.
	Brief = "brief"
	// MTLS wants a certificate of a client. A request without one gets the status 400: the handshake succeeds.
	MTLS = "mtls"
	// WrongHost, Expired and Untrusted have the certificates of those names in [pki.Set].
	WrongHost = "wronghost"
	Expired   = "expired"
	Untrusted = "untrusted"
	// OldTLS speaks TLS 1.1 and nothing later.
	OldTLS = "oldtls"
)

// Echo is what [Nginx] and [Apache] answer to GET /echo on each port: what they have seen.
type Echo struct {
	Protocol           string // as "HTTP/2.0"
	TLS                string // as "TLSv1.3"
	Port               string
	Connection         string // the number of the connection; equal numbers are one connection
	Authorization      string
	ProxyAuthorization string
	Cookie             string
	Key                string // the header X-Api-Key
	Client             string // "SUCCESS" after a client has shown its certificate
	Subject            string // of that certificate, as "CN=client"
}

// nginxEcho is [Echo] in the words of nginx.
const nginxEcho = `{"protocol":"$server_protocol","tls":"$ssl_protocol","port":"$server_port",` +
	`"connection":"$connection","authorization":"$http_authorization","cookie":"$http_cookie",` +
	`"proxyAuthorization":"$http_proxy_authorization","key":"$http_x_api_key",` +
	`"client":"$ssl_client_verify","subject":"$ssl_client_s_dn"}`

// nginxHead is what all servers of nginx have in common.
const nginxHead = `daemon off; master_process off; worker_processes 1; pid nginx.pid; error_log stderr warn;
events { worker_connections 256; }
http {
  ssl_protocols TLSv1.2 TLSv1.3;
  log_format seen '$server_port $connection $request_method $uri $status "$http_x_id"';
  access_log seen.log seen; default_type application/json; types { text/plain txt; } server_tokens off; root www;
  client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi;
  uwsgi_temp_path uwsgi; scgi_temp_path scgi;
  gzip on; gzip_min_length 1; gzip_types application/json text/plain;
  limit_req_zone $server_port$arg_key zone=one:1m rate=1r/m;
  client_max_body_size 64k;
`

// nginxPlaces are the paths of each port.
const nginxPlaces = `
    location = /echo { return 200 '@echo@'; }
    location /basic/ { auth_basic "realm one"; auth_basic_user_file htpasswd; }
    location /files/ { }
    location /slow/ { gzip off; limit_rate 20k; alias www/files/; }
    location = /limited { limit_req zone=one; limit_req_status 429; try_files /files/a.json =404; }
    location = /busy { add_header Retry-After 1 always; return 503 '{"error":"busy"}'; }
    location = /tooMany { add_header Retry-After 1 always; return 429 '{"error":"too many"}'; }
    location = /drop { return 444; }
    location = /redirect { return 307 @other@/echo; }
    location = /redirectPlain { return 302 @plain@/echo; }
    location = /upload { proxy_pass @plain@/echo; }
    location = /token { return 200 '{"access_token":"$ssl_client_s_dn","token_type":"Bearer","expires_in":3600}'; }
`

// goodPair is the name of the files with the certificate and key of [pki.Set.Server].
const goodPair = "server"

// nginxPort is a port of nginx, and what is special about it.
type nginxPort struct{ role, pair, extra string }

// nginxPorts are the ports of nginx. One without a certificate is in clear text.
func nginxPorts() []nginxPort {
	return []nginxPort{
		{TLS, goodPair, ""},
		{TLS11, goodPair, ""},
		{Plain, "", ""},
		{Other, goodPair, "ssl_client_certificate ca.pem; ssl_verify_client optional;"},
		{Brief, goodPair, "keepalive_requests 2;"},
		{MTLS, goodPair, "ssl_client_certificate ca.pem; ssl_verify_client on; ssl_verify_depth 2;"},
		{WrongHost, "wronghost", ""},
		{Expired, "expired", ""},
		{Untrusted, "untrusted", ""},
		{OldTLS, goodPair, "ssl_protocols TLSv1.1; ssl_ciphers DEFAULT@SECLEVEL=0;"},
	}
}

// nginx starts nginx, with a port for each role.
//
// Beside /echo, each port has /basic/a.json (asks for user and password), /files/a.json and /files/big.txt (60 kB,
// with gzip for those who ask for it), /slow/big.txt (the same in three seconds, without gzip), /limited?key=x (429
// from the second request on, for a minute and each key), /busy and /tooMany (503 and 429 with Retry-After: 1), /drop
// (ends the connection or, in HTTP/2, the stream, without an answer), /redirect (307 to [Other]), /redirectPlain (302
// to [Plain]), /upload (413 above 64 kB), and /token (an access token that is the subject of the client's
// certificate).
func nginx(ctx context.Context, dir string, certs *pki.Set) (*Server, error) {
	binary, err := debian.Program(ctx, "nginx", "nginx", "/usr/sbin/nginx")
	if err != nil {
		return nil, err
	}
	roles := nginxPorts()
	ports, err := freePorts(ctx, len(roles))
	if err != nil {
		return nil, err
	}
	s := newServer()
	for i, role := range roles {
		s.At[role.role] = "https://" + address(ports[i])
		if role.pair == "" {
			s.At[role.role] = "http://" + address(ports[i])
		}
	}
	s.URL = s.At[TLS]
	settings := strings.NewReplacer(
		"@echo@", nginxEcho, "@other@", s.At[Other], "@plain@", s.At[Plain],
	).Replace(nginxSettings(roles, ports))
	files := pages()
	addCertificates(files, certs)
	files["nginx.conf"], files["htpasswd"] = settings, s.User+":{PLAIN}"+s.Password+"\n"
	if err := write(dir, files); err != nil {
		return nil, err
	}
	cmd := exec.Command(binary, "-p", dir, "-e", "stderr", "-c", "nginx.conf") //nolint:noctx // Stop ends it
	return s.serve(ctx, cmd, dir, ports...)
}

// nginxSettings returns the text of nginx.conf.
func nginxSettings(roles []nginxPort, ports []int) string {
	var text strings.Builder
	text.WriteString(nginxHead)
	for i, role := range roles {
		options := ""
		if role.pair != "" {
			options = " ssl http2"
		}
		if role.role == TLS11 {
			options = " ssl"
		}
		fmt.Fprintf(&text, "  server {\n    listen %s%s; %s\n", address(ports[i]), options, role.extra)
		if role.pair != "" {
			fmt.Fprintf(&text, "    ssl_certificate %[1]s.pem; ssl_certificate_key %[1]s.key;\n", role.pair)
		}
		text.WriteString(nginxPlaces + "  }\n")
	}
	text.WriteString("}\n")
	return text.String()
}

// pages are the files that nginx and Apache have.
func pages() map[string]string {
	return map[string]string{
		"www/echo": "{}\n", "www/basic/a.json": `{"hello":"basic"}` + "\n", "www/files/a.json": `{"file":"a"}` + "\n",
		"www/files/big.txt": strings.Repeat("a", 60_000),
	}
}

// addCertificates adds the certificates of servers to files, and the authority that their clients have.
func addCertificates(files map[string]string, certs *pki.Set) {
	for name, pair := range map[string]*pki.Pair{
		goodPair: certs.Server, "wronghost": certs.WrongHost, "expired": certs.Expired, "untrusted": certs.Untrusted,
	} {
		files[name+".pem"], files[name+".key"] = string(pair.CertPEM), string(pair.KeyPEM)
	}
	files["ca.pem"] = string(certs.CA.PEM)
}
