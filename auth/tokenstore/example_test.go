package tokenstore_test

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/auth/tokenstore"
	"github.com/restconn/restconn/secrets"
)

// A store is given to the token manager, which does with it what is done by hand here.
func ExampleNewFile() {
	dir, err := os.MkdirTemp("", "tokens")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = os.RemoveAll(dir) }()

	ctx, key := context.Background(), auth.Key{Connection: "billing"}
	store := tokenstore.NewFile(dir)
	rec, err := store.Update(ctx, key, 0, func(context.Context, auth.Record) (auth.Record, error) {
		return auth.Record{Data: []byte("token 1")}, nil
	})
	fmt.Printf("%s %v\n", rec.Data, err)

	// Another process sees it, and renews it only if nobody else has.
	other := tokenstore.NewFile(dir)
	rec, err = other.Load(ctx, key)
	fmt.Printf("%s %v\n", rec.Data, err)
	// Output:
	// token 1 <nil>
	// token 1 <nil>
}

func ExampleSealed() {
	key := secrets.Static("xJ9kq0PzO2m5s8V3r1T7uWbYc4Ef6Gh=") // from a vault, or secrets.Env
	inner := tokenstore.NewMemory()
	store := tokenstore.Sealed(inner, key)

	ctx := context.Background()
	mine, yours := auth.Key{Subject: "ada"}, auth.Key{Subject: "eve"}
	rec, err := store.Update(ctx, mine, 0, func(context.Context, auth.Record) (auth.Record, error) {
		return auth.Record{Data: []byte("token")}, nil
	})
	fmt.Printf("%s %v\n", rec.Data, err)

	// Who copies the row to another user gets nothing.
	row, _ := inner.Load(ctx, mine)
	_, _ = inner.Update(ctx, yours, 0, func(context.Context, auth.Record) (auth.Record, error) { return row, nil })
	_, err = store.Load(ctx, yours)
	fmt.Println(errors.Is(err, tokenstore.ErrSealed))
	// Output:
	// token <nil>
	// true
}
