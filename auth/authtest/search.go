package authtest

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
)

// search looks for secrets in whatever form they leak.
type search struct {
	needles []needle
}

type needle struct {
	secret int // index in Config.Secrets
	form   string
	text   string
}

func newSearch(secrets []string) *search {
	s := &search{}
	for i, secret := range secrets {
		add := func(form, text string) { s.needles = append(s.needles, needle{i, form, text}) }
		add("as it is", secret)
		if quoted := fmt.Sprintf("%q", secret); len(quoted) > 2 {
			add("quoted", quoted[1:len(quoted)-1])
		}
		if quoted, err := json.Marshal(secret); err == nil {
			add("in JSON", strings.Trim(string(quoted), `"`))
		}
		add("percent-encoded", url.QueryEscape(secret))
		add("percent-encoded", url.PathEscape(secret))
		add("in hexadecimal", hex.EncodeToString([]byte(secret)))
		add("in hexadecimal", strings.ToUpper(hex.EncodeToString([]byte(secret))))
		for before := range 3 {
			add("in base64", within(base64.RawStdEncoding, secret, before))
			add("in base64", within(base64.RawURLEncoding, secret, before))
		}
	}
	return s
}

// within returns the part of an encoding that depends on secret alone, when it stands behind that many bytes of
// others. So the secret is found in base64 of user:password, too.
func within(enc *base64.Encoding, secret string, before int) string {
	text := enc.EncodeToString([]byte(strings.Repeat("\x00", before) + secret))
	begin := []int{0, 2, 3}[before]
	end := len(text)
	if (before+len(secret))%3 != 0 {
		end-- // the last character also has bits of what follows
	}
	return text[begin:end]
}

// in returns an error if text holds a secret; where says what text is.
func (s *search) in(where, text string) error {
	for _, n := range s.needles {
		if strings.Contains(text, n.text) {
			return fmt.Errorf("%s holds Config.Secrets[%d] %s", where, n.secret, n.form)
		}
	}
	return nil
}

// printed returns an error if v shows a secret.
func (s *search) printed(v any) error {
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		if err := s.in("fmt's "+verb, fmt.Sprintf(verb, v)); err != nil {
			return err
		}
	}
	if text, err := json.Marshal(v); err == nil {
		if err := s.in("its JSON", string(text)); err != nil {
			return err
		}
	} else if err := s.in("the error of its JSON", err.Error()); err != nil {
		return err
	}
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("test", "value", v)
	slog.New(slog.NewJSONHandler(&log, nil)).Info("test", "value", v)
	if err := s.in("what log/slog writes", log.String()); err != nil {
		return err
	}
	return s.walk(reflect.TypeOf(v).String(), reflect.ValueOf(v), make(map[visit]bool))
}

type visit struct {
	addr uintptr
	typ  reflect.Type
	size int // of a slice
}

// walk follows what a dumper follows: exported or not, but neither functions nor unsafe pointers.
func (s *search) walk(path string, v reflect.Value, seen map[visit]bool) error {
	switch v.Kind() {
	case reflect.String:
		return s.in(path, v.String())
	case reflect.Interface:
		return s.walk(path, v.Elem(), seen)
	case reflect.Pointer:
		if !first(v, 0, seen) {
			return nil
		}
		return s.walk(path, v.Elem(), seen)
	case reflect.Struct:
		for i := range v.NumField() {
			if err := s.walk(path+"."+v.Type().Field(i).Name, v.Field(i), seen); err != nil {
				return err
			}
		}
	case reflect.Map:
		if !first(v, 0, seen) {
			return nil
		}
		for key, value := range v.Seq2() {
			if err := s.walk(path+" key", key, seen); err != nil {
				return err
			}
			if err := s.walk(path+" value", value, seen); err != nil {
				return err
			}
		}
	case reflect.Slice:
		if first(v, v.Len(), seen) {
			return s.walkList(path, v, seen)
		}
	case reflect.Array:
		return s.walkList(path, v, seen)
	}
	return nil
}

// first reports whether v, which is a pointer of some kind, is neither nil nor seen, and has it seen.
func first(v reflect.Value, size int, seen map[visit]bool) bool {
	key := visit{v.Pointer(), v.Type(), size}
	if v.IsNil() || seen[key] {
		return false
	}
	seen[key] = true
	return true
}

func (s *search) walkList(path string, v reflect.Value, seen map[visit]bool) error {
	if v.Type().Elem().Kind() == reflect.Uint8 {
		text := make([]byte, v.Len())
		for i := range text {
			text[i] = byte(v.Index(i).Uint())
		}
		return s.in(path, string(text))
	}
	for i := range v.Len() {
		if err := s.walk(fmt.Sprintf("%s[%d]", path, i), v.Index(i), seen); err != nil {
			return err
		}
	}
	return nil
}
