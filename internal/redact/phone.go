package redact

var phoneWords = []string{
	"phone", "tel", "telephone", "telefon", "teléfono", "telefono", "téléphone", "telefone", "mobile", "mobil", "móvil", "cell", "cellphone",
	"fax", "call", "calling", "ring", "dial", "sms", "whatsapp", "office:", "desk:", "home:", "work:", "contact number", "phonenumber", "landline",
	"handy", "hotline", "reach me", "reach us", "reached at", "text me", "answering at", "registered number", "gsm", "cep no", "mobiltelefon",
	"my number is", "messages to", "my registered", "celular", "cellulare", "rufnummer", "numéro", "ph", "phone_number", "msisdn", "voicemail",
}

// phoneLabels stand behind a number, as in a letterhead.
var phoneLabels = []string{"office", "fax", "mobile", "cell", "desk", "home", "work", "phone", "tel"}

// Digits of a telephone number: E.164 allows 15.
const (
	minPhone = 7
	maxPhone = 15
)

// phoneBegins tells whether the digit at i may begin a number behind '+' or '('.
func phoneBegins(text string, i int) bool {
	return i > 0 && (text[i-1] == '+' || text[i-1] == '(')
}

// phoneRun is a run of digits with the punctuation of telephone numbers.
type phoneRun struct {
	start, end int
	digits     [maxPhone + 1]byte
	n          int
	size       [8]uint8
	groups     int
	plus       bool
	brackets   bool
	// seps has a bit for each separator: space, hyphen, dot, slash.
	seps uint8
}

func (p *phoneRun) read(text string, i int) bool {
	p.start = i
	if p.start > 0 && text[p.start-1] == '(' {
		p.start--
		p.brackets = true
	}
	if k := p.start; k > 0 && text[k-1] == '+' {
		p.start--
		p.plus = true
	} else if k > 1 && p.brackets && text[k-1] == ' ' && text[k-2] == '+' {
		return false
	}
	if !freeLeft(text, p.start) || p.start > 0 && (text[p.start-1] == '.' || text[p.start-1] == '+' || text[p.start-1] == '/' && !p.plus) {
		return false
	}
	if p.start > 1 && text[p.start-1] == '-' && isASCIIWord(text[p.start-2]) {
		return false
	}
	open := p.brackets
	for {
		n := 0
		for i < len(text) && isDigit(text[i]) {
			if p.n == len(p.digits) {
				return false
			}
			p.digits[p.n] = text[i] - '0'
			p.n++
			n++
			i++
		}
		if p.groups == len(p.size) {
			return false
		}
		p.size[p.groups] = uint8(n)
		p.groups++
		p.end = i
		j := i
		if open && j < len(text) && text[j] == ')' {
			open = false
			j++
		}
		sep := uint8(0)
		if j < len(text) {
			if sep = bits(text[j]); sep != 0 {
				j++
			}
		}
		if !p.brackets && j < len(text) && text[j] == '(' && j > i {
			p.brackets, open = true, true
			j++
		}
		if j == i || j >= len(text) || !isDigit(text[j]) {
			return !open
		}
		// A space ends the number where what follows would make it too long, or is the
		// next of several numbers.
		if text[j-1] == ' ' && p.n >= minPhone {
			k := j
			for k < len(text) && isDigit(text[k]) {
				k++
			}
			if p.n+k-j > maxPhone || k-j >= 7 || k < len(text) && k-j >= 4 && (text[k] == '-' || text[k] == '/' || text[k] == ':') {
				return !open
			}
		}
		p.seps |= sep
		i = j
	}
}

func bits(b byte) uint8 {
	switch b {
	case ' ':
		return 1
	case '-':
		return 2
	case '.':
		return 4
	case '/':
		return 8
	}
	return 0
}

// phone matches a telephone number around the digit at x.start: international with
// '+' or 00 and a country code, North American 3-3-4, national with a leading 0 in
// groups of one separator; everything else needs a word for telephones.
func (s *Scanner) phone(text string, x *number) (start, end int) {
	var p phoneRun
	if !p.read(text, x.start) || p.n < minPhone || p.n > maxPhone || same(p.digits[:p.n]) {
		return 0, 0
	}
	end = p.end
	if ext := extension(text, end); ext > 0 {
		end = ext
	} else if !freeRight(text, end) {
		return 0, 0
	} else if end < len(text) && (text[end] == '@' || text[end] == ':' && end+1 < len(text) && isDigit(text[end+1])) {
		return 0, 0
	} else if end+1 < len(text) && (text[end] == '-' || text[end] == '.' || text[end] == '/') && isDigit(text[end+1]) {
		return 0, 0
	}
	if p.plausible() || s.bare[Phone] && p.groups > 1 {
		return p.start, end
	}
	if p.dateLike() || p.groups == 1 && (p.n > 12 || p.n < 8) {
		return 0, 0
	}
	if p.groups > 1 && p.seps&(p.seps-1) != 0 && !p.brackets && (p.n < 9 || p.n > 12) {
		return 0, 0
	}
	if (near(text, p.start, end, contextBefore, 0, phoneWords) || near(text, end, end, 0, 9, phoneLabels)) && !near(text, p.start, p.start, 16, 0, idWords) {
		return p.start, end
	}
	return 0, 0
}

