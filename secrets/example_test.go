package secrets_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/restconn/restconn/secrets"
)

func Example() {
	account := struct {
		User     string
		Password secrets.Value
	}{"svc", secrets.Static("correct horse")}

	fmt.Printf("%+v\n", account)
	fmt.Println(account.Password.Reveal())
	// Output:
	// {User:svc Password:[REDACTED]}
	// correct horse
}

func ExampleValue_log() {
	logger := slog.New(slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{
		ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
			if a.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return a
		},
	}))
	logger.Info("signed in", "password", secrets.Static("correct horse"))
	// Output: level=INFO msg="signed in" password=[REDACTED]
}

func ExampleEnv() {
	_ = os.Setenv("EXAMPLE_API_PASS", "correct horse\n") // what started the program did this

	v, err := secrets.Env("EXAMPLE_API_PASS").Secret(context.Background())
	fmt.Printf("%v %q %v\n", v, v.Reveal(), err)

	_, err = secrets.Env("EXAMPLE_API_PAS").Secret(context.Background())
	fmt.Println(err)
	// Output:
	// [REDACTED] "correct horse" <nil>
	// secrets: env:EXAMPLE_API_PAS: there is no such secret: set the environment variable
}

func ExampleFile() {
	dir, err := os.MkdirTemp("", "secrets")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = os.RemoveAll(dir) }()
	path := filepath.Join(dir, "api-pass")
	p := secrets.File(path)

	for _, text := range []string{"old", "new"} { // a rotation
		_ = os.WriteFile(path, []byte(text+"\n"), 0o600)
		v, err := p.Secret(context.Background())
		fmt.Println(v.Reveal(), err)
	}
	// Output:
	// old <nil>
	// new <nil>
}

func ExampleFirst() {
	p := secrets.First(
		secrets.Env("EXAMPLE_NOT_SET"),
		secrets.File("/no/such/file"),
		secrets.Static("for development"),
	)
	v, err := p.Secret(context.Background())
	fmt.Println(v.Reveal(), err)
	// Output: for development <nil>
}

func ExampleFunc() {
	vault := map[string]string{"kv/api-pass": "correct horse"} // stands for a client of a vault
	p := secrets.Func(func(context.Context) (secrets.Value, error) {
		if text, ok := vault["kv/api-pass"]; ok {
			return secrets.Static(text), nil
		}
		return secrets.Value{}, &secrets.Error{Ref: "vault:kv/api-pass", Err: secrets.ErrNotFound}
	})
	_, err := p.Secret(context.Background())
	fmt.Println(err)

	delete(vault, "kv/api-pass")
	_, err = p.Secret(context.Background())
	fmt.Println(err, errors.Is(err, secrets.ErrNotFound))
	// Output:
	// <nil>
	// secrets: vault:kv/api-pass: there is no such secret true
}

func ExampleCached() {
	calls := 0
	p := secrets.Cached(secrets.Func(func(context.Context) (secrets.Value, error) {
		calls++ // a request to a vault
		return secrets.Static("correct horse"), nil
	}), 5*time.Minute)

	for range 3 {
		if _, err := p.Secret(context.Background()); err != nil {
			fmt.Println(err)
		}
	}
	fmt.Println(calls)
	// Output: 1
}

func ExampleParse() {
	for _, ref := range []string{"env:API_PASS", "file:/run/secrets/api-pass", "hunter2"} {
		p, err := secrets.Parse(ref)
		fmt.Println(p, err)
	}
	// Output:
	// env:API_PASS <nil>
	// file:/run/secrets/api-pass <nil>
	// <nil> secrets: the reference has no scheme: known references are env:NAME and file:/path
}

func ExampleValidate() {
	fmt.Println(secrets.Validate(secrets.Env("API_PASS=hunter2")))
	// Output:
	// secrets: env: invalid provider: the name of a variable has no '=' or control character
}
