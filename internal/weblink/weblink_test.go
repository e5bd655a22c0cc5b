package weblink

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParse(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		values []string
		want   []string
	}{
		"none":    {nil, nil},
		"empty":   {[]string{"", " ", ",", " , ,"}, nil},
		"one":     {[]string{`<http://example.test/2>; rel="next"`}, []string{"<http://example.test/2> next"}},
		"no rel":  {[]string{`<a>`}, []string{"<a> "}},
		"several": {[]string{`<a>; rel=prev, <b>;rel="next"`, `<c>; rel=last`}, []string{"<a> prev", "<b> next", "<c> last"}},
		"RFC 8288, section 3.5": {
			[]string{
				`</TheBook/chapter2>; rel="previous"; title*=UTF-8'de'letztes%20Kapitel, ` +
					`</TheBook/chapter4>; rel="next"; title*=UTF-8'de'n%c3%a4chstes%20Kapitel`,
				`<http://example.org/>; rel="start http://example.net/relation/other"`,
				`</>; rel="http://example.net/foo"`,
				`</terms>; rel="copyright"; anchor="#foo"`,
			},
			[]string{
				"</TheBook/chapter2> previous",
				"</TheBook/chapter4> next",
				"<http://example.org/> start http://example.net/relation/other",
				"</> http://example.net/foo",
				"</terms> copyright (anchor)",
			},
		},
		"comma and semicolon in a target":        {[]string{`<a,b;c>; rel=x, <d>`}, []string{"<a,b;c> x", "<d> "}},
		"comma and semicolon in a quoted string": {[]string{`<a>; title="x, <y>; rel=z"; rel=n`}, []string{"<a> n"}},
		"escapes in a quoted string":             {[]string{`<a>; title="\", <b>; \\"; rel="n\ext"`}, []string{"<a> next"}},
		"white space all over":                   {[]string{" \t<a> \t; \trel \t= \t\"n\" \t,"}, []string{"<a> n"}},
		"white space behind a bare value":        {[]string{"<a>; rel=next \t; x"}, []string{"<a> next"}},
		"names in capitals":                      {[]string{`<a>; REL=n; Anchor=x`}, []string{"<a> n (anchor)"}},
		"rel twice":                              {[]string{`<a>; rel=first; rel=next`}, []string{"<a> first"}},
		"rel without value comes first":          {[]string{`<a>; rel; rel=next`}, []string{"<a> "}},
		"empty parameters":                       {[]string{`<a>;;; rel=n;`}, []string{"<a> n"}},
		"value without name":                     {[]string{`<a>; ="x"; rel=n`}, []string{"<a> n"}},
		"quoted string without end":              {[]string{`<a>; rel="next`, `<b>; rel="x\`}, []string{"<a> next", "<b> x"}},
		"empty target":                           {[]string{`<>; rel=n`}, []string{"<> n"}},
		"target without brackets":                {[]string{`http://x/?a; rel="n, o", <b>; rel=n`}, []string{"<b> n"}},
		"bracket without end":                    {[]string{`<a; rel=n`, `<b>; rel=n`}, []string{"<b> n"}},
		"rubbish behind a target":                {[]string{`<a> rel=n, <b>; rel=n`}, []string{"<a> ", "<b> n"}},
		"rubbish behind a value":                 {[]string{`<a>; rel="n"x; y="z,", <b>; rel=n`}, []string{"<a> n", "<b> n"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var got []string
			for l := range Parse(tt.values) {
				text := "<" + l.Target + "> " + l.Rel
				if l.Anchored {
					text += " (anchor)"
				}
				got = append(got, text)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

func TestFind(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		value, want string
		ok          bool
	}{
		"first of several":    {`<a>; rel=prev, <b>; rel=next, <c>; rel=next`, "b", true},
		"in capitals":         {`<a>; rel="NEXT"`, "a", true},
		"one of several":      {`<a>; rel="last  next"`, "a", true},
		"part of a word":      {`<a>; rel="nextish"`, "", false},
		"of another resource": {`<a>; rel=next; anchor="/other", <b>; rel=next`, "b", true},
		"empty":               {`<>; rel=next`, "", true},
		"none":                {`<a>; rel=prev`, "", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if got, ok := Find([]string{tt.value}, "next"); got != tt.want || ok != tt.ok {
				t.Errorf("%s: got %q, %t; want %q, %t", tt.value, got, ok, tt.want, tt.ok)
			}
		})
	}
}

// Whoever wants one link does not pay for those that follow.
func TestParseStops(t *testing.T) {
	t.Parallel()
	n := 0
	for range Parse([]string{"<a>, <b>", "<c>"}) {
		n++
		break
	}
	if n != 1 {
		t.Errorf("%d links", n)
	}
}

// FuzzParse reads any value: links come in the order of the text and do not overlap, which is also why the time is
// linear; what is written by the rules is read back, whatever stands in the lines before.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		`<a>; rel="next"`, `<a,b>; rel=prev, <c>;rel="x next"`, `<a>; title="\"", <b`, `<<>>;;=,"`, "<a\r\nb>; rel=next",
		`;,<>`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		rest := value
		for l := range Parse([]string{value}) {
			_, after, ok := strings.Cut(rest, "<"+l.Target+">")
			if !ok || strings.Contains(l.Target, ">") {
				t.Fatalf("the target %q is not in %q", l.Target, rest)
			}
			rest = after
			if len(l.Rel) > len(value) {
				t.Fatalf("the relation %q is longer than %q", l.Rel, value)
			}
		}
		links := slices.Collect(Parse([]string{value, `<here>; rel="next"`}))
		if len(links) == 0 || links[len(links)-1] != (Link{Target: "here", Rel: "next"}) {
			t.Fatalf("%q hides the line that follows it: %v", value, links)
		}
		if strings.ContainsAny(value, "<>") {
			return
		}
		written := `<` + value + `>; title="` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(value) + `"; rel=next, <b>`
		want := []Link{{Target: value, Rel: "next"}, {Target: "b"}}
		if diff := cmp.Diff(want, slices.Collect(Parse([]string{written}))); diff != "" {
			t.Fatalf("%s (-want +got)\n%s", written, diff)
		}
	})
}

func BenchmarkFind(b *testing.B) {
	const base = "https://api.example.test/items"
	values := []string{`<` + base + `?page=1>; rel="prev", <` + base + `?page=3>; rel="next"`}
	b.ReportAllocs()
	for b.Loop() {
		Find(values, "next")
	}
}
