//go:build unix

package tokenstore_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/auth/tokenstore"
)

// crashesVariable says how many processes TestFileT11Kill kills: 40 unless it is set.
const crashesVariable = "RESTCONN_TOKENSTORE_CRASHES"

func crashes(t *testing.T) int {
	t.Helper()
	if text := os.Getenv(crashesVariable); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	if testing.Short() {
		return 5
	}
	return 40
}

// TestFileT11Kill kills processes that renew a token, at any moment. Afterwards the store can be read, and a token
// that was lost between the answer of the server and the disk is known to be (E15).
func TestFileT11Kill(t *testing.T) {
	t.Parallel()
	server := newStrict(t)
	store, dir := newFile(t)
	last := put(t, store, theKey, "0")
	lost, marked := 0, 0
	for range crashes(t) {
		rotateAndKill(t, server, dir)
		rec, err := store.Load(t.Context(), theKey)
		if err != nil {
			t.Fatal(err)
		}
		if rec.Version < last.Version {
			t.Fatalf("version %d after %d", rec.Version, last.Version)
		}
		if rec.InFlight {
			marked++
		}
		current, replays := server.state()
		if replays > 0 {
			t.Fatalf("%d tokens were used again", replays)
		}
		if string(rec.Data) != current {
			lost++
			if !rec.InFlight {
				t.Fatal("a token was lost, and nothing says so")
			}
		}
		last, err = store.Update(t.Context(), theKey, rec.Version,
			func(_ context.Context, cur auth.Record) (auth.Record, error) {
				if cur.InFlight != rec.InFlight {
					t.Errorf("fn was told that InFlight is %v, want %v", cur.InFlight, rec.InFlight)
				}
				return auth.Record{Data: []byte(current)}, nil // a new login
			})
		if err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d killed, %d inside of an exchange, %d tokens lost", crashes(t), marked, lost)
	if left, _ := filepath.Glob(filepath.Join(dir, "*.tmp")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*corrupt*")); len(left) > 0 {
		t.Errorf("set aside: %v", left)
	}
}

// rotateAndKill starts a process, and kills it some time after its first exchange.
func rotateAndKill(t *testing.T, server *strict, dir string) {
	t.Helper()
	cmd := command(t, "rotate", dir, server, 0)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	select {
	case <-server.served:
		<-time.After(rand.N(20 * time.Millisecond))
	case <-time.After(30 * time.Second):
		t.Error("the process did not begin")
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); !ok || status.Signal() != syscall.SIGKILL {
		t.Fatalf("the process ended by itself: %v", cmd.ProcessState)
	}
	<-server.ended // what it had sent is answered now, too
	select {
	case <-server.served:
	default:
	}
}

// TestFileManyProcesses lets processes renew one token that can be used once.
func TestFileManyProcesses(t *testing.T) {
	t.Parallel()
	const processes = 8
	times := 50
	if testing.Short() {
		times = 10
	}
	server := newStrict(t)
	store, dir := newFile(t)
	put(t, store, theKey, "0")
	var wg sync.WaitGroup
	for range processes {
		cmd := command(t, "rotate", dir, server, times)
		wg.Go(func() {
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
	wg.Wait()
	current, replays := server.state()
	if want := strconv.Itoa(processes * times); current != want || replays != 0 || text(t, store, theKey) != want {
		t.Errorf("%s exchanges, %d replays, stored is %s; want %s", current, replays, text(t, store, theKey), want)
	}
}

// holding is a process inside of an exchange.
type holding struct {
	*exec.Cmd

	stdin io.Closer
	lines *bufio.Scanner
}

func startHolding(t *testing.T, dir string) *holding {
	t.Helper()
	cmd := command(t, "hold", dir, nil, 1)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	h := &holding{Cmd: cmd, stdin: stdin, lines: bufio.NewScanner(stdout)}
	if line := h.line(); line != "holding" {
		t.Fatalf("the process says %q", line)
	}
	return h
}

func (h *holding) line() string {
	h.lines.Scan()
	return h.lines.Text()
}

func TestFileE16HolderDies(t *testing.T) {
	t.Parallel()
	store, dir := newFile(t) // with a lease that nobody waits for
	rec := put(t, store, theKey, "old")
	h := startHolding(t, dir)
	_ = h.Process.Kill()
	_ = h.Wait()
	ctx, cancel := context.WithTimeout(t.Context(), tokenstore.DefaultLease/2)
	defer cancel()
	got, err := store.Update(ctx, theKey, rec.Version, func(_ context.Context, cur auth.Record) (auth.Record, error) {
		if !cur.InFlight || string(cur.Data) != "old" {
			t.Errorf("fn got InFlight %v and %q", cur.InFlight, cur.Data)
		}
		return auth.Record{Data: []byte("new")}, nil
	})
	if err != nil || string(got.Data) != "new" {
		t.Errorf("Update returned %q, %v", got.Data, err)
	}
}

func TestFileE16HolderIsStopped(t *testing.T) {
	t.Parallel()
	store, dir := newFile(t, tokenstore.Lease(shortLease))
	rec := put(t, store, theKey, "old")
	h := startHolding(t, dir)
	if err := h.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	// Past the lease of the one that is stopped, the others wait; they do not break in.
	ctx, cancel := context.WithTimeout(t.Context(), shortLease*3/2)
	defer cancel()
	_, err := store.Update(ctx, theKey, rec.Version, give("broken in"))
	if e, ok := errors.AsType[*auth.StoreError](err); !ok || e.Op != "lease" || !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("error %v", err)
	}
	if got, err := store.Load(t.Context(), theKey); err != nil || !got.InFlight || string(got.Data) != "old" {
		t.Errorf("Load returned %q, %v, %v", got.Data, got.InFlight, err)
	}
	if err := errors.Join(h.Process.Signal(syscall.SIGCONT), h.stdin.Close()); err != nil {
		t.Fatal(err)
	}
	said := h.line()
	got, err := store.Load(t.Context(), theKey)
	if err != nil {
		t.Fatal(err)
	}
	switch {
	case said == "saved" && string(got.Data) == "held" && !got.InFlight:
	case strings.Contains(said, tokenstore.ErrLeaseLost.Error()) && string(got.Data) == "old" && got.InFlight:
	default:
		t.Errorf("the process says %q; stored is %q, InFlight %v", said, got.Data, got.InFlight)
	}
	put(t, store, theKey, "next")
	if text(t, store, theKey) != "next" {
		t.Error("the store does not go on")
	}
}
