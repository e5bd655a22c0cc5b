package signing

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/secrets"
)

// scheme is a [Config] at work.
type scheme struct {
	cfg     Config
	headers []string // that the signature goes to
}

func newScheme(cfg Config) *scheme {
	cfg.Algorithm = cfg.Algorithm.orDefault()
	cfg.Message, cfg.Place = slices.Clone(cfg.Message), slices.Clone(cfg.Place)
	s := &scheme{cfg: cfg}
	s.headers = auth.Headers(s.placer(secrets.Value{}))
	return s
}

// placer returns what writes a signature to its place.
func (s *scheme) placer(signature secrets.Value) auth.Authenticator {
	if s.cfg.User != nil {
		return auth.BasicFrom(s.cfg.User, signature)
	}
	return auth.APIKey(signature, s.cfg.Place...)
}

// sign implements [Func].
func (s *scheme) sign(ctx context.Context, r *Request) error {
	if signed(r, s.headers) {
		return nil
	}
	key, err := resolve(ctx, s.cfg.Secret)
	if err != nil {
		return err
	}
	r.maxBody = s.cfg.MaxBody
	if err := s.stamp(r); err != nil {
		return err
	}
	message, err := s.message(r)
	if err != nil {
		return err
	}
	signature, err := s.cfg.Algorithm.apply(key, message)
	if err != nil {
		return err
	}
	text := s.cfg.Encoding.encode(signature)
	if s.cfg.Template != "" {
		text = s.fill(r, text)
	}
	return cause(s.placer(secrets.Static(text)).Authenticate(r.request))
}

// signed reports whether the caller has set one of those headers.
func signed(r *Request, headers []string) bool {
	return slices.ContainsFunc(headers, func(name string) bool { return len(r.Values(name)) > 0 })
}

// resolve asks for the secret.
func resolve(ctx context.Context, p secrets.Provider) (secrets.Value, error) {
	key, err := p.Secret(ctx)
	if err == nil && key.Reveal() == "" {
		err = fmt.Errorf("%w: the secret is empty", auth.ErrNoCredential)
	}
	return key, err
}

// stamp writes digest, timestamp and nonce. What the caller has set of them stays, and is what is signed.
func (s *scheme) stamp(r *Request) error {
	if err := s.cfg.Digest.write(r); err != nil {
		return err
	}
	r.timestamp = r.send(s.cfg.Timestamp.Header, s.cfg.Timestamp.Query, func() string {
		return s.cfg.Timestamp.Format.format(r.Time())
	})
	makeNonce := s.cfg.Nonce.New
	if makeNonce == nil {
		makeNonce = r.Nonce
	}
	r.nonce = r.send(s.cfg.Nonce.Header, s.cfg.Nonce.Query, makeNonce)
	return errors.Join(r.faults...)
}

// send writes a text to a header or a query parameter, unless both are empty, and returns it. Where the caller has set
// the header, it returns that.
func (r *Request) send(header, query string, text func() string) string {
	if header != "" {
		if own := r.Header(header); own != "" {
			return own
		}
	}
	s := text()
	if header != "" {
		r.SetHeader(header, s)
	}
	if query != "" {
		r.AddQuery(query, s)
	}
	return s
}

// message returns what is signed.
func (s *scheme) message(r *Request) ([]byte, error) {
	var message []byte
	for i, part := range s.cfg.Message {
		if i > 0 {
			message = append(message, s.cfg.Separator...)
		}
		text, err := part.render(r)
		if err != nil {
			return nil, fmt.Errorf("Message[%d]: %w", i, err)
		}
		message = append(message, text...)
	}
	return message, nil
}

// apply makes a signature, which is not empty.
func (a Algorithm) apply(key secrets.Value, message []byte) ([]byte, error) {
	signature, err := a.sign(key, message)
	if err == nil && len(signature) == 0 {
		err = errors.New("the algorithm made an empty signature")
	}
	return signature, err
}

// fill returns the template with its placeholders filled.
func (s *scheme) fill(r *Request, signature string) string {
	return strings.NewReplacer(
		"{signature}", signature, "{timestamp}", r.timestamp, "{nonce}", r.Nonce(),
	).Replace(s.cfg.Template)
}
