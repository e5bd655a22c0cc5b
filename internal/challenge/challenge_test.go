package challenge_test

import (
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/restconn/restconn/internal/challenge"
)

const (
	maxInput      = 64 << 10
	maxChallenges = 64
	maxParams     = 64
)

func TestParse(t *testing.T) {
	t.Parallel()
	type params = []challenge.Param
	bearer := challenge.Challenge{Scheme: "Bearer"}
	for _, tt := range []struct {
		name   string
		values []string
		want   []challenge.Challenge
	}{
		{name: "nothing"},
		{name: "empty values", values: []string{"", " \t", ",", " , ,"}},
		{name: "a scheme alone", values: []string{"Bearer"}, want: []challenge.Challenge{bearer}},
		{name: "a scheme and space", values: []string{" Bearer \t"}, want: []challenge.Challenge{bearer}},
		{name: "schemes in one line", values: []string{"Negotiate, NTLM,Bearer"}, want: []challenge.Challenge{
			{Scheme: "Negotiate"}, {Scheme: "NTLM"}, bearer,
		}},
		{
			name:   "one of each line",
			values: []string{`Basic realm="a"`, `bearer realm="b"`},
			want: []challenge.Challenge{
				{Scheme: "Basic", Params: params{{"realm", "a"}}}, {Scheme: "bearer", Params: params{{"realm", "b"}}},
			},
		},
		{
			name:   "RFC 9110 section 11.6.1",
			values: []string{`Basic realm="simple", Newauth realm="apps", type=1, title="Login to \"apps\""`},
			want: []challenge.Challenge{
				{Scheme: "Basic", Params: params{{"realm", "simple"}}},
				{Scheme: "Newauth", Params: params{{"realm", "apps"}, {"type", "1"}, {"title", `Login to "apps"`}}},
			},
		},
		{
			name:   "token68",
			values: []string{"Negotiate YIIB+/-._~==, Basic realm=x", "A b", "A b= ,C"},
			want: []challenge.Challenge{
				{Scheme: "Negotiate", Token68: "YIIB+/-._~=="},
				{Scheme: "Basic", Params: params{{"realm", "x"}}},
				{Scheme: "A", Token68: "b"},
				{Scheme: "A", Token68: "b="},
				{Scheme: "C"},
			},
		},
		{
			name:   "space around the equal sign",
			values: []string{"Bearer realm =\t\"a\" , error= x , scope  =  y"},
			want:   []challenge.Challenge{{Scheme: "Bearer", Params: params{{"realm", "a"}, {"error", "x"}, {"scope", "y"}}}},
		},
		{
			name:   "bare commas",
			values: []string{`,, Bearer ,, realm="a",,error=x,, Basic,`},
			want: []challenge.Challenge{
				{Scheme: "Bearer", Params: params{{"realm", "a"}, {"error", "x"}}}, {Scheme: "Basic"},
			},
		},
		{
			name:   "commas, equal signs and schemes in quotes",
			values: []string{`Bearer realm="Basic realm=x, Digest y", error="\\\"\a"`},
			want: []challenge.Challenge{{Scheme: "Bearer", Params: params{
				{"realm", "Basic realm=x, Digest y"}, {"error", `\"a`},
			}}},
		},
		{
			name:   "empty and foreign values in quotes",
			values: []string{"Bearer realm=\"\", x=\"a\tä\xff\""},
			want:   []challenge.Challenge{{Scheme: "Bearer", Params: params{{"realm", ""}, {"x", "a\tä\xff"}}}},
		},
		{
			name:   "a URL without quotes",
			values: []string{`Bearer authorization_uri=https://a.test/b?c=d;e, error=x`},
			want: []challenge.Challenge{{Scheme: "Bearer", Params: params{
				{"authorization_uri", "https://a.test/b?c=d;e"}, {"error", "x"},
			}}},
		},

		{
			name:   "a parameter without a scheme",
			values: []string{`realm="a", Bearer`, "Bearer"},
			want:   []challenge.Challenge{bearer},
		},
		{name: "a parameter in the next line", values: []string{"Bearer", "error=x"}, want: []challenge.Challenge{bearer}},
		{name: "a parameter after a token68", values: []string{"A b, c=d, E"}, want: []challenge.Challenge{
			{Scheme: "A", Token68: "b"},
		}},
		{name: "no token", values: []string{"Bearer, @, Basic"}, want: []challenge.Challenge{bearer}},
		{name: "a scheme with a colon", values: []string{"Bearer, Basic: x, A"}, want: []challenge.Challenge{
			bearer, {Scheme: "Basic"},
		}},
		{name: "two words", values: []string{"Bearer a b, Basic"}, want: []challenge.Challenge{bearer}},
		{name: "no value", values: []string{"Bearer a=b, c=, Basic"}, want: []challenge.Challenge{
			{Scheme: "Bearer", Params: params{{"a", "b"}}},
		}},
		{name: "no comma", values: []string{`Bearer a="b" c="d", Basic`}, want: []challenge.Challenge{
			{Scheme: "Bearer", Params: params{{"a", "b"}}},
		}},
		{name: "a quote without an end", values: []string{`Bearer a=b, c="d, Basic`, "Basic"}, want: []challenge.Challenge{
			{Scheme: "Bearer", Params: params{{"a", "b"}}}, {Scheme: "Basic"},
		}},
		{name: "an escape without an end", values: []string{`Bearer a="\`, `Bearer a="b\"`}, want: []challenge.Challenge{
			bearer, bearer,
		}},
		{name: "a control character", values: []string{"Bearer a=\"\x00\"", "Bearer a=\"\\\n\""}, want: []challenge.Challenge{
			bearer, bearer,
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := challenge.Parse(tt.values)
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("Parse (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(got, challenge.Parse(render(got))); diff != "" {
				t.Errorf("Parse of the same, written again (-want +got):\n%s", diff)
			}
		})
	}
}

