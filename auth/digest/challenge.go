package digest

import (
	"net/http"
	"slices"
	"strings"

	"github.com/icholy/digest"
)

const (
	// maxHeader is the most bytes of all WWW-Authenticate lines that are read.
	maxHeader = 64 << 10
	// maxChallenges is the most challenges of the Digest scheme that are looked at.
	maxChallenges = 16
	// maxChallenge is the most bytes of realm, nonce and opaque together, which each request repeats.
	maxChallenge = 4 << 10
)

// challenges returns the Digest challenges of an answer, in their order, without those that make no sense. They are
// read here because the library reads one challenge a line, and no limit.
func challenges(h http.Header) []digest.Challenge {
	var found []digest.Challenge
	left := maxHeader
	for _, line := range h.Values("WWW-Authenticate") {
		if left -= len(line); left < 0 {
			return found
		}
		s := scanner{text: line}
		for {
			scheme, params, ok := s.challenge()
			if !ok {
				break
			}
			if !strings.EqualFold(scheme, "Digest") {
				continue
			}
			if c, ok := newChallenge(params); ok {
				found = append(found, c)
			}
			if len(found) == maxChallenges {
				return found
			}
		}
	}
	return found
}

func newChallenge(params map[string]string) (digest.Challenge, bool) {
	realm, hasRealm := params["realm"]
	c := digest.Challenge{
		Realm: realm, Nonce: params["nonce"], Opaque: params["opaque"], Algorithm: params["algorithm"],
		Domain: strings.Fields(params["domain"]), Charset: params["charset"],
		Stale: strings.EqualFold(params["stale"], "true"), Userhash: strings.EqualFold(params["userhash"], "true"),
	}
	for qop := range strings.SplitSeq(params["qop"], ",") {
		if qop = strings.ToLower(strings.Trim(qop, " \t")); qop != "" {
			c.QOP = append(c.QOP, qop)
		}
	}
	return c, hasRealm && c.Nonce != "" && len(c.Realm)+len(c.Nonce)+len(c.Opaque) <= maxChallenge
}

// scanner reads the challenges of one line (RFC 9110, section 11.6.1), each byte once.
type scanner struct {
	text string
	at   int
}

// challenge returns the next challenge, and its parameters by their lower-case names. It is not ok at the end of the
// line, and at the first fault: what follows might be part of a quoted string.
func (s *scanner) challenge() (scheme string, params map[string]string, ok bool) {
	s.skip(", \t")
	if scheme = s.token(); scheme == "" {
		return "", nil, false
	}
	params = make(map[string]string)
	blank := s.skip(" \t")
	if blank && s.token68() {
		return scheme, params, s.ended()
	}
	for {
		begin := s.at
		s.skip(", \t")
		name := strings.ToLower(s.token())
		s.skip(" \t")
		if name == "" || s.peek() != '=' { // the end of the line, or the next scheme
			s.at = begin
			return scheme, params, s.ended()
		}
		s.at++
		s.skip(" \t")
		value, ok := s.value()
		if _, twice := params[name]; !ok || twice {
			return "", nil, false
		}
		params[name] = value
	}
}

// ended reports whether a challenge may end here: at the end of the line, or before a comma.
func (s *scanner) ended() bool {
	s.skip(" \t")
	return s.at == len(s.text) || s.text[s.at] == ','
}

// peek returns the next byte; 0 at the end.
func (s *scanner) peek() byte {
	if s.at < len(s.text) {
		return s.text[s.at]
	}
	return 0
}

// skip passes over the bytes of set, and reports whether there were any.
func (s *scanner) skip(set string) bool {
	begin := s.at
	for s.at < len(s.text) && strings.IndexByte(set, s.text[s.at]) >= 0 {
		s.at++
	}
	return s.at > begin
}

// token reads a token, which is empty if there is none. What RFC 9110 does not allow in it, but is no separator, is
// let through: servers write a bare nonce in base64.
func (s *scanner) token() string {
	begin := s.at
	for s.at < len(s.text) && s.text[s.at] > ' ' && !strings.ContainsRune(`=,"\`, rune(s.text[s.at])) {
		s.at++
	}
	return s.text[begin:s.at]
}

// token68 passes over the credentials of other schemes, such as "Negotiate abc==", if they are here.
func (s *scanner) token68() bool {
	begin := s.at
	if s.token() != "" {
		s.skip("=")
		s.skip(" \t")
		if s.at == len(s.text) || s.text[s.at] == ',' {
			return true
		}
	}
	s.at = begin
	return false
}

// value reads a token or a quoted string. Equals signs at the end of a token belong to it: they are padding.
func (s *scanner) value() (string, bool) {
	if s.peek() != '"' {
		begin := s.at
		if s.token() == "" {
			return "", false
		}
		s.skip("=")
		return s.text[begin:s.at], true
	}
	var out []byte
	for s.at++; s.at < len(s.text); s.at++ {
		switch c := s.text[s.at]; {
		case c == '"':
			s.at++
			return string(out), true
		case c == '\\' && s.at+1 < len(s.text):
			s.at++
			out = append(out, s.text[s.at])
		default:
			out = append(out, c)
		}
	}
	return "", false
}

// fitting returns the challenge to answer. If there is none, why says what each of them lacks.
func fitting(found []digest.Challenge, md5 bool) (best digest.Challenge, why []string) {
	rank := -1
	for _, c := range found {
		a, known := algorithmOf(c.Algorithm)
		switch {
		case !known:
			why = append(why, "an algorithm that is not supported")
		case a.md5 && !md5:
			why = append(why, a.name+", which AllowMD5 allows")
		case len(c.QOP) == 0:
			why = append(why, a.name+" without qop")
		case !slices.Contains(c.QOP, "auth"):
			why = append(why, a.name+" without the qop auth")
		case rank < 0 || a.rank < rank:
			best, rank = c, a.rank
		}
	}
	if rank >= 0 {
		why = nil
	}
	return best, slices.Compact(why)
}
