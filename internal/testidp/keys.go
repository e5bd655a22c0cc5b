package testidp

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"
	"net/http"
)

const (
	rsaBits     = 2048
	mostRetired = 4 // key pairs that are still published
)

// pair is a key for each algorithm.
type pair struct {
	id    string
	rsa   *rsa.PrivateKey
	ecdsa *ecdsa.PrivateKey
}

// keys are made when they are needed first, which takes a moment.
type keys struct{ pairs []pair } // the current one is the last

func (k *keys) current() (pair, error) {
	if len(k.pairs) == 0 {
		if err := k.add(); err != nil {
			return pair{}, err
		}
	}
	return k.pairs[len(k.pairs)-1], nil
}

func (k *keys) add() error {
	own := pair{id: rand.Text()[:8]}
	var err error
	if own.rsa, err = rsa.GenerateKey(rand.Reader, rsaBits); err != nil {
		return err
	}
	if own.ecdsa, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		return err
	}
	k.pairs = append(k.pairs, own)
	if n := len(k.pairs) - 1 - mostRetired; n > 0 {
		k.pairs = k.pairs[n:]
	}
	return nil
}

// RotateKeys lets new keys sign from now on. The old ones are still published if keep says so.
func (s *Server) RotateKeys(keep bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !keep {
		s.keys.pairs = nil
	}
	return s.keys.add()
}

// jwks publishes the keys (RFC 7517).
func (s *Server) jwks(*http.Request) *reply {
	if _, err := s.keys.current(); err != nil {
		return failed(&protocolError{http.StatusInternalServerError, "server_error", "there is no key"})
	}
	set := make([]object, 0, 2*len(s.keys.pairs))
	for _, p := range s.keys.pairs {
		point, err := p.ecdsa.PublicKey.Bytes() // 4, x, y
		if err != nil {
			continue
		}
		x, y := point[1:1+len(point)/2], point[1+len(point)/2:]
		e := big.NewInt(int64(p.rsa.E)).Bytes()
		set = append(set,
			object{"kty": "RSA", "use": "sig", "alg": algRS256, "kid": p.id + "-r", "n": b64(p.rsa.N.Bytes()), "e": b64(e)},
			object{
				"kty": "EC", "use": "sig", "alg": algES256, "kid": p.id + "-e", "crv": "P-256", "x": b64(x), "y": b64(y),
			})
	}
	return answer(http.StatusOK, object{"keys": set})
}

func b64(data []byte) string { return base64.RawURLEncoding.EncodeToString(data) }

// sign returns claims as a signed token (RFC 7515, section 7.1).
func (k *keys) sign(algorithm string, claims object) (string, error) {
	p, err := k.current()
	if err != nil {
		return "", err
	}
	id := p.id + "-r"
	if algorithm == algES256 {
		id = p.id + "-e"
	}
	head, err := json.Marshal(object{"alg": algorithm, "kid": id, "typ": "JWT"})
	if err != nil {
		return "", err
	}
	body, err := json.Marshal(claims)
	if err != nil {
		return "", err
	}
	text := b64(head) + "." + b64(body)
	sum := sha256.Sum256([]byte(text))
	signature, err := p.signature(algorithm, sum[:])
	if err != nil {
		return "", fmt.Errorf("testidp: %w", err)
	}
	return text + "." + b64(signature), nil
}

// signature returns the signature of a hash (RFC 7518, sections 3.3 and 3.4).
func (p pair) signature(algorithm string, sum []byte) ([]byte, error) {
	if algorithm != algES256 {
		return rsa.SignPKCS1v15(rand.Reader, p.rsa, crypto.SHA256, sum)
	}
	r, s, err := ecdsa.Sign(rand.Reader, p.ecdsa, sum)
	if err != nil {
		return nil, err
	}
	const size = 32
	out := make([]byte, 2*size)
	r.FillBytes(out[:size])
	s.FillBytes(out[size:])
	return out, nil
}
