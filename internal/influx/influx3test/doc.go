// Package influx3test is an InfluxDB 3 Core for tests: an HTTP server in this
// process that keeps its data in memory and answers as the public documentation
// of the HTTP API says. It is what tests of writers and readers run against
// where no real server of that version can be had, and test support only.
//
// It offers /ping, /health, /api/v3/write_lp, /api/v2/write, /write,
// /api/v3/query_sql and /api/v3/configure/database. Of SQL it knows the subset
// in parse.go. What it does not know it refuses, so that no test passes because
// something was overlooked: an unknown parameter, function or clause is an error
// and never ignored.
//
// It enforces what the real server enforces: the type of a column is that of its
// first value, tags are strings and the role of a name never changes; a table or
// column that does not exist is an error of the query; two points of one table
// with equal tags and time become one, field by field; JSON has times without
// zone and leaves out what is null; sizes and numbers have limits. Where several
// releases differ it takes the stricter form.
package influx3test