// TestParseWhole has one fault in each text: the challenge that it is in is left out, those before it and in other
// values stay.
func TestParseWhole(t *testing.T) {
	t.Parallel()
	const good = `A x="y"`
	for _, tt := range []struct {
		name   string
		values []string
		want   string // the schemes
	}{
		{name: "nothing"},
		{name: "no fault", values: []string{good + ", B, C d==", "D"}, want: "A B C D"},
		{name: "a quote without an end", values: []string{good + `, B a=b, c="d, C`, "D"}, want: "A D"},
		{name: "an escape without an end", values: []string{`B a="\`, good}, want: "A"},
		{name: "no value", values: []string{good + ", B a=b, c=, C"}, want: "A"},
		{name: "no comma", values: []string{good + ` B c="d"`, "D"}, want: "D"},
		{name: "two words", values: []string{good + ", B c d"}, want: "A"},
		{name: "a control character", values: []string{good + ", B c=\"\x00\""}, want: "A"},
		{name: "a parameter after a token68", values: []string{"B c, d=e", good}, want: "A"},
		{name: "no token", values: []string{good + ", @, B"}, want: "A"},
		{name: "a parameter without a scheme", values: []string{"a=b", good}, want: "A"},
		{name: "F19 the limit cuts a value", values: []string{good, "B " + strings.Repeat("a=b,", maxInput/4)}, want: "A"},
		{
			name:   "F19 more challenges than are read",
			values: []string{strings.Repeat("B,", maxChallenges) + "A"},
			want:   strings.TrimSpace(strings.Repeat("B ", maxChallenges)),
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var schemes []string
			for _, c := range challenge.ParseWhole(tt.values) {
				schemes = append(schemes, c.Scheme)
			}
			if got := strings.Join(schemes, " "); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestError(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		lines []string
		want  string
	}{
		{name: "none"},
		{name: "among others", want: "insufficient_scope", lines: []string{
			`Basic realm="a", error="not this one"`,
			`Negotiate abc=, DPoP error="nor_this", bearer realm="x, Bearer error=y", Error = insufficient_scope, scope="a b"`,
		}},
		{name: "the first that is there", want: "invalid_token", lines: []string{
			`Bearer, Bearer error="", Bearer error="invalid_token"`, `Bearer error="x"`,
		}},
		{name: "of another scheme", lines: []string{`DPoP error="insufficient_scope"`, "Bearer"}},
		{name: "in the text of another", lines: []string{`Basic realm="Bearer error=insufficient_scope"`}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			header := http.Header{"Www-Authenticate": tt.lines}
			if got := challenge.Error(header, "Bearer"); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestParam(t *testing.T) {
	t.Parallel()
	c := challenge.Parse([]string{`Digest QOP="auth", qop=other, realm=""`})[0]
	if c.Param("qop") != "auth" || c.Param("Realm") != "" || c.Param("nonce") != "" {
		t.Errorf("got %q, %q and %q", c.Param("qop"), c.Param("Realm"), c.Param("nonce"))
	}
	if !c.Is("dIGEST") || c.Is("Digest2") {
		t.Error("the scheme is compared byte by byte")
	}
}

// TestHostile gives the parser more than it is to read, in forms that take a careless one a long time.
func TestHostile(t *testing.T) {
	t.Parallel()
	mega := func(s string) []string { return []string{strings.Repeat(s, 1<<20/len(s))} }
	numbered := func(n int, before, after string) string {
		var b strings.Builder
		for i := range n {
			b.WriteString(before + strconv.Itoa(i) + after)
		}
		return b.String()
	}
	for _, tt := range []struct {
		name       string
		values     []string
		challenges int
		params     int // of the last challenge
	}{
		{
			name:       "F19 10,000 challenges in one line",
			values:     []string{numbered(10_000, "S", ` a="b",`)},
			challenges: 64, params: 1,
		},
		{
			name:       "F19 10,000 challenges, a line each",
			values:     strings.Split(numbered(10_000, "S", " a=b\n"), "\n"),
			challenges: 64, params: 1,
		},
		{name: "F19 10,000 parameters", values: []string{"S " + numbered(10_000, "p", "=1,")}, challenges: 1, params: 64},
		{
			name:       "F19 parameters beyond the limit hide no challenge",
			values:     []string{"S " + numbered(200, "p", "=1,") + `T x="y"`},
			challenges: 2, params: 1,
		},
		{name: "F19 1 MB of quotes", values: mega(`"`)},
		{name: "F19 1 MB of quotes in a value", values: []string{`A, S a=` + mega(`"`)[0]}, challenges: 1},
		{name: "F19 1 MB of escapes", values: []string{`A, S a="` + mega(`\"`)[0]}, challenges: 1},
		{name: "F19 1 MB of unbalanced quotes", values: mega(`S a=",`), challenges: 64, params: 1},
		{name: "F19 1 MB in quotes without an end", values: []string{`A, S a="` + mega("b,")[0]}, challenges: 2},
		{name: "F19 1 MB of commas", values: mega(",")},
		{name: "F19 1 MB of space", values: []string{"S" + mega(" ")[0] + "x"}},
		{name: "F19 1 MB of a token68", values: []string{"S " + mega("a")[0]}},
		{name: "F19 1 MB of equal signs", values: []string{"S a" + mega("=")[0]}},
		{name: "F19 1 MB of words", values: mega("S a "), challenges: 0},
		{name: "F19 what is beyond 64 KiB is ignored", values: []string{strings.Repeat(",", 64<<10-4), "Basic", "A"}},
		{
			name:       "F19 a challenge that the limit cuts is ignored",
			values:     []string{strings.Repeat(",", 64<<10-10) + "A b=c,Basic x=y"},
			challenges: 1, params: 1,
		},
		{
			name:       "F19 a challenge before the limit is read",
			values:     []string{strings.Repeat(",", 64<<10-5) + "A b=c"},
			challenges: 1, params: 1,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := challenge.Parse(tt.values)
			if len(got) != tt.challenges {
				t.Fatalf("%d challenges, want %d", len(got), tt.challenges)
			}
			if len(got) > 0 && len(got[len(got)-1].Params) != tt.params {
				t.Errorf("%d parameters, want %d", len(got[len(got)-1].Params), tt.params)
			}
		})
	}
}

// FuzzParse checks that what is read means the same when it is written again, and that each byte of the input is read
// into one place at most, so that nothing grows faster than the input.
func FuzzParse(f *testing.F) {
	for _, s := range []string{
		"", "Bearer", `Bearer realm="a", error=insufficient_scope`, "Negotiate abc==", "Negotiate abc==, Basic realm=x",
		`Newauth realm="apps", type=1, title="Login to \"apps\""`, `A b = "c" ,, d=e`, `A b="c`, `A b="c\`, "A b=, C",
		"A =b", "A b,c", "=,=", "A \x00", "A b=\xff", "Digest qop=\"auth,auth-int\", nonce=\"n\"\nBasic", "A b c", "A,b=c",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		values := strings.Split(text, "\n")
		got := challenge.Parse(values)
		if len(got) > maxChallenges {
			t.Errorf("%d challenges", len(got))
		}
		size := 0
		for _, c := range got {
			size += len(c.Scheme) + len(c.Token68)
			for _, p := range c.Params {
				size += len(p.Name) + len(p.Value)
			}
			if c.Token68 != "" && len(c.Params) > 0 || len(c.Params) > maxParams {
				t.Errorf("a token68 and parameters, or %d of them", len(c.Params))
			}
		}
		if size > len(text) {
			t.Errorf("%d bytes of %d", size, len(text))
		}
		again := render(got)
		if len(strings.Join(again, "")) > maxInput { // quotes and escapes make it longer
			return
		}
		if diff := cmp.Diff(got, challenge.Parse(again)); diff != "" {
			t.Errorf("written again (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(got, challenge.Parse([]string{strings.Join(again, ", ")})); diff != "" {
			t.Errorf("written again in one line (-want +got):\n%s", diff)
		}
	})
}

// render writes challenges, a line each, with all values in quotes.
func render(challenges []challenge.Challenge) []string {
	escape := strings.NewReplacer(`\`, `\\`, `"`, `\"`)
	var lines []string
	for _, c := range challenges {
		var params []string
		for _, p := range c.Params {
			params = append(params, p.Name+`="`+escape.Replace(p.Value)+`"`)
		}
		lines = append(lines, strings.TrimRight(c.Scheme+" "+c.Token68+strings.Join(params, ", "), " "))
	}
	return lines
}
