package redisstore_test

import (
	"context"
	"fmt"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/auth/tokenstore/redisstore"
)

func ExampleNew() {
	server, err := miniredis.Run() // stands for Redis
	if err != nil {
		fmt.Println(err)
		return
	}
	defer server.Close()
	client := redis.NewClient(&redis.Options{Addr: server.Addr(), ContextTimeoutEnabled: true})
	defer func() { _ = client.Close() }()
	store := redisstore.New(client, redisstore.Prefix("shop:tokens:"))

	key := auth.Key{Connection: "payments"}
	exchange := func(context.Context, auth.Record) (auth.Record, error) {
		return auth.Record{Data: []byte("a token")}, nil
	}
	if _, err := store.Update(context.Background(), key, 0, exchange); err != nil {
		fmt.Println(err)
		return
	}
	rec, err := store.Load(context.Background(), key)
	fmt.Println(string(rec.Data), err)
	fmt.Println(server.Keys())
	// Output:
	// a token <nil>
	// [shop:tokens:{payments::}]
}
