package challenge

import (
	"strings"

	"github.com/restconn/restconn/internal/field"
)

// parser reads one field value. It only goes forward, but for one look at what a token is followed by.
type parser struct{ rest string }

// run appends the challenges of the value to all. It ends at the first fault, and whole is false if that is in the last
// challenge of all.
func (p *parser) run(all []Challenge) (read []Challenge, whole bool) {
	before := len(all) // a parameter belongs to no challenge of another value
	for {
		p.skip(" \t,")
		name := p.token()
		if name == "" {
			return all, true
		}
		if p.assigned() {
			if len(all) == before {
				return all, true
			}
			if !p.param(&all[len(all)-1], name) {
				return all, false
			}
			continue
		}
		if len(all) == maxChallenges {
			return all, true
		}
		c := Challenge{Scheme: name}
		ok := p.begin(&c)
		if all = append(all, c); !ok {
			return all, false
		}
	}
}

// begin reads what follows the scheme up to the first comma: a token68, a parameter or nothing.
func (p *parser) begin(c *Challenge) bool {
	if p.ended() {
		return true
	}
	if !p.begins(" \t") {
		return false
	}
	p.skip(" \t")
	if c.Token68 = p.token68(); c.Token68 != "" {
		return true
	}
	name := p.token()
	return name != "" && p.assigned() && p.param(c, name)
}

// param reads the value of a parameter of c, and what stands before the next comma.
func (p *parser) param(c *Challenge, name string) bool {
	if c.Token68 != "" {
		return false
	}
	value, ok := p.value()
	if ok && len(c.Params) < maxParams {
		c.Params = append(c.Params, Param{Name: name, Value: value})
	}
	return ok && p.ended()
}

// token reads a token; it is empty if there is none.
func (p *parser) token() string {
	n := 0
	for n < len(p.rest) && field.IsToken(p.rest[n:n+1]) {
		n++
	}
	return p.take(n)
}

// token68 reads a token68 that reaches to the next comma or to the end; it is empty if there is none.
func (p *parser) token68() string {
	n := 0
	for n < len(p.rest) && is68(p.rest[n]) {
		n++
	}
	if n == 0 {
		return ""
	}
	for n < len(p.rest) && p.rest[n] == '=' {
		n++
	}
	if next := (parser{rest: p.rest[n:]}); !next.ended() {
		return ""
	}
	return p.take(n)
}

// is68 reports whether c may be in a token68, before its last equal signs.
func is68(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("-._~+/", c) >= 0
}

// assigned reads an equal sign and the space around it, and reports whether there was one.
func (p *parser) assigned() bool {
	after := strings.TrimLeft(p.rest, " \t")
	if after == "" || after[0] != '=' {
		return false
	}
	p.rest = strings.TrimLeft(after[1:], " \t")
	return true
}

// value reads the value of a parameter. One without quotes may have all visible characters: services write URLs there.
func (p *parser) value() (string, bool) {
	if p.begins(`"`) {
		return p.quoted()
	}
	n := 0
	for n < len(p.rest) && p.rest[n] > ' ' && p.rest[n] != 0x7f && p.rest[n] != ',' && p.rest[n] != '"' {
		n++
	}
	return p.take(n), n > 0
}

// quoted reads a quoted string (RFC 9110, section 5.6.4).
func (p *parser) quoted() (string, bool) {
	var text strings.Builder
	for i := 1; i < len(p.rest); i++ {
		c := p.rest[i]
		if c == '"' {
			p.take(i + 1)
			return text.String(), true
		}
		if c == '\\' {
			i++
			if i == len(p.rest) {
				break
			}
			c = p.rest[i]
		}
		if c < ' ' && c != '\t' || c == 0x7f {
			break
		}
		text.WriteByte(c)
	}
	return "", false
}

// ended reads space, and reports whether it is followed by a comma or the end. The space stays if it is not.
func (p *parser) ended() bool {
	after := strings.TrimLeft(p.rest, " \t")
	if after != "" && after[0] != ',' {
		return false
	}
	p.rest = after
	return true
}

func (p *parser) begins(chars string) bool {
	return p.rest != "" && strings.IndexByte(chars, p.rest[0]) >= 0
}

func (p *parser) skip(chars string) { p.rest = strings.TrimLeft(p.rest, chars) }

func (p *parser) take(n int) string {
	text := p.rest[:n]
	p.rest = p.rest[n:]
	return text
}
