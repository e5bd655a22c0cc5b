package request_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/restconn/restconn/connection"
	"github.com/restconn/restconn/connection/connectiontest"
	"github.com/restconn/restconn/request"
)

// line is a value in the format of lineCodec.
type line struct{ Text string }

// lineCodec is a format of its own: the text of a line, as it is.
func lineCodec() connection.Codec {
	return connection.Codec{
		MediaType: "Application/X-Line",
		Marshal:   func(v any) ([]byte, error) { return []byte(v.(line).Text), nil },
		Unmarshal: func(data []byte, v any) error {
			v.(*line).Text = string(data)
			return nil
		},
	}
}

// spy is encoding/json, and remembers what it has been given.
func spy(got *[]string) connection.Codec {
	return connection.Codec{Unmarshal: func(data []byte, v any) error {
		*got = append(*got, string(data))
		return json.Unmarshal(data, v)
	}}
}

func TestCodec(t *testing.T) {
	t.Parallel()
	t.Run("P-31 a foreign codec for JSON gets no mark, and never an empty body or a null", func(t *testing.T) {
		t.Parallel()
		var got []string
		for _, body := range []string{"\ufeff{\"id\":7}", "", " \n", "null", " null "} {
			b, _ := answered(t, http.StatusOK, jsonType, body)
			b = b.Codec(spy(&got))
			v, err := request.Do[*account](t.Context(), b)
			if err != nil || (v == nil) != (len(body) < 8) {
				t.Errorf("%q is %+v, %v", body, v, err)
			}
			if len(body) < 8 {
				refused[account](t, b)
			}
		}
		if diff := cmp.Diff([]string{`{"id":7}`}, got); diff != "" {
			t.Errorf("the codec got (-want +got):\n%s", diff)
		}
	})
	t.Run("P-31 a codec of another format gets the body as it is, and decides what is empty", func(t *testing.T) {
		t.Parallel()
		for _, body := range []string{"\ufeffa", " \n", "null", "", "\x00"} {
			b, s := answered(t, http.StatusOK, "Content-Type: application/x-line; v=1", body)
			decoded(line{body})(t, b.Codec(lineCodec()))
			if got := s.Requests()[0].Header.Get("Accept"); got != "application/x-line, */*;q=0.5" {
				t.Errorf("Accept: %s", got)
			}
		}
		b, _ := answered(t, http.StatusOK, "Content-Type: application/x-line", "")
		decoded[*line](nil)(t, b.Codec(lineCodec()))
	})
	t.Run("P-31 the type has to be that of the codec", func(t *testing.T) {
		t.Parallel()
		for header, ok := range map[string]bool{
			"application/x-line": true, "APPLICATION/X-LINE": true, "text/x-line": true, "a/b+x-line": true, "": true,
			"application/json": false, "text/html": false, "text/plain": false, "a/b+x-line2": false, "x-line": false,
		} {
			if header != "" {
				header = "Content-Type: " + header
			}
			b, _ := answered(t, http.StatusOK, header, "a")
			if b = b.Codec(lineCodec()); ok {
				decoded(line{"a"})(t, b)
			} else {
				refused[line](t, b)
			}
			all := lineCodec()
			all.AnyContentType = true
			decoded(line{"a"})(t, b.Codec(all))
		}
	})
	t.Run("P-31 AnyContentType lets JSON call itself a page, and no page be JSON", func(t *testing.T) {
		t.Parallel()
		lax := connection.Codec{AnyContentType: true}
		b, _ := answered(t, http.StatusOK, "Content-Type: text/html; charset=koi8-r", `{"id":7}`)
		decoded(account{ID: 7})(t, b.Codec(lax))
		decoded(json.RawMessage(`{"id":7}`))(t, b.Codec(lax))
		refused[account](t, b)
		page, _ := answered(t, http.StatusOK, "Content-Type: text/html", `<html>`)
		refused[account](t, page.Codec(lax))
		refused[json.RawMessage](t, page.Codec(lax))
	})
	t.Run("P-32 P-33 text, bytes and raw JSON are read without the codec", func(t *testing.T) {
		t.Parallel()
		broken := connection.WithCodec(connection.Codec{
			MediaType: "a/b", Marshal: json.Marshal, Unmarshal: func([]byte, any) error { return errors.New("never") },
		})
		b, s := answered(t, http.StatusOK, jsonType, `"é"`, broken)
		decoded(`"é"`)(t, b)
		decoded([]byte(`"é"`))(t, b)
		decoded(request.Binary{Data: []byte(`"é"`), ContentType: "application/json"})(t, b)
		decoded(json.RawMessage(`"é"`))(t, b)
		want := []string{"text/plain, */*", "*/*", "*/*", "application/json, text/plain, */*"}
		for i, r := range s.Requests() {
			if got := r.Header.Get("Accept"); got != want[i] {
				t.Errorf("Accept: %s, want %s", got, want[i])
			}
		}
	})
}

