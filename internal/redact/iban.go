package redact

import "strings"

// ibanLengths are the lengths of ISO 13616 by country (SWIFT IBAN registry).
var ibanLengths = map[string]int{
	"AD": 24, "AE": 23, "AL": 28, "AT": 20, "AZ": 28, "BA": 20, "BE": 16, "BG": 22, "BH": 22, "BI": 27, "BR": 29, "BY": 28, "CH": 21, "CR": 22,
	"CY": 28, "CZ": 24, "DE": 22, "DJ": 27, "DK": 18, "DO": 28, "EE": 20, "EG": 29, "ES": 24, "FI": 18, "FK": 18, "FO": 18, "FR": 27, "GB": 22,
	"GE": 22, "GI": 23, "GL": 18, "GR": 27, "GT": 28, "HN": 28, "HR": 21, "HU": 28, "IE": 22, "IL": 23, "IQ": 23, "IS": 26, "IT": 27, "JO": 30,
	"KW": 30, "KZ": 20, "LB": 28, "LC": 32, "LI": 21, "LT": 20, "LU": 20, "LV": 21, "LY": 25, "MC": 27, "MD": 24, "ME": 22, "MK": 19, "MN": 20,
	"MR": 27, "MT": 31, "MU": 30, "NI": 28, "NL": 18, "NO": 15, "OM": 23, "PK": 24, "PL": 28, "PS": 29, "PT": 25, "QA": 29, "RO": 24, "RS": 22,
	"RU": 33, "SA": 24, "SC": 31, "SD": 18, "SE": 24, "SI": 19, "SK": 24, "SM": 27, "SO": 23, "ST": 25, "SV": 28, "TL": 23, "TN": 24, "TR": 26,
	"UA": 29, "VA": 22, "VG": 24, "XK": 20, "YE": 30,
}

// iban matches an IBAN at start, in one piece or in groups of four: length of the
// country and ISO 7064 MOD 97-10. end is the end of the word at start.
func iban(text string, start, end int) int {
	if end-start < 4 || !isDigit(text[start+2]) || !isDigit(text[start+3]) || !freeLeft(text, start) {
		return 0
	}
	// In one piece, or the first group of four.
	grouped := end-start == 4
	if !grouped && end-start < 15 {
		return 0
	}
	length := ibanLengths[string([]byte{up(text[start]), up(text[start+1])})]
	if length == 0 || !grouped && end-start != length {
		return 0
	}
	var c [34]byte
	n, i := 0, start
	for i < len(text) && n < length {
		b := up(text[i])
		if (b == ' ' || b == '-') && grouped && n%4 == 0 && n > 0 && text[i-1] != b && b == text[start+4] {
			i++
			continue
		}
		if !isDigit(b) && b-'A' >= 26 {
			return 0
		}
		c[n] = b
		n++
		i++
	}
	if n < length || !freeRight(text, i) || chained(text, start, i) || !mod97(c[:n]) {
		return 0
	}
	// Lower case with hexadecimal digits only may be a hash.
	if strings.Trim(text[start:i], "0123456789abcdef") == "" {
		return 0
	}
	return i
}

func mod97(c []byte) bool {
	r := 0
	for k := range c {
		b := c[(k+4)%len(c)]
		if isDigit(b) {
			r = (r*10 + int(b-'0')) % 97
		} else {
			r = (r*100 + int(b-'A') + 10) % 97
		}
	}
	return r == 1
}
