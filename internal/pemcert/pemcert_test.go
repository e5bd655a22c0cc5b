package pemcert_test

import (
	"encoding/pem"
	"errors"
	"strings"
	"testing"

	"github.com/restconn/restconn/connection/connectiontest"
	"github.com/restconn/restconn/internal/pemcert"
)

func TestParse(t *testing.T) {
	t.Parallel()
	good := string(connectiontest.NewNetwork(t).Authority())
	for name, c := range map[string]struct {
		text string
		want int // certificates; 0 for an error
	}{
		"one":              {good, 1},
		"two, with notes":  {"root:\n" + good + "next:\n" + good, 2},
		"none":             {"/etc/ca.pem", 0},
		"a spoiled second": {good + strings.Replace(good, "\n", "\n!", 1), 0},
		"a cut second":     {good + good[:len(good)/2], 0},
		"a key beside it":  {good + string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: []byte("x")})), 0},
		"no certificate":   {string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("x")})), 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			certs, err := pemcert.Parse([]byte(c.text))
			if len(certs) != c.want || (err == nil) != (c.want > 0) {
				t.Errorf("%d certificates and the error %v, want %d", len(certs), err, c.want)
			}
		})
	}
	if _, err := pemcert.Parse(nil); !errors.Is(err, pemcert.ErrNone) {
		t.Errorf("error %v, want ErrNone", err)
	}
}
