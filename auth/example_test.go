package auth_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/secrets"
)

// show prints what an Authenticator does to GET https://api.example.com/users?q=1.
func show(a auth.Authenticator) {
	req, err := http.NewRequest(http.MethodGet, "https://api.example.com/users?q=1", nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := a.Authenticate(req); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(req.URL.RequestURI(), req.Header)
}

func ExampleBasic() {
	show(auth.Basic("aladdin", secrets.Static("opensesame")))
	// Output: /users?q=1 map[Authorization:[Basic YWxhZGRpbjpvcGVuc2VzYW1l]]
}

func ExampleBasicFrom() {
	key := secrets.Static("key-123") // or wherever the key is kept
	show(auth.BasicFrom(key, secrets.Static("")))
	// Output: /users?q=1 map[Authorization:[Basic a2V5LTEyMzo=]]
}

func ExampleAllowEmptyUser() {
	show(auth.Basic("", secrets.Static("key-123"), auth.AllowEmptyUser()))
	// Output: /users?q=1 map[Authorization:[Basic OmtleS0xMjM=]]
}

func ExampleAPIKey() {
	key := secrets.Static("key-123")
	show(auth.APIKey(key))
	show(auth.APIKey(key, auth.Prefix("Bearer")))
	show(auth.APIKey(key, auth.InHeader("X-API-Key")))
	show(auth.APIKey(key, auth.InQuery("api_key")))
	show(auth.APIKey(key, auth.InCookie("session")))
	// Output:
	// /users?q=1 map[Authorization:[Basic key-123]]
	// /users?q=1 map[Authorization:[Bearer key-123]]
	// /users?q=1 map[X-Api-Key:[key-123]]
	// /users?q=1&api_key=key-123 map[]
	// /users?q=1 map[Cookie:[session=key-123]]
}

func ExampleBearer() {
	show(auth.Bearer(auth.Static(secrets.Static("tok-1"))))
	show(auth.Bearer(auth.Static(secrets.Static("tok-1")), auth.Prefix("Token")))
	show(auth.Bearer(auth.Static(secrets.Static(""))))
	// Output:
	// /users?q=1 map[Authorization:[Bearer tok-1]]
	// /users?q=1 map[Authorization:[Token tok-1]]
	// auth: bearer: no token
}

func ExampleStatic() {
	src := auth.Static(secrets.Static("tok-1"))
	t, err := src.Token(context.Background(), auth.Want{})
	fmt.Println(t.Value, err)
	_, err = src.Token(context.Background(), auth.Want{Not: t.Value})
	fmt.Println(errors.Is(err, auth.ErrNotRenewable))
	// Output:
	// [REDACTED] <nil>
	// true
}

func ExampleAll() {
	show(auth.All(
		auth.Bearer(auth.Static(secrets.Static("tok-1"))),
		auth.APIKey(secrets.Static("key-123"), auth.InHeader("X-API-Key")),
	))
	// Output: /users?q=1 map[Authorization:[Bearer tok-1] X-Api-Key:[key-123]]
}

func ExampleFunc() {
	show(auth.Func(func(req *http.Request) error {
		req.Header.Set("X-Signature", "signature of "+req.URL.Path)
		return nil
	}))
	// Output: /users?q=1 map[X-Signature:[signature of /users]]
}

func ExampleNone() {
	show(auth.None())
	// Output: /users?q=1 map[]
}

func ExampleValidate() {
	fmt.Println(auth.Validate(auth.Basic("ann:smith", nil)))
	fmt.Println(auth.Validate(auth.APIKey(secrets.Static("key-123"), auth.InHeader("Host"))))
	// Output:
	// auth: basic: malformed credential: the user holds a colon (RFC 7617, section 2)
	// auth: basic: no credential: the password is nil; auth.None() stands for no credential
	// auth: apikey: InHeader("Host"): this header cannot carry a credential
}

func ExampleFind() {
	a := auth.All(auth.None(), auth.Bearer(auth.Static(secrets.Static("tok-1"))))
	for c := range auth.Find[auth.Challenger](a) {
		fmt.Println(c)
	}
	// Output: Bearer in header Authorization
}
