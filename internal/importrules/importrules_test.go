package importrules

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"
)

const (
	module = "github.com/restconn/restconn"
	root   = "../.." // the directory of the module, seen from this package
)

// rule says what the non-test files of a package may import beside the standard library and what they may show.
// In own and libs, "x/..." stands for x and everything below it.
type rule struct {
	own    []string // packages of this module, by their directory
	libs   []string // packages of other modules
	hidden []string // those of libs that no exported declaration may mention
	helper bool     // a test helper: no non-test file of another package may import it
	empty  bool     // the package declares and imports nothing
}

// table is the order of the module. The key is a directory; "x/..." stands for x and all below it that have no line of
// their own. Nested modules (examples, internal/bench and others) are not in it, and are not checked.
var table = map[string]rule{
	".":                {empty: true},
	"internal/...":     {own: []string{"internal/..."}, libs: []string{"golang.org/x/..."}},
	"internal/testidp": {helper: true},

	"secrets":         {own: []string{"internal/..."}},
	"secrets/keyring": {own: []string{"secrets", "internal/..."}, libs: []string{"github.com/zalando/go-keyring"}},

	"auth": {own: []string{"secrets", "internal/..."}},
	"auth/oauth2flow": {
		own: []string{"auth", "secrets", "internal/..."},
		libs: []string{
			"golang.org/x/oauth2/...",
			"github.com/coreos/go-oidc/v3/...",
			"github.com/go-jose/go-jose/v4/...",
			"github.com/cenkalti/backoff/v4",
		},
	},
	"auth/oidc": {
		own:  []string{"auth", "auth/oauth2flow", "secrets", "internal/..."},
		libs: []string{"github.com/coreos/go-oidc/v3/...", "github.com/go-jose/go-jose/v4/..."},
	},
	"auth/preset": {
		own:  []string{"auth", "auth/oauth2flow", "secrets", "internal/..."},
		libs: []string{"golang.org/x/oauth2/..."},
	},
	"auth/browser": {own: []string{"auth/oauth2flow", "internal/..."}, libs: []string{"github.com/toqueteos/webbrowser"}},
	"auth/login":   {own: []string{"auth", "secrets", "internal/..."}, libs: []string{"github.com/expr-lang/expr/..."}},
	"auth/digest":  {own: []string{"auth", "secrets", "internal/..."}, libs: []string{"github.com/icholy/digest"}},
	"auth/signing": {own: []string{"auth", "secrets", "internal/..."}},
	"auth/tokenstore": {
		own:  []string{"auth", "secrets", "internal/..."},
		libs: []string{"github.com/gofrs/flock"},
	},
	"auth/tokenstore/sqlstore": {own: []string{"auth", "auth/tokenstore", "secrets", "internal/..."}},
	"auth/authtest":            {own: []string{"auth", "secrets"}, helper: true},

	"connection": {
		own: []string{"auth", "secrets", "internal/..."},
		libs: []string{
			"github.com/hashicorp/go-retryablehttp",
			"github.com/cenkalti/backoff/v4",
			"golang.org/x/time/...",
		},
		hidden: []string{
			"github.com/hashicorp/go-retryablehttp",
			"github.com/cenkalti/backoff/v4",
			"golang.org/x/time/rate",
		},
	},
	"connection/keystore": {
		own: []string{"secrets", "internal/..."},
		libs: []string{
			"github.com/pavlo-v-chernykh/keystore-go/v4",
			"software.sslmate.com/src/go-pkcs12",
			"golang.org/x/crypto/...",
		},
	},
	"connection/connectiontest": {own: []string{"connection", "auth", "secrets"}, helper: true},

	"request": {
		own:    []string{"connection", "auth", "secrets", "internal/..."},
		libs:   []string{"github.com/tmaxmax/go-sse"},
		hidden: []string{"github.com/tmaxmax/go-sse"},
	},

	"connection/definition": {
		own:  []string{"auth/...", "connection", "connection/keystore", "request", "secrets/...", "internal/..."},
		libs: []string{"github.com/goccy/go-yaml/...", "github.com/invopop/jsonschema"},
	},
	"connection/registry": {own: []string{"connection/definition"}},
}

