package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/restconn/restconn/internal/bench"
)

// serve is the server process. It prints its base URL, then answers each line of its input with the number of
// connections it has accepted so far, and ends with its input.
func serve(ctx context.Context, in io.Reader, out io.Writer) error {
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	var connections atomic.Int64
	server := &http.Server{
		Handler: handler(),
		ConnState: func(_ net.Conn, state http.ConnState) {
			if state == http.StateNew {
				connections.Add(1)
			}
		},
	}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()

	fmt.Fprintf(out, "http://%s\n", listener.Addr())
	for lines := bufio.NewScanner(in); lines.Scan(); {
		fmt.Fprintln(out, connections.Load())
	}
	return errors.Join(server.Close(), ignoreClosed(<-failed))
}

func ignoreClosed(err error) error {
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// handler answers the requests of the peers, and nobody else's.
func handler() http.Handler {
	answer := func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer "+bench.Token {
			http.Error(w, "who are you?", http.StatusUnauthorized)
			return
		}
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(bench.SampleJSON())
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/items/{id}", answer)
	mux.HandleFunc("POST /v1/items", answer)
	return mux
}

// serverProcess is a running [serve].
type serverProcess struct {
	url   string
	cmd   *exec.Cmd
	in    io.WriteCloser
	lines *bufio.Scanner
}

func startServer(ctx context.Context) (*serverProcess, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, self, "serve")
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	s := &serverProcess{cmd: cmd, in: in, lines: bufio.NewScanner(out)}
	if s.url, err = s.line(); err != nil {
		s.stop()
		return nil, err
	}
	return s, nil
}

// connections returns how many connections the server has accepted.
func (s *serverProcess) connections() (int, error) {
	if _, err := io.WriteString(s.in, "connections\n"); err != nil {
		return 0, err
	}
	line, err := s.line()
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(line)
}

func (s *serverProcess) line() (string, error) {
	if !s.lines.Scan() {
		return "", errors.Join(errors.New("the server has ended"), s.lines.Err())
	}
	return strings.TrimSpace(s.lines.Text()), nil
}

// stop ends this one process. Its exit state says nothing, for it was killed.
func (s *serverProcess) stop() {
	_ = s.in.Close()
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait()
}
