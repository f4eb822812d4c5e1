// Package cache keeps the bytes of answers for a while: in the memory of this
// process, and, when configured, in a Redis that several processes share.
//
// It knows nothing of what it keeps. Whether an answer is still right is up to
// the key: whatever an answer depends on must be part of it.
package cache
