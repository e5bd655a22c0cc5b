package sqlstore_test

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/restconn/restconn/auth"
	"github.com/restconn/restconn/auth/tokenstore/sqlstore"
)

// open stands for sql.Open with the driver of your choice.
func open() *sql.DB { return sql.OpenDB(&fakeDB{rows: make(map[string]*fakeRow)}) }

func ExampleNew() {
	db := open()
	defer func() { _ = db.Close() }()
	store := sqlstore.New(db, sqlstore.PostgreSQL(), sqlstore.Table("auth.tokens"), sqlstore.Lease(time.Minute))

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
	// Output: a token <nil>
}

func ExampleSchema() {
	fmt.Print(sqlstore.Schema(sqlstore.PostgreSQL(), "auth.tokens"))
	// Output:
	// CREATE TABLE IF NOT EXISTS "auth"."tokens" (
	// 	id          TEXT    NOT NULL PRIMARY KEY,
	// 	connection  TEXT    NOT NULL,
	// 	config      TEXT    NOT NULL,
	// 	subject     TEXT    NOT NULL,
	// 	version     BIGINT  NOT NULL,
	// 	data        BYTEA,
	// 	in_flight   BOOLEAN NOT NULL,
	// 	retry_at    TEXT,
	// 	lease_owner TEXT    NOT NULL,
	// 	lease_until BIGINT  NOT NULL,
	// 	updated_at  BIGINT  NOT NULL
	// );
	//
	// CREATE TABLE IF NOT EXISTS "auth"."tokens_schema" (
	// 	id      INTEGER NOT NULL PRIMARY KEY,
	// 	version INTEGER NOT NULL
	// );
	//
	// INSERT INTO "auth"."tokens_schema" (id, version) VALUES (1, 1) ON CONFLICT (id) DO NOTHING;
}
