package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"

	"github.com/restconn/restconn/internal/bench"
)

// withJSONv2 builds this command, and with it every peer, with the experiment, and lets it measure the GET.
func withJSONv2(ctx context.Context, name string, o options) (Table, error) {
	dir, err := os.MkdirTemp("", "bench-jsonv2-")
	if err != nil {
		return Table{}, err
	}
	defer func() { _ = os.RemoveAll(dir) }()

	program := filepath.Join(dir, "compare.exe")
	build := exec.CommandContext(ctx, "go", "build", "-o", program, module+"/cmd/compare")
	build.Env = append(os.Environ(), "GOEXPERIMENT=jsonv2")
	if out, err := build.CombinedOutput(); err != nil {
		return Table{}, fmt.Errorf("go build: %w\n%s", err, out)
	}

	run := exec.CommandContext(ctx, program, "-json",
		"-scenario", "^"+bench.GetFake+"$",
		"-peers", o.peers.String(),
		"-rounds", strconv.Itoa(o.rounds),
		"-benchtime", o.benchtime.String())
	run.Stderr = os.Stderr
	out, err := run.Output()
	if err != nil {
		return Table{}, err
	}
	var tables []Table
	if err := json.Unmarshal(out, &tables); err != nil {
		return Table{}, err
	}
	if len(tables) != 1 {
		return Table{}, errors.New("the copy built with jsonv2 measured nothing")
	}
	tables[0].Scenario = name
	return tables[0], nil
}
