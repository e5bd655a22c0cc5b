package digest

import (
	"net/http"
	"slices"
	"strings"

	"github.com/icholy/digest"

	"github.com/restconn/restconn/internal/challenge"
)

const (
	// maxChallenges is the most challenges of the Digest scheme that are looked at.
	maxChallenges = 16
	// maxChallenge is the most bytes of realm, nonce and opaque together, which each request repeats.
	maxChallenge = 4 << 10
)

// challenges returns the Digest challenges of an answer, in their order, without those that make no sense. They are not
// read by the library, which reads one challenge a line, and knows no limit.
func challenges(h http.Header) []digest.Challenge {
	var found []digest.Challenge
	for _, c := range challenge.ParseWhole(h.Values("WWW-Authenticate")) {
		if !c.Is("Digest") {
			continue
		}
		if d, ok := newChallenge(c); ok {
			found = append(found, d)
		}
		if len(found) == maxChallenges {
			break
		}
	}
	return found
}

func newChallenge(from challenge.Challenge) (digest.Challenge, bool) {
	params, ok := paramsOf(from)
	if !ok {
		return digest.Challenge{}, false
	}
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

// paramsOf returns the parameters by their lower-case names. It is not ok if one is there twice (RFC 9110, section
// 11.2): two readers could see two challenges.
func paramsOf(c challenge.Challenge) (params map[string]string, ok bool) {
	params = make(map[string]string, len(c.Params))
	for _, p := range c.Params {
		name := strings.ToLower(p.Name)
		if _, twice := params[name]; twice {
			return nil, false
		}
		params[name] = p.Value
	}
	return params, true
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
