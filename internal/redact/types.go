package redact

import (
	"fmt"
	"slices"
	"strings"
)

// Type is a kind of sensitive value. Numbers are not stable, names are.
type Type uint8

// The types. National identifiers carry the country in their name; secrets begin
// with "secret.".
const (
	// Unscanned is the rest of a text behind Options.MaxTextBytes.
	Unscanned Type = iota
	Email
	Phone
	CreditCard
	IBAN
	IPAddress
	MACAddress
	CryptoAddress
	SSN
	ITIN
	ABARouting
	NPI
	UKNHS
	UKNINO
	CASIN
	DETaxID
	FRNIR
	ESNIF
	ESNIE
	ITFiscalCode
	NLBSN
	PLPESEL
	FIHETU
	SEPersonnummer
	TRNationalID
	INAadhaar
	AUTFN
	AUABN
	AUACN
	AUMedicare
	KRRRN
	KRFRN
	SGNRIC
	THNationalID
	CNResidentID
	ZAID
	BRCPF
	BRCNPJ
	SecretOpenAI
	SecretAnthropic
	SecretHuggingFace
	SecretAWS
	SecretGCP
	SecretAzure
	SecretGitHub
	SecretGitLab
	SecretSlack
	SecretStripe
	SecretPrivateKey
	SecretJWT
	SecretConnectionString
	SecretAuthorization
	SecretAssignment
	SecretOther

	numTypes
)

var typeNames = [numTypes]string{
	Unscanned:              "unscanned",
	Email:                  "email",
	Phone:                  "phone",
	CreditCard:             "credit_card",
	IBAN:                   "iban",
	IPAddress:              "ip_address",
	MACAddress:             "mac_address",
	CryptoAddress:          "crypto_address",
	SSN:                    "us_ssn",
	ITIN:                   "us_itin",
	ABARouting:             "us_aba_routing",
	NPI:                    "us_npi",
	UKNHS:                  "uk_nhs",
	UKNINO:                 "uk_nino",
	CASIN:                  "ca_sin",
	DETaxID:                "de_tax_id",
	FRNIR:                  "fr_nir",
	ESNIF:                  "es_nif",
	ESNIE:                  "es_nie",
	ITFiscalCode:           "it_fiscal_code",
	NLBSN:                  "nl_bsn",
	PLPESEL:                "pl_pesel",
	FIHETU:                 "fi_hetu",
	SEPersonnummer:         "se_personnummer",
	TRNationalID:           "tr_national_id",
	INAadhaar:              "in_aadhaar",
	AUTFN:                  "au_tfn",
	AUABN:                  "au_abn",
	AUACN:                  "au_acn",
	AUMedicare:             "au_medicare",
	KRRRN:                  "kr_rrn",
	KRFRN:                  "kr_frn",
	SGNRIC:                 "sg_nric",
	THNationalID:           "th_national_id",
	CNResidentID:           "cn_resident_id",
	ZAID:                   "za_id",
	BRCPF:                  "br_cpf",
	BRCNPJ:                 "br_cnpj",
	SecretOpenAI:           "secret.openai_key",
	SecretAnthropic:        "secret.anthropic_key",
	SecretHuggingFace:      "secret.huggingface_token",
	SecretAWS:              "secret.aws_key",
	SecretGCP:              "secret.gcp_key",
	SecretAzure:            "secret.azure_key",
	SecretGitHub:           "secret.github_token",
	SecretGitLab:           "secret.gitlab_token",
	SecretSlack:            "secret.slack_token",
	SecretStripe:           "secret.stripe_key",
	SecretPrivateKey:       "secret.private_key",
	SecretJWT:              "secret.jwt",
	SecretConnectionString: "secret.connection_string",
	SecretAuthorization:    "secret.authorization",
	SecretAssignment:       "secret.assignment",
	SecretOther:            "secret.other",
}

// String returns the stable name, such as "credit_card" or "secret.aws_key".
func (t Type) String() string {
	if t >= numTypes {
		return fmt.Sprintf("type(%d)", uint8(t))
	}
	return typeNames[t]
}

// Secret tells whether the type is a credential, not personal data.
func (t Type) Secret() bool { return t >= SecretOpenAI && t < numTypes }

// Types returns all types that can be switched on and off, in a stable order.
func Types() []Type {
	var all []Type
	for t := Unscanned + 1; t < numTypes; t++ {
		all = append(all, t)
	}
	return all
}

// ParseType finds a type by its stable name.
func ParseType(name string) (Type, bool) {
	i := slices.Index(typeNames[:], name)
	return Type(max(i, 0)), i >= 0
}

// typeSet holds types.
type typeSet [numTypes]bool

// addNames adds types by name, and groups: "pii" and "secret" ("secrets"), and "all".
func (s *typeSet) addNames(field string, names []string) error {
	for _, name := range names {
		switch strings.ToLower(name) {
		case "all", "*":
			for t := range s {
				s[t] = true
			}
		case "pii":
			for t := Email; t < SecretOpenAI; t++ {
				s[t] = true
			}
		case "secret", "secrets":
			for t := SecretOpenAI; t < numTypes; t++ {
				s[t] = true
			}
		default:
			t, ok := ParseType(name)
			if !ok {
				return fmt.Errorf("%s: %q is no type and no group (pii, secret, all)", field, name)
			}
			s[t] = true
		}
	}
	return nil
}

// Match is one found value: text[Start:End], in bytes.
type Match struct {
	Start, End int
	Type       Type
	// Rule names the rule of a secret; for other types it is the type's name.
	Rule string
}
