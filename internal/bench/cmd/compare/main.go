// Command compare measures restconn and its peers in one run and prints tables.
//
//	cd internal/bench && go run ./cmd/compare -rounds 3 -scenario fake
//
// It starts copies of itself: "compare serve" is the server of the loopback scenarios, "compare load" is one client of
// the concurrency scenario, "compare body" one of a scenario with a large body. They talk over their standard input and
// output, and end with their parent.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"regexp"
	"runtime"
	"time"

	"github.com/restconn/restconn/internal/bench"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := command(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "compare:", err)
		os.Exit(1)
	}
}

func command(ctx context.Context, args []string) error {
	if len(args) > 0 {
		switch args[0] {
		case "serve":
			return serve(ctx, os.Stdin, os.Stdout)
		case "load":
			return loadClient(ctx, args[1:], os.Stdout)
		case "body":
			return bodyClient(ctx, args[1:], os.Stdout)
		}
	}
	opts, err := parseOptions(args)
	if err != nil {
		return err
	}
	tables, err := measureAll(ctx, opts)
	if err != nil {
		return err
	}
	return report(os.Stdout, tables, opts)
}

// options are the flags of the command.
type options struct {
	rounds    int
	benchtime time.Duration
	scenario  *regexp.Regexp
	peers     *regexp.Regexp
	jsonv2    bool
	markdown  bool
	json      bool
}

func parseOptions(args []string) (options, error) {
	var o options
	var scenario, peers string
	flags := flag.NewFlagSet("compare", flag.ExitOnError)
	flags.IntVar(&o.rounds, "rounds", 15, "how often each peer is measured beside nethttp")
	flags.DurationVar(&o.benchtime, "benchtime", 200*time.Millisecond, "how long one measurement of a loop takes")
	flags.StringVar(&scenario, "scenario", "", "regular expression: which scenarios")
	flags.StringVar(&peers, "peers", "", "regular expression: which peers; nethttp always takes part")
	flags.BoolVar(&o.jsonv2, "jsonv2", false, "also measure "+bench.GetFake+" built with GOEXPERIMENT=jsonv2")
	flags.BoolVar(&o.markdown, "markdown", false, "print the tables as Markdown")
	flags.BoolVar(&o.json, "json", false, "print the results as JSON, without goals")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if flags.NArg() > 0 {
		return o, fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	if o.rounds < 1 || o.benchtime <= 0 {
		return o, errors.New("-rounds and -benchtime must be positive")
	}
	var err error
	if o.scenario, err = regexp.Compile(scenario); err != nil {
		return o, err
	}
	if o.peers, err = regexp.Compile(peers); err != nil {
		return o, err
	}
	return o, nil
}

// measureAll runs the scenarios that the options select.
func measureAll(ctx context.Context, o options) ([]Table, error) {
	var tables []Table
	for _, s := range scenarios() {
		if !o.scenario.MatchString(s.name) || (s.name == bench.GetFakeJSONv2 && !o.jsonv2) {
			continue
		}
		fmt.Fprintln(os.Stderr, "measuring", s.name)
		table, err := s.measure(ctx, s.name, o)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", s.name, err)
		}
		tables = append(tables, table)
	}
	return tables, nil
}

func report(w io.Writer, tables []Table, o options) error {
	if o.json {
		return json.NewEncoder(w).Encode(tables)
	}
	fmt.Fprintf(w, "%s %s/%s, %d CPUs, %d rounds of %v; x is the median ratio to %s\n",
		runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), o.rounds, o.benchtime, bench.Floor)
	for _, t := range tables {
		printTable(w, t, o.markdown)
	}
	printGoals(w, checkGoals(tables), o.markdown)
	return nil
}
