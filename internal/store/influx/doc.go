// Package influx answers questions from what the influxdb exporter has written
// to InfluxDB 1.x, 2.x or 3.x. It only reads.
//
// # Order and time
//
// InfluxDB keeps one point for equal tags and time, so the exporter gives each
// point a time of its own near that of its event; see [line.Schema]. The exact
// time is a field. Questions are about exact times and the order of answers is
// (time, id), so points are asked for in a range that is wider by the shift,
// put into exact order as they arrive, and filtered exactly. An item that was
// written twice under different tags is yielded once.
//
// # Paging
//
// An answer is read in pages of at most pageRows points, each a request of its
// own that is bounded in size and time; nothing is held open while the caller
// consumes a page. Pages continue at the time of the last point and repeat the
// points of that time, because a server orders points of equal time at will.
package influx
