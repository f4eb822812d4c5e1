package store

import "time"

// Stats are figures about what a backend holds and did. Counts of a backend
// that does not know a figure stay zero.
type Stats struct {
	// Rows held now.
	Events    int64
	Anomalies int64
	// Bytes used by the data now, Partitions the number of units that
	// retention drops as a whole.
	Bytes      int64
	Partitions int64
	// RetiredByAge and RetiredBySize count rows that retention removed since
	// the backend was opened.
	RetiredByAge  int64
	RetiredBySize int64
	// RefusedTooOld and RefusedTooFarAhead count items that were not kept
	// because their time lies outside of what the backend keeps.
	RefusedTooOld      int64
	RefusedTooFarAhead int64
	// Backups and BackupFailures count copies that were made and verified, and
	// attempts that failed, since the backend was opened. LastBackup is when the
	// last copy was begun, zero for none, and BackupBytes its size.
	Backups        int64
	BackupFailures int64
	BackupBytes    int64
	LastBackup     time.Time
}

// Observable is implemented by backends that know their figures. Stats is
// cheap and safe for concurrent use, also after Close.
type Observable interface {
	Stats() Stats
}