func TestCodecErrors(t *testing.T) {
	t.Parallel()
	t.Run("P-31 no error text repeats what a codec says of the body, and the cause can be matched", func(t *testing.T) {
		t.Parallel()
		cause := errors.New("hunter2 is not a number")
		b, _ := answered(t, http.StatusOK, jsonType, `{"password":"hunter2"}`)
		failing := b.Codec(connection.Codec{Unmarshal: func([]byte, any) error { return fmt.Errorf("codec: %w", cause) }})
		_, err := request.Do[account](t.Context(), failing)
		e := wantStage[*request.DecodeError](t, err, request.StageDecode)
		for _, text := range []string{err.Error(), fmt.Sprintf("%+v %#v", err, err), e.Err.Error()} {
			if strings.Contains(text, "hunter2") {
				t.Errorf("the text is %s", text)
			}
		}
		if !errors.Is(err, cause) || string(e.Body) != `{"password":"hunter2"}` {
			t.Errorf("the error is %v with %q", err, e.Body)
		}
	})
	t.Run("P-31 an error body is decoded by the codec of the request, whatever its type", func(t *testing.T) {
		t.Parallel()
		b, _ := answered(t, http.StatusConflict, "Content-Type: text/html", "taken")
		err := b.Codec(lineCodec()).Exec(t.Context())
		if f, ok := request.ErrorBody[line](err); !ok || f.Text != "taken" {
			t.Errorf("%+v, %t", f, ok)
		}
		if _, ok := request.ErrorBody[account](b.Exec(t.Context())); ok {
			t.Error("what is no JSON is an account")
		}
	})
	t.Run("P-31 an error body that is empty or null is none, even where it could be absent", func(t *testing.T) {
		t.Parallel()
		for _, body := range []string{"", " ", "null", "\ufeffnull"} {
			b, _ := answered(t, http.StatusConflict, jsonType, body)
			if v, ok := request.ErrorBody[*account](b.Exec(t.Context())); ok || v != nil {
				t.Errorf("%q is %v, %t", body, v, ok)
			}
		}
	})
	t.Run("P-31 a codec that changes what it gets does not change the body of the error", func(t *testing.T) {
		t.Parallel()
		b, _ := answered(t, http.StatusConflict, jsonType, `{"id":7}`)
		err := b.Codec(connection.Codec{Unmarshal: func(data []byte, v any) error {
			defer clear(data)
			return json.Unmarshal(data, v)
		}}).Exec(t.Context())
		for range 2 {
			if v, ok := request.ErrorBody[account](err); !ok || v.ID != 7 {
				t.Errorf("%+v, %t", v, ok)
			}
		}
	})
}

// A codec may keep what it gets: the buffers of the pool are not among it.
func TestCodecThatKeeps(t *testing.T) {
	t.Parallel()
	for name, size := range map[string]int{"short": 10, "of 1 MiB": 1 << 20, "of 3 MiB": 3 << 20} {
		t.Run("J4 a codec may keep a body that is "+name, func(t *testing.T) {
			t.Parallel()
			rounds := unlessRace(10, 3)
			var kept, want [][]byte
			for _, explode := range []bool{false, true} {
				keep := connection.Codec{Unmarshal: func(data []byte, _ any) error {
					kept, want = append(kept, data), append(want, bytes.Clone(data))
					if explode {
						panic("boom")
					}
					return nil
				}}
				n := 0
				s := connectiontest.NewNetwork(t).Serve("http://127.0.0.1:8080",
					http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
						n++
						w.Header().Set("Content-Type", "application/json")
						_, _ = io.WriteString(w, `"`+strings.Repeat(string(rune('a'+n)), size)+`"`)
					}))
				b := request.Get(connectTo(t, s, ""), "/x").Codec(keep)
				for range rounds {
					func() {
						defer func() { _ = recover() }()
						_, _ = request.Do[account](t.Context(), b)
					}()
				}
			}
			for i := range kept {
				if !bytes.Equal(kept[i], want[i]) {
					t.Errorf("body %d was overwritten", i)
				}
			}
			if len(kept) != 2*rounds {
				t.Errorf("%d bodies were kept", len(kept))
			}
		})
	}
}

