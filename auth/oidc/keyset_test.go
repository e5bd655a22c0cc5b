package oidc_test

import (
	"context"
	"crypto/elliptic"
	"errors"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/restconn/restconn/auth/oidc"
	"github.com/restconn/restconn/connection/connectiontest"
	"github.com/restconn/restconn/internal/tokencall"
	"github.com/restconn/restconn/secrets"
)

func TestUnknownKeys(t *testing.T) {
	t.Parallel()
	inBubble(t, "S44 unknown kids cause one fetch a minute", func(t *testing.T, p *keyHost) {
		v := p.verifier()
		check(t, v, token(t, nil), wanted(), nil)
		stranger := func() {
			for i := range 20 {
				text := signedBy(t, otherKey(), jose.RS256, "unknown"+strconv.Itoa(i), good(nil))
				check(t, v, text, wanted(), oidc.ErrSignature)
			}
		}
		stranger()
		p.wantFetches(t, 2)
		time.Sleep(59 * time.Second)
		stranger()
		p.wantFetches(t, 2)
		time.Sleep(time.Second)
		stranger()
		p.wantFetches(t, 3)
	})
	inBubble(t, "S44 unknown kids at the beginning cause one fetch", func(t *testing.T, p *keyHost) {
		v := p.verifier()
		for range 20 {
			check(t, v, signedBy(t, otherKey(), jose.RS256, "unknown", good(nil)), wanted(), oidc.ErrSignature)
		}
		p.wantFetches(t, 1)
	})
	inBubble(t, "S44 a bad signature with a known kid causes no fetch", func(t *testing.T, p *keyHost) {
		v := p.verifier()
		check(t, v, token(t, nil), wanted(), nil)
		for range 20 {
			check(t, v, signedBy(t, otherKey(), jose.RS256, "k1", good(nil)), wanted(), oidc.ErrSignature)
			time.Sleep(10 * time.Second)
		}
		p.wantFetches(t, 1)
	})
	inBubble(t, "S44 a known kid of a key that is not used causes no fetch", func(t *testing.T, p *keyHost) {
		p.publish(published(rsaKey(), jwk{"kid": "k1", "use": "enc"}), published(otherKey(), jwk{"kid": "k2"}))
		v := p.verifier()
		check(t, v, signedBy(t, otherKey(), jose.RS256, "k2", good(nil)), wanted(), nil)
		check(t, v, token(t, nil), wanted(), oidc.ErrSignature)
		p.wantFetches(t, 1)
	})
	inBubble(t, "F10 S44 keys that change just before signing", func(t *testing.T, p *keyHost) {
		v := p.verifier()
		check(t, v, token(t, nil), wanted(), nil)
		p.publish(published(otherKey(), jwk{"kid": "k2"}))
		check(t, v, signedBy(t, otherKey(), jose.RS256, "k2", good(nil)), wanted(), nil)
		check(t, v, token(t, nil), wanted(), oidc.ErrSignature)
		p.wantFetches(t, 2)
	})
	inBubble(t, "S44 a fetch for an unknown kid that fails", func(t *testing.T, p *keyHost) {
		v := p.verifier()
		check(t, v, token(t, nil), wanted(), nil)
		p.answer(connectiontest.Status(503))
		for range 5 {
			check(t, v, signedBy(t, otherKey(), jose.RS256, "k2", good(nil)), wanted(), oidc.ErrKeys)
		}
		check(t, v, token(t, nil), wanted(), nil)
		p.wantFetches(t, 2)
		p.publish(published(otherKey(), jwk{"kid": "k2"}))
		time.Sleep(time.Minute)
		check(t, v, signedBy(t, otherKey(), jose.RS256, "k2", good(nil)), wanted(), nil)
		p.wantFetches(t, 3)
	})
}

