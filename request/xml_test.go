package request_test

import (
	"encoding/xml"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/restconn/restconn/connection"
	"github.com/restconn/restconn/request"
)

type feed struct {
	XMLName xml.Name `xml:"feed"`
	Title   string   `xml:"title"`
	Lang    string   `xml:"lang,attr"`
}

const xmlType = "Content-Type: application/xml"

// declared is a declaration of that charset.
func declared(charset string) string { return "<?xml version='1.0' encoding='" + charset + "'?>" }

func inXML() connection.Option { return connection.WithCodec(request.XMLCodec()) }

func TestXML(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ header, body string }{
		"a document":                  {xmlType, `<feed><title>é</title></feed>`},
		"a declaration":               {xmlType, `<?xml version="1.0" encoding="UTF-8"?><feed><title>é</title></feed>`},
		"a byte order mark":           {xmlType, "\ufeff<?xml version='1.0'?><feed><title>é</title></feed>"},
		"ISO-8859-1":                  {xmlType, declared("ISO-8859-1") + "<feed><title>\xe9</title></feed>"},
		"windows-1252":                {xmlType, declared("windows-1252") + "<feed><title>\xe9</title></feed>"},
		"US-ASCII":                    {xmlType, declared("US-ASCII") + "<feed><title>&#xe9;</title></feed>"},
		"text/xml":                    {"Content-Type: text/xml; charset=utf-8", `<feed><title>é</title></feed>`},
		"a suffix":                    {"Content-Type: application/atom+xml", `<feed><title>é</title></feed>`},
		"no type":                     {"", `<feed><title>é</title></feed>`},
		"comments around it":          {xmlType, "<!-- <a> --><feed><title>é</title></feed>\r\n<!-- <b> --><?p i?>\n"},
		"a comment of tags":           {xmlType, "<feed><!--" + strings.Repeat("'<b", long) + "--><title>é</title></feed>"},
		"CDATA that looks like a tag": {xmlType, "<feed><x><![CDATA[a <b '" + longText + "]]></x><title>é</title></feed>"},
		"a declared type of document": {xmlType, "<!DOCTYPE feed SYSTEM 'x.dtd'><feed><title>é</title></feed>"},
		"a long text":                 {xmlType, "<feed><x>" + longText + "</x><title>é</title></feed>"},
		"ten thousand elements": {
			xmlType, "<feed>" + strings.Repeat("<x a='>'/><y></y>", 10_000) + "<title>é</title></feed>",
		},
	} {
		t.Run("I14 XML with "+name, func(t *testing.T) {
			t.Parallel()
			b, s := answered(t, http.StatusOK, c.header, c.body, inXML())
			decoded(feed{XMLName: xml.Name{Local: "feed"}, Title: "é"})(t, b)
			if got := s.Requests()[0].Header.Get("Accept"); got != "application/xml, */*;q=0.5" {
				t.Errorf("Accept: %s", got)
			}
		})
	}
	t.Run("I14 XML that is absent", func(t *testing.T) {
		t.Parallel()
		b, _ := answered(t, http.StatusOK, xmlType, "", inXML())
		decoded[*feed](nil)(t, b)
		b, _ = answered(t, http.StatusNoContent, xmlType, "", inXML())
		decoded(feed{})(t, b)
	})
	t.Run("I14 an error body is XML, too", func(t *testing.T) {
		t.Parallel()
		b, _ := answered(t, http.StatusConflict, "Content-Type: text/plain", `<feed lang="en"/>`, inXML())
		if f, ok := request.ErrorBody[feed](b.Exec(t.Context())); !ok || f.Lang != "en" {
			t.Errorf("%+v, %t", f, ok)
		}
	})
}

func TestXMLAsItIsWritten(t *testing.T) {
	t.Parallel()
	const document = "<feed><title>é</title></feed>"
	for name, text := range map[string]string{
		"a blank line first":    "\n" + declared("UTF-8") + document,
		"a mark, then a blank":  "\ufeff\n" + document,
		"a style sheet":         `<?xml version="1.0"?><?xml-stylesheet href="a.xsl"?>` + document,
		"a comment first":       "<!-- <b> --><!-- > -->" + document,
		"a public DTD":          `<!DOCTYPE feed PUBLIC "-//W3C//DTD X 1.0//EN" "http://www.w3.org/x.dtd">` + document,
		"an apostrophe in text": "<!-- it's -->" + document + "<!-- that's -->",
		"standalone":            `<?xml version="1.0" encoding="utf-8" standalone="yes"?>` + document,
	} {
		t.Run("I14 "+name, func(t *testing.T) {
			t.Parallel()
			b, _ := answered(t, http.StatusOK, xmlType, text, inXML())
			if f, err := request.Do[feed](t.Context(), b); err != nil || f.Title != "é" {
				t.Errorf("%q (%v)", f.Title, err)
			}
		})
	}
}

