package redact

import (
	"encoding/json"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// kinds returns what is found in text: type and value.
func kinds(s *Scanner, text string) map[string]string {
	got := map[string]string{}
	for _, m := range s.Scan(nil, text) {
		got[text[m.Start:m.End]] = m.Type.String()
	}
	return got
}

func defaultScanner(t testing.TB) *Scanner {
	t.Helper()
	s, err := NewScanner(Options{})
	require.NoError(t, err)
	return s
}

func TestEachTypeIsFoundInASentence(t *testing.T) {
	s := defaultScanner(t)
	for _, c := range []struct{ typ, value, text string }{
		{"email", "user@xn--80ak6aa92e.com", "mail user@xn--80ak6aa92e.com today"},
		{"email", "jürgen@müller.de", "an jürgen@müller.de schreiben"},
		{"phone", "(415) 555-0132", "My US number is (415) 555-0132, thanks"},
		{"phone", "+49 30 1234567", "write to +49 30 1234567 soon"},
		{"phone", "345-899-3560x4587", "at 345-899-3560x4587"},
		{"phone", "01.84.17.61.18", "Paris 01.84.17.61.18"},
		{"phone", "467 3395", "please call 467 3395"},
		{"phone", "13812345678", "mobile 13812345678"},
		{"credit_card", "3714 496353 98431", "paid with 3714 496353 98431"},
		{"credit_card", "5555555555554444", "please charge 5555555555554444 today"},
		{"credit_card", "630427373398", "card number 630427373398 is lost"},
		{"iban", "GB82 WEST 1234 5698 7654 32", "to GB82 WEST 1234 5698 7654 32 please"},
		{"iban", "DE89370400440532013000", "IBAN: DE89370400440532013000."},
		{"ip_address", "192.168.0.1", "host 192.168.0.1 is down"},
		{"ip_address", "10.0.0.1", "version 1.2.3.4 on 10.0.0.1:8080"},
		{"ip_address", "2001:db8::8a2e:370:7334", "from [2001:db8::8a2e:370:7334]:443"},
		{"mac_address", "00:1a:2B:3c:4D:5e", "MAC 00:1a:2B:3c:4D:5e"},
		{"mac_address", "AA-BB-CC-DD-EE-FF", "hw AA-BB-CC-DD-EE-FF"},
		{"mac_address", "0012.3456.789a", "cisco 0012.3456.789a"},
		{"crypto_address", "16Yeky6GMjeNkAiNcBY7ZhrLoMSgg1BoyZ", "send to 16Yeky6GMjeNkAiNcBY7ZhrLoMSgg1BoyZ"},
		{"crypto_address", "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq", "send to bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq"},
		{"crypto_address", "0x52908400098527886E0F7030069857D2E4169EE7", "send to 0x52908400098527886E0F7030069857D2E4169EE7"},
		{"us_ssn", "853-37-1694", "she has 853-37-1694"},
		{"us_ssn", "853371694", "my SSN is 853371694"},
		{"us_itin", "911-70-1234", "he has 911-70-1234"},
		{"us_aba_routing", "121000358", "routing number 121000358"},
		{"us_npi", "1245319599", "NPI 1245319599"},
		{"uk_nhs", "401-023-2137", "NHS number 401-023-2137"},
		{"uk_nino", "PR 123612C", "nino: PR 123612C"},
		{"uk_nino", "AA 12 34 56 B", "it is AA 12 34 56 B"},
		{"ca_sin", "130-692-544", "my SIN is 130-692-544"},
		{"de_tax_id", "12345678903", "Meine Steuer-ID: 12345678903."},
		{"fr_nir", "2 55 08 14 168 025 38", "numéro 2 55 08 14 168 025 38"},
		{"es_nif", "12345678Z", "mi DNI 12345678Z"},
		{"es_nie", "X9613851N", "Mi NIE es X9613851N"},
		{"it_fiscal_code", "AAAAAA00B11C333Y", "codice AAAAAA00B11C333Y"},
		{"nl_bsn", "111222333", "mijn BSN is 111222333"},
		{"pl_pesel", "44051401458", "My pesel is 44051401458."},
		{"fi_hetu", "010594Y9032", "code is 010594Y9032"},
		{"fi_hetu", "131052-308T", "hetu 131052-308T"},
		{"se_personnummer", "871220-2384", "pnr 871220-2384"},
		{"tr_national_id", "10000000146", "TC Kimlik No: 10000000146"},
		{"in_aadhaar", "3123 4567 8909", "it is 3123 4567 8909"},
		{"in_aadhaar", "312345678909", "aadhaar 312345678909"},
		{"au_tfn", "876 543 210", "TFN 876 543 210"},
		{"au_abn", "51 824 753 556", "the ABN 51 824 753 556"},
		{"au_acn", "005 499 981", "ACN 005 499 981"},
		{"au_medicare", "2123 45670 1", "it is 2123 45670 1"},
		{"kr_rrn", "960121-1234567", "His number is 960121-1234567"},
		{"kr_frn", "911124-5678901", "His number is 911124-5678901"},
		{"sg_nric", "S2740116C", "NRIC S2740116C was processed"},
		{"th_national_id", "1-2345-67890-12-1", "it is 1-2345-67890-12-1"},
		{"cn_resident_id", "11010519491231002X", "it is 11010519491231002X"},
		{"za_id", "9202201234088", "My South African ID is 9202201234088."},
		{"br_cpf", "529.982.247-25", "o CPF 529.982.247-25"},
		{"br_cnpj", "11.222.333/0001-81", "CNPJ 11.222.333/0001-81"},
	} {
		assert.Equal(t, map[string]string{c.value: c.typ}, kinds(s, c.text), c.text)
	}
}

func TestWrongCheckDigitsAndLookAlikesAreLeftAlone(t *testing.T) {
	s := defaultScanner(t)
	for _, text := range []string{
		"card 4111 1111 1111 1112", "IBAN DE89370400440532013001", "SSN 666-12-3456 and 000-12-3456", "ip 256.1.1.1",
		"std::vector<int> and a::b::c", "at 12:34:56.789", "version 1.2.3.4", "Chrome/120.0.0.0", "2024-01-31 10:20:30", "31.01.2024",
		"key 8f953371d3e85eddb89b05ed6b9e680791055315c73e1025ab5dba7bb2aee189", "16Yeky6GMjeNkAiNcBY7ZhrLoMSgg1BoyZ2",
		"@decorator and a @ b", "foo@bar", "npm i @scope/pkg@1.2.3", "user@1.2.3.4x", "pi is 3.14159265358979", "id=5555555555554444",
		"trace 4bf92f3577b34da6a3ce929d0e0e4736", "550e8400-e29b-41d4-a716-446655440000", "5555555555554444", "NHS number 401-023-2138",
		"$1,234,567.89", "1 000 000 000", "lines 100-200", "x = 12345678", "FF:FF:FF:FF:FF:FF", "order 20240101", "0x" + strings.Repeat("ab", 32),
	} {
		assert.Empty(t, kinds(s, text), text)
	}
}

func TestNumbersWithoutAWordAreBelievedOnlyWhereTheCallerSaysSo(t *testing.T) {
	bare, err := NewScanner(Options{Bare: []string{"credit_card", "pl_pesel"}})
	require.NoError(t, err)
	assert.Equal(t, map[string]string{"4111111111111111": "credit_card"}, kinds(bare, "4111111111111111"))
	assert.Equal(t, map[string]string{"44051401458": "pl_pesel"}, kinds(bare, "44051401458"))
	assert.Empty(t, kinds(defaultScanner(t), "44051401458"))
}

func TestOptionsChooseTypesAndAllowValues(t *testing.T) {
	const text = "a@b.com from 192.168.0.1 with AKIAQYLPMN5HHHFPZAM2"
	for _, c := range []struct {
		o    Options
		want []string
	}{
		{Options{}, []string{"a@b.com", "192.168.0.1", "AKIAQYLPMN5HHHFPZAM2"}},
		{Options{Types: []string{"pii"}}, []string{"a@b.com", "192.168.0.1"}},
		{Options{Types: []string{"email", "secret.aws_key"}}, []string{"a@b.com", "AKIAQYLPMN5HHHFPZAM2"}},
		{Options{Disable: []string{"ip_address", "secrets"}}, []string{"a@b.com"}},
		{Options{Disable: []string{"aws-access-token"}}, []string{"a@b.com", "192.168.0.1"}},
		{Options{AllowValues: []string{"A@B.com"}}, []string{"192.168.0.1", "AKIAQYLPMN5HHHFPZAM2"}},
		{Options{AllowPatterns: []string{`^192\.168\.`, `^AKIA`}}, []string{"a@b.com"}},
		{Options{MaxTextBytes: 7}, []string{"a@b.com"}},
	} {
		s, err := NewScanner(c.o)
		require.NoError(t, err)
		var got []string
		for _, m := range s.Scan(nil, text) {
			got = append(got, text[m.Start:m.End])
		}
		assert.Equal(t, c.want, got, "%+v", c.o)
	}
}

func TestBadOptionsNameTheFieldAndTheValue(t *testing.T) {
	for want, o := range map[string]Options{
		`types: "emial"`:          {Types: []string{"emial"}},
		`disable: "nothing"`:      {Disable: []string{"nothing"}},
		`bare: "nothing"`:         {Bare: []string{"nothing"}},
		`allow_patterns: "("`:     {AllowPatterns: []string{"("}},
		`max_text_bytes`:          {MaxTextBytes: -1},
		`extra_rules`:             {ExtraRules: "not toml ["},
		`rule 1 has no id`:        {ExtraRules: "[[rules]]\nregex='a'"},
		`keywords must not`:       {ExtraRules: "[[rules]]\nid='x'\nregex='a'"},
		`secretGroup must be in`:  {ExtraRules: "[[rules]]\nid='x'\nregex='abc'\nkeywords=['abc']\nsecretGroup=3"},
		`missing closing )`:       {ExtraRules: "[[rules]]\nid='x'\nregex='(a'\nkeywords=['abc']"},
		`"x" occurs twice`:        {ExtraRules: "[[rules]]\nid='x'\nregex='a'\nkeywords=['abc']\n[[rules]]\nid='x'\nregex='a'\nkeywords=['abc']"},
		`must be printable ASCII`: {ExtraRules: "[[rules]]\nid='x'\nregex='a'\nkeywords=['añb']"},
	} {
		_, err := NewScanner(o)
		assert.ErrorContains(t, err, want)
	}
}

func TestMatchesAscendAndWhatOverlapsIsOneMatch(t *testing.T) {
	s := defaultScanner(t)
	text := "postgres://admin:s3cr3t-pw@db.example.com:5432/x and bob@example.com, 853-37-1694"
	got := s.Scan([]Match{{Type: Phone}}, text)
	require.Len(t, got, 4)
	assert.Equal(t, Phone, got[0].Type, "what dst held stays")
	assert.Equal(t, SecretConnectionString, got[1].Type)
	assert.Contains(t, text[got[1].Start:got[1].End], "s3cr3t-pw")
	assert.Equal(t, Email, got[2].Type)
	assert.Equal(t, SSN, got[3].Type)
}

func TestCleanTextCostsNoAllocation(t *testing.T) {
	s := defaultScanner(t)
	text := strings.Repeat("The answer to question 42, of 2024-05-06, is in https://example.com/a?b=1: see x := f(3) and \"key\": 1.5. ", 50)
	require.Empty(t, s.Scan(nil, text))
	buf := make([]Match, 0, 16)
	assert.Zero(t, testing.AllocsPerRun(20, func() { buf = s.Scan(buf[:0], text) }))
}

func TestAScannerIsSafeForConcurrentUse(t *testing.T) {
	s := defaultScanner(t)
	const text = "a@b.com, 4111 1111 1111 1111, password=hunter2hunter2"
	want := s.Scan(nil, text)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 50 {
				assert.Equal(t, want, s.Scan(nil, text))
			}
		})
	}
	wg.Wait()
}

