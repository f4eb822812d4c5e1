// Package embedded keeps LLM events and anomalies in one SQLite database, with
// one set of tables for each hour of event time.
//
// # Durability
//
// A write returns when its transaction is committed to the write-ahead log in
// the operating system's cache. From then on it survives the end of the
// process in any way, SIGKILL included. It survives power loss or a crash of
// the operating system once the log was flushed to disk, which happens every
// Config.SyncInterval (1 s by default): at most the writes of that interval
// are lost, always the newest, never a part of a batch, and the database stays
// sound. With SyncInterval zero each write is flushed before it returns.
//
// # Layout
//
//	events.db                 the database (with -wal and -shm beside it while open)
//	lock.db                   locked while a process uses the directory
//
//	meta(key, value)          schema_version
//	partitions(hour, …)       one row an hour of event time: row counts, layout
//	d_YYYYMMDDHH(id, val)     dictionary of the strings of that hour
//	ev_YYYYMMDDHH(…)          events, in order of arrival, found by (time, id)
//	an_YYYYMMDDHH(…)          anomalies, clustered by (time, id), found by id and trace
//	bl_YYYYMMDDHH(…)          baselines, clustered by (series, time)
//	series(…)                 the series of baselines, each with its newest one
//	feedback(…)               what people said about anomalies
//	lookup(…)                 where the events of traces, sessions, users, ids and services are
//	measures(…)               what aggregations read of the events of closed hours
//	events, anomalies         views over the newest hours, with strings resolved
//
// The rows of an hour go with the hour: retention is a DROP TABLE of its own
// tables, and a DELETE of a range in those that hours share. Feedback stays. What
// writing costs is the pages that it changes: rows are written in an order that
// changes few, and values that are spread over all of an hour (traces, sessions,
// users, ids, services with their models) are found by sorted runs that are merged,
// instead of by an index.
//
// # Versions
//
// A file of an older version is migrated when it is opened. That changes only
// what does not belong to an hour. The tables of an hour keep their layout until
// something is written to the hour, and are read as they are.
//
// # Concurrency
//
// One connection writes, under a lock. A fixed number of connections read, each
// query in a snapshot of its own. One goroutine flushes the log, applies
// retention and merges the runs of closed hours; one writes the measures of closed
// hours; another makes backups.
package embedded
