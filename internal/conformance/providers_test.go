package conformance_test

import (
	"cmp"
	"context"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/connection"
	"github.com/restconn/restconn/connection/connectiontest"
	"github.com/restconn/restconn/request"
	"github.com/restconn/restconn/secrets"
)

// fewestProviders is how many rows of the catalogue of providers the tables have at least.
const fewestProviders = 156

// providerTables are the tables of all files.
func providerTables() [][]provider {
	return [][]provider{
		staticProviders(),
		oauthProviders(),
		loginProviders(),
		signedProviders(),
		codeProviders(),
	}
}

const (
	apiOrigin  = "https://api.example.test"
	authOrigin = "https://auth.example.test"
)

// What stands for a secret in the tables. Nobody may see one of these, in whatever row.
const (
	keyText    = "k3y+5A/canary1=="
	secondText = "s3c/0nd+canary2=="
	tokenText  = "t0ken-canary3.a_b~c"
	// newerText is the token that comes after tokenText, refreshText a refresh token, and renewedText the next of
	// these.
	newerText   = "n3wer-canary4.d_e~f"
	refreshText = "r3fresh-canary5.g_h~i"
	renewedText = "r3newed-canary6.j_k~l"
)

var (
	theKey    = secrets.Static(keyText)
	theSecond = secrets.Static(secondText)
	theToken  = auth.Static(secrets.Static(tokenText))
)

// provider is how one provider is configured, and what then has to be on the wire.
type provider struct {
	// id is the row of the catalogue, such as "Q-001"; a row has a case for each of its wire forms. what names the
	// provider and says what is special.
	id, what string

	// open returns the options of the connection. Each run calls it; what it starts is closed by a Cleanup.
	open func(s *scene) []connection.Option
	// base is the base URL. Without it, that is apiOrigin.
	base string
	// build describes the request. Without it, that is GET /x.
	build func(conn *connection.Connection) request.Builder
	// calls is how often the request is sent, once without it, and pause the time between two calls.
	calls int
	pause time.Duration

	// replies are the answers at the base URL. Without them, all are {"id":1}.
	replies []http.Handler
	// want is what is received at the base URL, in this order, and nothing else.
	want []message
	// peers are the other servers, such as a token endpoint at authOrigin.
	peers []peer

	// lives is how long the token lives on when all calls are made, 0 if nobody knows, and refresh is its refresh
	// token. They are looked at if the connection was opened by managed.
	lives   time.Duration
	refresh string

	// secrets are what nobody may see, beside keyText and its like and all that follows a scheme in Authorization.
	secrets []string
	// certified says that servers ask for the certificate of the client, see certificate.
	certified bool
	// jwt verifies a signed token that a server has received, and returns what has its place in want.
	jwt func(s *scene, text string) string

	// test takes the place of all that stands above but id and what, for what a table cannot say.
	test func(r *Row)
}

// peer is a server beside the one at the base URL.
type peer struct {
	origin  string
	replies []http.Handler
	want    []message
	// common are the fields of each of its requests. Without it, they are those of a connection.
	common []string
	// optional says that calls succeed while it is down.
	optional bool
}

// commonFields are the fields of each request of a connection, beside Host and Content-Length.
func commonFields() []string {
	return []string{"User-Agent: restconn", "Accept: application/json, text/plain, */*", "Accept-Encoding: gzip"}
}

// message is a request as it is on the wire.
type message struct {
	line   string
	fields []string
	body   string
}

// sends is a message: method and target, as in "GET /x", and the fields that it has beside the common ones. A field
// takes the place of a common one of its name, and "Accept:" says that there is none.
func sends(line string, fields ...string) message {
	return message{line: line + " HTTP/1.1", fields: fields}
}

// with returns the message with a body.
func (m message) with(body string) message {
	m.body = body
	return m
}

// lines returns the whole head of the message to host, the fields sorted, and its body.
func (m message) lines(host string, common []string) []string {
	all := append([]string{"Host: " + host}, common...)
	if m.body != "" || !slices.ContainsFunc([]string{"GET ", "HEAD ", "DELETE "}, m.begins) {
		all = append(all, "Content-Length: "+strconv.Itoa(len(m.body)))
	}
	for _, own := range m.fields {
		all = slices.DeleteFunc(all, func(f string) bool { return fieldName(f) == fieldName(own) })
	}
	all = append(all, m.fields...)
	all = slices.DeleteFunc(all, func(f string) bool { return strings.Index(f, ":") == len(f)-1 })
	slices.Sort(all)
	return append(append([]string{m.line}, all...), "", m.body)
}

