// Package line is the form that LLM events and anomalies have in InfluxDB: it
// writes them as line protocol, describes their columns, and reads them back
// from the columns of a query. What is read back equals what was written, but
// for the limits that are named at [Schema].
package line
