package login

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/restconn/restconn/internal/redact"
)

var errColon = errors.New("the user of Basic holds a colon (RFC 7617, section 2)")

// fieldTemplate is a [Field] that was taken apart.
type fieldTemplate struct {
	name  string
	value template
}

// step is a [Step] that was taken apart. It is not changed once it was made.
type step struct {
	method    string
	base, url template // url takes the place of base and path
	path      template
	query     []fieldTemplate
	header    []fieldTemplate
	basic     []template // user and password; empty if there are none
	body      *content   // nil if there is none
	success   []int
	ok        *expression
	save      map[string]*expression
}

// names returns the names in all templates of the step.
func (s *step) names() []string {
	var names []string
	for _, t := range slices.Concat([]template{s.base, s.url, s.path}, s.basic) {
		names = append(names, t.names()...)
	}
	for _, f := range slices.Concat(s.query, s.header) {
		names = append(names, f.value.names()...)
	}
	if s.body != nil {
		names = append(names, s.body.names()...)
	}
	return names
}

// request makes the request.
func (s *step) request(ctx context.Context, v values) (*http.Request, error) {
	var content []byte
	var contentType string
	if s.body != nil {
		var err error
		if content, contentType, err = s.body.render(v); err != nil {
			return nil, err
		}
	}
	target, err := s.target(v)
	if err != nil {
		return nil, fmt.Errorf("the URL: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, s.method, "", bytes.NewReader(content))
	if err != nil {
		return nil, err
	}
	req.URL, req.Host = target, target.Host
	if s.body == nil {
		req.Body, req.GetBody = http.NoBody, nil
	}
	return req, s.setHeader(req.Header, contentType, v)
}

// target returns the URL of the step.
func (s *step) target(v values) (target *url.URL, err error) {
	var w urlWriter
	if len(s.url) > 0 {
		err = w.write(s.url, v)
	} else if err = w.write(s.base, v); err == nil {
		err = w.join(s.path, v)
	}
	if err == nil {
		err = w.query(s.query, v)
	}
	if err != nil {
		return nil, err
	}
	return w.url()
}

// masked returns what logs show of the URL: no path that has a secret in it, and no origin that is one.
func (s *step) masked(target *url.URL, v values, hidden []string) redact.SecretPath {
	shown := redact.SecretPath{Secrets: hidden}
	for _, t := range []template{s.url, s.base, s.path} {
		for i, p := range t {
			if p.name == "" || !slices.Contains(hidden, v[p.name]) {
				continue
			}
			shown.Shown = "/" + redact.Mask
			if i == 0 {
				shown.Secrets = append(slices.Clip(hidden), target.Host)
			}
		}
	}
	return shown
}

// setHeader writes the header: the type of the body first, so that one of the configuration takes its place.
func (s *step) setHeader(header http.Header, contentType string, v values) error {
	if contentType != "" {
		header.Set(headerType, contentType)
	}
	for _, f := range s.header {
		value, err := f.value.render(v, lineValue)
		if err != nil {
			return fmt.Errorf("header %s: %w", f.name, err)
		}
		if f.name == headerType {
			header.Del(headerType)
		}
		header.Add(f.name, value)
	}
	if len(s.basic) == 0 {
		return nil
	}
	var texts [2]string
	for i, t := range s.basic {
		text, err := t.render(v, lineValue)
		if err != nil {
			return fmt.Errorf("Basic: %w", err)
		}
		texts[i] = text
	}
	if strings.Contains(texts[0], ":") {
		return errColon
	}
	header.Set(headerAuth, "Basic "+base64.StdEncoding.EncodeToString([]byte(texts[0]+":"+texts[1])))
	return nil
}

// succeeded reports whether the status stands for success.
func (s *step) succeeded(status int) bool {
	if len(s.success) > 0 {
		return slices.Contains(s.success, status)
	}
	return status/100 == 2
}