func (m message) begins(method string) bool { return strings.HasPrefix(m.line, method) }

func fieldName(line string) string {
	name, _, _ := strings.Cut(line, ":")
	return strings.ToLower(name)
}

// received returns what lines returns, of a request that a server has read.
func received(req connectiontest.Request) []string {
	head, _, _ := strings.Cut(req.Raw, "\r\n\r\n")
	lines := strings.Split(head, "\r\n")
	slices.Sort(lines[1:])
	return append(lines, "", string(req.Body))
}

// Received asserts that the server has received these messages, byte for byte, and no others.
func (r *Row) Received(server *connectiontest.Server, common []string, want ...message) {
	r.Helper()
	_, host, _ := strings.Cut(server.URL, "://")
	var got, wanted [][]string
	for _, req := range server.Requests() {
		got = append(got, received(req))
	}
	for _, m := range want {
		wanted = append(wanted, m.lines(host, common))
	}
	r.Equal("what "+host+" has received", got, wanted)
}

// scene is one run of a row: the servers, and what is logged.
type scene struct {
	*Row

	net *connectiontest.Network
	// servers are the one at the base URL, and the peers in their order.
	servers []*connectiontest.Server
	book    logbook
	// tokens has the tokens of the connection, if there are any.
	tokens *auth.Manager
}

// all returns the servers, the one at the base URL first.
func (p provider) all() []peer {
	replies := p.replies
	if len(replies) == 0 {
		replies = []http.Handler{connectiontest.JSON(http.StatusOK, map[string]int{"id": 1})}
	}
	api := peer{origin: p.origin(), replies: replies, want: p.want}
	return append([]peer{api}, p.peers...)
}

func (p provider) origin() string {
	u, err := url.Parse(cmp.Or(p.base, apiOrigin))
	if err != nil {
		return ""
	}
	return u.Scheme + "://" + u.Host
}

func (p provider) stage(r *Row) *scene {
	r.Helper()
	s := &scene{Row: r, net: connectiontest.NewNetwork(r)}
	for _, server := range p.all() {
		h := connectiontest.Sequence(server.replies...)
		if p.certified {
			s.servers = append(s.servers, s.net.ServeTLS(server.origin, h, &tls.Config{
				MinVersion: tls.VersionTLS12, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: s.net.RootCAs(),
			}))
			continue
		}
		s.servers = append(s.servers, s.net.Serve(server.origin, h))
	}
	return s
}

// certificate is an option for servers that ask for the certificate of the client.
func certificate(s *scene) connection.Option {
	return connection.WithClientCertificate(connection.StaticCertificate(s.net.Certificate("client.example.test")))
}

// connect opens the connection, which logs all that it can.
func (p provider) connect(s *scene) *connection.Connection {
	s.Helper()
	l := s.book.logger()
	options := []connection.Option{s.net.Option(), connection.WithLogger(l), connection.WithDebug(l)}
	if p.open != nil {
		options = append(options, p.open(s)...)
	}
	conn, err := connection.New(cmp.Or(p.base, apiOrigin), options...)
	s.NoError(err)
	s.Cleanup(func() { _ = conn.Close() })
	return conn
}

// call sends the request as often as the row says, and returns it with the errors.
func (p provider) call(s *scene, conn *connection.Connection) (request.Builder, error) {
	s.Helper()
	b := request.Get(conn, "/x")
	if p.build != nil {
		b = p.build(conn)
	}
	var all []error
	for n := range max(p.calls, 1) {
		if n > 0 {
			time.Sleep(p.pause)
		}
		all = append(all, b.Exec(s.ctx()))
	}
	return b, errors.Join(all...)
}

// succeeds is the run in which all servers answer.
func (p provider) succeeds(r *Row) {
	s := p.stage(r)
	conn := p.connect(s)
	b, err := p.call(s, conn)
	s.NoError(err)
	synctest.Wait() // a renewal may go on behind the last call
	for i, server := range p.all() {
		s.received(i, p, server)
	}
	p.checkToken(s)
	s.Equal("the servers have received a secret", p.gave(s), true)
	hidden := p.hidden(s)
	s.Hides("connection", fmt.Sprintf("%v %+v %#v %v %+v", conn, conn, conn, conn.Describe(), conn.Describe()), hidden...)
	s.Hides("builder", fmt.Sprintf("%v %+v %#v", b, b, b), hidden...)
	s.NoError(conn.Close())
	log := s.book.text.String()
	s.Equal("bodies are logged", strings.Contains(log, `"response_body"`), true)
	s.Hides("log", log, p.hidden(s)...)
}

