package browser

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"runtime"
	"strings"

	"github.com/toqueteos/webbrowser"

	"github.com/restconn/restconn/auth/oauth2flow"
)

// command returns what opens a URL.
func command(ctx context.Context, target string) (*exec.Cmd, error) {
	if !hasDisplay() || len(webbrowser.Candidates) == 0 {
		return nil, fmt.Errorf("browser: %w", ErrNoBrowser)
	}
	c, err := webbrowser.Candidates[0].Command(target)
	if err != nil {
		return nil, fmt.Errorf("browser: %w", ErrNoBrowser)
	}
	args := c.Args[1:]
	if runtime.GOOS == "windows" { // where a variable could be between two %, whose name begins like an encoded byte
		last := len(args) - 1
		args[last] = strings.ReplaceAll(args[last], "%", "%^")
	}
	return exec.CommandContext(ctx, c.Path, args...), nil //nolint:gosec // the command is one for this
}

// hasDisplay reports whether a browser could be seen. Without a display, xdg-open starts a text browser, which nobody
// would see here; BROWSER says what else there is, as in an editor that is connected from another machine.
func hasDisplay() bool {
	switch runtime.GOOS {
	case "windows", "darwin", "android":
		return true
	}
	return os.Getenv("DISPLAY") != "" || os.Getenv("WAYLAND_DISPLAY") != "" || os.Getenv("BROWSER") != ""
}

// checked returns the URL of a login as a command may get it: an http or https URL without characters that mean
// something to the shell of Windows, which is there between start and us.
func checked(login *oauth2flow.Login) (string, error) {
	if login == nil {
		return "", fmt.Errorf("browser: there is no login: %w", ErrURL)
	}
	u, err := url.Parse(login.URL) // which refuses control characters
	if err != nil || u.Host == "" || strings.Contains(u.Host, "%") || u.Scheme != "https" && u.Scheme != "http" {
		return "", fmt.Errorf("browser: %w", ErrURL)
	}
	var b strings.Builder
	for i, c := range []byte(login.URL) {
		if c == '%' && !isEncoded(login.URL[i:]) || !isOfURL(c) {
			fmt.Fprintf(&b, "%%%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String(), nil
}

// isEncoded reports whether a text begins with a byte that is encoded (RFC 3986, section 2.1). Another % would be the
// beginning of a variable.
func isEncoded(text string) bool {
	_, err := url.PathUnescape(text[:min(len(text), 3)]) //nolint:mnd // % and two digits
	return err == nil
}

// isOfURL reports whether a byte stands in URLs as it is (RFC 3986, section 2), and in commands as well.
func isOfURL(c byte) bool {
	switch {
	case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		return true
	}
	return strings.IndexByte("-._~:/?#[]@$&'*+,;=%", c) >= 0
}

// instruction is what the user is told to do by hand.
func instruction(login *oauth2flow.Login, target string) string {
	where := "in a browser"
	if login.PrivateSession {
		where = "in a private window of a browser"
	}
	who := ""
	if login.DisplayName != "" {
		who = " to " + login.DisplayName
	}
	return "Open this page " + where + " to log in" + who + ":\n" + target + "\n"
}
