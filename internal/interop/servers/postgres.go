package servers

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"

	"github.com/jackc/pgx/v5"

	"github.com/restconn/restconn/internal/interop/debian"
)

const account = "restconn"

// postgres starts a database cluster of its own, with a password and without fsync.
func postgres(ctx context.Context, dir string) (*Server, error) {
	binary, err := debian.Program(ctx, "postgres", "postgresql", "/usr/lib/postgresql/*/bin/postgres")
	if err != nil {
		return nil, err
	}
	port, err := freePort(ctx)
	if err != nil {
		return nil, err
	}
	secret := password()
	pwfile, data := filepath.Join(dir, "password"), filepath.Join(dir, "data")
	if err := os.WriteFile(pwfile, []byte(secret), 0o600); err != nil {
		return nil, err
	}
	initdb := exec.CommandContext(ctx, filepath.Join(filepath.Dir(binary), "initdb"),
		"-D", data, "-U", account, "--auth=scram-sha-256", "--pwfile="+pwfile, "-N", "-E", "UTF8", "--locale=C")
	initdb.Dir = dir
	if err := demote(initdb, dir); err != nil {
		return nil, err
	}
	if out, err := initdb.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("initdb: %w\n%s", err, out)
	}
	cmd := exec.Command(binary, "-D", data, "-p", strconv.Itoa(port), "-k", dir, //nolint:noctx // Stop ends it
		"-c", "listen_addresses=127.0.0.1", "-c", "fsync=off", "-c", "max_connections=200")
	cmd.Dir = dir
	if err := demote(cmd, dir); err != nil {
		return nil, err
	}
	p, err := launch(cmd)
	if err != nil {
		return nil, err
	}
	target := databaseURL(secret, port)
	if err := ready(ctx, p, func(ctx context.Context) error { return ping(ctx, target) }); err != nil {
		return nil, err
	}
	return &Server{URL: target, process: p, signal: syscall.SIGINT}, nil
}

func databaseURL(secret string, port int) string {
	u := url.URL{
		Scheme: "postgres", User: url.UserPassword(account, secret), Host: address(port), Path: "/postgres",
		RawQuery: "sslmode=disable",
	}
	return u.String()
}

func ping(ctx context.Context, target string) error {
	conn, err := pgx.Connect(ctx, target)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(ctx) }()
	_, err = conn.Exec(ctx, "SELECT 1", pgx.QueryExecModeSimpleProtocol)
	return err
}

// pgbouncer starts a pool before a database, which pools transactions and has two connections.
func pgbouncer(ctx context.Context, dir, upstream string) (*Server, error) {
	binary, err := debian.Program(ctx, "pgbouncer", "pgbouncer", "/usr/sbin/pgbouncer")
	if err != nil {
		return nil, err
	}
	conn, err := pgx.ParseConfig(upstream)
	if err != nil {
		return nil, err
	}
	port, err := freePort(ctx)
	if err != nil {
		return nil, err
	}
	settings := fmt.Sprintf(`[databases]
postgres = host=%s port=%d dbname=%s user=%s password=%s
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = %d
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 2
max_client_conn = 200
`, conn.Host, conn.Port, conn.Database, conn.User, conn.Password, port)
	ini := filepath.Join(dir, "pgbouncer.ini")
	if err := os.WriteFile(ini, []byte(settings), 0o600); err != nil {
		return nil, err
	}
	cmd := exec.Command(binary, ini) //nolint:noctx // Stop ends it
	cmd.Dir = dir
	if err := demote(cmd, dir); err != nil {
		return nil, err
	}
	p, err := launch(cmd)
	if err != nil {
		return nil, err
	}
	target := databaseURL(conn.Password, port) + "&default_query_exec_mode=simple_protocol"
	if err := ready(ctx, p, func(ctx context.Context) error { return ping(ctx, target) }); err != nil {
		return nil, err
	}
	return &Server{URL: target, process: p, signal: syscall.SIGINT}, nil
}
