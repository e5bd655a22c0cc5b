package connection_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/url"
	"reflect"
	"strings"
	"sync"
	"testing"
)

// birdsong is a secret with bytes that every encoding writes in its own way. It fits into a header, a cookie and a
// path.
const birdsong = `c4n4ry/+<&>='s3cr3t`

// formsOf returns the forms in which a secret leaks.
func formsOf(secret string) []string {
	list := []string{
		secret, url.QueryEscape(secret), url.PathEscape(secret), hex.EncodeToString([]byte(secret)),
		strings.Trim(fmt.Sprintf("%q", secret), `"`), strings.Trim(fmt.Sprintf("%d", []byte(secret)), "[]"),
	}
	if text, err := json.Marshal(secret); err == nil {
		list = append(list, strings.Trim(string(text), `"`))
	}
	for before, begin := range []int{0, 2, 3} { // behind that many other bytes, such as "user:"
		for _, enc := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
			text := enc.EncodeToString([]byte(strings.Repeat("\x00", before) + secret))
			list = append(list, text[begin:len(text)-1])
		}
	}
	return list
}

// clean fails the test if text holds the canary in any form.
func clean(t *testing.T, where, text string) {
	t.Helper()
	for _, n := range formsOf(birdsong) {
		if i := strings.Index(text, n); i >= 0 {
			t.Errorf("%s: the canary is there as %q, in ...%s", where, n, text[max(0, i-200):min(len(text), i+len(n)+20)])
			return
		}
	}
}

// cleanPrinted fails the test if v shows the canary in whatever way it is printed, encoded or logged.
func cleanPrinted(t *testing.T, where string, v any) {
	t.Helper()
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		clean(t, where+" "+verb, fmt.Sprintf(verb, v))
	}
	if text, err := json.Marshal(v); err == nil {
		clean(t, where+" in JSON", string(text))
	} else {
		clean(t, where+" in the error of its JSON", err.Error())
	}
	var b bytes.Buffer
	slog.New(slog.NewTextHandler(&b, nil)).Info("m", "v", v)
	slog.New(slog.NewJSONHandler(&b, nil)).Info("m", "v", v)
	clean(t, where+" in slog", b.String())
}

// cleanErrors does so for every error of a tree.
func cleanErrors(t *testing.T, where string, err error) {
	t.Helper()
	if err == nil {
		return
	}
	cleanPrinted(t, fmt.Sprintf("%s, %T", where, err), err)
	switch u := err.(type) { //nolint:errorlint // this is one step of a walk
	case interface{ Unwrap() error }:
		cleanErrors(t, where, u.Unwrap())
	case interface{ Unwrap() []error }:
		for _, e := range u.Unwrap() {
			cleanErrors(t, where, e)
		}
	}
}

// findCanary follows what a dumper follows, exported or not, but neither functions nor unsafe pointers, and returns the
// path of the first text that holds the canary.
func findCanary(v any) string {
	w := walker{seen: map[visited]bool{}, needles: formsOf(birdsong)}
	w.walk(reflect.TypeOf(v).String(), reflect.ValueOf(v))
	return w.found
}

type visited struct {
	addr uintptr
	typ  reflect.Type
	size int
}

type walker struct {
	seen    map[visited]bool
	needles []string
	found   string
}

func (w *walker) walk(path string, v reflect.Value) {
	if w.found != "" {
		return
	}
	switch v.Kind() {
	case reflect.String:
		w.text(path, v.String())
	case reflect.Interface:
		w.walk(path, v.Elem())
	case reflect.Pointer:
		if w.first(v, 0) {
			w.walk(path, v.Elem())
		}
	case reflect.Struct:
		for i := range v.NumField() {
			w.walk(path+"."+v.Type().Field(i).Name, v.Field(i))
		}
	case reflect.Map:
		if w.first(v, 0) {
			for key, value := range v.Seq2() {
				w.walk(path+" key", key)
				w.walk(fmt.Sprintf("%s[%v]", path, key), value)
			}
		}
	case reflect.Slice:
		if w.first(v, v.Len()) {
			w.list(path, v)
		}
	case reflect.Array:
		w.list(path, v)
	}
}

func (w *walker) first(v reflect.Value, size int) bool {
	key := visited{v.Pointer(), v.Type(), size}
	if v.IsNil() || w.seen[key] {
		return false
	}
	w.seen[key] = true
	return true
}

func (w *walker) list(path string, v reflect.Value) {
	if v.Type().Elem().Kind() == reflect.Uint8 {
		text := make([]byte, v.Len())
		for i := range text {
			text[i] = byte(v.Index(i).Uint())
		}
		w.text(path, string(text))
		return
	}
	for i := range v.Len() {
		w.walk(fmt.Sprintf("%s[%d]", path, i), v.Index(i))
	}
}

func (w *walker) text(path, text string) {
	for _, n := range w.needles {
		if strings.Contains(text, n) {
			w.found = path
		}
	}
}

// journal is a log that is kept, each record in its text and its JSON form, one line each.
type journal struct {
	mu         sync.Mutex
	text, json bytes.Buffer
}

type lockedWriter struct {
	mu *sync.Mutex
	b  *bytes.Buffer
}

func (w lockedWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.b.Write(p)
}

func (j *journal) logger() *slog.Logger {
	return slog.New(slog.NewMultiHandler(
		slog.NewTextHandler(lockedWriter{&j.mu, &j.text}, &slog.HandlerOptions{Level: slog.LevelDebug}),
		slog.NewJSONHandler(lockedWriter{&j.mu, &j.json}, &slog.HandlerOptions{Level: slog.LevelDebug}),
	))
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String() + j.json.String()
}