func TestCodecPolicy(t *testing.T) {
	t.Parallel()
	xml := connection.WithCodec(request.XMLCodec())
	t.Run("the codec of a request wins, and a derived connection has that of its origin or its own", func(t *testing.T) {
		t.Parallel()
		b, s := answered(t, http.StatusOK, "Content-Type: application/x-line", "a", xml)
		decoded(line{"a"})(t, b.Codec(lineCodec()))
		base := connectTo(t, s, "", xml)
		same, err1 := base.With()
		own, err2 := base.With(connection.WithCodec(lineCodec()))
		plain, err3 := own.With(connection.WithCodec(connection.Codec{}))
		if err := errors.Join(err1, err2, err3); err != nil {
			t.Fatal(err)
		}
		for want, conn := range map[string]*connection.Connection{
			"application/xml": same, "application/x-line": own, "application/json": plain,
		} {
			t.Cleanup(func() { _ = conn.Close() })
			d := conn.Describe()
			if d.Codec != want || !strings.Contains(d.String(), "codec: "+want+"\n") {
				t.Errorf("the description of %s is %s", want, d)
			}
			if err := request.Post(conn, "/x").Body(request.Value(line{"b"})).Exec(t.Context()); err != nil {
				t.Error(err)
			}
			sent := s.Requests()[len(s.Requests())-1]
			if got := sent.Header.Values("Content-Type"); len(got) != 1 || got[0] != want {
				t.Errorf("Content-Type: %q, want %s", got, want)
			}
		}
	})
	t.Run("a codec that lacks something is refused, and nothing is sent", func(t *testing.T) {
		t.Parallel()
		b, s := answered(t, http.StatusOK, jsonType, `{}`)
		for name, codec := range map[string]connection.Codec{
			"no Marshal":             {MediaType: "a/b", Unmarshal: json.Unmarshal},
			"no Unmarshal":           {MediaType: "a/b", Marshal: json.Marshal},
			"parameters":             {MediaType: "a/b; charset=utf-8", Marshal: json.Marshal, Unmarshal: json.Unmarshal},
			"a semicolon":            {MediaType: "a/b;", Marshal: json.Marshal, Unmarshal: json.Unmarshal},
			"no slash":               {MediaType: "json", Marshal: json.Marshal, Unmarshal: json.Unmarshal},
			"a space":                {MediaType: " a/b", Marshal: json.Marshal, Unmarshal: json.Unmarshal},
			"a line break":           {MediaType: "a/b\r\nX-A: b", Marshal: json.Marshal, Unmarshal: json.Unmarshal},
			"a range of media types": {MediaType: "application/*", Marshal: json.Marshal, Unmarshal: json.Unmarshal},
		} {
			_, err := request.Do[account](t.Context(), b.Codec(codec))
			wantStage[*request.Error](t, err, request.StageBuild)
			_, err = connection.New(s.URL, connection.WithCodec(codec))
			if e, ok := errors.AsType[*connection.OptionError](err); !ok || e.Option != "WithCodec" {
				t.Errorf("%s: New says %v", name, err)
			}
		}
		if got := s.Conns(); got != 0 {
			t.Errorf("the server saw %d connections", got)
		}
	})
	t.Run("half a codec for JSON is enough", func(t *testing.T) {
		t.Parallel()
		shout := connection.Codec{Marshal: func(any) ([]byte, error) { return []byte(`"!"`), nil }}
		b, s := answered(t, http.StatusOK, jsonType, `{"id":7}`)
		decoded(account{ID: 7})(t, b.AllowBody().JSON(1).Codec(shout))
		if got := string(s.Requests()[0].Body); got != `"!"` {
			t.Errorf("the server got %s", got)
		}
	})
}

func TestSeveralContentTypes(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		types []string
		ok    bool
		want  string
	}{
		"I8 the same type twice":         {[]string{"application/json", "application/json"}, true, "application/json"},
		"I8 two types, JSON first":       {[]string{"application/json", "text/html"}, false, "application/json, text/html"},
		"I8 two types, JSON last":        {[]string{"text/html", "application/json"}, false, "text/html, application/json"},
		"I8 two types in one field":      {[]string{"application/json, text/html"}, false, "application/json, text/html"},
		"I8 one is odd":                  {[]string{"application/json; a", "a/b"}, false, "application/json; a, a/b"},
		"I8 a charset misspelt":          {[]string{"text/json; charset=utf8"}, true, "text/json; charset=utf8"},
		"I8 a parameter without a value": {[]string{"application/json; utf-8"}, true, "application/json; utf-8"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := connectiontest.NewNetwork(t).Serve("http://127.0.0.1:8080",
				http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
					w.Header()["Content-Type"] = c.types
					_, _ = w.Write([]byte(`{"id":7}`))
				}))
			b := request.Get(connectTo(t, s, ""), "/x")
			decoded(request.Binary{Data: []byte(`{"id":7}`), ContentType: c.want})(t, b)
			if c.ok {
				decoded(account{ID: 7})(t, b)
				return
			}
			_, err := request.Do[account](t.Context(), b)
			if e := wantStage[*request.DecodeError](t, err, request.StageDecode); e.ContentType != c.want {
				t.Errorf("the type is %q", e.ContentType)
			}
		})
	}
}
