package disposition

import (
	"path"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	// longest is the length of a file name that every common file system takes, in bytes.
	longest = 255
	// longestExtension is the length up to which what follows the last dot is kept when a name is cut.
	longestExtension = 32
	// portNumbers are what follows COM and LPT in the name of a device.
	portNumbers = "0123456789¹²³"
)

// Clean makes of name a plain file name that means the same on every operating system: what follows the last slash or
// backslash; without control characters, line separators and marks that turn the direction of writing; without dots and
// spaces at either end, so that no file is hidden; with _ for the characters that Windows reserves, and before its
// device names; of at most 255 bytes. It is "" if nothing is left.
func Clean(name string) string {
	name = strings.Map(printable, strings.ToValidUTF8(name, "_"))
	name = name[strings.LastIndexAny(name, `/\`)+1:]
	name = shorten(trim(strings.Map(portable, name)))
	if isDevice(name) {
		return shorten("_" + name)
	}
	return name
}

// printable drops the characters that cannot be seen, or make others look what they are not. -1 is how strings.Map
// drops one.
func printable(r rune) rune {
	const byteOrderMark = '\uFEFF'
	if r == byteOrderMark || unicode.In(r, unicode.Cc, unicode.Zl, unicode.Zp, unicode.Bidi_Control) {
		return -1
	}
	return r
}

// portable replaces what Windows does not allow in a name. The colon would open another stream of the same file.
func portable(r rune) rune {
	if strings.ContainsRune(`<>:"|?*`, r) {
		return '_'
	}
	return r
}

// trim takes off what hides a file on Unix, and what Windows drops at the end of a name.
func trim(name string) string {
	return strings.TrimFunc(name, func(r rune) bool { return r == '.' || unicode.IsSpace(r) })
}

// isDevice reports whether Windows takes the name for a device, whatever its extension.
func isDevice(name string) bool {
	stem, _, _ := strings.Cut(name, ".")
	stem = strings.ToUpper(strings.TrimRightFunc(stem, unicode.IsSpace))
	if slices.Contains([]string{"CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"}, stem) {
		return true
	}
	port, ok := strings.CutPrefix(stem, "COM")
	if !ok {
		port, ok = strings.CutPrefix(stem, "LPT")
	}
	return ok && utf8.RuneCountInString(port) == 1 && strings.Contains(portNumbers, port)
}

// shorten cuts a name that is too long between two characters, and keeps its extension.
func shorten(name string) string {
	if len(name) <= longest {
		return name
	}
	extension := path.Ext(name)
	if len(extension) > longestExtension {
		extension = ""
	}
	end := longest - len(extension)
	for !utf8.RuneStart(name[end]) {
		end--
	}
	return trim(name[:end]) + extension
}