func TestHostileTextsTakeBoundedTime(t *testing.T) {
	s := defaultScanner(t)
	for _, unit := range []string{
		"-----BEGIN PRIVATE KEY-----\n", "1-", "1.1.1.1.", "a@", "::1:", "password=", "eyJ", "sk-", "4111 1111 1111 1111 ", "(1", "+1 ", "://a:", "0x", "A1",
	} {
		text := strings.Repeat(unit, 200_000/len(unit))
		for _, m := range s.Scan(nil, text) {
			require.Less(t, m.Start, m.End, unit)
		}
	}
	nested := "x"
	for range 12 {
		b, err := json.Marshal([]string{nested})
		require.NoError(t, err)
		nested = string(b)
	}
	out, changed := newRedactor(t, Options{}, nil).Redact(nested, nil)
	assert.False(t, changed)
	assert.Equal(t, nested, out)
}

func TestManyMatchesTakeTimeInProportion(t *testing.T) {
	s := defaultScanner(t)
	text := strings.Repeat("a@b.com ", 50_000)
	assert.Len(t, s.Scan(nil, text), 50_000)
}

func TestNamesOfTypesAreUniqueAndCanBeRead(t *testing.T) {
	seen := map[string]bool{}
	for _, typ := range Types() {
		require.NotEmpty(t, typ.String())
		assert.False(t, seen[typ.String()], typ)
		seen[typ.String()] = true
		got, ok := ParseType(typ.String())
		assert.True(t, ok)
		assert.Equal(t, typ, got)
		assert.Equal(t, strings.HasPrefix(typ.String(), "secret."), typ.Secret(), typ)
	}
	_, ok := ParseType("emial")
	assert.False(t, ok)
}
