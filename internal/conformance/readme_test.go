package conformance_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
)

const readme = "README.md"

// checkReadme compares README.md with what ran, or writes it anew. A run of some of the tests only checks nothing.
func checkReadme() int {
	if run := flag.Lookup("test.run"); run != nil && run.Value.String() != "" {
		return 0
	}
	want := renderReadme()
	if *update {
		if err := os.WriteFile(readme, want, 0o600); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		return 0
	}
	if got, err := os.ReadFile(readme); err != nil || !bytes.Equal(got, want) {
		fmt.Fprintln(os.Stderr, "README.md does not list what ran: go test ./internal/conformance -update")
		return 1
	}
	return 0
}

func renderReadme() []byte {
	var b bytes.Buffer
	fmt.Fprintln(&b, "# Rows of the five documents")
	fmt.Fprintln(&b, "\nGenerated from the tests that ran: `go test ./internal/conformance -update`. Do not edit.")
	names := slices.Compact(slices.Sorted(slices.Values(ran.names)))
	total, have := 0, 0
	for _, d := range documents {
		var with, without []string
		for n := range d.rows {
			id := fmt.Sprintf("%s-%02d", d.prefix, n+1)
			i := slices.IndexFunc(names, func(s string) bool { return strings.HasPrefix(s, id+" ") })
			if i < 0 {
				without = append(without, id)
				continue
			}
			for ; i < len(names) && strings.HasPrefix(names[i], id+" "); i++ {
				with = append(with, strings.TrimSpace(names[i]))
			}
		}
		total, have = total+d.rows, have+d.rows-len(without)
		fmt.Fprintf(&b, "\n## %s: %d of %d rows\n\n", d.title, d.rows-len(without), d.rows)
		for _, name := range with {
			fmt.Fprintf(&b, "- %s\n", name)
		}
		if len(without) > 0 {
			fmt.Fprintf(&b, "\nWithout a test: %s\n", strings.Join(without, ", "))
		}
	}
	fmt.Fprintf(&b, "\n%d of %d rows have a test.\n", have, total)
	return b.Bytes()
}
