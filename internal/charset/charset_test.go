package charset

import "testing"

func TestText(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, data, want string }{
		{"ISO-8859-1", "caf\xe9", "café"},
		{"latin1", "caf\xe9", "café"},
		{"iso_8859-15", "\xa4", "€"},
		{"windows-1252", "\x80", "€"},
		{"cp1252", "\x80", "€"},
		{"Windows-1251", "\xcf", "П"},
		{"KOI8-R", "\xf0", "П"},
		{"ibm866", "\x8f", "П"},
		{"cp866", "\x8f", "П"},
		{"macintosh", "\x8e", "é"},
		{"utf-16", "\x00a\x00b", "ab"},
		{"utf-16", "\xff\xfea\x00b\x00", "ab"},
		{"UTF-16BE", "\x00a", "a"},
		{"utf-16le", "a\x00\x3d\xd8\x00\xde", "a😀"},
		{"utf-8", "\xef\xbb\xbfé", "é"},
	} {
		from := Named(c.name)
		if from == nil {
			t.Errorf("%s is not known", c.name)
			continue
		}
		if got, ok := Text(from, []byte(c.data)); !ok || got != c.want {
			t.Errorf("%s of %q is %q, %t; want %q", c.name, c.data, got, ok, c.want)
		}
	}
}

func TestTextThatIsNone(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, data string }{
		{"utf-8", "\xe9"},
		{"utf-16le", "a"},
		{"utf-16le", "\x00\xdc"},
		{"windows-1253", "\xd2"},
	} {
		if got, ok := Text(Named(c.name), []byte(c.data)); ok {
			t.Errorf("%s of %q is %q", c.name, c.data, got)
		}
	}
	for _, name := range []string{"", "shift_jis", "utf-7", "x", "1252"} {
		if e := Named(name); e != nil {
			t.Errorf("%q is %v", name, e)
		}
	}
}