// coreModules are all modules that a program links when it imports connection and request; coreOwn are the packages
// of this module among them. OAuth, JOSE, YAML, expressions and keystores are not there, and stay away.
var (
	corePackages = []string{"connection", "request"}
	coreOwn      = []string{"secrets", "auth", "connection", "request", "internal/..."}
	coreModules  = []string{
		module,
		"github.com/hashicorp/go-retryablehttp",
		"github.com/hashicorp/go-cleanhttp",
		"github.com/cenkalti/backoff/v4",
		"github.com/tmaxmax/go-sse",
		"golang.org/x/net",
		"golang.org/x/text",
		"golang.org/x/time",
	}
)

func TestImports(t *testing.T) {
	t.Parallel()
	if text, err := os.ReadFile(root + "/go.mod"); err != nil || !strings.HasPrefix(string(text), "module "+module+"\n") {
		t.Fatalf("%s is not the root of %s: %v", root, module, err)
	}
	files, err := scan(os.DirFS(root))
	if err != nil {
		t.Fatal(err)
	}
	for _, broken := range check(files) {
		t.Error(broken)
	}
}

func TestCoreLinksNoLeafLibrary(t *testing.T) {
	t.Parallel()
	format := "{{if not .Standard}}{{.ImportPath}} {{with .Module}}{{.Path}}{{end}}{{end}}"
	list := exec.CommandContext(t.Context(), "go", "list", "-deps", "-f", format)
	for _, dir := range corePackages {
		list.Args = append(list.Args, module+"/"+dir)
	}
	list.Dir = root
	list.Env = append(os.Environ(), "GOWORK=off") // the versions that a user of the module gets
	out, err := list.Output()
	if err != nil {
		if exit, ok := errors.AsType[*exec.ExitError](err); ok {
			t.Fatalf("go list %s: %v\n%s", strings.Join(corePackages, " "), err, exit.Stderr)
		}
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	for _, dir := range corePackages {
		if !slices.Contains(lines, module+"/"+dir+" "+module) {
			t.Errorf("package %s is missing: nothing was checked for it", dir)
		}
	}
	for _, broken := range checkCore(lines) {
		t.Error(broken)
	}
}

// TestCheckerFinds holds the checker against small trees of its own: a checker that finds nothing proves nothing.
func TestCheckerFinds(t *testing.T) {
	t.Parallel()
	const own = module + "/"
	tests := []struct {
		name string
		tree map[string]string // file name to source, or to the part after the package clause
		want string            // "" means that the tree is in order
	}{
		{
			name: "allowed imports",
			tree: map[string]string{
				"doc.go":                 "",
				"auth/a.go":              imports("net/http", own+"secrets", own+"internal/flight"),
				"connection/a.go":        imports(own+"auth", "github.com/cenkalti/backoff/v4"),
				"internal/origin/a.go":   imports("net/url", own+"internal/redact", "golang.org/x/net/idna"),
				"auth/tokenstore/a.go":   imports("github.com/gofrs/flock", own+"auth"),
				"secrets/keyring/a.go":   imports("github.com/zalando/go-keyring"),
				"connection/definition/": imports(own+"auth/oidc", own+"connection/keystore"),
			},
		},
		{
			name: "a public package below internal",
			tree: map[string]string{"internal/redact/a.go": imports(own + "secrets")},
			want: "internal/redact/a.go: internal/redact may not import " + own + "secrets",
		},
		{
			name: "against the order",
			tree: map[string]string{"auth/a.go": imports(own + "connection")},
			want: "auth/a.go: auth may not import " + own + "connection",
		},
		{
			name: "a sibling scheme",
			tree: map[string]string{"auth/digest/a.go": imports(own + "auth/oauth2flow")},
			want: "auth/digest/a.go: auth/digest may not import " + own + "auth/oauth2flow",
		},
		{
			name: "a foreign library",
			tree: map[string]string{"request/a.go": imports("github.com/hashicorp/go-retryablehttp")},
			want: "request/a.go: request may not import github.com/hashicorp/go-retryablehttp",
		},
		{
			name: "a library whose name begins like an allowed one",
			tree: map[string]string{"connection/a.go": imports("golang.org/x/timely")},
			want: "connection/a.go: connection may not import golang.org/x/timely",
		},
		{
			name: "a library of a build that is not this one",
			tree: map[string]string{"auth/a_plan9.go": imports("golang.org/x/sys/plan9")},
			want: "auth/a_plan9.go: auth may not import golang.org/x/sys/plan9",
		},
		{
			name: "an example",
			tree: map[string]string{"request/a_test.go": imports(own + "examples/quickstart")},
			want: "request/a_test.go: nobody imports " + own + "examples/quickstart",
		},
		{
			name: "a test helper in a test",
			tree: map[string]string{"request/a_test.go": imports(own + "connection/connectiontest")},
		},
		{
			name: "a test helper outside tests",
			tree: map[string]string{"connection/definition/a.go": imports(own + "auth/authtest")},
			want: "connection/definition/a.go: " + own + "auth/authtest is for tests",
		},
		{
			name: "an unknown package",
			tree: map[string]string{"auth/kerberos/a.go": ""},
			want: "auth/kerberos/a.go: package auth/kerberos is not in the table",
		},
		{
			name: "an import in the root",
			tree: map[string]string{"doc.go": imports("net/http")},
			want: "doc.go: the package in . declares and imports nothing",
		},
		{
			name: "a declaration in the root",
			tree: map[string]string{"doc.go": "const Version = 1"},
			want: "doc.go: the package in . declares and imports nothing",
		},
		{
			name: "what is not ours to check",
			tree: map[string]string{
				"internal/bench/go.mod":      "module bench",
				"internal/bench/a.go":        imports("example.com/peer"),
				"internal/bench/deep/a.go":   imports("example.com/peer"),
				"auth/testdata/a.go":         imports("example.com/data"),
				".hidden/a.go":               imports("example.com/hidden"),
				"_ignored/a.go":              imports("example.com/ignored"),
				"connection/connection.go":   "type C struct{}",
				"connection/library_test.go": imports("example.com/tests"),
			},
		},
		{
			name: "a hidden library in a parameter",
			tree: map[string]string{"connection/a.go": backoff + "func New(b backoff.BackOff) {}"},
			want: "connection/a.go: New shows github.com/cenkalti/backoff/v4",
		},
		{
			name: "a hidden library in a result of a method",
			tree: map[string]string{"connection/a.go": backoff + "type C[T any] struct{}; func (c *C[T]) B() []backoff.BackOff"},
			want: "connection/a.go: B shows github.com/cenkalti/backoff/v4",
		},
		{
			name: "a hidden library in a field",
			tree: map[string]string{"connection/a.go": backoff + "type C struct{ a int; B map[string]*backoff.Ticker }"},
			want: "connection/a.go: C shows github.com/cenkalti/backoff/v4",
		},
		{
			name: "a hidden library in a method of an interface",
			tree: map[string]string{"connection/a.go": backoff + "type I interface{ B() backoff.BackOff }"},
			want: "connection/a.go: I shows github.com/cenkalti/backoff/v4",
		},
		{
			name: "an embedded hidden library",
			tree: map[string]string{"connection/a.go": backoff + "type C struct{ *backoff.Ticker }"},
			want: "connection/a.go: C shows github.com/cenkalti/backoff/v4",
		},
		{
			name: "a hidden library behind an alias",
			tree: map[string]string{"connection/a.go": backoff + "type Delay = backoff.BackOff"},
			want: "connection/a.go: Delay shows github.com/cenkalti/backoff/v4",
		},
		{
			name: "a hidden library in a variable",
			tree: map[string]string{"connection/a.go": backoff + "var Default = backoff.NewExponentialBackOff()"},
			want: "connection/a.go: Default shows github.com/cenkalti/backoff/v4",
		},
		{
			name: "a hidden library under another name",
			tree: map[string]string{
				"connection/a.go": `package p; import rh "github.com/hashicorp/go-retryablehttp"; func New(*rh.Client) {}`,
			},
			want: "connection/a.go: New shows github.com/hashicorp/go-retryablehttp",
		},
		{
			name: "a hidden library without a name",
			tree: map[string]string{"connection/a.go": `package p; import . "golang.org/x/time/rate"`},
			want: "connection/a.go: golang.org/x/time/rate is hidden and needs a name",
		},
		{
			name: "a hidden library that stays hidden",
			tree: map[string]string{"connection/a.go": backoff + `
				type C struct{ b backoff.BackOff }
				type I interface{ b() backoff.BackOff }
				type loop struct{ B backoff.BackOff }
				func (l *loop) Next(backoff.BackOff) {}
				func (c *C) Wait() { c.b = backoff.NewExponentialBackOff() }
				var Wait = func() { _ = backoff.Stop }
				func wait(backoff.BackOff) {}`},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tree := fstest.MapFS{}
			for name, text := range tt.tree {
				if strings.HasSuffix(name, "/") {
					name += "a.go"
				}
				if strings.HasSuffix(name, ".go") && !strings.HasPrefix(text, "package ") {
					text = "package p; " + text
				}
				tree[name] = &fstest.MapFile{Data: []byte(text)}
			}
			files, err := scan(tree)
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(check(files), "\n"); got != tt.want {
				t.Errorf("check:\ngot  %s\nwant %s", got, tt.want)
			}
		})
	}
}

