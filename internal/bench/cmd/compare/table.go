package main

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
)

// Table is the result of one scenario.
type Table struct {
	Scenario string   `json:"scenario"`
	Columns  []string `json:"columns"`
	Rows     []Row    `json:"rows"`
	Notes    []string `json:"notes,omitempty"`
}

// Row is one peer: medians over N measurements, and the medians of the ratios to the floor.
type Row struct {
	Peer   string `json:"peer"`
	N      int    `json:"n"`
	Values sample `json:"values"`
	Ratios sample `json:"ratios,omitempty"`
}

// The names of the columns.
const (
	timeOp            = "time/op"
	cpuOp             = "cpu/op"
	bytesOp           = "B/op"
	allocsOp          = "allocs/op"
	requestsPerSecond = "req/s"
	connections       = "connections"
	p50               = "p50"
	p99               = "p99"
	failed            = "failed"
	goroutines        = "goroutines after Close"
	size              = "MB"
	added             = "MB over net/http"
	modules           = "modules"
	heapGrowth        = "heap growth MiB"
	rssGrowth         = "RSS growth MiB"
	contentLength     = "Content-Length"
	inflated          = "inflates to MiB"
	refused           = "refused"
	heapPeak          = "peak heap MiB"
	rssPeak           = "peak RSS MiB"
	tokenRequests     = "token requests"
	wasted            = "wasted"
	longest           = "max"
	p99Valid          = "p99 of a valid token"
	p99Above          = "p99 above that"
	leaderBack        = "cancelled one back after"
)

// column says how a value is printed and whether its ratio to the floor means something.
type column struct {
	format func(float64) string
	ratio  bool
}

var columns = map[string]column{
	timeOp:            {duration, true},
	cpuOp:             {duration, true},
	bytesOp:           {whole, true},
	allocsOp:          {whole, true},
	requestsPerSecond: {whole, true},
	connections:       {whole, false},
	p50:               {duration, true},
	p99:               {duration, true},
	failed:            {whole, false},
	goroutines:        {whole, false},
	size:              {hundredths, false},
	added:             {hundredths, false},
	modules:           {whole, false},
	heapGrowth:        {mebibytes, false},
	rssGrowth:         {mebibytes, false},
	contentLength:     {whole, false},
	inflated:          {mebibytes, false},
	refused:           {whole, false},
	heapPeak:          {mebibytes, false},
	rssPeak:           {mebibytes, false},
	tokenRequests:     {whole, false},
	wasted:            {whole, false},
	longest:           {duration, false},
	p99Valid:          {duration, false},
	p99Above:          {duration, false},
	leaderBack:        {duration, false},
}

func whole(v float64) string      { return strconv.FormatFloat(v, 'f', 0, 64) }
func hundredths(v float64) string { return strconv.FormatFloat(v, 'f', 2, 64) }

func mebibytes(v float64) string { return hundredths(v / (1 << 20)) }

func duration(ns float64) string {
	switch d := time.Duration(ns).Abs(); {
	case d < time.Microsecond:
		return fmt.Sprintf("%.1f ns", ns)
	case d < time.Millisecond:
		return fmt.Sprintf("%.2f µs", ns/1e3)
	default:
		return fmt.Sprintf("%.2f ms", ns/1e6)
	}
}

func printTable(w io.Writer, t Table, markdown bool) {
	head := []string{"peer"}
	for _, name := range t.Columns {
		head = append(head, name)
		if columns[name].ratio {
			head = append(head, "x")
		}
	}
	lines := make([][]string, 0, 1+len(t.Rows))
	lines = append(lines, append(head, "n"))
	for _, row := range t.Rows {
		lines = append(lines, cells(t.Columns, row))
	}
	printLines(w, t.Scenario, lines, markdown)
	for _, note := range t.Notes {
		fmt.Fprintf(w, "\n%s\n", note)
	}
}

func cells(names []string, row Row) []string {
	line := []string{row.Peer}
	for _, name := range names {
		line = append(line, columns[name].format(row.Values[name]))
		if !columns[name].ratio {
			continue
		}
		if ratio, ok := row.Ratios[name]; ok {
			line = append(line, hundredths(ratio))
		} else {
			line = append(line, "")
		}
	}
	return append(line, strconv.Itoa(row.N))
}

// printLines prints a table whose first line is its head.
func printLines(w io.Writer, title string, lines [][]string, markdown bool) {
	fmt.Fprintf(w, "\n## %s\n\n", title)
	if !markdown {
		tabs := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
		for _, line := range lines {
			fmt.Fprintln(tabs, strings.Join(line, "\t"))
		}
		_ = tabs.Flush()
		return
	}
	for i, line := range lines {
		fmt.Fprintf(w, "| %s |\n", strings.Join(line, " | "))
		if i == 0 {
			fmt.Fprintln(w, "|"+strings.Repeat("---|", len(line)))
		}
	}
}