func TestNoKeyID(t *testing.T) {
	t.Parallel()
	inBubble(t, "F10 no kid, and several keys", func(t *testing.T, p *keyHost) {
		p.publish(published(newEC(elliptic.P256()), nil), published(otherKey(), jwk{"kid": "k2"}), published(rsaKey(), nil))
		check(t, p.verifier(), signedBy(t, rsaKey(), jose.RS256, "", good(nil)), wanted(), nil)
		check(t, p.verifier(), signedBy(t, thirdKey(), jose.RS256, "", good(nil)), wanted(), oidc.ErrSignature)
	})
	inBubble(t, "F10 no kid, and more keys than are tried", func(t *testing.T, p *keyHost) {
		keys := make([]jwk, 5, 6)
		for i := range keys {
			keys[i] = published(otherKey(), jwk{"kid": strconv.Itoa(i)})
		}
		own := published(rsaKey(), jwk{"kid": "own"})
		p.publish(append(keys, own)...)
		check(t, p.verifier(), signedBy(t, rsaKey(), jose.RS256, "", good(nil)), wanted(), oidc.ErrSignature)
		p.publish(append(keys[:4], own)...)
		check(t, p.verifier(), signedBy(t, rsaKey(), jose.RS256, "", good(nil)), wanted(), nil)
	})
	inBubble(t, "F10 S44 no kid, and keys that change", func(t *testing.T, p *keyHost) {
		v := p.verifier()
		check(t, v, signedBy(t, rsaKey(), jose.RS256, "", good(nil)), wanted(), nil)
		p.publish(published(otherKey(), nil))
		for range 20 {
			check(t, v, signedBy(t, otherKey(), jose.RS256, "", good(nil)), wanted(), nil)
			check(t, v, signedBy(t, rsaKey(), jose.RS256, "", good(nil)), wanted(), oidc.ErrSignature)
		}
		p.wantFetches(t, 2)
	})
	inBubble(t, "F10 a kid that no key has, and one key", func(t *testing.T, p *keyHost) {
		p.publish(published(rsaKey(), nil))
		check(t, p.verifier(), token(t, nil), wanted(), oidc.ErrSignature)
	})
}

func TestAge(t *testing.T) {
	t.Parallel()
	inBubble(t, "S44 a key that was withdrawn ends", func(t *testing.T, p *keyHost) {
		v := p.verifier()
		check(t, v, token(t, nil), wanted(), nil)
		p.answer(connectiontest.JSON(200, jwk{"keys": []jwk{}}).Header("Cache-Control", "max-age=1"))
		time.Sleep(15*time.Minute - time.Nanosecond)
		check(t, v, token(t, nil), wanted(), nil)
		p.wantFetches(t, 1)
		time.Sleep(time.Nanosecond)
		check(t, v, token(t, nil), wanted(), oidc.ErrSignature)
		p.wantFetches(t, 2)
	})
	inBubble(t, "S44 what the server says about caching has no effect", func(t *testing.T, p *keyHost) {
		key := jwk{"keys": []jwk{published(rsaKey(), jwk{"kid": "k1"})}}
		p.answer(connectiontest.JSON(200, key).Header("Cache-Control", "max-age=86400"))
		v := p.verifier()
		check(t, v, token(t, nil), wanted(), nil)
		time.Sleep(15 * time.Minute)
		check(t, v, token(t, nil), wanted(), nil)
		p.wantFetches(t, 2)
	})
	inBubble(t, "S44 keys that are too old are not used where there are no others", func(t *testing.T, p *keyHost) {
		v := p.verifier()
		check(t, v, token(t, nil), wanted(), nil)
		p.server.Down()
		time.Sleep(15 * time.Minute)
		check(t, v, token(t, nil), wanted(), oidc.ErrKeys)
		_, err := v.VerifyIDToken(t.Context(), secrets.Static(token(t, nil)), wanted())
		if err == nil || !strings.Contains(err.Error(), "15 minutes") {
			t.Errorf("the error does not say why: %v", err)
		}
		p.server.Up()
		check(t, v, token(t, nil), wanted(), nil)
	})
}

func TestFetch(t *testing.T) {
	t.Parallel()
	good := inJSON(jwk{"keys": []jwk{published(rsaKey(), jwk{"kid": "k1"})}})
	for _, c := range []struct {
		name  string
		reply http.Handler
		fine  bool
	}{
		{"a set of keys", connectiontest.Text(200, good), true},
		{"S20 256 KiB", connectiontest.Text(200, good+strings.Repeat(" ", 256<<10-len(good))), true},
		{"S20 256 KiB and a byte", connectiontest.Text(200, good+strings.Repeat(" ", 256<<10-len(good)+1)), false},
		{"S18 a redirect", connectiontest.Text(302, good).Header("Location", "/other"), false},
		{"S18 a redirect to elsewhere", connectiontest.Status(307).Header("Location", "https://evil.example.test"), false},
		{"an error", connectiontest.Text(500, good), false},
		{"another status", connectiontest.Text(206, good), false},
		{"nothing", connectiontest.Status(200), false},
		{"HTML", connectiontest.Text(200, "<html>"+canary), false},
		{"an array", connectiontest.Text(200, "[]"), false},
		{"no keys", connectiontest.Text(200, "{}"), false},
		{"keys that are null", connectiontest.Text(200, `{"keys":null}`), false},
		{"keys that are an object", connectiontest.Text(200, `{"keys":{}}`), false},
		{"Keys", connectiontest.Text(200, strings.Replace(good, "keys", "Keys", 1)), false},
		{"two sets", connectiontest.Text(200, good+good), false},
		{"keys twice", connectiontest.Text(200, `{"keys":[],`+good[1:]), false},
		{"one that is none among them", connectiontest.Text(200, strings.Replace(good, "[", `["x",1,null,{},{"kid":1},`, 1)),
			true},
		{"one that ends early", connectiontest.Text(200, good).Header("Content-Length", "9999"), false},
		{"a connection that breaks", connectiontest.Cut(), false},
	} {
		inBubble(t, c.name, func(t *testing.T, p *keyHost) {
			elsewhere := p.server.Network().Serve("https://evil.example.test", connectiontest.Text(200, good))
			p.answer(c.reply)
			v := p.verifier()
			if c.fine {
				check(t, v, token(t, nil), wanted(), nil)
			} else {
				check(t, v, token(t, nil), wanted(), oidc.ErrKeys)
			}
			if elsewhere.Conns() != 0 {
				t.Error("another server was reached")
			}
			p.wantFetches(t, 1)
		})
	}
}

