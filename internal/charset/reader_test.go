package charset

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

func TestReader(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, data, want string
		err              error
	}{
		{"ISO-8859-1", "caf\xe9 \xef\xbf\xbd", "café ï¿½", nil},
		{"windows-1252", "\x80\x81", "", ErrText},
		{"us-ascii", "abc", "abc", nil},
		{"us-ascii", "ab\xe9", "", ErrText},
		{"utf-8", "\ufeffé\uff5e\uffef\uffbd", "é\uff5e\uffef\uffbd", nil},
		{"utf-8", "é\ufffd", "", ErrText},
		{"utf-16", "\x00a\xd8", "", ErrText},
		{"utf-16", "\xff\xfea\x00\xff\xff", "a\uffff", nil},
	} {
		for how, r := range map[string]io.Reader{
			"at once": strings.NewReader(c.data), "by bytes": iotest.OneByteReader(strings.NewReader(c.data)),
		} {
			decoded := Reader(Named(c.name), r)
			if how == "by bytes" {
				decoded = iotest.OneByteReader(decoded)
			}
			got, err := io.ReadAll(decoded)
			if !errors.Is(err, c.err) || c.err == nil && string(got) != c.want {
				t.Errorf("%s of %q %s is %q, %v; want %q, %v", c.name, c.data, how, got, err, c.want, c.err)
			}
		}
	}
	broken := Reader(Named("latin1"), iotest.ErrReader(io.ErrClosedPipe))
	if _, err := io.ReadAll(broken); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("the error is %v", err)
	}
}

func TestIsUTF8(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]bool{
		"": true, "utf-8": true, "UTF8": true, "utf_8": true, "us-ascii": true, "ASCII": true,
		"utf-16": false, "iso-8859-1": false, "utf-7": false, "x": false,
	} {
		if got := IsUTF8(name); got != want {
			t.Errorf("%q is UTF-8: %t", name, got)
		}
	}
}

// FuzzNamed looks charsets up: whatever the name, there is none, or one that decodes, by a Reader as by Text.
func FuzzNamed(f *testing.F) {
	for _, name := range []string{"", "utf-8", "UTF-16LE", "latin1", "ISO 8859-15", "cp1252", "ibm037", "koi8-r", "x"} {
		f.Add(name, []byte("caf\xe9\x81\x00"))
	}
	f.Fuzz(func(t *testing.T, name string, data []byte) {
		from := Named(name)
		if from == nil {
			if name != "" && IsUTF8(name) {
				t.Errorf("%q is UTF-8, and not known", name)
			}
			return
		}
		text, ok := Text(from, data)
		read, err := io.ReadAll(Reader(from, strings.NewReader(string(data))))
		if ok != (err == nil) || ok && string(read) != text {
			t.Errorf("%s: Text says %q, %t; the Reader %q, %v", name, text, ok, read, err)
		}
	})
}
