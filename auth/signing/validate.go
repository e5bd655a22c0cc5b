package signing

import (
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/secrets"
)

// validate tells all that is wrong with the Config.
func (s *scheme) validate() []error {
	cfg := s.cfg
	var faults []error
	add := func(name string, err error) {
		if err != nil {
			faults = append(faults, fmt.Errorf("%s: %w", name, err))
		}
	}
	add("Secret", secretFault(cfg.Secret))
	add("Algorithm", cfg.Algorithm.fault)
	add("Encoding", cfg.Encoding.validate())
	if len(cfg.Message) == 0 {
		add("Message", errors.New("there is nothing to sign"))
	}
	for i, part := range cfg.Message {
		add(fmt.Sprintf("Message[%d]", i), s.partFault(part))
	}
	add("Template", templateFault(cfg.Template))
	add("Place", s.placeFault())
	add("Timestamp", fieldFault(cfg.Timestamp.Header, cfg.Timestamp.Query))
	add("Nonce", fieldFault(cfg.Nonce.Header, cfg.Nonce.Query))
	add("Digest", cfg.Digest.fault)
	if cfg.MaxBody < 0 {
		add("MaxBody", errors.New("it is negative"))
	}
	return append(faults, s.twice()...)
}

// secretFault tells what is wrong with a provider.
func secretFault(p secrets.Provider) error {
	if p == nil {
		return fmt.Errorf("%w: it is nil", auth.ErrNoCredential)
	}
	return secrets.Validate(p)
}

// partFault tells what is wrong with a part. What is signed and not sent, no server can check.
func (s *scheme) partFault(part Part) error {
	sent := func(header, query, placeholder string) bool {
		return header != "" || query != "" || strings.Contains(s.cfg.Template, placeholder)
	}
	switch {
	case part.fault != nil:
		return part.fault
	case part.render == nil:
		return errors.New("it is the zero Part")
	case part.stamp == timestamp && !sent(s.cfg.Timestamp.Header, s.cfg.Timestamp.Query, "{timestamp}"):
		return errors.New("the timestamp is signed and not sent: give Timestamp a Header or a Query")
	case part.stamp == nonce && !sent(s.cfg.Nonce.Header, s.cfg.Nonce.Query, "{nonce}"):
		return errors.New("the nonce is signed and not sent: give Nonce a Header or a Query")
	default:
		return nil
	}
}

var placeholder = regexp.MustCompile(`\{[A-Za-z]*\}`)

// templateFault tells what is wrong with a template.
func templateFault(template string) error {
	if template == "" {
		return nil
	}
	for _, name := range placeholder.FindAllString(template, -1) {
		switch name {
		case "{signature}", "{timestamp}", "{nonce}":
		default:
			return fmt.Errorf("%s is unknown; there are {signature}, {timestamp} and {nonce}", name)
		}
	}
	if !strings.Contains(template, "{signature}") {
		return errors.New("there is no {signature}")
	}
	return nil
}

// placeFault tells what is wrong with the place of the signature.
func (s *scheme) placeFault() error {
	switch {
	case s.cfg.User != nil && len(s.cfg.Place) > 0:
		return errors.New("it cannot be combined with User")
	case s.cfg.User == nil && len(s.cfg.Place) == 0:
		return errors.New("the signature has no place, such as auth.InHeader(\"X-Signature\"), and no User")
	default:
		return cause(auth.Validate(s.placer(secrets.Static("signature"))))
	}
}

// fieldFault tells what is wrong with the place of a timestamp or a nonce.
func fieldFault(header, query string) error {
	switch {
	case header != "" && query != "":
		return errors.New("it has a Header and a Query: give one of them")
	case header != "":
		return checkHeader(header)
	case query != "":
		return cause(auth.Validate(auth.APIKey(secrets.Static("text"), auth.InQuery(query))))
	default:
		return nil
	}
}

// checkHeader tells what keeps a header from being written.
func checkHeader(name string) error {
	return cause(auth.Validate(auth.APIKey(secrets.Static("text"), auth.InHeader(name))))
}

// twice finds places that two texts are written to.
func (s *scheme) twice() []error {
	names := append([]string{s.cfg.Timestamp.Header, s.cfg.Nonce.Header, s.cfg.Digest.header}, s.headers...)
	seen := make(map[string]bool, len(names))
	var faults []error
	for _, name := range names {
		name = http.CanonicalHeaderKey(name)
		if name != "" && seen[name] {
			faults = append(faults, fmt.Errorf("header %s is written twice", name))
		}
		seen[name] = true
	}
	if q := s.cfg.Timestamp.Query; q != "" && q == s.cfg.Nonce.Query {
		faults = append(faults, fmt.Errorf("query parameter %q is written twice", q))
	}
	return faults
}

// isText reports whether s is printable ASCII, which is what a string in a structured field may hold (RFC 9651, section
// 3.3.3), and not empty.
func isText(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return s != ""
}
