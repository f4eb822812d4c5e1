package price

import (
	"errors"
	"fmt"
)

var (
	// ErrUnpriced says that a call has no price: the model is unknown, or it used
	// tokens of a kind for which its table has no price at all.
	ErrUnpriced = errors.New("no price")
	// ErrUsage says that a usage contradicts itself, such as more cached than input
	// tokens, or has a number out of range. See Usage.Consistent.
	ErrUsage = errors.New("invalid usage")
)

// UnpricedError is the error that wraps ErrUnpriced. It is made once per model, so
// that asking for an unpriced model again costs nothing.
type UnpricedError struct {
	Provider, Model string // as asked, cut to 256 bytes
	Reason          string // unknown_model, unknown_provider, no_input_price, no_output_price, long_name, no_model
}

func (e *UnpricedError) Error() string {
	return fmt.Sprintf("no price for model %q of provider %q: %s", e.Model, e.Provider, e.Reason)
}

// Unwrap returns ErrUnpriced.
func (e *UnpricedError) Unwrap() error { return ErrUnpriced }

// IsUnpriced reports whether err wraps ErrUnpriced.
func IsUnpriced(err error) bool { return errors.Is(err, ErrUnpriced) }
