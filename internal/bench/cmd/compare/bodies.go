package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"

	"github.com/restconn/restconn/internal/bench"
)

// floorInflated is what the bomb of the floor inflates to in MiB: nothing stops the floor, and a larger one would take
// the machine's memory.
const floorInflated = 128

// uploadPairs is how many pairs of uploads there are in a round: one of them takes so little time that it tells little.
const uploadPairs = 4

// uploads measures one upload of a file. Under its second name the first answer is 503.
func uploads(ctx context.Context, name string, o options) (Table, error) {
	dir, err := os.MkdirTemp("", "bench-upload-")
	if err != nil {
		return Table{}, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	file := filepath.Join(dir, "report.bin")
	if err := fill(file, uploadSize); err != nil {
		return Table{}, err
	}
	base := ""
	if name == bench.UploadRetry {
		base = flaky
	}
	measure := func(ctx context.Context, server *serverProcess, peer string) (sample, error) {
		result, err := runBody(ctx, name, peer, server.url+base, file)
		if err != nil {
			return nil, err
		}
		result[contentLength], err = server.figure(contentLength)
		return result, err
	}
	table, err := measureBodies(ctx, name, o, uploadPairs*o.rounds, measure)
	table.Columns = []string{timeOp, cpuOp, bytesOp, allocsOp, heapGrowth, rssGrowth, contentLength}
	return table, err
}

// downloads measures one download to a file on disk, which is removed again.
func downloads(ctx context.Context, name string, o options) (Table, error) {
	dir, err := os.MkdirTemp("", "bench-download-")
	if err != nil {
		return Table{}, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	file := filepath.Join(dir, "export.bin")
	measure := func(ctx context.Context, server *serverProcess, peer string) (sample, error) {
		result, err := runBody(ctx, name, peer, server.url, file)
		if err != nil {
			return nil, err
		}
		return result, removeWhole(file, downloadSize)
	}
	table, err := measureBodies(ctx, name, o, o.rounds, measure)
	table.Columns = []string{timeOp, cpuOp, bytesOp, allocsOp, heapGrowth, rssGrowth}
	table.Notes = []string{"here x is the median ratio to " + bench.FloorSync}
	return table, err
}

// gzipBombs measures what a small answer that inflates does to a client.
func gzipBombs(ctx context.Context, name string, o options) (Table, error) {
	measure := func(ctx context.Context, server *serverProcess, peer string) (sample, error) {
		mebibytes := mostInflated
		if peer == bench.Floor {
			mebibytes = floorInflated
		}
		result, err := runBody(ctx, name, peer, server.url+bomb+strconv.Itoa(mebibytes), "")
		if err != nil {
			return nil, err
		}
		result[inflated] = float64(mebibytes) * (1 << 20)
		return result, nil
	}
	table, err := measureBodies(ctx, name, o, o.rounds, measure)
	table.Columns = []string{inflated, refused, heapPeak, rssPeak}
	table.Notes = []string{fmt.Sprintf("the bomb of %s is cut to %d MiB", bench.Floor, floorInflated)}
	return table, err
}

// measureBodies compares the peers. Each measurement has a client process of its own.
func measureBodies(
	ctx context.Context, name string, o options, rounds int,
	measure func(ctx context.Context, server *serverProcess, peer string) (sample, error),
) (Table, error) {
	server, err := startServer(ctx)
	if err != nil {
		return Table{}, err
	}
	defer server.stop()
	var list []contestant
	for _, spec := range entrants(name, o) {
		list = append(list, contestant{spec.Name, func(ctx context.Context) (sample, error) {
			result, err := measure(ctx, server, spec.Name)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", spec.Name, err)
			}
			return result, nil
		}})
	}
	rows, err := compareRounds(ctx, rounds, list)
	return Table{Scenario: name, Rows: rows}, err
}

// runBody runs [bodyClient] in a process of its own.
func runBody(ctx context.Context, args ...string) (sample, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, self, append([]string{"body"}, args...)...)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, err
	}
	var result sample
	err = json.Unmarshal(out, &result)
	return result, err
}

// bodyClient is the client process: its arguments are a scenario, a peer, a base URL and a file, its output a sample.
func bodyClient(ctx context.Context, args []string, out io.Writer) error {
	if len(args) != 4 {
		return errors.New("usage: compare body scenario peer url file")
	}
	scenario, name, url, file := args[0], args[1], args[2], args[3]
	spec, ok := bench.Find(name)
	if !ok {
		return fmt.Errorf("no peer %q", name)
	}
	config := bench.Config{BaseURL: url}
	if scenario == bench.UploadRetry {
		config.Retries = 1
	}
	opened, err := spec.New(config)
	if err != nil {
		return err
	}
	defer opened.Close()
	peer, err := bench.BodyOf(opened)
	if err != nil {
		return err
	}
	result, err := transfer(ctx, scenario, peer, file)
	if err != nil {
		return err
	}
	return json.NewEncoder(out).Encode(result)
}

// transfer measures one operation. Where that is not a bomb, there is a connection already.
func transfer(ctx context.Context, scenario string, peer bench.BodyPeer, file string) (sample, error) {
	if scenario == bench.GzipBomb {
		var yes bool
		result, err := watch(func() (err error) {
			yes, err = bench.Refuses(ctx, peer)
			return err
		})
		if yes {
			result[refused] = 1
		}
		return result, err
	}
	if _, err := peer.GetJSON(ctx); err != nil {
		return nil, err
	}
	if scenario == bench.Download {
		return watch(func() error { return peer.Download(ctx, file) })
	}
	return watch(func() error { return peer.Upload(ctx, file) })
}

// fill writes a file of that size, and waits until it is on the disk, so that this does not disturb what is measured.
func fill(name string, size int) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	block := bench.ListJSON(1 << 20)
	for left := size; left > 0 && err == nil; left -= len(block) {
		_, err = f.Write(block[:min(left, len(block))])
	}
	return errors.Join(err, f.Sync(), f.Close())
}

// removeWhole removes a file, which has to be of that size.
func removeWhole(name string, size int64) error {
	info, err := os.Stat(name)
	if err != nil {
		return err
	}
	if info.Size() != size {
		return fmt.Errorf("%s has %d bytes, and not %d", name, info.Size(), size)
	}
	return os.Remove(name)
}