func TestCoreCheckerFinds(t *testing.T) {
	t.Parallel()
	got := checkCore([]string{
		module + "/internal/redact " + module,
		"golang.org/x/time/rate golang.org/x/time",
		module + "/auth/oauth2flow " + module,
		"golang.org/x/oauth2/internal golang.org/x/oauth2",
	})
	want := []string{
		"connection and request link " + module + "/auth/oauth2flow",
		"connection and request link golang.org/x/oauth2/internal of module golang.org/x/oauth2",
	}
	if !slices.Equal(got, want) {
		t.Errorf("checkCore:\ngot  %q\nwant %q", got, want)
	}
}

// backoff begins a source that imports a library which connection hides.
const backoff = `package p; import "github.com/cenkalti/backoff/v4"; `

// imports is the source of a file that imports paths and does nothing else.
func imports(paths ...string) string {
	var b strings.Builder
	for _, p := range paths {
		fmt.Fprintf(&b, "import _ %q; ", p)
	}
	return b.String()
}

// file is one Go file of the module.
type file struct {
	*ast.File
	name string // from the root of the module, with slashes
	dir  string
	test bool
}

// imported returns the paths that the file imports.
func (f file) imported() []string {
	paths := make([]string, 0, len(f.Imports))
	for _, spec := range f.Imports {
		paths = append(paths, importPath(spec))
	}
	return paths
}

