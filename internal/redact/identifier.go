package redact

import "slices"

// numberRule describes an identifier of digits only.
type numberRule struct {
	typ   Type
	total int
	// layouts are the sizes of groups in which the identifier is written.
	layouts [][]uint8
	// seps are the separators of layouts with more than one group.
	seps string
	// plain says that the written form with separators is distinctive, so that it
	// needs no word; otherwise it needs one of words, as a bare run always does.
	plain bool
	check func(d []byte) bool
	words []string
}

var ssnWords = []string{"ssn", "ssns", "social security", "social sec", "socialsecurity", "social_security", "ss#"}

// numberRules are tried in this order.
var numberRules = []numberRule{
	{SSN, 9, [][]uint8{{3, 2, 4}}, "-. ", true, ssn, ssnWords},
	{SSN, 9, [][]uint8{{3, 6}, {5, 4}}, "-", false, ssn, ssnWords},
	{ITIN, 9, [][]uint8{{3, 2, 4}}, "- ", true, itin, []string{"itin", "taxpayer", "tax id", "tax", "individual taxpayer"}},
	{ITIN, 9, [][]uint8{{3, 6}, {5, 4}}, "-", false, itin, []string{"itin", "taxpayer", "tax id", "individual taxpayer"}},
	{KRRRN, 13, [][]uint8{{6, 7}}, "-", true, krRRN, []string{"rrn", "korean", "resident registration", "주민등록번호", "주민번호"}},
	{KRFRN, 13, [][]uint8{{6, 7}}, "-", true, krFRN, []string{"frn", "korean", "foreigner registration", "외국인등록번호"}},
	{BRCPF, 11, nil, "", false, brCPF, []string{"cpf", "cadastro de pessoas"}},
	{BRCNPJ, 14, nil, "", false, brCNPJ, []string{"cnpj", "cadastro nacional"}},
	{UKNHS, 10, [][]uint8{{3, 3, 4}}, "- ", false, nhs, []string{"nhs", "national health", "health service", "health authority"}},
	{CASIN, 9, [][]uint8{{3, 3, 3}}, "- ", false, caSIN, []string{"sin", "nas", "social insurance", "assurance sociale", "numéro d'assurance"}},
	{AUTFN, 9, [][]uint8{{3, 3, 3}}, " ", false, auTFN, []string{"tfn", "tax file"}},
	{AUACN, 9, [][]uint8{{3, 3, 3}}, " ", false, auACN, []string{"acn", "company number", "australian company"}},
	{AUABN, 11, [][]uint8{{2, 3, 3, 3}}, " ", true, auABN, []string{"abn", "business number", "australian business"}},
	{AUMedicare, 10, [][]uint8{{4, 5, 1}}, " -", true, auMedicare, []string{"medicare"}},
	{INAadhaar, 12, [][]uint8{{4, 4, 4}}, " -:", true, aadhaar, []string{"aadhaar", "aadhar", "uidai", "uid", "आधार"}},
	{ABARouting, 9, [][]uint8{{4, 4, 1}}, "-", true, aba, []string{"aba", "routing", "rtn", "bank"}},
	{NPI, 10, [][]uint8{{4, 3, 3}}, "- ", true, npi, []string{"npi", "provider identifier", "national provider"}},
	{FRNIR, 15, [][]uint8{{1, 2, 2, 2, 3, 3, 2}}, " ", true, frNIR, []string{"nir", "insee", "sécurité sociale", "securite sociale", "sécu"}},
	{DETaxID, 11, [][]uint8{{2, 3, 3, 3}}, " ", false, deTaxID, []string{"steuer", "idnr", "steuerid", "identifikationsnummer", "tin", "tax id", "tax number"}},
	{NLBSN, 9, [][]uint8{{3, 3, 3}, {4, 2, 3}}, ". ", false, nlBSN, []string{"bsn", "burgerservice", "sofinummer", "burgerservicenummer"}},
	{PLPESEL, 11, nil, "", false, pesel, []string{"pesel"}},
	{SEPersonnummer, 10, [][]uint8{{6, 4}}, "-+", true, personnummer, []string{"personnummer", "pnr", "swedish", "samordningsnummer", "personal identity"}},
	{SEPersonnummer, 12, [][]uint8{{8, 4}}, "-", true, personnummer, []string{"personnummer", "pnr", "swedish", "samordningsnummer", "personal identity"}},
	{TRNationalID, 11, nil, "", false, trID, []string{"tckn", "kimlik", "t.c.", "tc no", "tc", "turkish id", "vatandaş"}},
	{THNationalID, 13, [][]uint8{{1, 4, 5, 2, 1}}, "- ", true, thID, []string{"thai", "tnin", "บัตรประชาชน", "ประชาชน"}},
	{ZAID, 13, nil, "", false, zaID, []string{"south african", "rsa id", "sa id", "id number", "identity number", "permanent resident", "refugee"}},
	{CNResidentID, 18, nil, "", true, cnID, []string{"身份证", "resident id", "chinese id", "identity card"}},
}

// identifier matches one of the rules at the beginning of x.
func (s *Scanner) identifier(text string, x *number) (*numberRule, int) {
	if int(x.size[0]) >= len(s.wanted) {
		return nil, 0
	}
	for _, r := range s.wanted[x.size[0]] {
		if int(x.size[0]) == r.total && x.endsAt(text, 0) && r.check(x.digits[:r.total]) {
			if e := x.end[0]; s.bare[r.typ] || r.typ == CNResidentID || near(text, x.start, e, contextBefore, contextAfter, r.words) {
				return r, e
			}
			continue
		}
		k := r.layout(x)
		if k == 0 || !x.endsAt(text, k-1) || !r.check(x.digits[:r.total]) {
			continue
		}
		if e := x.end[k-1]; r.plain || s.bare[r.typ] || near(text, x.start, e, contextBefore, contextAfter, r.words) {
			return r, e
		}
	}
	return nil, 0
}

// begins tells whether the identifier can begin with a group of this size.
func (r *numberRule) begins(size uint8) bool {
	switch {
	case int(size) == r.total, r.typ == BRCPF && size == 3, r.typ == BRCNPJ && size == 2:
		return true
	}
	return slices.ContainsFunc(r.layouts, func(l []uint8) bool { return l[0] == size })
}

// layout returns the number of groups of the layout that x begins with, or 0.
func (r *numberRule) layout(x *number) int {
	if x.groups < 2 {
		return 0
	}
next:
	for _, l := range r.layouts {
		if len(l) > x.groups {
			continue
		}
		for k, size := range l {
			if x.size[k] != size {
				continue next
			}
			if k > 0 && (x.sep[k] != x.sep[1] || !containsByte(r.seps, x.sep[k])) {
				continue next
			}
		}
		return len(l)
	}
	// Brazilian numbers have mixed separators.
	switch {
	case r.typ == BRCPF && x.groups >= 4 && [4]uint8(x.size[:4]) == [4]uint8{3, 3, 3, 2} && x.sep[1] == '.' && x.sep[2] == '.' && x.sep[3] == '-':
		return 4
	case r.typ == BRCNPJ && x.groups >= 5 && [5]uint8(x.size[:5]) == [5]uint8{2, 3, 3, 4, 2} && x.sep[1] == '.' && x.sep[3] == '/' && x.sep[4] == '-':
		return 5
	}
	return 0
}

func containsByte(s string, b byte) bool {
	for i := range len(s) {
		if s[i] == b {
			return true
		}
	}
	return false
}
