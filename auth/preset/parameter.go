package preset

import (
	"errors"
	"strings"
)

// parameter is a part of the URLs that is another one for each customer.
type parameter struct {
	name string
	// check says what is wrong with a value.
	check func(value string) error
	// suffix stands behind a value, such as ".myshopify.com".
	suffix string
	// fallback takes the place of value and suffix where there is no value; if it is empty, there has to be one.
	fallback string
}

// expand returns what stands in the URLs.
func (p parameter) expand(value string) string {
	if value == "" {
		return p.fallback
	}
	return value + p.suffix
}

const (
	mostLabel = 63  // bytes of a host label (RFC 1035, section 2.3.4)
	mostHost  = 200 // bytes of several, so that there is room for what stands around them
)

var (
	errLabel   = errors.New("it is no host label: letters, digits and hyphens within, such as acme")
	errHost    = errors.New("it is no host name: labels with dots between, such as acme.example.com")
	errSegment = errors.New("it has other characters than letters, digits, hyphens and underscores")
)

// checkLabel accepts one label of a host name (RFC 1123, section 2.1).
func checkLabel(value string) error {
	ends := strings.HasPrefix(value, "-") || strings.HasSuffix(value, "-")
	if value == "" || len(value) > mostLabel || ends || strings.ContainsFunc(value, isNoLabel) {
		return errLabel
	}
	return nil
}

// checkHost accepts labels with dots between.
func checkHost(value string) error {
	if len(value) > mostHost {
		return errHost
	}
	for label := range strings.SplitSeq(value, ".") {
		if checkLabel(label) != nil {
			return errHost
		}
	}
	return nil
}

// checkSegment accepts what stands for itself in a path.
func checkSegment(value string) error {
	noSegment := func(r rune) bool { return r != '_' && isNoLabel(r) }
	if value == "" || len(value) > mostHost || strings.ContainsFunc(value, noSegment) {
		return errSegment
	}
	return nil
}

func isNoLabel(r rune) bool {
	return r != '-' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z')
}
