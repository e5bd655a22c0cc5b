package signing_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/auth/signing"
	"github.com/restconn/restconn/secrets"
)

// show prints what an Authenticator does to a request.
func show(a auth.Authenticator, header http.Header) {
	req, err := http.NewRequest(http.MethodPost, "https://api.example.com/orders?b=2&a=1", strings.NewReader(`{"n":1}`))
	if err != nil {
		fmt.Println(err)
		return
	}
	maps.Copy(req.Header, header)
	if err := a.Authenticate(req); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(req.URL.RequestURI())
	for _, name := range slices.Sorted(maps.Keys(req.Header)) {
		fmt.Println(name+":", req.Header.Get(name))
	}
}

func ExampleNew() {
	show(signing.New(signing.Config{
		Secret:    secrets.Static("the secret"), // or wherever it is kept
		Message:   []signing.Part{signing.Body(), signing.Timestamp()},
		Timestamp: signing.TimestampField{Header: "Timestamp", Format: signing.UnixMilliseconds},
		Place:     []auth.PlaceOption{auth.InHeader("Sign")},
	}), http.Header{"Timestamp": {"1772600767000"}}) // set by the caller, so that this output is always the same
	// Output:
	// /orders?b=2&a=1
	// Sign: db0e18993eba343c7d9ba1d2081fff7171296d7d84d22f29d52528109fa0a79d
	// Timestamp: 1772600767000
}

func ExampleNew_template() {
	show(signing.New(signing.Config{
		Secret:    secrets.Static("the secret"),
		Algorithm: signing.HMAC(signing.SHA512),
		Encoding:  signing.Base64,
		Message: []signing.Part{
			signing.Method(), signing.Path(), signing.SortedQuery(), signing.BodyDigest(signing.SHA256, signing.Hex),
		},
		Separator: "\n",
		Template:  "app-1:{signature}",
		Place:     []auth.PlaceOption{auth.Prefix("ACME")},
	}), nil)
	// Output:
	// /orders?b=2&a=1
	// Authorization: ACME app-1:v2uacRKqTyRwDui6uglH272i1WpWtPbWdgLKjbCvD/2MP+nklnTq+GOOOWP+c1Pg0omG5wB06cH3O62ZuqR6Wg==
}

func ExampleFunc() {
	secret := secrets.Static("the secret")
	show(signing.Func(func(ctx context.Context, r *signing.Request) error {
		key, err := secret.Secret(ctx)
		if err != nil {
			return err
		}
		sum, err := r.BodySum(signing.SHA256)
		if err != nil {
			return err
		}
		mac := hmac.New(sha256.New, []byte(key.Reveal()))
		mac.Write([]byte(r.Method() + " " + r.Target() + " " + hex.EncodeToString(sum)))
		r.SetHeader("X-Signature", hex.EncodeToString(mac.Sum(nil)))
		return nil
	}), nil)
	// Output:
	// /orders?b=2&a=1
	// X-Signature: f101a4de9ab70b94dc36161210bae9b0b21be7dd36d4fed7b959da364ed3b66a
}

func ExampleMessageSignature() {
	a := signing.MessageSignature(signing.MessageConfig{
		Key:       secrets.File("/run/secrets/signing.pem"),
		KeyID:     "key-1",
		Algorithm: signing.Ed25519(),
		Digest:    signing.ContentDigest(signing.SHA256),
	})
	fmt.Println(a, auth.Validate(a))
	// Output: Message signature (ed25519) <nil>
}

func ExampleSortQuery() {
	fmt.Println(signing.SortQuery("b=2&a=x+y&a=%2f"))
	// Output: a=%2F&a=x%20y&b=2 <nil>
}