func TestLargeKeySets(t *testing.T) {
	t.Parallel()
	inBubble(t, "F11 100 MB", func(t *testing.T, p *keyHost) {
		var sent atomic.Int64
		p.answer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			part := []byte(strings.Repeat(" ", 1<<16))
			for sent.Load() < 100e6 {
				n, err := w.Write(part)
				if err != nil {
					return
				}
				sent.Add(int64(n))
			}
		}))
		check(t, p.verifier(), token(t, nil), wanted(), oidc.ErrKeys)
		if sent.Load() > 8*tokencall.MaxBody {
			t.Errorf("%d bytes were sent", sent.Load())
		}
	})
	inBubble(t, "F11 10^5 keys", func(t *testing.T, p *keyHost) {
		p.answer(connectiontest.Text(200, `{"keys":[`+strings.Repeat("{},", 1e5)+`{}]}`))
		check(t, p.verifier(), token(t, nil), wanted(), oidc.ErrKeys)
	})
	inBubble(t, "F11 as many keys as there is room for", func(t *testing.T, p *keyHost) {
		p.answer(connectiontest.Text(200, `{"keys":[`+strings.Repeat("{},", 80_000)+`{}]}`))
		check(t, p.verifier(), token(t, nil), wanted(), oidc.ErrSignature)
	})
	inBubble(t, "F11 the first 100 keys are used", func(t *testing.T, p *keyHost) {
		keys := make([]jwk, 99, 101)
		own := published(rsaKey(), jwk{"kid": "k1"})
		p.publish(append(keys, own)...)
		check(t, p.verifier(), token(t, nil), wanted(), nil)
		p.publish(append(append(keys, jwk{}), own)...)
		check(t, p.verifier(), token(t, nil), wanted(), oidc.ErrSignature)
	})
}

func TestTimeout(t *testing.T) {
	t.Parallel()
	for name, hang := range map[string]func(p *keyHost){
		"S20 a server that cannot be reached": func(p *keyHost) { p.server.Hang() },
		"S20 a server that says nothing":      func(p *keyHost) { p.answer(connectiontest.Status(200).Delay(time.Hour)) },
		"S20 a server that goes on slowly": func(p *keyHost) {
			p.answer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				for r.Context().Err() == nil {
					_, _ = io.WriteString(w, " ")
					_ = http.NewResponseController(w).Flush()
					time.Sleep(time.Second)
				}
			}))
		},
	} {
		inBubble(t, name, func(t *testing.T, p *keyHost) {
			hang(p)
			began := time.Now()
			check(t, p.verifier(), token(t, nil), wanted(), oidc.ErrKeys)
			if took := time.Since(began); took != 30*time.Second {
				t.Errorf("it took %v", took)
			}
			p.server.Close()
		})
	}
}

func TestInsecure(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := connectiontest.NewNetwork(t)
		set := connectiontest.JSON(200, jwk{"keys": []jwk{published(rsaKey(), jwk{"kid": "k1"})}})
		for _, origin := range []string{"http://idp.example.test", "http://127.0.0.1:8080"} {
			s := n.Serve(origin, set)
			p := oidc.Provider{Issuer: issuer, JWKSURL: s.URL}
			p.Endpoint.Client = &http.Client{Transport: n.Transport()}
			v := oidc.NewVerifier(p)
			_, err := v.VerifyIDToken(t.Context(), secrets.Static(token(t, nil)), wanted())
			if local := s.URL != "http://idp.example.test"; local != (err == nil) {
				t.Errorf("S17 %s: %v", s.URL, err)
			} else if !local && (s.Conns() != 0 || !errors.Is(v.Validate(), tokencall.ErrInsecure)) {
				t.Errorf("S17 %s: %v, and %d connections", s.URL, v.Validate(), s.Conns())
			}
			p.Endpoint.AllowHTTP = true
			if err := oidc.NewVerifier(p).Validate(); err != nil {
				t.Errorf("S17 %s: %v", s.URL, err)
			}
		}
	})
}