func TestXMLByteOrderMark(t *testing.T) {
	t.Parallel()
	b, _ := answered(t, http.StatusOK, xmlType, "\ufeff"+declared("iso-8859-1")+"<feed><title>é</title></feed>", inXML())
	if f, err := request.Do[feed](t.Context(), b); err != nil || f.Title != "é" {
		t.Errorf("I11 the byte order mark says UTF-8, and got %q (%v)", f.Title, err)
	}
}

func TestHostileXML(t *testing.T) {
	t.Parallel()
	const laughs = `<?xml version="1.0"?><!DOCTYPE feed [<!ENTITY a "haha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">` +
		`<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;"><!ENTITY d "&c;&c;&c;&c;&c;&c;&c;&c;">]><feed><title>&d;</title></feed>`
	const external = `<!DOCTYPE feed [<!ENTITY x SYSTEM "file:///etc/passwd">]><feed><title>&x;</title></feed>`
	for name, c := range map[string]struct{ header, body, want string }{
		"a billion laughs":     {xmlType, laughs, "definitions of its own"},
		"an external entity":   {xmlType, external, "definitions of its own"},
		"an entity of its own": {xmlType, "<feed>&x;</feed>", "malformed"},
		"a second declaration": {xmlType, strings.Repeat(declared("latin1"), 2) + "<feed/>", "in the middle"},
		"what is read as a declaration": {
			xmlType, strings.Repeat(`<?xml= encoding="latin1"?>`, 20) + "<feed><title>é</title></feed>", "in the middle",
		},
		"a declaration further on": {xmlType, "<feed/>" + declared("latin1"), "in the middle"},
		"a comment in a quote": {
			xmlType, `<!DOCTYPE x "<!--"><feed>` + strings.Repeat("<b>", long) + "-->", "definitions of its own",
		},
		"an end in a quote": {
			xmlType, `<!DOCTYPE x "'" '>"'>` + strings.Repeat("<b>", long), "10,000 deep",
		},
		"a quote at the beginning": {xmlType, `<!">` + strings.Repeat("<b>", long), "10,000 deep"},
		"ends before beginnings": {
			xmlType, strings.Repeat("</a>", long) + strings.Repeat("<b>", long), "10,000 deep",
		},
		"a million attributes":       {xmlType, "<feed" + strings.Repeat(` a="b"`, 1_000_000) + "/>", "256 KiB"},
		"an endless attribute":       {xmlType, `<feed a="` + longText + `"/>`, "256 KiB"},
		"a tag that never ends":      {xmlType, "<feed " + longText, "256 KiB"},
		"a tag that a quote hides":   {xmlType, "<feed a='>" + strings.Repeat(` b="c"`, long) + "'/>", "256 KiB"},
		"a million elements deep":    {xmlType, strings.Repeat("<feed>", 1_000_000), "10,000 deep"},
		"many deep, and back":        {xmlType, strings.Repeat("<x>", long) + strings.Repeat("</x>", long), "10,000 deep"},
		"two documents":              {xmlType, "<feed/><feed><title>x</title></feed>", "after the value"},
		"text after it":              {xmlType, "<feed/> x", "after the value"},
		"an entity after it":         {xmlType, "<feed/>&amp;", "after the value"},
		"a tag that is closed twice": {xmlType, "<feed></feed></feed>", "malformed"},
		"an end that is missing":     {xmlType, "<feed><title>x</title>", "malformed"},
		"half a tag":                 {xmlType, "<feed><title", "malformed"},
		"tags that cross":            {xmlType, "<feed><CANARY></feed></CANARY>", "malformed"},
		"another root":               {xmlType, "<CANARY/>", "cannot be decoded"},
		"no element":                 {xmlType, "<!-- -->", "no element"},
		"text alone":                 {xmlType, "CANARY", "no element"},
		"an empty body":              {xmlType, "", "empty"},
		"blanks":                     {xmlType, "\ufeff \n", "empty"},
		"bytes that are no UTF-8":    {xmlType, "<feed><title>\xe9</title></feed>", "malformed"},
		"an unknown charset":         {xmlType, declared("CANARY") + "<feed/>", "charset is not known"},
		"a charset without ASCII":    {xmlType, declared("cp037") + "\x4c\x86\x85\x85\x84\x61\x6e", "charset is not known"},
		"a charset of two bytes":     {xmlType, declared("utf-16") + "<feed/>", "charset is not known"},
		"UTF-16":                     {xmlType, "\xff\xfe<\x00f\x00e\x00e\x00d\x00/\x00>\x00", "malformed"},
		"bytes outside its charset": {
			xmlType, declared("windows-1252") + "<feed><title>\x81</title></feed>", "not in its charset",
		},
		"bytes outside ASCII": {
			xmlType, declared("ascii") + "<feed><title>\xe9</title></feed>", "not in its charset",
		},
		"a page":                     {"Content-Type: text/html", "<feed/>", "not application/xml"},
		"JSON":                       {jsonType, `{}`, "not application/xml"},
		"a like suffix":              {"Content-Type: application/atom+xmlx", "<feed/>", "not application/xml"},
		"a page that says it is XML": {xmlType, "<html><body><p>Log in<br></body></html>", "cannot be decoded"},
	} {
		t.Run("I14 XML with "+name+" is an error", func(t *testing.T) {
			t.Parallel()
			b, _ := answered(t, http.StatusOK, c.header, c.body, inXML())
			_, err := request.Do[feed](t.Context(), b)
			wantStage[*request.DecodeError](t, err, request.StageDecode)
			if !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "CANARY") {
				t.Errorf("the error is %v, want one of %q", err, c.want)
			}
		})
	}
}

