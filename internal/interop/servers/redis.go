package servers

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os/exec"
	"strings"
	"syscall"

	"github.com/redis/go-redis/v9"

	"github.com/restconn/restconn/internal/interop/debian"
)

// redisServer starts Redis as the documentation of redisstore wants it. In cluster mode it is a cluster of one node,
// which refuses commands across slots like any other.
func redisServer(ctx context.Context, dir string, cluster bool) (*Server, error) {
	binary, err := debian.Program(ctx, "redis-server", "redis-server", "/usr/bin/redis-server")
	if err != nil {
		return nil, err
	}
	port, err := freePort(ctx)
	if err != nil {
		return nil, err
	}
	secret := password()
	settings := fmt.Sprintf(`bind 127.0.0.1
port %d
dir %s
save ""
appendonly yes
appendfsync everysec
maxmemory-policy noeviction
requirepass %s
`, port, dir, secret)
	target := url.URL{Scheme: "redis", User: url.UserPassword("", secret), Host: address(port)}
	if cluster {
		peer, err := freePort(ctx)
		if err != nil {
			return nil, err
		}
		settings += fmt.Sprintf("cluster-enabled yes\ncluster-port %d\n", peer)
	}
	run := func(ctx context.Context) (*process, error) {
		cmd := exec.Command(binary, "-") //nolint:noctx // Stop ends it
		cmd.Dir = dir
		cmd.Stdin = strings.NewReader(settings)
		bind(cmd)
		return runRedis(ctx, cmd, &redis.Options{Addr: target.Host, Password: secret, MaxRetries: -1}, cluster)
	}
	p, err := run(ctx)
	if err != nil {
		return nil, err
	}
	return &Server{URL: target.String(), process: p, signal: syscall.SIGTERM, again: run}, nil
}

// runRedis starts Redis, and returns when it is ready.
func runRedis(ctx context.Context, cmd *exec.Cmd, opts *redis.Options, cluster bool) (*process, error) {
	p, err := launch(cmd)
	if err != nil {
		return nil, err
	}
	client := redis.NewClient(opts)
	defer func() { _ = client.Close() }()
	check := func(ctx context.Context) error { return client.Ping(ctx).Err() }
	if cluster {
		check = func(ctx context.Context) error { return formCluster(ctx, client) }
	}
	if err := ready(ctx, p, check); err != nil {
		return nil, err
	}
	return p, nil
}

// formCluster gives all slots to the one node, and fails until it takes them.
func formCluster(ctx context.Context, client *redis.Client) error {
	info, err := client.ClusterInfo(ctx).Result()
	if err != nil {
		return err
	}
	if strings.Contains(info, "cluster_state:ok") {
		return nil
	}
	if strings.Contains(info, "cluster_slots_assigned:0") {
		if err := client.ClusterAddSlotsRange(ctx, 0, 16383).Err(); err != nil {
			return err
		}
	}
	return errors.New("the cluster is not formed yet")
}
