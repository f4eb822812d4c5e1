package series

import "unsafe"

// unsafeString is a string that shares the memory of b, as decoders of
// telemetry may hand out.
func unsafeString(b []byte) string { return unsafe.String(&b[0], len(b)) }
