package cache

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"time"
)

// A value in Redis is: magic 4 bytes, version 1, deadline in Unix milliseconds
// 8 bytes big endian, CRC-32C over key, deadline and value 4 bytes big endian,
// the value. The key is part of the sum, so that a value that got under another
// key is none. The deadline is repeated here because whoever copies keys may
// lose their expiry.
const (
	formatMagic   = "snta"
	formatVersion = 1
	formatHeader  = len(formatMagic) + 1 + 8 + 4
)

var (
	errFormat  = errors.New("not a value of this cache")
	castagnoli = crc32.MakeTable(crc32.Castagnoli)
)

func encode(key Key, value []byte, deadline time.Time) []byte {
	b := make([]byte, 0, formatHeader+len(value))
	b = append(b, formatMagic...)
	b = append(b, formatVersion)
	b = binary.BigEndian.AppendUint64(b, uint64(deadline.UnixMilli()))
	b = binary.BigEndian.AppendUint32(b, checksum(key, b[5:13], value))
	return append(b, value...)
}

// decode returns the value, a part of b, and until when it may be used.
func decode(key Key, b []byte) ([]byte, time.Time, error) {
	if len(b) < formatHeader || string(b[:4]) != formatMagic || b[4] != formatVersion {
		return nil, time.Time{}, errFormat
	}
	value := b[formatHeader:]
	if binary.BigEndian.Uint32(b[13:]) != checksum(key, b[5:13], value) {
		return nil, time.Time{}, errFormat
	}
	return value, time.UnixMilli(int64(binary.BigEndian.Uint64(b[5:]))), nil
}

func checksum(key Key, deadline, value []byte) uint32 {
	sum := crc32.Update(0, castagnoli, key[:])
	sum = crc32.Update(sum, castagnoli, deadline)
	return crc32.Update(sum, castagnoli, value)
}