// scan parses all Go files of the module in tree, whatever their build constraints, and leaves nested modules out.
func scan(tree fs.FS) ([]file, error) {
	var files []file
	err := fs.WalkDir(tree, ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir():
			if foreign(tree, name) {
				return fs.SkipDir
			}
			return nil
		case path.Ext(name) != ".go":
			return nil
		}
		text, err := fs.ReadFile(tree, name)
		if err != nil {
			return err
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), name, text, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		files = append(files, file{
			File: parsed,
			name: name,
			dir:  path.Dir(name),
			test: strings.HasSuffix(name, "_test.go"),
		})
		return nil
	})
	return files, err
}

// foreign reports whether dir is no package of the module: another module, or a directory that the go command ignores.
func foreign(tree fs.FS, dir string) bool {
	if dir == "." {
		return false
	}
	base := path.Base(dir)
	if base == "testdata" || base == "vendor" || base[0] == '.' || base[0] == '_' {
		return true
	}
	_, err := fs.Stat(tree, path.Join(dir, "go.mod"))
	return err == nil
}

// check returns one line for each break of the table.
func check(files []file) []string {
	var broken []string
	for _, f := range files {
		for _, p := range f.imported() {
			if dir, ok := ownDir(p); ok && match("examples/...", dir) {
				broken = append(broken, fmt.Sprintf("%s: nobody imports %s", f.name, p))
			}
		}
		if f.test {
			continue
		}
		r, ok := lookup(f.dir)
		switch {
		case !ok:
			broken = append(broken, fmt.Sprintf("%s: package %s is not in the table", f.name, f.dir))
		case r.empty:
			if len(f.Decls) > 0 { // imports are declarations too
				broken = append(broken, fmt.Sprintf("%s: the package in %s declares and imports nothing", f.name, f.dir))
			}
		default:
			broken = append(broken, checkImports(f, r)...)
			broken = append(broken, checkHidden(f, r)...)
		}
	}
	return broken
}

