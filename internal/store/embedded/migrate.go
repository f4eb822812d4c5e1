package embedded

import (
	"errors"
	"fmt"
	"path/filepath"
	"strconv"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

// ddlFirst is the first version of the tables that do not belong to an hour.
const ddlFirst = `
CREATE TABLE meta(key TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE partitions(hour INTEGER PRIMARY KEY, name TEXT NOT NULL, events INTEGER NOT NULL DEFAULT 0, anomalies INTEGER NOT NULL DEFAULT 0);
`

// migrations lead from each version to the next; the first leads from 1 to 2. A
// new database takes the same way. They change only tables that do not belong to
// an hour, so that they take no time however much is kept: an hour keeps the
// layout that it was created with until something is written to it.
var migrations = [...]string{`
ALTER TABLE partitions ADD COLUMN layout INTEGER NOT NULL DEFAULT 1;
ALTER TABLE partitions ADD COLUMN measured INTEGER NOT NULL DEFAULT -1;
CREATE TABLE measures(hour INTEGER NOT NULL, service TEXT NOT NULL, seq INTEGER NOT NULL, events INTEGER NOT NULL, data BLOB NOT NULL,
 PRIMARY KEY(hour, service, seq)) WITHOUT ROWID;
CREATE TABLE series(id INTEGER PRIMARY KEY AUTOINCREMENT, service TEXT NOT NULL, model TEXT NOT NULL, metric TEXT NOT NULL,
 time INTEGER NOT NULL, samples INTEGER NOT NULL, expected REAL, lower REAL, upper REAL, UNIQUE(service, model, metric));
CREATE TABLE feedback(id BLOB PRIMARY KEY, time INTEGER NOT NULL, anomaly BLOB NOT NULL, verdict TEXT NOT NULL, until INTEGER,
 comment TEXT NOT NULL, author TEXT NOT NULL, service TEXT NOT NULL, model TEXT NOT NULL, type TEXT NOT NULL, method TEXT NOT NULL,
 metric TEXT NOT NULL, value REAL, baseline REAL) WITHOUT ROWID;
CREATE INDEX feedback_time ON feedback(time, id);
CREATE INDEX feedback_anomaly ON feedback(anomaly, time, id);
`, ddlLookup, ddlSeries}

// ddlSeries leads to the version in which new hours have their services in the
// lookup. It changes nothing but the number, for an older build would write
// events there without noting them.
const ddlSeries = `UPDATE meta SET value = 4 WHERE key = 'schema_version';`

const (
	schemaVersion = 1 + len(migrations)
	// layout is that of the tables of new hours.
	layout = 3
	// layoutUpgraded is that of hours of the first layout after a write.
	layoutUpgraded = 2
)

// globalTables are all tables that do not belong to an hour. The last one is the
// largest, and can be made anew.
var globalTables = []string{"meta", "partitions", "series", "feedback", "lookup", "measures"}

// migrate brings the schema up to this version, in one transaction.
func migrate(conn *sqlite.Conn, dir string) error {
	path := filepath.Join(dir, fileName)
	version, err := readVersion(conn, dir)
	switch {
	case err != nil:
		return err
	case version == schemaVersion:
		return nil
	case version > schemaVersion:
		return fmt.Errorf("%w: %s has version %d, this build knows up to %d; run the newer build, or move the directory away to start an empty store",
			ErrSchema, path, version, schemaVersion)
	}
	end, err := sqlitex.ImmediateTransaction(conn)
	if err != nil {
		return openError(dir, err)
	}
	err = func() error {
		if version == 0 {
			first := fmt.Sprintf("PRAGMA application_id = %d;%s INSERT INTO meta VALUES('schema_version', 1);", applicationID, ddlFirst)
			if err := sqlitex.ExecuteScript(conn, first, nil); err != nil {
				return err
			}
			version = 1
		}
		for ; version < schemaVersion; version++ {
			if err := sqlitex.ExecuteScript(conn, migrations[version-1], nil); err != nil {
				return fmt.Errorf("from schema version %d to %d: %w", version, version+1, err)
			}
		}
		return sqlitex.ExecuteTransient(conn, "UPDATE meta SET value = ? WHERE key = 'schema_version'", &sqlitex.ExecOptions{Args: []any{version}})
	}()
	end(&err)
	if err != nil {
		return openError(dir, err)
	}
	return nil
}

// readVersion returns 0 for an empty file.
func readVersion(conn *sqlite.Conn, dir string) (int, error) {
	app, err := queryInt(conn, "PRAGMA application_id")
	if err != nil {
		return 0, openError(dir, err)
	}
	tables, err := queryInt(conn, "SELECT count(*) FROM sqlite_schema")
	switch {
	case err != nil:
		return 0, openError(dir, err)
	case app == 0 && tables == 0:
		return 0, nil
	case app != applicationID:
		return 0, fmt.Errorf("%w: %s is a database of another program; choose another directory", ErrSchema, filepath.Join(dir, fileName))
	}
	var version string
	err = sqlitex.ExecuteTransient(conn, "SELECT value FROM meta WHERE key = 'schema_version'", &sqlitex.ExecOptions{
		ResultFunc: func(stmt *sqlite.Stmt) error { version = stmt.ColumnText(0); return nil },
	})
	if err != nil {
		return 0, openError(dir, err)
	}
	n, err := strconv.Atoi(version)
	if err != nil || n < 1 {
		return 0, damageError(dir, errors.Join(fmt.Errorf("schema version is %q", version), err))
	}
	return n, nil
}
