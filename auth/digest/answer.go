package digest

import (
	"crypto/md5" //nolint:gosec // servers that know nothing else; AllowMD5 says so
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"fmt"
	"hash"
	"net/url"
	"strings"

	"github.com/icholy/digest"

	"github.com/restconn/restconn/internal/field"
)

// nameMD5 is also the algorithm of a challenge that names none.
const nameMD5 = "MD5"

// algorithm is one of those that are supported.
type algorithm struct {
	name string // as it is registered
	base string // without -sess, as the library knows it
	hash func() hash.Hash
	rank int // 0 is answered first
	md5  bool
}

// algorithms are in the order in which they are preferred (RFC 7616, section 6.1).
var algorithms = []algorithm{ //nolint:gochecknoglobals // never changed
	{"SHA-256", "SHA-256", sha256.New, 0, false},
	{"SHA-256-sess", "SHA-256", sha256.New, 1, false},
	{"SHA-512-256", "SHA-512-256", sha512.New512_256, 2, false},
	{"SHA-512-256-sess", "SHA-512-256", sha512.New512_256, 3, false},
	{nameMD5, nameMD5, md5.New, 4, true},
	{"MD5-sess", nameMD5, md5.New, 5, true},
}

// algorithmOf returns the algorithm of that name, in any case; that of no name is MD5.
func algorithmOf(name string) (algorithm, bool) {
	if name == "" {
		name = nameMD5
	}
	for _, a := range algorithms {
		if strings.EqualFold(name, a.name) {
			return a, true
		}
	}
	return algorithm{}, false
}

func (a algorithm) session() bool { return a.name != a.base }

func (a algorithm) sum(parts ...string) string {
	h := a.hash()
	_, _ = h.Write([]byte(strings.Join(parts, ":"))) // a hash does not fail
	return hex.EncodeToString(h.Sum(nil))
}

// use is one use of a nonce.
type use struct {
	challenge   digest.Challenge
	method, uri string
	count       int
	cnonce      string
}

// response computes the answer (RFC 7616, section 3.4.1).
func (u use) response(user, password string) (string, error) {
	a, ok := algorithmOf(u.challenge.Algorithm)
	if !ok {
		return "", fmt.Errorf("%w: the algorithm", ErrUnsupported)
	}
	c := u.challenge
	c.Algorithm, c.QOP, c.Userhash = a.base, []string{"auth"}, false
	o := digest.Options{
		Method: u.method, URI: u.uri, Count: u.count, Username: user, Password: password, Cnonce: u.cnonce,
	}
	if a.session() {
		o.A1 = a.sum(a.sum(user, c.Realm, password), c.Nonce, u.cnonce)
	}
	credentials, err := digest.Digest(&c, o)
	if err != nil {
		return "", err
	}
	return credentials.Response, nil
}

// header returns the Authorization header. It is written here because the library quotes as Go does, and not as HTTP.
func (u use) header(user, response string) string {
	c := u.challenge
	var b strings.Builder
	b.WriteString("Digest ")
	switch a, _ := algorithmOf(c.Algorithm); {
	case c.Userhash:
		b.WriteString(`username="` + a.sum(user, c.Realm) + `"`)
	case isASCII(user):
		b.WriteString("username=" + field.Quote(user))
	default:
		b.WriteString("username*=UTF-8''" + strings.ReplaceAll(url.QueryEscape(user), "+", "%20"))
	}
	b.WriteString(", realm=" + field.Quote(c.Realm) + ", nonce=" + field.Quote(c.Nonce) + ", uri=" + field.Quote(u.uri))
	if c.Algorithm != "" {
		b.WriteString(", algorithm=" + c.Algorithm)
	}
	fmt.Fprintf(&b, `, qop=auth, nc=%08x, cnonce="%s"`, u.count, u.cnonce)
	if c.Opaque != "" {
		b.WriteString(", opaque=" + field.Quote(c.Opaque))
	}
	if c.Userhash {
		b.WriteString(", userhash=true")
	}
	b.WriteString(`, response="` + response + `"`)
	return b.String()
}

func isASCII(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r > '~' })
}
