package login

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/vm"

	"github.com/restconn/restconn/internal/redact"
)

const (
	maxExpression = 1 << 10 // bytes
	maxNodes      = 200
	maxCopies     = 16 // operations that make a new text of another
)

// functions are those that expressions have.
var functions = []string{ //nolint:gochecknoglobals // never changed
	"int", "float", "string", "trim", "split", "lower", "upper", "trimPrefix", "trimSuffix",
}

// operators are those that expressions have. There are no patterns and no ranges, which take time of their own.
var operators = []string{ //nolint:gochecknoglobals // never changed
	"+", "-", "*", "/", "%", "==", "!=", "<", "<=", ">", ">=", "and", "or", "&&", "||", "??",
	"in", "contains", "startsWith", "endsWith",
}

// expression is compiled. It is safe for concurrent use.
type expression struct {
	source  string
	program *vm.Program
}

// newExpression compiles source; nil if that is empty.
func newExpression(source string) (*expression, error) {
	if source == "" {
		return nil, nil //nolint:nilnil // an expression that is not there
	}
	if len(source) > maxExpression {
		return nil, fmt.Errorf("the expression is longer than %d bytes", maxExpression)
	}
	translated, err := translate(source)
	if err != nil {
		return nil, err
	}
	program, err := compile(translated)
	if err != nil {
		return nil, err
	}
	return &expression{source: source, program: program}, nil
}

// compile compiles an expression, with what is left of the language.
func compile(source string) (program *vm.Program, err error) {
	defer func() {
		if r := recover(); r != nil { // of the compiler
			program, err = nil, errors.New("the expression cannot be compiled")
		}
	}()
	limits := &limiter{}
	options := []expr.Option{
		expr.Env(environment{}), expr.MaxNodes(maxNodes), expr.DisableAllBuiltins(), expr.Patch(limits),
	}
	for _, name := range functions {
		options = append(options, expr.EnableBuiltin(name))
	}
	program, err = expr.Compile(source, options...)
	if limits.fault != nil {
		return nil, limits.fault
	}
	if err != nil {
		line, _, _ := strings.Cut(err.Error(), "\n")
		return nil, errors.New(redact.Line(line))
	}
	return program, nil
}

// run returns the value of the expression; nil if there is none. What was wrong is not told: it may quote the answer.
func (e *expression) run(env environment) any {
	value, err := expr.Run(e.program, env)
	if err != nil {
		return nil
	}
	return value
}

// limiter refuses what can loop, grow or reach beyond the answer. It remembers the first fault.
type limiter struct {
	copies int
	fault  error
}

// Visit implements [ast.Visitor].
func (l *limiter) Visit(node *ast.Node) { //nolint:gocritic // it is the interface
	switch n := (*node).(type) {
	case *ast.NilNode, *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.StringNode, *ast.UnaryNode,
		*ast.ChainNode, *ast.MemberNode, *ast.ConditionalNode, *ast.ConstantNode:
	case *ast.IdentifierNode:
		if strings.HasPrefix(n.Value, "$") {
			l.refuse(n.Value + " is not available")
		}
	case *ast.SliceNode:
		l.copy()
	case *ast.CallNode:
		l.refuse("the functions are " + strings.Join(functions, ", "))
	case *ast.BuiltinNode:
		l.copy()
		if !slices.Contains(functions, n.Name) {
			l.refuse("the functions are " + strings.Join(functions, ", "))
		}
	case *ast.BinaryNode:
		l.binary(n)
	default:
		l.refuse("loops, variables, lists and maps are not available")
	}
}

func (l *limiter) binary(n *ast.BinaryNode) {
	switch {
	case !slices.Contains(operators, n.Operator):
		l.refuse("the operator " + n.Operator + " is not available")
	case slices.Contains([]string{"||", "or", "&&", "and"}, n.Operator) && (!isBool(n.Left) || !isBool(n.Right)):
		l.refuse(n.Operator + " joins comparisons; for a default write a ?? b")
	case n.Operator == "+":
		l.copy()
	}
}

// copy counts an operation that makes a new text.
func (l *limiter) copy() {
	l.copies++
	if l.copies > maxCopies {
		l.refuse(fmt.Sprintf("there are more than %d operations with texts in it", maxCopies))
	}
}

func (l *limiter) refuse(text string) {
	if l.fault == nil {
		l.fault = errors.New(text)
	}
}

// isBool reports whether the value of a node is true or false.
func isBool(node ast.Node) bool {
	switch n := node.(type) {
	case *ast.BoolNode:
		return true
	case *ast.UnaryNode:
		return n.Operator == "!" || n.Operator == "not"
	case *ast.BinaryNode:
		return !slices.Contains([]string{"+", "-", "*", "/", "%", "??"}, n.Operator)
	default:
		return false
	}
}

// habit is what is written in JavaScript, and what to write instead.
type habit struct {
	pattern *regexp.Regexp
	hint    string
}

var habits = []habit{ //nolint:gochecknoglobals // never changed
	{regexp.MustCompile(`\.length\b`), "there is no .length; a member of that name is body['length']"},
	{regexp.MustCompile(`\.toLowerCase\b`), "write lower(a) for a.toLowerCase()"},
	{regexp.MustCompile(`\.toUpperCase\b`), "write upper(a) for a.toUpperCase()"},
	{regexp.MustCompile(`\.[A-Za-z_]\w*\s*\(`), "values have no methods; write trim(a) for a.trim(), and so on"},
	{regexp.MustCompile(`=>|\bfunction\b`), "expressions have no functions of their own"},
	{regexp.MustCompile(`\b(Number|parseInt|parseFloat)\s*\(`), "write int(a) or float(a) for a number of a text"},
	{regexp.MustCompile(`\bString\s*\(`), "write string(a) for the text of a value"},
	{regexp.MustCompile(`\b(null|undefined)\b`), "write nil for null and undefined"},
}

var quoted = regexp.MustCompile("`[^`]*`" + `|'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"`)

// translate writes === as == and !== as !=, outside quotes, and refuses other habits of JavaScript with a hint.
func translate(source string) (string, error) {
	var out, bare strings.Builder
	last := 0
	for _, at := range append(quoted.FindAllStringIndex(source, -1), []int{len(source), len(source)}) {
		plain, text := source[last:at[0]], source[at[0]:at[1]]
		if strings.HasPrefix(text, "`") && strings.Contains(text, "${") {
			return "", errors.New("write 'a' + b for a template literal")
		}
		plain = strings.ReplaceAll(strings.ReplaceAll(plain, "===", "=="), "!==", "!=")
		out.WriteString(plain + text)
		bare.WriteString(plain + "''")
		last = at[1]
	}
	for _, h := range habits {
		if h.pattern.MatchString(bare.String()) {
			return "", errors.New(h.hint)
		}
	}
	return out.String(), nil
}
