package redisstore

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/internal/redact"
	"github.com/restconn/restconn/internal/wait"
)

// Error says that Redis failed, or the way to it. It has nothing of what Redis wrote but the code, and does not wrap
// the client's error: Redis repeats the arguments of a command that it does not know, and with them the token.
type Error struct {
	// Code is the first word of an error that Redis sent, such as "OOM", "READONLY" or "NOPERM". It is empty if Redis
	// sent none.
	Code string
	// Err is the cause if it is the end of the context, or one of the network or of the client; otherwise nil.
	Err error

	kind string // the type of the client's error
}

// Error implements error.
func (e *Error) Error() string {
	switch {
	case e.Err != nil:
		return "redis failed: " + e.Err.Error()
	case e.Code != "":
		return "redis failed: " + e.Code + hint(e.Code)
	default:
		return "redis failed with a " + e.kind + ", whose text is left out: it may quote the token"
	}
}

// Unwrap returns Err.
func (e *Error) Unwrap() error { return e.Err }

// scrub makes an [*Error] of what the client reports.
func scrub(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	if _, ok := errors.AsType[*auth.StoreError](err); ok {
		return err
	}
	clean := &Error{Code: code(err), kind: fmt.Sprintf("%T", err)}
	if clean.Code == "" {
		clean.Err = harmless(err)
	}
	if ctx.Err() != nil {
		clean.Err = wait.Ended(ctx)
	}
	return clean
}

// harmless returns what of err is known to quote nothing.
func harmless(err error) error {
	return redact.Cause(err, net.ErrClosed, redis.ErrClosed, redis.ErrPoolTimeout, redis.ErrPoolExhausted)
}

// code returns the first word of an error of Redis, which is in capitals.
func code(err error) string {
	sent, ok := errors.AsType[redis.Error](err)
	if !ok {
		return ""
	}
	word, _, _ := strings.Cut(sent.Error(), " ")
	if len(word) > 20 || strings.Trim(word, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" {
		return "ERR"
	}
	return word
}

// hint says what to do.
func hint(code string) string {
	switch code {
	case "NOAUTH", "WRONGPASS":
		return " (the login was refused)"
	case "NOPERM":
		return " (the user may not run that command, or not on these keys)"
	case "OOM":
		return " (the memory of Redis is full)"
	case "READONLY":
		return " (the server is a replica)"
	case "LOADING", "CLUSTERDOWN", "MASTERDOWN", "TRYAGAIN":
		return " (Redis is not ready)"
	case "MISCONF":
		return " (Redis cannot write to its disk)"
	case "WRONGTYPE":
		return " (something else is stored under that key: see Prefix)"
	case "CROSSSLOT", "MOVED", "ASK":
		return " (Redis is a cluster, and the client is not one for clusters)"
	default:
		return ""
	}
}
