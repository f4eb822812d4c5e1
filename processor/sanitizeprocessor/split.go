package sanitizeprocessor

import "strings"

// Limits of splitting.
const (
	// minSplitBytes is the length from which a text is looked at as a list of
	// messages.
	minSplitBytes = 256
	// maxSplitDepth is how deep in a JSON text a list of messages may stand:
	// [{…}] is 1, {"contents":[{…}]} is 2.
	maxSplitDepth = 2
)

// part is text[start:end]. element tells that it is an object in a list, with
// braces; other parts lie between those.
type part struct {
	start, end int
	element    bool
	// before and after tell in which lists the part begins and ends.
	before, after nesting
}

// nesting names the containers around a message.
type nesting uint8

const (
	nestNone nesting = iota
	nestList
	nestListInList
	nestListInObject
	numNestings
)

// opening and closing make JSON of what lies between messages.
var (
	opening = [numNestings]string{"", "[0", "[[0", `{"":[0`}
	closing = [numNestings]string{"", "]", "]]", "]}"}
)

// splitMessages appends the parts of a JSON text that is a list of objects, or an
// object with such lists, to dst: objects one by one, and what lies between. The
// parts together are the text. A text that is cut off, or no JSON, gives parts
// all the same.
func splitMessages(dst []part, text string) []part {
	var array [maxSplitDepth + 1]bool
	depth, from, elementDepth := 0, 0, -1
	var before, here nesting
	for i := 0; i < len(text); {
		at := nextStructural(text, i)
		if at < 0 {
			break
		}
		i = at + 1
		switch text[at] {
		case '"':
			i = min(stringEnd(text, i)+1, len(text))
		case '{', '[':
			if text[at] == '{' && elementDepth < 0 && depth >= 1 && depth <= maxSplitDepth && array[depth] {
				switch {
				case depth == 1:
					here = nestList
				case array[1]:
					here = nestListInList
				default:
					here = nestListInObject
				}
				if at > from {
					dst = append(dst, part{start: from, end: at, before: before, after: here})
				}
				from, elementDepth = at, depth
			}
			depth++
			if depth <= maxSplitDepth {
				array[depth] = text[at] == '['
			}
		case '}', ']':
			depth = max(depth-1, 0)
			if depth == elementDepth {
				dst = append(dst, part{start: from, end: i, element: true})
				from, elementDepth, before = i, -1, here
			}
		}
	}
	if from < len(text) {
		dst = append(dst, part{start: from, end: len(text), element: elementDepth >= 0, before: before})
	}
	return dst
}

var structural = func() (t [256]bool) {
	for _, b := range []byte(`"{}[]`) {
		t[b] = true
	}
	return t
}()

func nextStructural(s string, i int) int {
	for ; i < len(s); i++ {
		if structural[s[i]] {
			return i
		}
	}
	return -1
}

// isJSON tells whether a text begins as a JSON object or list.
func isJSON(text string) bool {
	t := strings.TrimLeft(text, " \t\r\n")
	return t != "" && (t[0] == '{' || t[0] == '[')
}

// isGlue tells whether a text holds punctuation of JSON only.
func isGlue(text string) bool {
	return strings.Trim(text, " \t\r\n,[]{}") == ""
}

// wrapped makes JSON of a part that lies between messages; unwrap undoes it.
func wrapped(glue string, at part) string {
	return opening[at.before] + glue + closingOf(glue, at)
}

func closingOf(glue string, at part) string {
	end := closing[at.after]
	if end != "" && strings.HasSuffix(strings.TrimRight(glue, " \t\r\n"), ",") {
		return "0" + end
	}
	return end
}

func unwrap(text, glue string, at part) (string, bool) {
	text, begun := strings.CutPrefix(text, opening[at.before])
	text, ended := strings.CutSuffix(text, closingOf(glue, at))
	return text, begun && ended
}
