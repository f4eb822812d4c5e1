package redact

// ssn checks the rules of the Social Security Administration: no area 000, 666 or
// 900-999, no group 00, no serial 0000; and not one of the numbers of advertisements.
func ssn(d []byte) bool {
	area := numberOf(d[:3])
	if area == 0 || area == 666 || area >= 900 || numberOf(d[3:5]) == 0 || numberOf(d[5:]) == 0 || same(d) {
		return false
	}
	switch numberOf(d) {
	case 78051120, 219099999:
		return false
	}
	return true
}

func itin(d []byte) bool {
	g := numberOf(d[3:5])
	return d[0] == 9 && (g >= 50 && g <= 65 || g >= 70 && g <= 88 || g >= 90 && g <= 92 || g >= 94 && g <= 99)
}

// aba checks a routing number of the American Bankers Association.
func aba(d []byte) bool {
	two := numberOf(d[:2])
	district := two <= 12 || two >= 21 && two <= 32 || two >= 61 && two <= 72 || two == 80
	return district && !same(d) && weighted(d, 3, 7, 1, 3, 7, 1, 3, 7, 1)%10 == 0
}

// npi checks a National Provider Identifier: Luhn with the prefix 80840.
func npi(d []byte) bool {
	if d[0] != 1 && d[0] != 2 || same(d[:9]) {
		return false
	}
	var all [15]byte
	copy(all[:], []byte{8, 0, 8, 4, 0})
	copy(all[5:], d)
	return luhn(all[:])
}

func nhs(d []byte) bool {
	c := 11 - weighted(d, 10, 9, 8, 7, 6, 5, 4, 3, 2)%11
	if c == 11 {
		c = 0
	}
	return !same(d) && c == int(d[9])
}

func caSIN(d []byte) bool { return d[0] != 0 && d[0] != 8 && !same(d) && luhn(d) }

func auTFN(d []byte) bool { return !same(d) && weighted(d, 1, 4, 3, 7, 5, 8, 6, 9, 10)%11 == 0 }

func auABN(d []byte) bool {
	return d[0] != 0 && (weighted(d, 10, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19)-10)%89 == 0
}

func auACN(d []byte) bool { return (10-weighted(d, 8, 7, 6, 5, 4, 3, 2, 1)%10)%10 == int(d[8]) }

func auMedicare(d []byte) bool {
	return d[0] >= 2 && d[0] <= 6 && weighted(d, 1, 3, 7, 9, 1, 3, 7, 9)%10 == int(d[8])
}

func aadhaar(d []byte) bool {
	palindrome := true
	for i := range d {
		palindrome = palindrome && d[i] == d[len(d)-1-i]
	}
	return d[0] >= 2 && !palindrome && verhoeff(d)
}

// deTaxID checks the identification number: ISO 7064 MOD 11,10, and of the first ten
// digits exactly one occurs twice or three times.
func deTaxID(d []byte) bool {
	var seen [10]int
	for _, v := range d[:10] {
		seen[v]++
	}
	repeated := 0
	for _, n := range seen {
		if n > 3 {
			return false
		}
		if n > 1 {
			repeated++
		}
	}
	if d[0] == 0 || repeated > 1 {
		return false
	}
	p := 10
	for _, v := range d[:10] {
		sum := (int(v) + p) % 10
		if sum == 0 {
			sum = 10
		}
		p = sum * 2 % 11
	}
	return (11-p)%10 == int(d[10])
}

// frNIR checks a social security number of France: the key is 97 less the rest.
func frNIR(d []byte) bool {
	month := numberOf(d[3:5])
	return (d[0] == 1 || d[0] == 2) && (month >= 1 && month <= 12 || month >= 20 && month <= 42) &&
		97-mod(d[:13], 97) == numberOf(d[13:])
}

func nlBSN(d []byte) bool {
	return !same(d) && numberOf(d) > 0 && (weighted(d, 9, 8, 7, 6, 5, 4, 3, 2)-int(d[8]))%11 == 0
}

func pesel(d []byte) bool {
	month := numberOf(d[2:4])
	return date(month%20, numberOf(d[4:6])) && month <= 92 &&
		(10-weighted(d, 1, 3, 7, 9, 1, 3, 7, 9, 1, 3)%10)%10 == int(d[10])
}

// personnummer checks the date (a coordination number has 60 added to the day) and
// Luhn over the last ten digits.
func personnummer(d []byte) bool {
	if len(d) == 12 {
		if c := numberOf(d[:2]); c < 18 || c > 20 {
			return false
		}
		d = d[2:]
	}
	day := numberOf(d[4:6])
	if day > 60 {
		day -= 60
	}
	return date(numberOf(d[2:4]), day) && luhn(d)
}

func trID(d []byte) bool {
	odd := int(d[0]) + int(d[2]) + int(d[4]) + int(d[6]) + int(d[8])
	even := int(d[1]) + int(d[3]) + int(d[5]) + int(d[7])
	sum := 0
	for _, v := range d[:10] {
		sum += int(v)
	}
	return d[0] != 0 && ((odd*7-even)%10+10)%10 == int(d[9]) && sum%10 == int(d[10])
}

// krRRN checks the date and the seventh digit. The check digit of numbers issued
// since October 2020 is random, so it decides nothing.
func krRRN(d []byte) bool { return krDate(d) && d[6] >= 1 && d[6] <= 4 && krRegion(d) }

func krFRN(d []byte) bool { return krDate(d) && d[6] >= 5 && d[6] <= 8 }

func krDate(d []byte) bool { return date(numberOf(d[2:4]), numberOf(d[4:6])) }

func krRegion(d []byte) bool { return numberOf(d[7:9]) <= 95 }

// thID checks the province (10 to 96) and the check digit.
func thID(d []byte) bool {
	return d[0] != 0 && d[1] != 0 && numberOf(d[1:3]) <= 96 && !same(d) && (11-weighted(d, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2)%11)%10 == int(d[12])
}

// zaID checks date of birth, citizenship, the digit 8 (or 9) and Luhn.
func zaID(d []byte) bool {
	return date(numberOf(d[2:4]), numberOf(d[4:6])) && d[10] <= 2 && d[11] >= 8 && luhn(d)
}

// cnID checks a resident identity number of digits only: region, date and ISO 7064
// MOD 11-2.
func cnID(d []byte) bool {
	return cnBody(d) && cnCheck(d) == int(d[17])
}

func cnBody(d []byte) bool {
	century := numberOf(d[6:8])
	return d[0] >= 1 && d[0] <= 8 && (century == 19 || century == 20) && date(numberOf(d[10:12]), numberOf(d[12:14]))
}

// cnCheck returns the check digit, 10 for X.
func cnCheck(d []byte) int {
	return (12 - weighted(d, 7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)%11) % 11
}

func brCPF(d []byte) bool {
	check := func(n int) int {
		sum := 0
		for i := range n {
			sum += int(d[i]) * (n + 1 - i)
		}
		return sum * 10 % 11 % 10
	}
	return !same(d) && check(9) == int(d[9]) && check(10) == int(d[10])
}

func brCNPJ(d []byte) bool {
	a := weighted(d, 5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2) % 11
	b := weighted(d, 6, 5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2) % 11
	digit := func(r int) int {
		if r < 2 {
			return 0
		}
		return 11 - r
	}
	return !same(d) && digit(a) == int(d[12]) && digit(b) == int(d[13])
}