// received asserts what a server has received. A token that the row verifies stands there as what it says.
func (s *scene) received(i int, p provider, server peer) {
	s.Helper()
	if p.jwt == nil {
		s.Received(s.servers[i], server.fields(), server.want...)
		return
	}
	_, host, _ := strings.Cut(server.origin, "://")
	var got, wanted [][]string
	for _, req := range s.servers[i].Requests() {
		lines := received(req)
		for n, line := range lines {
			lines[n] = signedToken.ReplaceAllStringFunc(line, func(text string) string { return p.jwt(s, text) })
		}
		got = append(got, slices.DeleteFunc(lines, isLength))
	}
	for _, m := range server.want {
		wanted = append(wanted, slices.DeleteFunc(m.lines(host, server.fields()), isLength))
	}
	s.Equal("what "+host+" has received", got, wanted)
}

// signedToken is a JWT in its compact form.
var signedToken = regexp.MustCompile(`\beyJ[\w-]+\.[\w-]+\.[\w-]+`)

// isLength reports whether the line is a Content-Length, which is not that of the message if a token is in its body.
func isLength(line string) bool { return fieldName(line) == "content-length" }

// checkToken asserts what the manager has in the end.
func (p provider) checkToken(s *scene) {
	s.Helper()
	if s.tokens == nil {
		return
	}
	t, err := s.tokens.Token(s.ctx(), auth.Want{})
	s.NoError(err)
	var lives time.Duration
	if !t.Expiry.IsZero() {
		lives = time.Until(t.Expiry)
	}
	s.Equal("how long the token lives on", lives.String(), p.lives.String())
	s.Equal("refresh token", t.Refresh.Reveal(), p.refresh)
}

// fails is the run in which one of the servers refuses all connections.
func (p provider) fails(r *Row, down int) {
	s := p.stage(r)
	conn := p.connect(s)
	s.servers[down].Refuse()
	_, err := p.call(s, conn)
	s.Equal("the call has failed, or did not need "+s.servers[down].URL, err != nil || p.all()[down].optional, true)
	if down == 0 {
		s.Is(err, syscall.ECONNREFUSED)
	}
	hidden := p.hidden(s)
	for _, err := range flat(err) {
		s.Hides("error", fmt.Sprintf("%v %+v %#v %q", err, err, err, err), hidden...)
	}
	s.NoError(conn.Close())
	s.Hides("log of the failure", s.book.text.String(), hidden...)
}

// repeated is the run in which the server at the base URL answers with an error that repeats the request.
func (p provider) repeated(r *Row) {
	p.replies = []http.Handler{http.HandlerFunc(repeat)}
	s := p.stage(r)
	conn := p.connect(s)
	_, err := p.call(s, conn)
	s.Is(err, request.Status(http.StatusNotFound))
	for _, err := range flat(err) {
		s.Hides("error", fmt.Sprintf("%v %+v %#v %q", err, err, err, err), p.hidden(s)...)
	}
	s.NoError(conn.Close())
	log := s.book.text.String()
	s.Equal("the answer is logged", strings.Contains(strings.ReplaceAll(log, "+", " "), "what was sent"), true)
	s.Hides("log of an answer that repeats the request", log, p.hidden(s)...)
}

// refused is the run in which one of the other servers answers with an error of OAuth 2.0 that repeats the request.
func (p provider) refused(r *Row, peer int) {
	p.peers = slices.Clone(p.peers)
	p.peers[peer].replies = []http.Handler{http.HandlerFunc(refuse)}
	s := p.stage(r)
	conn := p.connect(s)
	_, err := p.call(s, conn)
	s.Equal("the call has failed, or did not need "+p.peers[peer].origin, err != nil || p.peers[peer].optional, true)
	for _, err := range flat(err) {
		s.Hides("error", fmt.Sprintf("%v %+v %#v %q", err, err, err, err), p.hidden(s)...)
	}
	s.NoError(conn.Close())
	s.Hides("log of a refusal that repeats the request", s.book.text.String(), p.hidden(s)...)
}

