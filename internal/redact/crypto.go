package redact

import (
	"crypto/sha256"
	"strings"
)

const base58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"

// bitcoin checks an address of Bitcoin or Litecoin: Base58Check (versions of pay to
// public key hash and to script hash) or Bech32 and Bech32m.
func bitcoin(w string) bool {
	switch w[0] {
	case '1', '3', 'L', 'M':
		return len(w) <= 35 && base58Check(w)
	case 'b', 'B', 'l':
		return bech32(w)
	}
	return false
}

// base58Check decodes 25 bytes and compares the last four with the double SHA-256.
func base58Check(w string) bool {
	var n [25]byte
	for i := range len(w) {
		carry := strings.IndexByte(base58, w[i])
		if carry < 0 {
			return false
		}
		for k := len(n) - 1; k >= 0; k-- {
			carry += int(n[k]) * 58
			n[k] = byte(carry)
			carry >>= 8
		}
		if carry != 0 {
			return false
		}
	}
	switch n[0] { //nolint:gosec // n is an array of 25
	case 0x00, 0x05, 0x30, 0x32:
	default:
		return false
	}
	sum := sha256.Sum256(n[:21])
	sum = sha256.Sum256(sum[:])
	return [4]byte(sum[:4]) == [4]byte(n[21:])
}

// bech32 checks an address by BIP 173 and BIP 350.
func bech32(w string) bool {
	if len(w) < 14 || len(w) > 90 || w != strings.ToLower(w) && w != strings.ToUpper(w) {
		return false
	}
	prefix := strings.ToLower(w[:3])
	if prefix != "bc1" && w[:2] != "tb" && !strings.HasPrefix(strings.ToLower(w), "ltc1") {
		return false
	}
	one := strings.IndexByte(w, '1')
	c := uint32(1)
	step := func(v uint32) {
		top := c >> 25
		c = (c&0x1FFFFFF)<<5 ^ v
		for i, g := range [...]uint32{0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3} {
			if top>>i&1 == 1 {
				c ^= g
			}
		}
	}
	for i := range one {
		step(uint32(w[i]|0x20) >> 5)
	}
	step(0)
	for i := range one {
		step(uint32(w[i]|0x20) & 31)
	}
	for i := one + 1; i < len(w); i++ {
		b := w[i]
		if b-'A' < 26 {
			b |= 0x20
		}
		v := strings.IndexByte("qpzry9x8gf2tvdw0s3jn54khce6mua7l", b)
		if v < 0 {
			return false
		}
		step(uint32(v))
	}
	return c == 1 || c == 0x2BC830A3
}

// ethereum matches 0x and 40 hexadecimal digits at i. A longer run is a hash, and
// an address of one digit only is none of a person.
func ethereum(text string, i int) int {
	e := i + 42
	if e > len(text) || !freeLeft(text, i) || !freeRight(text, e) {
		return 0
	}
	varied := false
	for k := i + 2; k < e; k++ {
		if !isHex(text[k]) {
			return 0
		}
		varied = varied || k > e-20 && text[k] != text[k-1]
	}
	if !varied {
		return 0
	}
	return e
}