func TestErrorShowsNothingOfTheServer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n := connectiontest.NewNetwork(t)
		n.ServeRaw(issuer, func(conn net.Conn) {
			_, _ = conn.Read(make([]byte, 4096))
			_, _ = conn.Write([]byte("HTTP/1.1 " + canary + "\r\n\r\n"))
		})
		p := oidc.Provider{Issuer: issuer, JWKSURL: issuer + "/keys?key=" + canary}
		p.Endpoint.Client = &http.Client{Transport: n.Transport()}
		check(t, oidc.NewVerifier(p), token(t, nil), wanted(), oidc.ErrKeys)
	})
}

// lateContext does something when it is first asked whether it has ended, which is just before a fetch.
type lateContext struct {
	context.Context

	do func()
}

func (c *lateContext) Err() error {
	if do := c.do; do != nil {
		c.do = nil
		do()
	}
	return c.Context.Err()
}

func TestLate(t *testing.T) {
	t.Parallel()
	inBubble(t, "S44 who comes late to a fetch uses what it has brought", func(t *testing.T, p *keyHost) {
		v := p.verifier()
		late := func(text string) {
			other := func() { check(t, v, text, wanted(), nil) }
			_, err := v.VerifyIDToken(&lateContext{t.Context(), other}, secrets.Static(text), wanted())
			if err != nil {
				t.Error(err)
			}
		}
		late(token(t, nil))
		p.wantFetches(t, 1)
		p.publish(published(otherKey(), jwk{"kid": "k2"}))
		late(signedBy(t, otherKey(), jose.RS256, "k2", good(nil)))
		p.wantFetches(t, 2)
	})
}

func TestTogether(t *testing.T) {
	t.Parallel()
	const callers = 200
	name := "S44 200 verifications at once are one fetch, and who leaves disturbs nobody"
	inBubble(t, name, func(t *testing.T, p *keyHost) {
		p.answer(connectiontest.JSON(200, jwk{"keys": []jwk{published(rsaKey(), jwk{"kid": "k1"})}}).Delay(time.Second))
		v, text := p.verifier(), secrets.Static(token(t, nil))
		hasty, leave := context.WithCancel(t.Context())
		left := make(chan error)
		go func() {
			_, err := v.VerifyIDToken(hasty, text, wanted())
			left <- err
		}()
		synctest.Wait() // it has started the fetch
		errs := make(chan error)
		for range callers - 1 {
			go func() {
				_, err := v.VerifyIDToken(t.Context(), text, wanted())
				errs <- err
			}()
		}
		time.Sleep(time.Millisecond)
		leave()
		if err := <-left; !errors.Is(err, context.Canceled) || !errors.Is(err, oidc.ErrKeys) {
			t.Errorf("the one that leaves gets %v", err)
		}
		for range callers - 1 {
			if err := <-errs; err != nil {
				t.Error(err)
			}
		}
		p.wantFetches(t, 1)
	})
	inBubble(t, "S44 200 tokens of a new key at once are one fetch", func(t *testing.T, p *keyHost) {
		v := p.verifier()
		check(t, v, token(t, nil), wanted(), nil)
		p.answer(connectiontest.JSON(200, jwk{"keys": []jwk{published(otherKey(), jwk{"kid": "k2"})}}).Delay(time.Second))
		text := secrets.Static(signedBy(t, otherKey(), jose.RS256, "k2", good(nil)))
		errs := make(chan error)
		for range callers {
			go func() {
				_, err := v.VerifyIDToken(t.Context(), text, wanted())
				errs <- err
			}()
		}
		for range callers {
			if err := <-errs; err != nil {
				t.Error(err)
			}
		}
		p.wantFetches(t, 2)
	})
	inBubble(t, "S44 200 verifications at once share a failure", func(t *testing.T, p *keyHost) {
		p.answer(connectiontest.Status(503).Delay(time.Second))
		v, text := p.verifier(), secrets.Static(token(t, nil))
		errs := make(chan error)
		for range callers {
			go func() {
				_, err := v.VerifyIDToken(t.Context(), text, wanted())
				errs <- err
			}()
		}
		for range callers {
			if err := <-errs; !errors.Is(err, oidc.ErrKeys) {
				t.Error(err)
			}
		}
		p.wantFetches(t, 1)
	})
	inBubble(t, "S44 a caller that has left before starts nothing", func(t *testing.T, p *keyHost) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := p.verifier().VerifyIDToken(ctx, secrets.Static(token(t, nil)), wanted())
		if !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		synctest.Wait()
		p.wantFetches(t, 0)
	})
}
