package keystore_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/restconn/restconn/connection/keystore"
	"github.com/restconn/restconn/secrets"
)

func ExampleFile() {
	file, err := filepath.Abs("testdata/two.jks") // or wherever the store is mounted
	if err != nil {
		fmt.Println(err)
		return
	}
	store := keystore.File(file,
		keystore.Password(secrets.Static("storepass")), // or secrets.Env, secrets.File
		keystore.KeyPassword(secrets.Static("keypass-ed")),
		keystore.Alias("ed"))
	identity, err := store.Identity(context.Background())
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(identity.Leaf.Subject, "and", len(identity.Certificate)-1, "more")
	// Output: CN=client-ed and 2 more
}

func ExampleStore_Roots() {
	data, err := os.ReadFile("testdata/trust.jks")
	if err != nil {
		fmt.Println(err)
		return
	}
	roots, err := keystore.Bytes(data, keystore.Password(secrets.Static("storepass"))).Roots(context.Background())
	if err != nil {
		fmt.Println(err)
		return
	}
	config := &tls.Config{RootCAs: roots} // in the place of the system's roots, as in Java
	fmt.Println(config.RootCAs.Equal(roots))
	// Output: true
}

func ExampleError() {
	data, err := os.ReadFile("testdata/rsa.jks")
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = keystore.Bytes(data, keystore.Password(secrets.Static("mistyped"))).Identity(context.Background())
	if e, ok := errors.AsType[*keystore.Error](err); ok {
		fmt.Println(e.Format, errors.Is(err, keystore.ErrPassword))
	}
	// Output: JKS true
}
