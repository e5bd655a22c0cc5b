// Command rotations lets many processes renew one token that they share, and counts what goes wrong.
//
//	cd internal/interop && go run ./cmd/rotations -store postgres -processes 8 -rotations 1000 -kills 0
//
// It starts a token server on loopback, which rotates refresh tokens and revokes them all when one is used twice, and
// copies of itself, which share a store and have a manager each. They use the token, which ends soon, until they have
// seen all rotations, and find it rejected now and then. With -kills, some of them are killed and started again, and
// with -crashes the store. It prints the counts, and exits with 1 if a target is missed. For the time in which a crash
// costs a token, the target is -window 5ms, on a machine that has nothing else to do.
//
// The store is where the environment says, see package interop; otherwise it is started on loopback.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/restconn/restconn/auth/tokenstore"
	"github.com/restconn/restconn/internal/interop"
	"github.com/restconn/restconn/internal/interop/rotation"
	"github.com/restconn/restconn/internal/interop/servers"
)

// workerName is the argument that makes a copy a worker.
const workerName = "worker"

func main() {
	interop.Silence()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := command(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "rotations:", err)
		os.Exit(1)
	}
}

func command(ctx context.Context, args []string, out io.Writer) error {
	if len(args) == 1 && args[0] == workerName {
		return rotation.WorkFromInput(ctx, os.Stdin, out)
	}
	p, down, timeout, err := parse(args)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	return run(ctx, p, down, out)
}

// parse reads the flags: the plan, how long the store is down after a crash, and when to give up.
func parse(args []string) (p rotation.Plan, down, timeout time.Duration, err error) {
	flags := flag.NewFlagSet("rotations", flag.ExitOnError)
	flags.StringVar(&p.Place.Kind, "store", "file", strings.Join(append(interop.LocalKinds(), servers.Kinds()...), ", "))
	flags.BoolVar(&p.Place.Sealed, "sealed", false, "seal what is stored")
	flags.IntVar(&p.Workers, "processes", 8, "how many processes share the token")
	flags.IntVar(&p.Rotations, "rotations", 1000, "how often it is renewed")
	flags.DurationVar(&p.Lifetime, "lifetime", rotation.DefaultLifetime, "how long a token lives")
	flags.IntVar(&p.Kills, "kills", 0, "how often a process is killed and started again")
	flags.DurationVar(&p.Grace, "grace", 0, "how long the server accepts the last refresh token once more")
	flags.IntVar(&p.Crashes, "crashes", 0, "how often the store is killed and started again; for redis and rediscluster")
	flags.DurationVar(&down, "down", time.Second, "how long it is down after a crash")
	flags.DurationVar(&p.Window, "window", 0,
		"the longest time between an answer and its token in the store, but for 1 in 100; 0 for any")
	flags.DurationVar(&p.Place.Lease, "lease", 0,
		"the lease of the store; 0 is the default, and 2s if processes are killed whose leases do not end with them")
	flags.DurationVar(&timeout, "timeout", 10*time.Minute, "when to give up")
	if err := flags.Parse(args); err != nil {
		return p, down, timeout, err
	}
	if p.Workers < 1 || p.Rotations < 1 || p.Kills < 0 || p.Kills > p.Rotations || p.Lifetime <= 0 {
		return p, down, timeout,
			errors.New("-processes, -rotations and -lifetime are positive, and -kills is at most -rotations")
	}
	if p.Place.Lease == 0 {
		p.Place.Lease = tokenstore.DefaultLease
		if p.Kills > 0 && p.Place.Kind != "file" {
			p.Place.Lease = 2 * time.Second
		}
	}
	return p, down, timeout, nil
}

// run finds the store, carries out the plan, and prints what came of it.
func run(ctx context.Context, p rotation.Plan, down time.Duration, out io.Writer) error {
	dir, err := os.MkdirTemp("", "rotations")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	park := interop.NewPark(true)
	defer func() { _ = park.Close() }()
	place, err := park.Place(ctx, p.Place.Kind, filepath.Join(dir, "store"))
	if err != nil {
		return err
	}
	place.Lease, place.Sealed = p.Place.Lease, p.Place.Sealed
	p.Place = place
	p.Crash = func(ctx context.Context) error { return park.Crash(ctx, place.Kind, down) }
	self, err := os.Executable()
	if err != nil {
		return err
	}
	p.Command = func(ctx context.Context) *exec.Cmd {
		cmd := exec.CommandContext(ctx, self, workerName)
		cmd.Stderr = os.Stderr
		return cmd
	}
	result, err := rotation.Run(ctx, p)
	if err != nil {
		return err
	}
	report(out, p, result)
	return errors.Join(result.Verdict(p), interop.Clear(context.WithoutCancel(ctx), p.Place))
}

func report(out io.Writer, p rotation.Plan, r rotation.Result) {
	ms := func(but float64) time.Duration { return r.Window(but).Round(10 * time.Microsecond) }
	fmt.Fprintf(out, "%s: %d processes, %d rotations, tokens of %v, grace %v, lease %v\n",
		p.Place.Kind, p.Workers, p.Rotations, p.Lifetime, p.Grace, p.Place.Lease)
	for _, line := range []struct {
		name  string
		value any
	}{
		{"grants for a refresh token", r.Rotations},
		{"saved, as the processes told", r.Saved},
		{"forgiven by the grace", r.Forgiven},
		{"replays", r.Replays},
		{"logins lost", r.Revoked},
		{"replays told as ErrLoginRequired", r.Lost},
		{"replays of which the witness died", r.Unheard},
		{"logins", r.Logins},
		{"processes that renewed", r.Busy},
		{"kills", r.Killed},
		{"kills between grant and saved", r.InWindow},
		{"crashes of the store", r.Crashed},
		{"store failures that were told", r.StoreFailed},
		{"not saved at once, and told", r.Unsaved},
		{"rejected again too soon", r.TooSoon},
		{"torn reads", fmt.Sprintf("%d of %d", r.Torn, r.Reads)},
		{"other errors", len(r.Faults)},
		{"stored token works", r.Usable},
		{"window from answer to saved", fmt.Sprintf("p50 %v, p99 %v, max %v", ms(0.5), ms(0.01), ms(0))},
		{"wall time", r.Took.Round(time.Millisecond)},
	} {
		fmt.Fprintf(out, "  %-36s %v\n", line.name, line.value)
	}
	for _, text := range slices.Sorted(maps.Keys(r.Waits)) {
		fmt.Fprintf(out, "  no token for a while: %d times: %s\n", r.Waits[text], text)
	}
}
