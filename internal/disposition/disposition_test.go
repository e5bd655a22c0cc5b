package disposition_test

import (
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/restconn/restconn/internal/disposition"
)

func name(fields ...string) string {
	return disposition.Name(http.Header{"Content-Disposition": fields})
}

func TestName(t *testing.T) {
	t.Parallel()
	for field, want := range map[string]string{
		``:                                                    "",
		`attachment`:                                          "",
		`attachment;`:                                         "",
		`attachment; filename`:                                "",
		`attachment; filename=`:                               "",
		`attachment; filename=""`:                             "",
		`attachment; filename="a.zip"`:                        "a.zip",
		`ATTACHMENT; FileName="a.zip"`:                        "a.zip",
		`inline; filename=a.zip`:                              "a.zip",
		`filename="a.zip"`:                                    "a.zip",
		`filename=a.zip`:                                      "a.zip",
		`; ;filename=a.zip;`:                                  "a.zip",
		`attachment; filename = "a.zip"`:                      "a.zip",
		`attachment;filename=my report.pdf`:                   "my report.pdf",
		`attachment; filename=my report.pdf ; size=1`:         "my report.pdf",
		`attachment; filename="a;b=c.zip"; x=y`:               "a;b=c.zip",
		`attachment; filename="a \"b\".zip"`:                  "a _b_.zip",
		`attachment; filename="a.zip`:                         "a.zip",
		`attachment; filename="a.zip" rubbish; filename=b`:    "a.zip",
		`attachment; filename="a.zip"; filename="b.zip"`:      "a.zip",
		`attachment; size==; filename="a.zip"`:                "a.zip",
		`attachment; xfilename="b"; filename="a.zip"`:         "a.zip",
		`attachment; note="filename=b"; filename="a.zip"`:     "a.zip",
		`attachment; filename="æ.zip"`:                        "æ.zip",
		"attachment; filename=\"\xe6.zip\"":                   "æ.zip",
		"attachment; filename=\xe6.zip":                       "æ.zip",
		`attachment; filename*=UTF-8''%e2%82%ac%20rates.txt`:  "€ rates.txt",
		`attachment; filename*=utf-8'en'a.zip`:                "a.zip",
		`attachment; filename*="UTF-8''a%2Bb+c.zip"`:          "a+b+c.zip",
		`attachment; filename*=iso-8859-1'da'bl%e5b%E6r.txt`:  "blåbær.txt",
		`attachment; filename="b"; filename*=UTF-8''a.zip`:    "a.zip",
		`attachment; filename*=UTF-8''a.zip; filename="b"`:    "a.zip",
		`attachment; filename*=UTF-8''%ff; filename="b"`:      "b",
		`attachment; filename*=UTF-8''%4; filename="b"`:       "b",
		`attachment; filename*=UTF-8'x; filename="b"`:         "b",
		`attachment; filename*=x; filename="b"`:               "b",
		`attachment; filename*=koi8-r''%c1; filename="b"`:     "b",
		`attachment; filename*=UTF-8''%2E%2E; filename="b"`:   "b",
		`attachment; filename*=UTF-8''..%2F..%2Fetc%2Fpasswd`: "passwd",
		`attachment; filename*=UTF-8''a%00%0d%0ab.zip`:        "ab.zip",
	} {
		t.Run("I20 "+field, func(t *testing.T) {
			t.Parallel()
			if got := name(field); got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
	if got := name("attachment", `attachment; filename="a"`, "filename=b"); got != "a" {
		t.Errorf("I20 of several fields: got %q, want that of the first with a name", got)
	}
}

func TestClean(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"":                    "",
		".":                   "",
		"..":                  "",
		"../":                 "",
		"../../x":             "x",
		`..\..\x`:             "x",
		"/etc/passwd":         "passwd",
		`C:\x`:                "x",
		`C:x`:                 "C_x",
		`\\host\share\x`:      "x",
		"a/b\\c":              "c",
		"..\x00/x":            "x",
		"x\x00.txt":           "x.txt",
		"\x1b[31mx\r\n\u0085": "[31mx",
		"a\u2028b\u2029c":     "abc",
		".bashrc":             "bashrc",
		". ..ssh":             "ssh",
		"x. . ":               "x",
		"x\u00a0":             "x",
		" x y ":               "x y",
		"CON":                 "_CON",
		"nul.tar.gz":          "_nul.tar.gz",
		"Com1 .txt":           "_Com1 .txt",
		"lpt².x":              "_lpt².x",
		"CONOUT$":             "_CONOUT$",
		"CON" + strings.Repeat("\u3000", 100) + ".txt": "_CON.txt",
		"COM":                        "COM",
		"COM10":                      "COM10",
		"console":                    "console",
		".con":                       "_con",
		"x.txt:evil":                 "x.txt_evil",
		"x::$DATA":                   "x__$DATA",
		"a<b>c|d?e*f\"g":             "a_b_c_d_e_f_g",
		"\u202egpj.exe":              "gpj.exe",
		"a\u200f\u2066b\u061c\ufeff": "ab",
		"a\xffb":                     "a_b",
		"søm ær.txt":                 "søm ær.txt",

		strings.Repeat("a", 256):                          strings.Repeat("a", 255),
		strings.Repeat("a", 300) + ".tar.gz":              strings.Repeat("a", 252) + ".gz",
		strings.Repeat("é", 200) + ".txt":                 strings.Repeat("é", 125) + ".txt",
		"a." + strings.Repeat("b", 300):                   "a." + strings.Repeat("b", 253),
		strings.Repeat("a", 250) + ". " + "bcd" + "e.xyz": strings.Repeat("a", 250) + ".xyz",
		"nul." + strings.Repeat("a", 300):                 "_nul." + strings.Repeat("a", 250),
	} {
		t.Run("I20 "+in, func(t *testing.T) {
			t.Parallel()
			if got := disposition.Clean(in); got != want {
				t.Errorf("got %q, want %q", got, want)
			}
			check(t, disposition.Clean(in))
		})
	}
}

// check fails the test if a name is neither empty nor safe.
func check(t *testing.T, got string) {
	t.Helper()
	switch {
	case got == "":
	case !filepath.IsLocal(got), got != filepath.Base(got), strings.ContainsAny(got, `/\:`), got[0] == '.':
		t.Errorf("%q leads elsewhere, or is hidden", got)
	case len(got) > 255, !utf8.ValidString(got), strings.ContainsFunc(got, unicode.IsControl):
		t.Errorf("%q is too long, or not text", got)
	case disposition.Clean(got) != got:
		t.Errorf("%q is %q when it is cleaned again", got, disposition.Clean(got))
	}
}

func FuzzName(f *testing.F) {
	for _, field := range []string{
		`attachment; filename="../../x"`, `filename*=UTF-8''%2e%2e%2fx`, `a; filename="C:\x"; filename*=iso-8859-1'de'%ff`,
		"filename=\x00.x", "filename=\"" + strings.Repeat("é", 200) + ".txt", `filename=CON.txt`, `filename=x:y`,
	} {
		f.Add(field)
	}
	f.Fuzz(func(t *testing.T, field string) {
		check(t, name(field))
		check(t, disposition.Clean(field))
	})
}
