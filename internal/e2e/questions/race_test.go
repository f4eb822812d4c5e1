//go:build race

package questions

// The race detector makes each event cost ten times as much, and finds in a few
// what it finds in many.
func init() { raced = true }
