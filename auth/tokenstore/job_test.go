//go:build unix

package tokenstore_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/auth/tokenstore"
)

// What a process of a test is told.
const (
	jobVariable    = "RESTCONN_TOKENSTORE_JOB" // "rotate" or "hold"
	dirVariable    = "RESTCONN_TOKENSTORE_DIR"
	serverVariable = "RESTCONN_TOKENSTORE_SERVER"
	timesVariable  = "RESTCONN_TOKENSTORE_TIMES"
)

const reused = "REUSED"

// strict is a server whose tokens can be used once. It counts those that were used again.
type strict struct {
	listener net.Listener
	wg       sync.WaitGroup
	served   chan struct{} // one for each exchange; a full one is not waited for
	ended    chan struct{} // the same for each connection that has ended

	mu      sync.Mutex
	current int
	replays int
}

func newStrict(t *testing.T) *strict {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &strict{listener: l, served: make(chan struct{}, 1), ended: make(chan struct{}, 1)}
	s.wg.Go(s.serve)
	t.Cleanup(func() {
		_ = l.Close()
		s.wg.Wait()
	})
	return s
}

func (s *strict) serve() {
	for {
		conn, err := s.listener.Accept()
		if err != nil {
			return
		}
		s.wg.Go(func() {
			defer tell(s.ended)
			defer func() { _ = conn.Close() }()
			lines := bufio.NewScanner(conn)
			for lines.Scan() {
				_, _ = fmt.Fprintln(conn, s.exchange(lines.Text())) // who asked may be dead
			}
		})
	}
}

func (s *strict) exchange(old string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if old != strconv.Itoa(s.current) {
		s.replays++
		return reused
	}
	s.current++
	tell(s.served)
	return strconv.Itoa(s.current)
}

func tell(ch chan<- struct{}) {
	select {
	case ch <- struct{}{}:
	default:
	}
}

// state returns the token that is good, and how many were used again.
func (s *strict) state() (current string, replays int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strconv.Itoa(s.current), s.replays
}

// command returns this program, with a job.
func command(t *testing.T, job, dir string, s *strict, times int) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), jobVariable+"="+job, dirVariable+"="+dir, timesVariable+"="+strconv.Itoa(times))
	if s != nil {
		cmd.Env = append(cmd.Env, serverVariable+"="+s.listener.Addr().String())
	}
	return cmd
}

// runJob is the process.
func runJob(job string) int {
	var err error
	switch job {
	case "rotate":
		err = rotate(os.Getenv(dirVariable), os.Getenv(serverVariable), os.Getenv(timesVariable))
	case "die":
		err = die(os.Getenv(dirVariable), os.Getenv(timesVariable))
	case "hold":
		err = hold(os.Getenv(dirVariable))
	default:
		err = errors.New("there is no job " + job)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// rotate renews the token so many times, or for ever.
func rotate(dir, server, times string) error {
	left, err := strconv.Atoi(times)
	if err != nil {
		return err
	}
	conn, err := net.Dial("tcp", server)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	lines := bufio.NewScanner(conn)
	store := tokenstore.NewFile(dir)
	var seen uint64
	for forever := left == 0; forever || left > 0; {
		rec, err := store.Update(context.Background(), theKey, seen,
			func(_ context.Context, cur auth.Record) (auth.Record, error) {
				left--
				_, err := fmt.Fprintf(conn, "%s\n", cur.Data)
				if err != nil || !lines.Scan() {
					return auth.Record{InFlight: true}, errors.Join(err, lines.Err(), io.ErrUnexpectedEOF)
				}
				if lines.Text() == reused {
					return auth.Record{}, errors.New("the token was used before: " + string(cur.Data))
				}
				return auth.Record{Data: []byte(lines.Text())}, nil
			})
		if err != nil {
			return err
		}
		seen = rec.Version
	}
	return nil
}

// hold begins an exchange, says so, and ends it when its standard input does.
func hold(dir string) error {
	store := tokenstore.NewFile(dir, tokenstore.Lease(shortLease))
	rec, err := store.Load(context.Background(), theKey)
	if err != nil {
		return err
	}
	_, err = store.Update(context.Background(), theKey, rec.Version,
		func(context.Context, auth.Record) (auth.Record, error) {
			fmt.Println("holding")
			_, err := io.Copy(io.Discard, os.Stdin)
			return auth.Record{Data: []byte("held")}, err
		})
	if err == nil {
		fmt.Println("saved")
	} else {
		fmt.Println(strings.ReplaceAll(err.Error(), "\n", " "))
	}
	return nil
}
