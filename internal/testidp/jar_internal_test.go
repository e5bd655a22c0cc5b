package testidp

import (
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"testing"
)

func TestJar(t *testing.T) {
	t.Parallel()
	inner, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	j := &jar{inner}
	for target, want := range map[string]int{
		"http://127.0.0.1:8080/": 1, "http://[::1]/": 1, "https://a.test/": 1, "http://a.test/": 0,
	} {
		u, err := url.Parse(target)
		if err != nil {
			t.Fatal(err)
		}
		j.SetCookies(u, []*http.Cookie{{Name: "c", Value: "v", Secure: true}})
		if got := len(j.Cookies(u)); got != want {
			t.Errorf("%s: %d cookies, want %d", target, got, want)
		}
	}
}
