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
)

// serve is the server process. It prints its base URL, then answers each line of its input with the figure of that
// name, and ends with its input.
func serve(ctx context.Context, in io.Reader, out io.Writer) error {
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	var accepted atomic.Int64
	var s service
	server := &http.Server{
		Handler: s.handler(),
		ConnState: func(_ net.Conn, state http.ConnState) {
			if state == http.StateNew {
				accepted.Add(1)
			}
		},
	}
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()

	fmt.Fprintf(out, "http://%s\n", listener.Addr())
	for lines := bufio.NewScanner(in); lines.Scan(); {
		switch lines.Text() {
		case connections:
			fmt.Fprintln(out, accepted.Load())
		case contentLength:
			fmt.Fprintln(out, s.declared.Load())
		}
	}
	return errors.Join(server.Close(), ignoreClosed(<-failed))
}

func ignoreClosed(err error) error {
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
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

// figure asks the server for the connections it has accepted, or the Content-Length of the last upload.
func (s *serverProcess) figure(name string) (float64, error) {
	if _, err := io.WriteString(s.in, name+"\n"); err != nil {
		return 0, err
	}
	line, err := s.line()
	if err != nil {
		return 0, err
	}
	return strconv.ParseFloat(line, 64)
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