// What is refused before it is decoded has cost no memory, and little time.
func TestHostileXMLMemory(t *testing.T) { //nolint:paralleltest // it counts what is allocated
	size := unlessRace(4<<20, 1<<20)
	for name, body := range map[string]string{ //nolint:paralleltest // the same
		"I14 elements in each other":    strings.Repeat("<a>", size/3),
		"I14 attributes":                "<a" + strings.Repeat(" b=''", size/5) + "/>",
		"I14 a quote in every tag":      strings.Repeat("<a '", size/4),
		"I14 comments that do not end":  strings.Repeat("<!--", size/4),
		"I14 sections that do not end":  strings.Repeat("<![CDATA[", size/9),
		"I14 brackets":                  strings.Repeat("<", size),
		"I14 instructions without ends": strings.Repeat("<?", size/2),
	} {
		t.Run(name, func(t *testing.T) {
			b, _ := answered(t, http.StatusOK, xmlType, body, inXML())
			began := time.Now()
			var err error
			n := allocated(func() { err = into[feed](t, b) })
			if got := n / uint64(size); got > 8 || err == nil {
				t.Errorf("it took %d times the size of the body, and %v; the error is %v", got, time.Since(began), err)
			}
		})
	}
}

func TestXMLBody(t *testing.T) {
	t.Parallel()
	const want = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<feed lang=\"en\"><title>&lt;é&gt;</title></feed>"
	in := feed{Title: "<é>", Lang: "en"}
	b, s := answered(t, http.StatusOK, jsonType, `{"id":7}`)
	inX, sX := answered(t, http.StatusOK, xmlType, `<account/>`, inXML())
	for name, c := range map[string]struct {
		b          request.Builder
		media, got string
	}{
		"P-51 XML is written by encoding/xml, whatever the codec": {b.Body(request.XML(in)), "application/xml", want},
		"P-51 a Value is XML by the connection's codec":           {inX.Body(request.Value(in)), "application/xml", want},
		"P-51 a Value is XML by the request's codec": {
			b.Codec(request.XMLCodec()).Body(request.Value(in)).Header("Accept", "*/*"), "application/xml", want,
		},
		"P-51 a Value is JSON by default":         {b.Body(request.Value([]int{7})), "application/json", `[7]`},
		"P-51 JSON is JSON whatever the codec is": {inX.JSON([]int{7}), "application/json", `[7]`},
		"P-52 the caller's type wins, once": {
			b.Body(request.XML(in)).Header("content-type", "application/soap+xml"), "application/soap+xml", want,
		},
	} {
		server := s
		if strings.Contains(name, "connection's") || strings.Contains(name, "whatever the codec is") {
			server = sX
		}
		c.b = c.b.AllowBody()
		if err := c.b.Exec(t.Context()); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		sent := server.Requests()[len(server.Requests())-1]
		if types := sent.Header.Values("Content-Type"); len(types) != 1 || types[0] != c.media || string(sent.Body) != c.got {
			t.Errorf("%s: the server got %q, %s", name, types, sent.Body)
		}
	}
	if err := b.AllowBody().Body(request.XML(map[string]int{})).Exec(t.Context()); err == nil {
		t.Error("a map has XML")
	}
}