// plausible tells whether the form alone says that it is a telephone number.
func (p *phoneRun) plausible() bool {
	d := p.digits[:p.n]
	if p.plus {
		return p.n >= 8 && d[0] != 0 && countryCode(d) > 0
	}
	if p.groups < 2 || p.dateLike() {
		return false
	}
	oneSep := p.seps&(p.seps-1) == 0
	if p.size[0] == 3 && d[0] == 0 && d[1] == 0 && p.n >= 10 {
		return d[2] == 1 && p.n == 13 && oneSep
	}
	if p.size[0] == 2 && d[0] == 0 && d[1] == 0 {
		return p.groups >= 3 && p.n >= 10 && countryCode(d[2:]) > 0
	}
	// North American numbering plan: NXX-NXX-XXXX.
	if p.n == 11 && p.size[0] == 1 && d[0] == 1 && p.groups == 4 {
		return p.size[1] == 3 && p.size[2] == 3 && d[1] >= 2 && d[4] >= 2
	}
	if p.groups == 3 && p.size[0] == 3 && p.size[1] == 3 && p.size[2] == 4 && d[0] >= 2 {
		return p.brackets || p.seps == 2 && d[3] >= 2 || p.seps == 4 && d[3] >= 2 || p.seps == 1 && d[3] >= 2
	}
	// National numbers with the trunk prefix 0.
	if d[0] == 0 && d[1] != 0 && p.groups >= 3 && p.n >= 9 && p.n <= 11 && oneSep && p.seps != 8 {
		for _, size := range p.size[:p.groups] {
			if size < 2 || size > 4 {
				return false
			}
		}
		return true
	}
	return false
}

// dateLike tells whether groups read as a date, as in 2024-01-31 or 31.01.2024.
func (p *phoneRun) dateLike() bool {
	if p.groups < 3 || p.brackets || p.plus {
		return false
	}
	s := p.size
	d := p.digits[:p.n]
	switch {
	case s[0] == 4 && s[1] <= 2 && s[2] <= 2:
		return (d[0] == 1 && d[1] == 9 || d[0] == 2 && d[1] == 0) && (p.n <= 8 || s[1] == 2 && numberOf(d[4:6]) <= 12) //nolint:gosec // with three groups, d has 6 digits
	case s[0] <= 2 && s[1] <= 2 && s[2] == 4 && p.n <= 12:
		y := d[s[0]+s[1]:]
		return y[0] == 1 && y[1] == 9 || y[0] == 2 && y[1] == 0
	}
	return false
}

// extension returns the end of an extension such as x4587 or " ext. 12" at i, else 0.
func extension(text string, i int) int {
	j := i
	if j < len(text) && text[j] == ' ' {
		j++
	}
	switch {
	case j < len(text) && text[j] == 'x':
		j++
	case j+3 < len(text) && (text[j:j+3] == "ext" || text[j:j+3] == "Ext"):
		j += 3
		for j < len(text) && (text[j] == '.' || text[j] == ' ') {
			j++
		}
	default:
		return 0
	}
	k := j
	for k < len(text) && k-j < 6 && isDigit(text[k]) {
		k++
	}
	if k-j < 2 || !freeRight(text, k) {
		return 0
	}
	return k
}

// countryCode returns the length of the ITU-T E.164 country code that d begins with;
// 0 when there is none.
func countryCode(d []byte) int {
	switch d[0] {
	case 0:
		return 0
	case 1, 7:
		return 1
	}
	switch numberOf(d[:2]) {
	case 20, 27, 30, 31, 32, 33, 34, 36, 39, 40, 41, 43, 44, 45, 46, 47, 48, 49, 51, 52, 53, 54, 55, 56, 57, 58,
		60, 61, 62, 63, 64, 65, 66, 81, 82, 84, 86, 90, 91, 92, 93, 94, 95, 98:
		return 2
	}
	switch numberOf(d[:2]) {
	case 21, 22, 23, 24, 25, 26, 29, 35, 37, 38, 42, 50, 59, 67, 68, 69, 80, 85, 87, 88, 96, 97, 99:
		return 3
	}
	return 0
}
