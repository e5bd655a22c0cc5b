// Command rotations lets many processes renew one token that they share, and counts what goes wrong.
//
//	cd internal/interop && go run ./cmd/rotations -store postgres -processes 8 -rotations 1000 -kills 0
//
// It starts a token server on loopback, which rotates refresh tokens and revokes them all when one is used twice, and
// copies of itself, which share a store and renew until they have seen all rotations. With -kills, some of them are
// killed and started again. It prints the counts, and exits with 1 if a target is missed.
//
// The store is where the environment says, see package interop; otherwise it is started on loopback.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
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
	var p rotation.Plan
	flags := flag.NewFlagSet("rotations", flag.ExitOnError)
	flags.StringVar(&p.Place.Kind, "store", "sqlite", strings.Join(append(interop.LocalKinds(), servers.Kinds()...), ", "))
	flags.IntVar(&p.Workers, "processes", 8, "how many processes share the token")
	flags.IntVar(&p.Rotations, "rotations", 1000, "how often it is renewed")
	flags.IntVar(&p.Kills, "kills", 0, "how often a process is killed and started again")
	flags.DurationVar(&p.Place.Lease, "lease", 0, "the lease of the store; 0 is the default, and 2s with kills")
	timeout := flags.Duration("timeout", 10*time.Minute, "when to give up")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if p.Workers < 1 || p.Rotations < 1 || p.Kills < 0 || p.Kills > p.Rotations {
		return errors.New("-processes and -rotations are at least 1, and -kills is at most -rotations")
	}
	if p.Place.Lease == 0 {
		p.Place.Lease = tokenstore.DefaultLease
		if p.Kills > 0 {
			p.Place.Lease = 2 * time.Second
		}
	}
	ctx, cancel := context.WithTimeout(ctx, *timeout)
	defer cancel()
	return run(ctx, p, out)
}

// run finds the store, carries out the plan, and prints what came of it.
func run(ctx context.Context, p rotation.Plan, out io.Writer) error {
	dir, err := os.MkdirTemp("", "rotations")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	park := interop.NewPark(true)
	defer func() { _ = park.Close() }()
	lease := p.Place.Lease
	if p.Place, err = park.Place(ctx, p.Place.Kind, filepath.Join(dir, "store")); err != nil {
		return err
	}
	p.Place.Lease = lease
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
	fmt.Fprintf(out, "%s: %d processes, %d rotations, %d kills, lease %v\n",
		p.Place.Kind, p.Workers, p.Rotations, p.Kills, p.Place.Lease)
	for _, line := range []struct {
		name  string
		value any
	}{
		{"rotations", r.Rotations},
		{"logins", r.Logins},
		{"processes that renewed", r.Busy},
		{"replays", r.Replays},
		{"kills", r.Killed},
		{"lost and told as ErrLoginRequired", r.Lost},
		{"not saved and told as StoreError", r.Unsaved},
		{"torn reads", fmt.Sprintf("%d of %d", r.Torn, r.Reads)},
		{"other errors", len(r.Faults)},
		{"stored token works", r.Usable},
		{"wall time", r.Took.Round(time.Millisecond)},
	} {
		fmt.Fprintf(out, "  %-34s %v\n", line.name, line.value)
	}
}
