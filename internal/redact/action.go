package redact

import "fmt"

// Action says what happens to a found value.
type Action uint8

const (
	// Mask writes the name of the type: [EMAIL_REDACTED].
	Mask Action = iota
	// HMAC writes a pseudonym that is the same for the same value in one scope:
	// <email:hmac:0123456789abcdef>.
	HMAC
	// Partial keeps the last four letters or digits, but never more than a third of
	// them, of an e-mail address the first letter and the domain. Secrets are masked.
	Partial
	// DropAttribute asks the caller to drop the whole value: Counts.Drop is set. The
	// text is masked for one who does not.
	DropAttribute
	// TagOnly counts, and leaves the value in the text.
	TagOnly

	numActions
)

var actionNames = [numActions]string{"mask", "hmac", "partial", "drop_attribute", "tag_only"}

// String returns the name used in configurations.
func (a Action) String() string {
	if a >= numActions {
		return fmt.Sprintf("action(%d)", uint8(a))
	}
	return actionNames[a]
}

// ParseAction reads the name of an action.
func ParseAction(name string) (Action, error) {
	for a, n := range actionNames {
		if n == name {
			return Action(a), nil
		}
	}
	return 0, fmt.Errorf("action %q is none of %v", name, actionNames)
}