// refuse answers like a careless token endpoint.
func refuse(w http.ResponseWriter, req *http.Request) {
	body, _ := io.ReadAll(req.Body)
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusBadRequest)
	_ = json.NewEncoder(w).Encode(map[string]string{
		"error": "invalid_request", "error_description": fmt.Sprintf("%s %s %v", req.URL.RawQuery, body, req.Header),
	})
}

// repeat answers with all that a careless server would repeat.
func repeat(w http.ResponseWriter, req *http.Request) {
	body, _ := io.ReadAll(req.Body)
	user, password, _ := req.BasicAuth()
	w.Header().Set("X-Repeated", req.RequestURI)
	w.Header().Set("Content-Type", cmp.Or(req.Header.Get("Content-Type"), "text/plain"))
	w.WriteHeader(http.StatusNotFound)
	_, _ = w.Write(body)
	_, _ = fmt.Fprintf(w, "\nwhat was sent: %s %s %v %v %s %s\n",
		req.RequestURI, req.URL.Path, req.URL.Query(), req.Header, user, password)
}

// flat returns err and all that it wraps.
func flat(err error) []error {
	if err == nil {
		return nil
	}
	all := []error{err}
	switch e := err.(type) { //nolint:errorlint // this is one step of a walk
	case interface{ Unwrap() error }:
		all = append(all, flat(e.Unwrap())...)
	case interface{ Unwrap() []error }:
		for _, inner := range e.Unwrap() {
			all = append(all, flat(inner)...)
		}
	}
	return all
}

func (p peer) fields() []string {
	if p.common != nil {
		return p.common
	}
	return commonFields()
}

// hidden returns all that nobody may see, in the ways in which it may be written.
func (p provider) hidden(s *scene) []string {
	texts := append([]string{keyText, secondText, tokenText, newerText, refreshText, renewedText}, p.secrets...)
	add := func(credentials string) { texts = append(texts, credentials[strings.Index(credentials, " ")+1:]) }
	for _, server := range p.all() {
		for _, m := range server.want {
			for _, f := range m.fields {
				if _, value, ok := strings.Cut(f, "Authorization: "); ok {
					add(value)
				}
			}
		}
	}
	for _, server := range s.servers {
		for _, req := range server.Requests() {
			for _, value := range req.Header["Authorization"] {
				add(value)
			}
			texts = append(texts, signedToken.FindAllString(req.Raw, -1)...)
		}
	}
	var all []string
	for _, text := range texts {
		all = append(all, text, b64(text), url.QueryEscape(text), url.PathEscape(text))
	}
	return all
}

// gave reports whether a secret stands in what the servers have received: otherwise there is nothing to hide.
func (p provider) gave(s *scene) bool {
	var raw strings.Builder
	for _, server := range s.servers {
		for _, req := range server.Requests() {
			raw.WriteString(req.Raw)
		}
	}
	return slices.ContainsFunc(p.hidden(s), func(text string) bool { return strings.Contains(raw.String(), text) })
}

// runProviders runs the rows of a table, each on a clock and a network of its own.
func runProviders(t *testing.T, table []provider) {
	t.Helper()
	for _, p := range table {
		t.Run(p.id+" "+p.what, func(t *testing.T) { (&Row{T: t}).run(p.run) })
	}
}

func (p provider) run(r *Row) {
	r.Helper()
	if p.test != nil {
		bubble(r, p.test)
		return
	}
	bubble(r, p.succeeds)
	bubble(r, p.repeated)
	for i := range p.all() {
		bubble(r, func(r *Row) { p.fails(r, i) })
	}
	for i := range p.peers {
		bubble(r, func(r *Row) { p.refused(r, i) })
	}
}

// using returns options for open: an authenticator that has no state, and others.
func using(a auth.Authenticator, others ...connection.Option) func(*scene) []connection.Option {
	return func(*scene) []connection.Option {
		return append([]connection.Option{connection.WithAuth(a)}, others...)
	}
}

func b64(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }

var providerID = regexp.MustCompile(`^Q-\d{3}$`)

func TestProviderRows(t *testing.T) {
	t.Parallel()
	ids, names := make(map[string]bool), make(map[string]bool)
	for _, p := range slices.Concat(providerTables()...) {
		name := p.id + " " + p.what
		if !providerID.MatchString(p.id) || p.what == "" || names[name] {
			t.Errorf("%q is no name of a row, or one that is there twice", name)
		}
		if p.test == nil && len(p.want) == 0 {
			t.Errorf("%s wants nothing", name)
		}
		ids[p.id], names[name] = true, true
	}
	if len(ids) < fewestProviders {
		t.Errorf("the tables have %d rows of the catalogue, want %d", len(ids), fewestProviders)
	}
}

