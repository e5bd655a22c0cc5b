package signing

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/internal/field"
	"github.com/restconn/restconn/secrets"
)

// MessageConfig describes what [MessageSignature] signs, and how.
type MessageConfig struct {
	// Key is the shared secret or the private key, in the form that Algorithm wants. It is asked for once per attempt.
	// Required.
	Key secrets.Provider
	// KeyID is the keyid parameter, by which the server finds its key. It is not sent if it is empty.
	KeyID string
	// Algorithm makes the signature. The default is HMAC(SHA256).
	Algorithm Algorithm
	// SendAlgorithm sends the name of the algorithm as the alg parameter. By default the server knows it from the key.
	SendAlgorithm bool
	// Components are what is signed: names of headers, and @method, @authority, @scheme, @path, @query and @target-uri
	// (RFC 9421, section 2.2). A header that is not on the request fails the attempt. The default is @method,
	// @authority, @path and @query, and the header of Digest if there is one.
	Components []string
	// Digest is a header with a hash of the body, which is to be among the Components, such as ContentDigest(SHA256). The
	// default is none: the body is then not protected.
	Digest Digest
	// Lifetime is how long after its creation the signature expires, as the expires parameter, in whole seconds. It is
	// not sent if it is 0.
	Lifetime time.Duration
	// Nonce sends a text that is new in each attempt as the nonce parameter.
	Nonce bool
	// Label names the signature. The default is "sig1".
	Label string
}

// MessageSignature returns an Authenticator that signs each attempt of a request with an HTTP message signature (RFC
// 9421), in the headers Signature-Input and Signature. The created parameter is always sent. If either
// header is there already, nothing is written. What is wrong with cfg, [auth.Validate] tells, all of it at once.
//
// It is safe for concurrent use. Errors are [*auth.Error] with scheme "signing".
func MessageSignature(cfg MessageConfig) auth.Authenticator {
	m := &messageScheme{cfg: cfg}
	m.cfg.Algorithm = cfg.Algorithm.orDefault()
	if cfg.Label == "" {
		m.cfg.Label = "sig1"
	}
	m.components(cfg.Components)
	return &signer{
		description: fmt.Sprintf("Message signature (%v)", m.cfg.Algorithm),
		faults:      m.validate(),
		sign:        m.sign,
	}
}

type messageScheme struct {
	cfg     MessageConfig // with the names of the components in lower case
	covered string        // the list of the components, as it is sent
}

const (
	signatureHeader = "Signature"
	inputHeader     = "Signature-Input"
)

// components sets what is covered.
func (m *messageScheme) components(names []string) {
	if len(names) == 0 {
		names = []string{"@method", "@authority", "@path", "@query"}
		if m.cfg.Digest.header != "" {
			names = append(names, m.cfg.Digest.header)
		}
	}
	m.cfg.Components = nil
	quoted := make([]string, len(names))
	for i, name := range names {
		name = strings.ToLower(name)
		m.cfg.Components = append(m.cfg.Components, name)
		quoted[i] = `"` + name + `"`
	}
	m.covered = "(" + strings.Join(quoted, " ") + ")"
}

// sign implements [Func].
func (m *messageScheme) sign(ctx context.Context, r *Request) error {
	if signed(r, []string{signatureHeader, inputHeader}) {
		return nil
	}
	key, err := resolve(ctx, m.cfg.Key)
	if err != nil {
		return err
	}
	if err := m.cfg.Digest.write(r); err != nil {
		return err
	}
	params := m.params(r)
	base, err := m.base(r, params)
	if err != nil {
		return err
	}
	signature, err := m.cfg.Algorithm.apply(key, []byte(base))
	if err != nil {
		return err
	}
	r.SetHeader(inputHeader, m.cfg.Label+"="+params)
	r.SetHeader(signatureHeader, m.cfg.Label+"=:"+base64.StdEncoding.EncodeToString(signature)+":")
	return nil
}

// params returns the components and the parameters of this attempt (RFC 9421, section 2.3).
func (m *messageScheme) params(r *Request) string {
	var b strings.Builder
	b.WriteString(m.covered)
	created := r.Time().Unix()
	fmt.Fprintf(&b, ";created=%d", created)
	if m.cfg.Lifetime > 0 {
		fmt.Fprintf(&b, ";expires=%d", created+int64(m.cfg.Lifetime/time.Second))
	}
	if m.cfg.Nonce {
		b.WriteString(";nonce=" + field.Quote(r.Nonce()))
	}
	if m.cfg.KeyID != "" {
		b.WriteString(";keyid=" + field.Quote(m.cfg.KeyID))
	}
	if m.cfg.SendAlgorithm {
		b.WriteString(";alg=" + field.Quote(m.cfg.Algorithm.name))
	}
	return b.String()
}

