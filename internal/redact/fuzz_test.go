package redact

import (
	"encoding/json"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"
)

func seeds(f *testing.F) {
	f.Helper()
	for _, s := range []string{
		"mail john@example.com, +1 415 555 2671, 4111 1111 1111 1111, SSN 853-37-1694", `{"a":"{\"m\":\"j@x.org\",\"n\":4111111111111111}"}`,
		"GB82 WEST 1234 5698 7654 32 fe80::1 00:1a:2b:3c:4d:5e", "postgres://u:pa55w0rd@h/x sk-ant-api03-abcdefghijklmnopqrstuvwxyz012345",
		"<email:hmac:0123456789012345> [EMAIL_REDACTED] ***1111", "\xff\xfe@é.com \\u0040", `["😀",1e5,"\ud83d\ude00 a@b.co"]`,
		"password: \"hunter2hunter2\" -----BEGIN PRIVATE KEY-----\nabcdefghijklmnopqrstuvwxyz", "(37) 788-063-Office 0x52908400098527886E0F7030069857D2E4169EE7",
	} {
		f.Add(s)
	}
}

func FuzzScan(f *testing.F) {
	seeds(f)
	s, err := NewScanner(Options{})
	if err != nil {
		f.Fatal(err)
	}
	bare, err := NewScanner(Options{Bare: []string{"all"}})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, s := range []*Scanner{s, bare} {
			end := 0
			for _, m := range s.Scan(nil, text) {
				if m.Start < end || m.End <= m.Start || m.End > len(text) {
					t.Fatalf("match %+v behind %d of %d bytes of %q", m, end, len(text), text)
				}
				if m.Type == Unscanned || m.Type >= numTypes || m.Rule == "" {
					t.Fatalf("match %+v", m)
				}
				if utf8.ValidString(text) && (!utf8.ValidString(text[:m.Start]) || !utf8.ValidString(text[m.Start:m.End])) {
					t.Fatalf("match %+v splits a character of %q", m, text)
				}
				end = m.End
			}
		}
	})
}

func FuzzRedact(f *testing.F) {
	seeds(f)
	var all []*Redactor
	for _, a := range []Action{Mask, HMAC, Partial} {
		all = append(all, newRedactor(f, Options{}, map[string]Action{"all": a}))
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, r := range all {
			var c Counts
			out, changed := r.Redact(text, &c)
			if changed != (out != text) {
				t.Fatalf("changed is %v: %q to %q", changed, text, out)
			}
			if utf8.ValidString(text) && !utf8.ValidString(out) {
				t.Fatalf("%q became invalid UTF-8: %q", text, out)
			}
			if json.Valid([]byte(text)) && !json.Valid([]byte(out)) {
				t.Fatalf("%q became invalid JSON: %q", text, out)
			}
			if again, changed := r.Redact(out, nil); changed {
				t.Fatalf("%q, redacted to %q, becomes %q", text, out, again)
			}
			if changed && c.Total() == 0 {
				t.Fatalf("%q became %q and nothing is counted", text, out)
			}
			if left := r.scanner.Scan(nil, out); !json.Valid([]byte(out)) && len(left) > 0 {
				t.Fatalf("%q: %v is left in %q", text, left, out)
			}
		}
	})
}

// longerDomain is the address as the start of another: org8 is no top-level domain.
var longerDomain = regexp.MustCompile(`j@x\.org\.?[-_\pL\pN\pM]`)

// An object of many levels is followed to a bound, in time in proportion.
func FuzzNesting(f *testing.F) {
	f.Add("j@x.org", uint8(3))
	r := newRedactor(f, Options{}, nil)
	f.Fuzz(func(t *testing.T, leaf string, depth uint8) {
		text := leaf
		for range depth % 6 {
			b, err := json.Marshal([]string{text})
			if err != nil {
				t.Fatal(err)
			}
			text = string(b)
		}
		out, _ := r.Redact(text, nil)
		if depth%6 > 0 && !json.Valid([]byte(out)) {
			t.Fatalf("%q became invalid JSON: %q", text, out)
		}
		if strings.Contains(out, "j@x.org") && !longerDomain.MatchString(leaf) {
			t.Fatalf("%q keeps the address: %q", text, out)
		}
	})
}