// The runner is used as a provider with a token endpoint would use it.
func TestProviderRunner(t *testing.T) {
	t.Parallel()
	granted := connectiontest.JSON(http.StatusOK, map[string]string{"access_token": tokenText})
	common := []string{"User-Agent: Go-http-client/1.1", "Accept-Encoding: gzip"}
	runProviders(t, []provider{
		{
			id: "Q-000", what: "a token is fetched once, and again when it has ended",
			open: func(s *scene) []connection.Option {
				manager := auth.Manage(auth.GrantFunc(func(ctx context.Context, _ *auth.Token) (*auth.Token, error) {
					return s.fetch(ctx, authOrigin+"/token", "key="+url.QueryEscape(keyText))
				}), auth.DefaultLifetime(time.Hour))
				s.Cleanup(func() { _ = manager.Close() })
				return []connection.Option{connection.WithAuth(auth.Bearer(manager))}
			},
			calls: 3, pause: 38 * time.Minute,
			want: slices.Repeat([]message{sends("GET /x", "Authorization: Bearer "+tokenText)}, 3),
			peers: []peer{{
				origin: authOrigin, replies: []http.Handler{granted}, common: common,
				want: slices.Repeat([]message{sends("POST /token").with("key=" + url.QueryEscape(keyText))}, 2),
			}},
		},
		{
			id: "Q-000", what: "what a table cannot say",
			test: func(r *Row) { r.Equal("the clock is that of a bubble", time.Now().Year(), 2000) },
		},
	})
}

// fetch posts body to a token endpoint of the scene, and returns the token of the answer.
func (s *scene) fetch(ctx context.Context, endpoint, body string) (*auth.Token, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, endpoint, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	resp, err := s.net.Transport().RoundTrip(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	var answer struct {
		Token string `json:"access_token"`
	}
	err = json.Unmarshal(data, &answer)
	return &auth.Token{Value: secrets.Static(answer.Token)}, err
}

// A row is red if anything on the wire is other than it says.
func TestProviderMessage(t *testing.T) {
	t.Parallel()
	want := sends("POST /x", "Authorization: Basic a", "Accept:").with("{}").lines("h.test", commonFields())
	const rest = "Host: h.test\r\nUser-Agent: restconn\r\nAccept-Encoding: gzip\r\n"
	for _, tt := range []struct {
		name, head, body string
		same             bool
	}{
		{"as it is wanted", "POST /x HTTP/1.1\r\nContent-Length: 2\r\nAuthorization: Basic a\r\n", "{}", true},
		{"another target", "POST /X HTTP/1.1\r\nContent-Length: 2\r\nAuthorization: Basic a\r\n", "{}", false},
		{"another value", "POST /x HTTP/1.1\r\nContent-Length: 2\r\nAuthorization: Basic b\r\n", "{}", false},
		{"a name in other case", "POST /x HTTP/1.1\r\nContent-Length: 2\r\nauthorization: Basic a\r\n", "{}", false},
		{"a field too few", "POST /x HTTP/1.1\r\nContent-Length: 2\r\n", "{}", false},
		{"a field too many", "POST /x HTTP/1.1\r\nContent-Length: 2\r\nAuthorization: Basic a\r\nX: 1\r\n", "{}", false},
		{"a field twice", "POST /x HTTP/1.1\r\nContent-Length: 2\r\n" +
			strings.Repeat("Authorization: Basic a\r\n", 2), "{}", false},
		{"a field that was not to be there", "POST /x HTTP/1.1\r\nContent-Length: 2\r\nAuthorization: Basic a\r\n" +
			"Accept: */*\r\n", "{}", false},
		{"another body", "POST /x HTTP/1.1\r\nContent-Length: 2\r\nAuthorization: Basic a\r\n", "[]", false},
		{"in chunks", "POST /x HTTP/1.1\r\nTransfer-Encoding: chunked\r\nAuthorization: Basic a\r\n", "{}", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := received(connectiontest.Request{Raw: tt.head + rest + "\r\n" + tt.body, Body: []byte(tt.body)})
			if slices.Equal(got, want) != tt.same {
				t.Errorf("%q is taken for %q: %t", got, want, !tt.same)
			}
		})
	}
}
