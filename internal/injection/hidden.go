package injection

// invisible gives the length of the invisible character that s begins with, or 0.
// These are zero-width spaces and joiners, directional marks, the soft hyphen, the
// byte order mark, variation selectors and the tag characters U+E0000..U+E007F.
func invisible(s string) int {
	switch s[0] {
	case 0xC2: // U+00AD
		if len(s) > 1 && s[1] == 0xAD {
			return 2
		}
	case 0xE2: // U+200B..U+200F, U+202A..U+202E, U+2060..U+206F
		if len(s) > 2 {
			if s[1] == 0x80 && (s[2] >= 0x8B && s[2] <= 0x8F || s[2] >= 0xAA && s[2] <= 0xAE) {
				return 3
			}
			if s[1] == 0x81 && s[2] >= 0xA0 && s[2] <= 0xAF {
				return 3
			}
		}
	case 0xEF: // U+FEFF, U+FE00..U+FE0F
		if len(s) > 2 && (s[1] == 0xBB && s[2] == 0xBF || s[1] == 0xB8 && s[2] >= 0x80 && s[2] <= 0x8F) {
			return 3
		}
	case 0xF3: // U+E0000..U+E007F
		if len(s) > 3 && s[1] == 0xA0 && (s[2] == 0x80 || s[2] == 0x81) {
			return 4
		}
	}
	return 0
}

// tagByte gives the ASCII character that a tag character stands for, or 0.
func tagByte(s string) byte {
	if len(s) < 4 || s[0] != 0xF3 || s[1] != 0xA0 {
		return 0
	}
	switch s[2] {
	case 0x80:
		return s[3] & 0x3F
	case 0x81:
		return s[3]&0x3F | 0x40
	}
	return 0
}

// suspicious tells invisible characters that do not belong into a word. The joiner
// and the variation selectors are parts of emoji, the non-joiner and the marks are
// parts of Persian, Arabic, Hebrew and Indic text; the rule asks for ASCII letters
// on both sides.
func suspicious(text string, i, size int) bool {
	return i > 0 && i+size < len(text) && isLetter(text[i-1]) && isLetter(text[i+size])
}

func isLetter(b byte) bool { return b|0x20 >= 'a' && b|0x20 <= 'z' }
