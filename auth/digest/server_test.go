package digest_test

import (
	"crypto/md5"
	"crypto/rand"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"fmt"
	"hash"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// server checks Digest credentials as RFC 7616 has them, and nothing more lenient. The zero values of the options are
// SHA-256, and nonces that live for ever.
type server struct {
	user, password string
	realm          string
	algorithm      string // of the challenge; empty for none in it
	userhash       bool
	opaque, domain string
	uses           int  // of a nonce, before it is stale
	ordered        bool // the counts of a nonce grow
	mute           bool // a rejection brings no challenge
	same           bool // all challenges have one nonce until it is stale

	mu      sync.Mutex
	nonces  map[string]*nonce
	session map[string]string // nonce to the cnonce that its session key was made of
	current string
	bare    int      // requests without credentials
	wrong   int      // wrong passwords
	good    int      // accepted requests
	faults  []string // what no client may send
}

type nonce struct {
	seen map[int64]bool
	last int64
}

var param = regexp.MustCompile(`^([a-z]+\*?)=(?:"((?:[^"\\]|\\.)*)"|([^",\s]+))(?:, |$)`)

// quotedNames are the parameters that are quoted strings; the others must not be (RFC 7616, section 3.4).
var quotedNames = map[string]bool{
	"username": true, "realm": true, "nonce": true, "uri": true, "response": true, "cnonce": true, "opaque": true,
}

// parse reads an Authorization header.
func parse(text string) (map[string]string, error) {
	rest, ok := strings.CutPrefix(text, "Digest ")
	if !ok {
		return nil, fmt.Errorf("scheme of %.10q", text)
	}
	params := make(map[string]string)
	for rest != "" {
		m := param.FindStringSubmatch(rest)
		if m == nil {
			return nil, fmt.Errorf("a parameter that begins with %.20q", rest)
		}
		if _, twice := params[m[1]]; twice {
			return nil, fmt.Errorf("%s is there twice", m[1])
		}
		if quotedNames[m[1]] != (m[3] == "") {
			return nil, fmt.Errorf("%s is quoted wrongly", m[1])
		}
		if m[1] == "username" && strings.ContainsFunc(m[2], func(r rune) bool { return r > '~' }) {
			return nil, fmt.Errorf("username %q wants to be username*", m[2])
		}
		params[m[1]] = m[3]
		if m[3] == "" {
			params[m[1]] = regexp.MustCompile(`\\(.)`).ReplaceAllString(m[2], "$1")
		}
		rest = rest[len(m[0]):]
	}
	return params, nil
}

// sum is H of RFC 7616, section 3.3, over parts that are joined with colons.
func sum(algorithm string, parts ...string) string {
	h := map[string]func() hash.Hash{
		"": md5.New, "MD5": md5.New, "SHA-256": sha256.New, "SHA-512-256": sha512.New512_256,
	}[strings.TrimSuffix(algorithm, "-sess")]()
	_, _ = h.Write([]byte(strings.Join(parts, ":")))
	return hex.EncodeToString(h.Sum(nil))
}

// responseTo is the response of RFC 7616, section 3.4.1; first is the cnonce of the session.
func responseTo(algorithm, user, password, method, first string, p map[string]string) string {
	a1 := sum(algorithm, user, p["realm"], password)
	if strings.HasSuffix(algorithm, "-sess") {
		a1 = sum(algorithm, a1, p["nonce"], first)
	}
	return sum(algorithm, a1, p["nonce"], p["nc"], p["cnonce"], p["qop"], sum(algorithm, method, p["uri"]))
}

// TestServerIsRight holds the server to the examples of RFC 7616, section 3.9.1.
func TestServerIsRight(t *testing.T) {
	t.Parallel()
	p := map[string]string{
		"realm": "http-auth@example.org", "uri": "/dir/index.html", "nc": "00000001", "qop": "auth",
		"nonce":  "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
		"cnonce": "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
	}
	for algorithm, want := range map[string]string{
		"MD5":     "8ca523f5e9506fed4657c9700eebdbec",
		"SHA-256": "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1",
	} {
		if got := responseTo(algorithm, "Mufasa", "Circle of Life", "GET", "", p); got != want {
			t.Errorf("%s: got %s, want %s", algorithm, got, want)
		}
	}
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	text := r.Header.Get("Authorization")
	if text == "" {
		s.bare++
		s.challenge(w, false)
		return
	}
	p, err := parse(text)
	if err != nil {
		s.faults = append(s.faults, err.Error())
		http.Error(w, "", http.StatusBadRequest)
		return
	}
	if fault := s.fault(r, p); fault != "" {
		s.faults = append(s.faults, fault)
		http.Error(w, "", http.StatusBadRequest)
		return
	}
	n, ok := s.nonces[p["nonce"]]
	count, _ := strconv.ParseInt(p["nc"], 16, 64)
	first, known := s.session[p["nonce"]]
	if !known {
		first = p["cnonce"]
	}
	right := p["response"] == responseTo(s.algorithm, s.user, s.password, r.Method, first, p)
	switch {
	case !right:
		s.wrong++
		if s.mute {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		s.challenge(w, false)
	case !ok || s.uses > 0 && len(n.seen) >= s.uses:
		delete(s.nonces, p["nonce"])
		s.current = ""
		s.challenge(w, true)
	case n.seen[count] || s.ordered && count <= n.last:
		s.faults = append(s.faults, fmt.Sprintf("nc %s was there before", p["nc"]))
		http.Error(w, "", http.StatusBadRequest)
	default:
		n.seen[count], n.last = true, count
		s.session[p["nonce"]] = first
		s.good++
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte("{}"))
	}
}

// fault says what is wrong with the form of the credentials.
func (s *server) fault(r *http.Request, p map[string]string) string {
	for name, want := range map[string]string{
		"realm": s.realm, "uri": r.RequestURI, "qop": "auth", "algorithm": s.algorithm, "opaque": s.opaque,
	} {
		if p[name] != want {
			return fmt.Sprintf("%s is %q, want %q", name, p[name], want)
		}
	}
	if !regexp.MustCompile(`^[0-9a-f]{8}$`).MatchString(p["nc"]) || p["nc"] == "00000000" || len(p["cnonce"]) < 16 {
		return fmt.Sprintf("nc %q, cnonce %q", p["nc"], p["cnonce"])
	}
	user := p["username"]
	if ext, ok := p["username*"]; ok {
		encoded, ok := strings.CutPrefix(ext, "UTF-8''")
		decoded, err := url.PathUnescape(encoded)
		if !ok || err != nil || p["username"] != "" {
			return "username* " + ext
		}
		user = decoded
	}
	want := s.user
	if s.userhash {
		want = sum(s.algorithm, s.user, s.realm)
	}
	if user != want || (p["userhash"] == "true") != s.userhash {
		return fmt.Sprintf("user %q, userhash %q", user, p["userhash"])
	}
	return ""
}

// challenge answers with a 401, and a new nonce.
func (s *server) challenge(w http.ResponseWriter, stale bool) {
	if s.nonces == nil {
		s.nonces, s.session = make(map[string]*nonce), make(map[string]string)
	}
	if s.current == "" || !s.same {
		s.current = rand.Text() + "+/=="
		s.nonces[s.current] = &nonce{seen: make(map[int64]bool)}
	}
	parts := []string{"realm=" + quote(s.realm), "nonce=" + quote(s.current), `qop="auth, auth-int"`}
	for name, value := range map[string]string{"opaque": s.opaque, "domain": s.domain} {
		if value != "" {
			parts = append(parts, name+"="+quote(value))
		}
	}
	if s.algorithm != "" {
		parts = append(parts, "algorithm="+s.algorithm)
	}
	if s.userhash {
		parts = append(parts, "userhash=true")
	}
	if stale {
		parts = append(parts, "stale=TRUE")
	}
	w.Header().Add("WWW-Authenticate", "Digest "+strings.Join(parts, ", "))
	w.WriteHeader(http.StatusUnauthorized)
}

func quote(s string) string {
	return `"` + strings.NewReplacer(`"`, `\"`, `\`, `\\`).Replace(s) + `"`
}

// check compares what the server saw.
func (s *server) check(t *testing.T, bare, wrong, good int) {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.bare != bare || s.wrong != wrong || s.good != good || len(s.faults) > 0 {
		t.Errorf("the server saw %d requests without, %d wrong, %d good, faults %q; want %d, %d, %d and none",
			s.bare, s.wrong, s.good, s.faults, bare, wrong, good)
	}
}
