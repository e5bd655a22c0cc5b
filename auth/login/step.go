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
	where string // such as "Query[0]"
	name  string
	value template
}

// render returns the value.
func (f *fieldTemplate) render(v values, escape func(string) (string, error)) (string, error) {
	text, err := f.value.render(v, escape)
	return text, inField(f.where, err)
}

// inField says in which field of a step err is, if there is one.
func inField(where string, err error) error {
	if err == nil || where == "" {
		return err
	}
	return fmt.Errorf("%s: %w", where, err)
}

// place is a template, and where it stands.
type place struct {
	where string // such as "Steps[0].Path"
	text  template
}

// step is a [Step] that was taken apart. It is not changed once it was made.
type step struct {
	where     string // such as "Steps[0]"
	method    string
	base, url template // url takes the place of base and path
	path      template
	query     []fieldTemplate
	header    []fieldTemplate
	basic     []fieldTemplate // user and password; empty if there are none
	body      *content        // nil if there is none
	success   []int
	ok        *expression
	save      map[string]*expression
}

// places returns all templates of the step.
func (s *step) places() []place {
	all := []place{{"BaseURL", s.base}, {s.where + ".URL", s.url}, {s.where + ".Path", s.path}}
	fields := slices.Concat(s.query, s.header, s.basic)
	if s.body != nil {
		all = append(all, place{s.where + "." + s.body.where, s.body.text})
		fields = append(fields, s.body.form...)
		fields = append(fields, s.body.parts...)
	}
	for _, f := range fields {
		all = append(all, place{s.where + "." + f.where, f.value})
	}
	return all
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
	target, where, err := s.target(v)
	if err != nil {
		return nil, inField(where, err)
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

// target returns the URL of the step, or which field is wrong; none if the error has it.
func (s *step) target(v values) (u *url.URL, where string, err error) {
	var w urlWriter
	where = "URL"
	if len(s.url) > 0 {
		err = w.write(s.url, v)
	} else if where, err = "BaseURL", w.write(s.base, v); err == nil {
		where, err = "Path", w.join(s.path, v)
	}
	if err != nil {
		return nil, where, err
	}
	if err := w.query(s.query, v); err != nil {
		return nil, "", err
	}
	u, err = w.url()
	return u, where, err
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
		value, err := f.render(v, lineValue)
		if err != nil {
			return err
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
	for i := range s.basic {
		text, err := s.basic[i].render(v, lineValue)
		if err != nil {
			return err
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
