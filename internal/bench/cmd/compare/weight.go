package main

import (
	"context"
	"debug/buildinfo"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/restconn/restconn/internal/bench"
)

const module = "github.com/restconn/restconn/internal/bench"

// binaryWeight builds the program of each peer, and compares the sizes with that of net/http alone.
func binaryWeight(ctx context.Context, name string, o options) (Table, error) {
	table := Table{Scenario: name, Columns: []string{size, added, modules}}
	dir, err := os.MkdirTemp("", "bench-weight-")
	if err != nil {
		return table, err
	}
	defer func() { _ = os.RemoveAll(dir) }()

	var floor float64
	for _, spec := range entrants(name, o) {
		program := filepath.Join(dir, spec.Name+".exe")
		bytes, linked, err := weigh(ctx, program, module+"/weight/"+spec.Name)
		if err != nil {
			return table, err
		}
		if spec.Name == bench.Floor {
			floor = bytes
		}
		table.Rows = append(table.Rows, Row{Peer: spec.Name, N: 1, Values: sample{
			size:    bytes / 1e6,
			added:   (bytes - floor) / 1e6,
			modules: float64(len(linked)),
		}})
		if len(linked) > 0 {
			table.Notes = append(table.Notes, spec.Name+" links "+strings.Join(linked, ", "))
		}
	}
	return table, nil
}

// weigh builds a package and returns its size in bytes and the modules in it.
func weigh(ctx context.Context, program, path string) (float64, []string, error) {
	build := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags=-s -w", "-o", program, path)
	if out, err := build.CombinedOutput(); err != nil {
		return 0, nil, fmt.Errorf("go build %s: %w\n%s", path, err, out)
	}
	info, err := buildinfo.ReadFile(program)
	if err != nil {
		return 0, nil, err
	}
	var linked []string
	for _, dep := range info.Deps {
		linked = append(linked, dep.Path)
	}
	file, err := os.Stat(program)
	if err != nil {
		return 0, nil, err
	}
	return float64(file.Size()), linked, nil
}
