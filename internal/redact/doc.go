// Package redact finds personal data and secrets in texts and replaces them.
//
// A Scanner looks for triggers in one pass each (bytes such as '@', digits, colons,
// and the keywords of the secret rules in one automaton) and runs anchored
// matchers, with checksums where the format has one, only around a trigger. Digits
// without separators are found only with a word that names them nearby, or where the
// format is distinctive, because ids, timestamps and versions of telemetry look
// the same; see Options.Bare.
//
// A Redactor replaces what a Scanner finds, and follows JSON inside strings of
// JSON. All of it is deterministic and safe for concurrent use.
package redact
