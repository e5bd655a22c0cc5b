package request_test

import (
	"bytes"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/restconn/restconn/connection"
	"github.com/restconn/restconn/connection/connectiontest"
	"github.com/restconn/restconn/request"
	"github.com/restconn/restconn/secrets"
)

// A service that takes its key in the path: /bot<token>/send.
func TestSecretPath(t *testing.T) {
	t.Parallel()
	const token = "110201543:AAHdqTcvCH"
	for name, reply := range map[string]http.Handler{
		"404":               connectiontest.Status(http.StatusNotFound),
		"no JSON":           connectiontest.Text(http.StatusOK, "<html>"),
		"cut":               connectiontest.Cut(),
		"redirected to log": http.RedirectHandler("/login", http.StatusFound),
	} {
		t.Run("G2 a key in the path is masked everywhere: "+name, func(t *testing.T) {
			t.Parallel()
			var log bytes.Buffer
			srv := connectiontest.NewServer(t, reply)
			conn := connectTo(t, srv, "", connection.WithLogger(slog.New(slog.NewJSONHandler(&log, nil))))
			_, err := request.Do[struct{ ID int }](t.Context(),
				request.Get(conn, "/bot{token}/send").PathSecret("token", secrets.Static(token)))
			if err == nil || !strings.Contains(err.Error(), "https://api.example.test/bot{token}/send") {
				t.Errorf("error %v does not show the template", err)
			}
			for where, text := range map[string]string{"error": err.Error(), "log": log.String()} {
				if strings.Contains(text, "AAHdqTcvCH") {
					t.Errorf("the key is in the %s: %s", where, text)
				}
			}
			if got := srv.Requests()[0].Target; got != "/bot110201543%3AAAHdqTcvCH/send" {
				t.Errorf("the server was asked for %s", got)
			}
			if re, ok := errors.AsType[*request.ResponseError](err); ok && strings.Contains(re.URL, "AAHd") {
				t.Errorf("the key is in the URL of the error: %s", re.URL)
			}
		})
	}
}