// checkImports holds the imports of a non-test file against its rule.
func checkImports(f file, r rule) []string {
	var broken []string
	for _, p := range f.imported() {
		allowed, name := r.libs, p
		if dir, ok := ownDir(p); ok {
			if other, known := lookup(dir); known && other.helper {
				broken = append(broken, fmt.Sprintf("%s: %s is for tests", f.name, p))
				continue
			}
			allowed, name = r.own, dir
		} else if standard(p) {
			continue
		}
		if !slices.ContainsFunc(allowed, func(pattern string) bool { return match(pattern, name) }) {
			broken = append(broken, fmt.Sprintf("%s: %s may not import %s", f.name, f.dir, p))
		}
	}
	return broken
}

// checkHidden finds the exported declarations that mention a hidden library. It reads the source and knows no types: an
// exported declaration that shows an unexported alias of such a library escapes it.
func checkHidden(f file, r rule) []string {
	var broken []string
	hidden := map[string]string{} // name in the file to path
	for _, spec := range f.Imports {
		p := importPath(spec)
		if !slices.Contains(r.hidden, p) {
			continue
		}
		name := packageName(p)
		if spec.Name != nil {
			name = spec.Name.Name
		}
		if name == "." {
			broken = append(broken, fmt.Sprintf("%s: %s is hidden and needs a name", f.name, p))
		}
		hidden[name] = p
	}
	if len(hidden) == 0 {
		return broken
	}
	for _, decl := range f.Decls {
		for name, nodes := range surface(decl) {
			for _, node := range nodes {
				if p := mentioned(node, hidden); p != "" {
					broken = append(broken, fmt.Sprintf("%s: %s shows %s", f.name, name, p))
				}
			}
		}
	}
	return broken
}

// surface returns what a declaration shows to other packages, by the exported name that shows it.
func surface(decl ast.Decl) map[string][]ast.Node {
	shown := map[string][]ast.Node{}
	switch decl := decl.(type) {
	case *ast.FuncDecl:
		if decl.Name.IsExported() && (decl.Recv == nil || exportedReceiver(decl.Recv)) {
			shown[decl.Name.Name] = []ast.Node{decl.Type}
		}
	case *ast.GenDecl:
		for _, spec := range decl.Specs {
			switch spec := spec.(type) {
			case *ast.TypeSpec:
				if spec.Name.IsExported() {
					shown[spec.Name.Name] = shownByType(spec)
				}
			case *ast.ValueSpec:
				for _, name := range spec.Names {
					if name.IsExported() {
						shown[name.Name] = shownByValue(spec)
						break
					}
				}
			}
		}
	}
	return shown
}

// exportedReceiver reports whether methods of this receiver can be reached by name: *T, T[P] and T with an exported T.
func exportedReceiver(receiver *ast.FieldList) bool {
	exported := false
	ast.Inspect(receiver.List[0].Type, func(n ast.Node) bool {
		if name, ok := n.(*ast.Ident); ok {
			exported = name.IsExported()
			return false
		}
		_, index := n.(*ast.IndexExpr)
		_, star := n.(*ast.StarExpr)
		return index || star
	})
	return exported
}

