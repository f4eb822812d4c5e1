// Package ledger counts each LLM call once, however many spans, log records and
// metrics tell of it, and in whatever order they arrive.
//
// # What is one call
//
// A span that says "call" is a call unless a span below it in its trace says so
// too: then it is a wrapper. The same holds for token counts, on their own: a
// failed call may be told by two spans of which none has counts, and a wrapper
// may be the only one that has them. Neither is seen through the execution of a
// tool, because an agent that is run as a tool makes calls of its own.
//
// Items with the same response id are one call (two instrumentations, or a span
// and a log record), and so are a span and the log event that carries its ids.
// Counts that an emitter estimated give way to those of the provider. A fetch of
// an earlier response uses nothing. Metrics count for a service that sends neither
// spans nor log records with the same facts.
//
// # How it is found in any order
//
// Every span that has a call below it is marked. A mark goes up from the call as
// far as spans are known, and waits on an id that is not known yet; whoever
// arrives later takes the marks that wait for it further up. So the marks do not
// depend on the order, and what an item adds to the totals is a function of its
// marks. A parent that was counted before its child came is subtracted again,
// which is a correction.
//
// What was passed on cannot be taken back. If a parent went by as the call, its
// late child is told to be the duplicate, so that all who read the stream still
// see one call; see [Decision].
//
// # Limits
//
// Memory is bounded by the number of items; the least recently used are
// forgotten first, and all after the window. A child that comes after its parent
// was forgotten is counted as well.
package ledger
