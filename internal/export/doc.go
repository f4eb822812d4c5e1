// Package export writes LLM events and anomalies as files that other tools read:
// CSV, JSON lines and Parquet. It writes row by row in bounded memory.
package export