// shownByType leaves out the unexported fields of a struct and the unexported methods of an interface.
func shownByType(spec *ast.TypeSpec) []ast.Node {
	var shown []ast.Node
	if spec.TypeParams != nil {
		shown = append(shown, spec.TypeParams)
	}
	var members *ast.FieldList
	switch body := spec.Type.(type) {
	case *ast.StructType:
		members = body.Fields
	case *ast.InterfaceType:
		members = body.Methods
	default:
		return append(shown, body)
	}
	for _, member := range members.List {
		if member.Names == nil || slices.ContainsFunc(member.Names, (*ast.Ident).IsExported) {
			shown = append(shown, member.Type)
		}
	}
	return shown
}

// shownByValue is the type of variables and constants, or the expressions that it follows from.
func shownByValue(spec *ast.ValueSpec) []ast.Node {
	if spec.Type != nil {
		return []ast.Node{spec.Type}
	}
	shown := make([]ast.Node, 0, len(spec.Values))
	for _, value := range spec.Values {
		shown = append(shown, value)
	}
	return shown
}

// mentioned returns the first of the hidden packages that is used in node outside the bodies of functions.
func mentioned(node ast.Node, hidden map[string]string) string {
	found := ""
	ast.Inspect(node, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.BlockStmt:
			return false
		case *ast.SelectorExpr:
			if name, ok := n.X.(*ast.Ident); ok && found == "" {
				found = hidden[name.Name]
			}
		}
		return found == ""
	})
	return found
}

// checkCore holds lines of "package module" against what a program may link that imports connection and request.
func checkCore(lines []string) []string {
	var broken []string
	for _, line := range lines {
		pkg, from, _ := strings.Cut(line, " ")
		if !slices.Contains(coreModules, from) {
			broken = append(broken, fmt.Sprintf("connection and request link %s of module %s", pkg, from))
			continue
		}
		dir, ok := ownDir(pkg)
		if ok && !slices.ContainsFunc(coreOwn, func(pattern string) bool { return match(pattern, dir) }) {
			broken = append(broken, "connection and request link "+pkg)
		}
	}
	return broken
}

// lookup returns the rule of a package: its own, or that of the nearest "x/..." above it.
func lookup(dir string) (rule, bool) {
	if r, ok := table[dir]; ok {
		return r, true
	}
	for above := dir; above != "."; above = path.Dir(above) {
		if r, ok := table[above+"/..."]; ok {
			return r, true
		}
	}
	return rule{}, false
}

// match reports whether name is pattern, or is below x when pattern is "x/...".
func match(pattern, name string) bool {
	above, tree := strings.CutSuffix(pattern, "/...")
	return name == above || tree && strings.HasPrefix(name, above+"/")
}

// ownDir returns the directory of a package of this module.
func ownDir(importPath string) (string, bool) {
	if importPath == module {
		return ".", true
	}
	return strings.CutPrefix(importPath, module+"/")
}

// standard reports whether a path is one of the standard library: those have no dot in their first element. Cgo is not.
func standard(importPath string) bool {
	first, _, _ := strings.Cut(importPath, "/")
	return !strings.Contains(first, ".") && importPath != "C"
}

// importPath is the path of an import without its quotes. The parser has already made sure that it is a string.
func importPath(spec *ast.ImportSpec) string {
	p, _ := strconv.Unquote(spec.Path.Value)
	return p
}

// packageName guesses the name of a package from its path: without a version at the end, and without a "go-" in front.
func packageName(importPath string) string {
	base := path.Base(importPath)
	if len(base) > 1 && base[0] == 'v' && base[1] >= '0' && base[1] <= '9' {
		base = path.Base(path.Dir(importPath))
	}
	return strings.TrimPrefix(base, "go-")
}
