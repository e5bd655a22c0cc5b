package body

import (
	"crypto/rand"
	"mime"
	"strings"
	"testing"
)

// FuzzMultipart checks that a server reads two parts with the headers, names and values that went in, and no more.
func FuzzMultipart(f *testing.F) {
	f.Add("note", "", "", "a b&c", "file", "x")
	f.Add("my\"File", "a\r\nX-Evil: 1.txt", "text/plain", "Hello, World!\r\n--B\r\n", "a\\", "\r\n")
	f.Add("größe\\", "; filename=b; x=\\", "text/csv; charset=utf-8", "", "Ωμέγα", "--\r\n\r\n")
	f.Add("%22", "a/../b\\c", "application/x; a=\"\\\"\"", "\x00", "\u2028", "-")
	f.Fuzz(func(t *testing.T, name, fileName, contentType, value, name2, value2 string) {
		header, err := FormHeader(name, fileName, contentType)
		if err != nil {
			return
		}
		header2, err := FormHeader(name2, "", "")
		if err != nil {
			return
		}
		m := &Multipart{Boundary: rand.Text(), Parts: []Part{memory("", value), memory("", value2)}}
		m.Parts[0].Header, m.Parts[1].Header = header, header2
		data, err := read(t, m)
		if err != nil || int64(len(data)) != m.Size() {
			t.Fatalf("%d bytes, %v, want %d", len(data), err, m.Size())
		}
		parts := parse(t, data, m.Boundary)
		if len(parts) != 2 || parts[0].value != value || parts[1].value != value2 {
			t.Fatalf("the parts are %q", parts)
		}
		checkHeader(t, parts[0].header, name, fileName, contentType)
		checkHeader(t, parts[1].header, name2, "", "")
	})
}

// checkHeader checks that a part has those names and that content type, and no other header.
func checkHeader(t *testing.T, header map[string][]string, name, fileName, contentType string) {
	t.Helper()
	escaped := strings.NewReplacer(`"`, "%22", "\r", "%0D", "\n", "%0A")
	media, params, err := mime.ParseMediaType(header["Content-Disposition"][0])
	if err != nil || media != "form-data" || params["name"] != escaped.Replace(name) {
		t.Errorf("the disposition of %q is %q, %v", name, header["Content-Disposition"], err)
	}
	lines, attributes := 1, 1
	if fileName != "" {
		attributes++
		if params["filename"] != escaped.Replace(fileName) {
			t.Errorf("the file name of %q is %q", fileName, params["filename"])
		}
	}
	if contentType != "" {
		lines++
		if got := header["Content-Type"]; len(got) != 1 || got[0] != strings.TrimSpace(contentType) {
			t.Errorf("the content type of %q is %q", contentType, got)
		}
	}
	if len(header) != lines || len(params) != attributes || len(header["Content-Disposition"]) != 1 {
		t.Errorf("the headers are %q", header)
	}
}
