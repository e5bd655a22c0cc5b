// Package wire shows what an example's server reads and answers. It is here so that a reader sees the calls that the
// library makes by itself; a program of one's own has no use for it.
package wire

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"

	"github.com/restconn/restconn/secrets"
)

// Log is a server's view of its calls. It is safe for concurrent use.
type Log struct {
	headers  []string
	harmless []string

	mu  sync.Mutex
	out io.Writer
}

// New returns a Log that writes to out: of each request the method, the path, those of the headers that it has, and the
// body; of each response the status, its cookies and the body. All values but those of the harmless members are
// redacted.
func New(out io.Writer, headers, harmless []string) *Log {
	return &Log{out: out, headers: headers, harmless: harmless}
}

// Printf writes a line between those of the calls.
func (l *Log) Printf(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	fmt.Fprintf(l.out, format+"\n", args...)
}

// Around returns a handler that shows what goes through next.
func (l *Log) Around(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, req.Body, 1<<20))
		if err != nil {
			http.Error(w, "the body cannot be read", http.StatusBadRequest)
			return
		}
		req.Body = io.NopCloser(bytes.NewReader(body))
		answer := httptest.NewRecorder()
		next.ServeHTTP(answer, req)
		l.Printf("  > %s %s%s%s\n  < %d%s%s", req.Method, req.URL.Path, l.credentials(req.Header), l.text(body),
			answer.Code, cookies(answer.Result().Cookies()), l.text(answer.Body.Bytes()))
		maps.Copy(w.Header(), answer.Header())
		w.WriteHeader(answer.Code)
		_, _ = w.Write(answer.Body.Bytes())
	})
}

// Answer answers with a JSON object.
func Answer(w http.ResponseWriter, status int, object map[string]any) {
	body, err := json.Marshal(object)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(body)
}

// credentials returns the headers that are shown. Of a value only what stands before the secret is.
func (l *Log) credentials(header http.Header) string {
	var text strings.Builder
	for _, name := range l.headers {
		for _, value := range header.Values(name) {
			if scheme, _, ok := strings.Cut(value, " "); ok && name == "Authorization" {
				value = scheme + " " + secrets.Redacted
			} else if key, _, ok := strings.Cut(value, "="); ok && name == "Cookie" {
				value = key + "=" + secrets.Redacted
			} else {
				value = secrets.Redacted
			}
			fmt.Fprintf(&text, " (%s: %s)", name, value)
		}
	}
	return text.String()
}

// text returns a body, which is JSON or a form. What is neither is left out.
func (l *Log) text(body []byte) string {
	var value any
	if json.Unmarshal(body, &value) == nil {
		redacted, err := json.Marshal(l.redact(value, false))
		if err == nil {
			return " " + string(redacted)
		}
	}
	form, err := url.ParseQuery(string(body))
	if len(body) == 0 || err != nil {
		return ""
	}
	pairs := make([]string, 0, len(form))
	for _, name := range slices.Sorted(maps.Keys(form)) {
		value := secrets.Redacted
		if slices.Contains(l.harmless, name) {
			value = form.Get(name)
		}
		pairs = append(pairs, name+"="+value)
	}
	return " " + strings.Join(pairs, "&")
}

// redact returns a copy of value in which harmless members alone have their values.
func (l *Log) redact(value any, harmless bool) any {
	switch v := value.(type) {
	case map[string]any:
		members := make(map[string]any, len(v))
		for name, member := range v {
			members[name] = l.redact(member, slices.Contains(l.harmless, name))
		}
		return members
	case []any:
		list := make([]any, 0, len(v))
		for _, member := range v {
			list = append(list, l.redact(member, harmless))
		}
		return list
	default:
		if harmless {
			return v
		}
		return secrets.Redacted
	}
}

func cookies(set []*http.Cookie) string {
	var text strings.Builder
	for _, c := range set {
		fmt.Fprintf(&text, " (Set-Cookie: %s=%s)", c.Name, secrets.Redacted)
	}
	return text.String()
}
