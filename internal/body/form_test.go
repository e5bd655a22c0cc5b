package body

import (
	"strings"
	"testing"
)

func TestFormHeader(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name                        string
		part, fileName, contentType string
		want                        string
	}{
		{"a field", "note", "", "", `form-data; name="note"` + "\r\n"},
		{"a file", "f", "a.txt", "text/plain",
			`form-data; name="f"; filename="a.txt"` + "\r\nContent-Type: text/plain\r\n"},
		{"a content type with parameters", "f", "", `text/csv; charset="utf-8"`,
			`form-data; name="f"` + "\r\nContent-Type: text/csv; charset=\"utf-8\"\r\n"},
		{"L1 a quote", `a"b`, `c"d`, "", `form-data; name="a%22b"; filename="c%22d"` + "\r\n"},
		{"L1 CR and LF", "a\r\nX: 1", "b\n\r.txt", "",
			`form-data; name="a%0D%0AX: 1"; filename="b%0A%0D.txt"` + "\r\n"},
		{"L1 a backslash before the closing quote", `a\`, `; name=b; x=\`, "",
			`form-data; name="a\\"; filename="; name=b; x=\\"` + "\r\n"},
		{"UTF-8 as it is", "größe", "Ωμέγα.txt", "", `form-data; name="größe"; filename="Ωμέγα.txt"` + "\r\n"},
		{"a percent sign as it is", "100%", "%22.txt", "", `form-data; name="100%"; filename="%22.txt"` + "\r\n"},
		{"a path as it is", "f", "a/b", "", `form-data; name="f"; filename="a/b"` + "\r\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, err := FormHeader(c.part, c.fileName, c.contentType)
			if err != nil || got != "Content-Disposition: "+c.want {
				t.Errorf("%q, %v, want %q", got, err, c.want)
			}
		})
	}
}

func TestFormHeaderRefuses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name                        string
		part, fileName, contentType string
		want                        string
	}{
		{"no name", "", "", "", "the name is empty"},
		{"L1 a NUL in the name", "a\x00", "", "", "the name has control"},
		{"L1 a tab in the name", "a\tb", "", "", "the name has control"},
		{"L1 a DEL in the file name", "a", "b\x7f", "", "the file name has control"},
		{"L1 a next-line character, which is a line break to some", "a", "b\u0085c", "", "the file name has control"},
		{"a name that is not UTF-8", "a\xff", "", "", "the name is not UTF-8"},
		{"a file name that is not UTF-8", "a", "b\xff", "", "the file name is not UTF-8"},
		{"L1 CRLF in the content type", "a", "", "text/plain\r\nX-Evil: 1", "not a media type"},
		{"L1 CRLF in a parameter", "a", "", "text/plain; a=\"\r\nX-Evil: 1\"", "not a media type"},
		{"L1 LF in the content type", "a", "", "text/plain\n", "not a media type"},
		{"L1 a control character in a parameter", "a", "", "text/plain; a=\"\x1b\"", "not a media type"},
		{"no media type", "a", "", "plain", "not a media type"},
		{"a media type with a broken parameter", "a", "", "text/plain; a", "not a media type"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, err := FormHeader(c.part, c.fileName, c.contentType)
			if err == nil || !strings.Contains(err.Error(), c.want) || strings.ContainsAny(err.Error(), "\r\n\x00\x1b") {
				t.Errorf("%q, %v, want an error that says %q", got, err, c.want)
			}
		})
	}
}