// base returns what is signed (RFC 9421, section 2.5).
func (m *messageScheme) base(r *Request, params string) (string, error) {
	var b strings.Builder
	for _, name := range m.cfg.Components {
		value, err := component(r, name)
		if err != nil {
			return "", err
		}
		b.WriteString(`"` + name + `": ` + value + "\n")
	}
	b.WriteString(`"@signature-params": ` + params)
	return b.String(), nil
}

// component returns the value of a component (RFC 9421, sections 2.1 and 2.2).
func component(r *Request, name string) (string, error) {
	if derive, ok := derived[name]; ok {
		return derive(r), nil
	}
	values := slices.Clone(r.Values(name))
	if len(values) == 0 {
		return "", fmt.Errorf("the request has no header %s, which is to be signed", name)
	}
	for i, value := range values {
		if !field.IsValue(value) {
			return "", fmt.Errorf("header %s holds a control character", name)
		}
		values[i] = strings.Trim(value, " \t")
	}
	return strings.Join(values, ", "), nil
}

var derived = map[string]func(r *Request) string{ //nolint:gochecknoglobals // never changed
	"@method":     (*Request).Method,
	"@authority":  authority,
	"@scheme":     func(r *Request) string { return strings.ToLower(r.request.URL.Scheme) },
	"@path":       (*Request).Path,
	"@query":      func(r *Request) string { return "?" + r.Query() },
	"@target-uri": (*Request).URL,
}

// authority returns the host in lower case and without the default port (RFC 9421, section 2.2.3).
func authority(r *Request) string {
	host := strings.ToLower(r.Host())
	switch strings.ToLower(r.request.URL.Scheme) {
	case "https":
		return strings.TrimSuffix(host, ":443")
	case "http":
		return strings.TrimSuffix(host, ":80")
	default:
		return host
	}
}

// validate tells all that is wrong with the MessageConfig.
func (m *messageScheme) validate() []error {
	var faults []error
	add := func(name string, err error) {
		if err != nil {
			faults = append(faults, fmt.Errorf("%s: %w", name, err))
		}
	}
	add("Key", secretFault(m.cfg.Key))
	add("Algorithm", m.cfg.Algorithm.fault)
	add("Digest", m.cfg.Digest.fault)
	add("Label", labelFault(m.cfg.Label))
	if m.cfg.KeyID != "" && !isText(m.cfg.KeyID) {
		add("KeyID", errors.New("it is not printable ASCII (RFC 9651, section 3.3.3)"))
	}
	if m.cfg.Lifetime != 0 && m.cfg.Lifetime < time.Second {
		add("Lifetime", errors.New("it is shorter than a second"))
	}
	for i, name := range m.cfg.Components {
		add(fmt.Sprintf("Components[%d]", i), m.componentFault(i, name))
	}
	if d := strings.ToLower(m.cfg.Digest.header); d != "" && !slices.Contains(m.cfg.Components, d) {
		add("Components", fmt.Errorf("%s is written and not signed", d))
	}
	return faults
}

// componentFault tells what is wrong with the component at i.
func (m *messageScheme) componentFault(i int, name string) error {
	_, known := derived[name]
	switch {
	case strings.HasPrefix(name, "@") && !known:
		return fmt.Errorf("%q is unknown", name)
	case !known && !field.IsToken(name):
		return fmt.Errorf("%q is not a token (RFC 9110, section 5.6.2)", name)
	case slices.Contains(m.cfg.Components[:i], name):
		return fmt.Errorf("%q is there twice", name)
	case name == "signature" || name == "signature-input":
		return fmt.Errorf("%q is written after it is signed", name)
	default:
		return nil
	}
}

// labelFault tells what is wrong with a label, which is a key of a dictionary (RFC 9651, section 3.1.2).
func labelFault(label string) error {
	for i, c := range label {
		if 'a' <= c && c <= 'z' || c == '*' || i > 0 && ('0' <= c && c <= '9' || strings.ContainsRune("_-.", c)) {
			continue
		}
		return fmt.Errorf("%q is no key of a structured field (RFC 9651, section 3.1.2)", label)
	}
	return nil
}
