// Fleet runs several processes that share one refresh token, which the authorization server changes with each use: who
// uses an old one again loses all. They keep it in a store, and so one of them renews and the others find what it got.
// The authorization server is in server.go, in the first process, on a loopback address; its token calls are printed,
// with the secrets redacted.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"sync"
	"sync/atomic"
	"time"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/auth/oauth2flow"
	"github.com/restconn/restconn/auth/tokenstore"
	"github.com/restconn/restconn/connection"
	"github.com/restconn/restconn/examples/internal/wire"
	"github.com/restconn/restconn/request"
	"github.com/restconn/restconn/secrets"
)

const (
	workers     = 4
	generations = 3 // how many tokens each worker waits for
	clientID    = "fleet"
)

// What a worker is told in its environment.
const (
	envURL     = "FLEET_URL"
	envStore   = "FLEET_STORE"
	envSecret  = "FLEET_CLIENT_SECRET"
	envRefresh = "FLEET_REFRESH_TOKEN"
)

// Job is what the API answers.
type Job struct {
	Generation int `json:"generation"`
}

// Report is what a worker tells in the end.
type Report struct {
	Renewed int `json:"renewed"` // how many tokens it got from the server, and not from the store
}

func main() {
	job := run
	if os.Getenv(envURL) != "" {
		job = work
	}
	if err := job(context.Background(), os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// run starts the server and the workers, and sums up.
func run(ctx context.Context, out io.Writer) (err error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	dir, err := os.MkdirTemp("", "fleet")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	server := start(wire.New(out, []string{"Authorization"}, []string{"grant_type", "token_type", "expires_in", "error"}))
	defer server.Close()

	reports, err := runWorkers(ctx, []string{
		envURL + "=" + server.URL, envStore + "=" + dir,
		envSecret + "=" + server.clientSecret, envRefresh + "=" + server.firstRefresh,
	})
	if err != nil {
		return err
	}
	var renewed int
	for _, r := range reports {
		renewed += r.Renewed
	}
	grants, replays := server.counts()
	fmt.Fprintf(out, "workers %d, generations %d, grants %d, renewals that workers made %d, replays %d\n",
		workers, generations, grants, renewed, replays)
	return nil
}

// runWorkers runs the workers at once, and returns what they report.
func runWorkers(ctx context.Context, env []string) ([]Report, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	reports, faults := make([]Report, workers), make([]error, workers)
	var group sync.WaitGroup
	for i := range workers {
		group.Go(func() {
			cmd := exec.CommandContext(ctx, program)
			cmd.Env, cmd.Stderr = append(os.Environ(), env...), os.Stderr
			report, err := cmd.Output()
			if err == nil {
				err = json.Unmarshal(report, &reports[i])
			}
			faults[i] = err
		})
	}
	group.Wait()
	return reports, errors.Join(faults...)
}

// work is a worker: it uses the API, and has nothing to do with the others.
func work(ctx context.Context, out io.Writer) (err error) {
	client := oauth2flow.Client{
		ID:       clientID,
		Secret:   secrets.Env(envSecret),
		Auth:     oauth2flow.InHeader(),
		TokenURL: os.Getenv(envURL) + "/token",
	}
	var renewed atomic.Int64
	tokens := auth.Manage(
		oauth2flow.Refresh(client, secrets.Env(envRefresh)), // which is used once in the whole fleet, and then the store
		auth.KeepIn(tokenstore.NewFile(os.Getenv(envStore)), "fleet"),
		auth.Watch(func(e auth.Event) {
			if e.Kind == auth.EventRenewed {
				renewed.Add(1)
			}
		}))
	defer func() { err = errors.Join(err, tokens.Close()) }() // which waits for a renewal: it would be lost otherwise
	conn, err := connection.New(os.Getenv(envURL), connection.WithAuth(auth.Bearer(tokens)))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()

	for range time.Tick(20 * time.Millisecond) {
		job, err := request.Do[Job](ctx, request.Get(conn, "/job"))
		if err != nil {
			return err
		}
		if job.Generation >= generations {
			break
		}
	}
	return json.NewEncoder(out).Encode(Report{Renewed: int(renewed.Load())})
}
