package sqlstore

import "strings"

// Dialect is a database that the package knows: [PostgreSQL] or [SQLite]. The zero Dialect is refused by New.
type Dialect struct{ d *dialect }

// PostgreSQL is PostgreSQL, version 12 or later, and what speaks its language and has its clock_timestamp().
func PostgreSQL() Dialect {
	return Dialect{&dialect{
		bytes: "BYTEA", marker: "$",
		now: "CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)",
	}}
}

// SQLite is SQLite, version 3.35 or later.
func SQLite() Dialect {
	return Dialect{&dialect{
		bytes: "BLOB", marker: "?",
		now: "CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)",
	}}
}

// dialect is in what databases differ.
type dialect struct {
	bytes  string // the type of a column of bytes
	marker string // what stands before the number of a parameter
	now    string // the clock of the database, in milliseconds since 1970
}

// statements are what the store says to the database.
type statements struct {
	load, look, acquire, save, release, clear, remove string
}

func (d *dialect) statements(table string) statements {
	fill := d.filler(table)
	return statements{
		load: fill(`SELECT version, data, in_flight, retry_at FROM {table} WHERE id = $1`),
		look: fill(`SELECT version, data, in_flight, retry_at,` +
			` lease_owner <> '' AND lease_owner <> $2 AND lease_until > {now} FROM {table} WHERE id = $1`),
		acquire: fill(`INSERT INTO {table} AS t` +
			` (id, connection, config, subject, version, in_flight, lease_owner, lease_until, updated_at)` +
			` VALUES ($1, $2, $3, $4, 0, FALSE, $5, {now} + $6, {now})` +
			` ON CONFLICT (id) DO UPDATE SET lease_owner = excluded.lease_owner, lease_until = excluded.lease_until` +
			` WHERE t.lease_owner = '' OR t.lease_owner = excluded.lease_owner OR t.lease_until <= {now}` +
			` RETURNING version, data, in_flight, retry_at`),
		// A statement that is repeated because its answer was lost finds its own work, which is no lost lease.
		save: fill(`UPDATE {table} SET version = $1, data = $2, in_flight = $3, retry_at = $4, updated_at = {now}` +
			` WHERE id = $5 AND lease_owner = $6 AND lease_until > {now}` +
			` AND (version = $7 OR version = $1 AND data = $2)`),
		release: fill(`UPDATE {table} SET lease_owner = '', lease_until = 0 WHERE id = $1 AND lease_owner = $2` +
			` RETURNING version = 0 AND NOT in_flight AND retry_at IS NULL`),
		clear: fill(`DELETE FROM {table} WHERE id = $1 AND lease_owner = ''` +
			` AND version = 0 AND NOT in_flight AND retry_at IS NULL`),
		remove: fill(`DELETE FROM {table} WHERE id = $1`),
	}
}

// filler returns a function that fills in the names, and writes parameters as the dialect does.
func (d *dialect) filler(table string) func(string) string {
	names := strings.NewReplacer("{table}", quote(table), "{schema}", quote(table+"_schema"),
		"{bytes}", d.bytes, "{now}", d.now, "$", d.marker)
	return names.Replace
}

// quote makes an identifier of a name: of both parts, if a schema stands before it.
func quote(name string) string {
	parts := strings.Split(name, ".")
	for i, part := range parts {
		parts[i] = `"` + strings.ReplaceAll(part, `"`, `""`) + `"`
	}
	return strings.Join(parts, ".")
}
