package redact

// Context of payment cards, within 32 bytes.
const cardContext = 32

var cardWords = []string{
	"card", "cc", "visa", "mastercard", "maestro", "amex", "american express", "discover", "diners", "jcb",
	"unionpay", "credit", "debit", "kreditkarte", "karte", "carte", "tarjeta", "carta", "cartão", "cartao", "pan",
}

// idWords stand in front of numbers that are no cards, whatever their digits.
var idWords = []string{"id", "trace", "span", "request", "uuid", "hash", "timestamp", "ts", "time", "epoch", "version", "sha", "commit", "build", "session", "order", "ticket", "invoice", "tracking"}

// card matches a payment card number (ISO/IEC 7812). Groups need Luhn only; a bare
// run also an issued prefix and length, or a word for cards, and a text around it.
func (s *Scanner) card(text string, x *number) int {
	if n := int(x.size[0]); n >= 12 && n <= 19 {
		d := x.digits[:n]
		e := x.end[0]
		if !luhn(d) || same(d) || !x.endsAt(text, 0) {
			return 0
		}
		if s.bare[CreditCard] {
			if cardPrefix(d) {
				return e
			}
			return 0
		}
		named := near(text, x.start, e, cardContext, cardContext, cardWords)
		if named && cardPrefix(d) {
			return e
		}
		if named && near(text, x.start, x.start, cardContext, 0, cardWords) && !near(text, x.start, x.start, 12, 0, idWords) {
			return e
		}
		if !issued(d) || near(text, x.start, x.start, 24, 0, idWords) || !prose(text, x.start) {
			return 0
		}
		return e
	}
	if x.groups < 2 {
		return 0
	}
	k := cardGroups(x)
	if k == 0 {
		return 0
	}
	n := 0
	for _, size := range x.size[:k] {
		n += int(size)
	}
	if !luhn(x.digits[:n]) || same(x.digits[:n]) || x.digits[0] == 0 || !x.endsAt(text, k-1) {
		return 0
	}
	return x.end[k-1]
}

// cardGroups returns how many groups make a card as it is printed: 4-4-4-4 (and
// 4-4-4-4-1 to -3, 4-4-4-1), 4-6-5 and 4-6-4, with one separator, space or hyphen.
func cardGroups(x *number) int {
	if x.size[0] != 4 {
		return 0
	}
	sep := x.sep[1]
	if sep != ' ' && sep != '-' {
		return 0
	}
	k := 1
	for k < x.groups && x.sep[k] == sep {
		k++
	}
	size := func(i int) uint8 {
		if i < k {
			return x.size[i]
		}
		return 0
	}
	switch {
	case size(1) == 4 && size(2) == 4 && size(3) == 4:
		if last := size(4); last >= 1 && last <= 3 && luhn(x.digits[:16+last]) && !luhn(x.digits[:16]) {
			return 5
		}
		return 4
	case size(1) == 6 && (size(2) == 5 || size(2) == 4):
		return 3
	}
	return 0
}

// issued tells whether a number has a prefix of a network at a length that the
// network issues without doubt.
func issued(d []byte) bool {
	two, four := number10(d, 2), number10(d, 4)
	switch len(d) {
	case 16:
		return d[0] == 4 || two >= 51 && two <= 55 || four >= 2221 && four <= 2720 || four == 6011 || two == 65 || two == 62 ||
			four >= 6440 && four <= 6499 || four >= 3528 && four <= 3589 || maestro(four)
	case 15:
		return two == 34 || two == 37
	case 14:
		return two == 36 || two == 38 || two == 39 || four >= 3000 && four <= 3059
	case 13, 19:
		return d[0] == 4
	}
	return false
}

// cardPrefix is wider: prefixes that are or were issued at some length; they need a word.
func cardPrefix(d []byte) bool {
	two, four := number10(d, 2), number10(d, 4)
	return issued(d) || d[0] == 4 || two >= 50 && two <= 69 || four == 2131 || four == 1800 || d[0] == 1 && len(d) == 15 ||
		two >= 34 && two <= 39 || two == 30 || four >= 2200 && four <= 2720
}

func maestro(four int) bool {
	switch four {
	case 5018, 5020, 5038, 5893, 6304, 6759, 6761, 6762, 6763:
		return true
	}
	return false
}

// number10 returns the first n digits as a number.
func number10(d []byte, n int) int { return numberOf(d[:n]) }

// prose tells whether a word of a text, or the name of a field, stands within 24 bytes in
// front: a whole value that is digits only may as well be an id, of which one in ten
// has a right check digit.
func prose(text string, start int) bool {
	letters := 0
	for i := start - 1; i >= max(0, start-24); i-- {
		if class[text[i]]&cLetter == 0 {
			letters = 0
		} else if letters++; letters == 2 {
			return true
		}
	}
	return false
}
