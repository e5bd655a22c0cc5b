package login

import (
	"errors"
	"fmt"
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
	paths   []path // that it reads
}

// uses reports whether the expression reads what has that name.
func (e *expression) uses(name string) bool {
	return e != nil && slices.ContainsFunc(e.paths, func(p path) bool { return p[0] == name })
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
	e := &expression{source: source}
	e.program, e.paths, err = compile(translated)
	if err != nil {
		return nil, err
	}
	return e, nil
}

// compile compiles an expression, with what is left of the language.
func compile(source string) (program *vm.Program, paths []path, err error) {
	defer func() {
		if r := recover(); r != nil { // of the compiler
			err = errors.New("the expression cannot be compiled")
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
		return nil, nil, limits.fault
	}
	if err != nil {
		line, _, _ := strings.Cut(err.Error(), "\n")
		return nil, nil, errors.New(redact.Line(line))
	}
	return program, limits.paths, nil
}

// run returns the value of the expression; nil if there is none. What was wrong is not told: it may quote the answer.
func (e *expression) run(env environment) any {
	value, err := expr.Run(e.program, env)
	if err != nil {
		return nil
	}
	return value
}

// missed says why the expression of that field has no value, or not one that is wanted.
func (e *expression) missed(field string, env environment) error {
	var ends []string
	for _, p := range e.paths {
		if end := p.end(env); end != "" && !slices.Contains(ends, end) {
			ends = append(ends, end)
		}
	}
	switch {
	case len(ends) > 0:
	case e.uses("body") && env.fault != nil:
		ends = []string{env.fault.Error()}
	case len(e.paths) == 1 && e.paths[0][0] == "body":
		if _, value := walk("", env.Body, e.paths[0][1:]); value != nil {
			ends = []string{"it is " + kindOfValue(value)}
		}
	}
	text := field + ": " + redact.Line(e.source)
	if len(ends) > 0 {
		text += ": " + strings.Join(ends, "; ")
	}
	return errors.New(text)
}

// limiter refuses what can loop, grow or reach beyond the answer. It remembers the first fault, and which paths there
// are: of body.a.b that one, and not body.a.
type limiter struct {
	copies int
	paths  []path
	fault  error
}

var (
	errFunctions = errors.New("the functions are " + strings.Join(functions, ", "))
	errLoops     = errors.New("loops, variables, lists and maps are not available")
)

// Visit implements [ast.Visitor].
func (l *limiter) Visit(node *ast.Node) { //nolint:gocritic // it is the interface
	switch n := (*node).(type) {
	case *ast.NilNode, *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.StringNode, *ast.UnaryNode,
		*ast.ChainNode, *ast.ConditionalNode, *ast.ConstantNode:
	case *ast.IdentifierNode:
		l.identifier(n.Value)
	case *ast.MemberNode:
		l.member(n)
	case *ast.SliceNode:
		l.copy()
	case *ast.CallNode:
		l.fault = errFunctions // the name that is called is a name that is not known
	case *ast.BuiltinNode:
		l.copy()
		if !slices.Contains(functions, n.Name) {
			l.fault = errFunctions
		}
	case *ast.BinaryNode:
		l.binary(n)
	default:
		l.fault = errLoops // the name of a variable is a name that is not known
	}
}

// identifier notes a name that is there.
func (l *limiter) identifier(name string) {
	switch {
	case name == "$":
		l.refuse("write body in place of $")
	case strings.HasPrefix(name, "$"):
		l.refuse(name + " is not available")
	case !slices.Contains(seenNames, name):
		hint := didYouMean(name, seenNames)
		if hint == "" {
			hint = "body." + name + "?"
		}
		l.refuse("unknown name " + name + ": there are " + strings.Join(seenNames, ", ") + "; " + hint)
	}
	l.paths = append(l.paths, path{name})
}

// member notes a path in place of what it begins with.
func (l *limiter) member(n *ast.MemberNode) {
	p := pathOf(n)
	if p == nil {
		return
	}
	l.paths[len(l.paths)-1] = p
	if name := p.header(); name != strings.ToLower(name) {
		l.refuse("names of headers are in lower case: " + strings.ToLower(name) + " in place of " + name)
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
