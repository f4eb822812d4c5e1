package queryextension

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"github.com/klauspost/compress/gzip"
)

// answer is a successful response as it is kept: compressed when that saves a
// packet, because most clients want it so and it takes an eighth of the memory.
//
// Kept, it is, numbers big endian: version 1 byte, flags 1, size of the body
// before compression 4, digest 16, length of the content type 1, length of the
// link 2, content type, link, body.
type answer struct {
	contentType string
	// link is the Link header, empty for none.
	link string
	// digest is the beginning of the SHA-256 of content type, link and body.
	digest [digestBytes]byte
	size   int
	body   []byte
	zipped bool
}

const (
	digestBytes    = 16
	answerVersion  = 1
	answerZipped   = 1 << 0
	answerHeader   = 1 + 1 + 4 + digestBytes + 1 + 2
	maxContentType = 255
	maxLink        = 16 << 10
)

var errAnswerFormat = errors.New("not a kept answer")

// newAnswer keeps a response.
func newAnswer(h http.Header, body []byte) answer {
	a := answer{contentType: h.Get("Content-Type"), link: h.Get("Link"), size: len(body), body: body}
	if len(a.contentType) > maxContentType {
		a.contentType = typeText
	}
	if len(a.link) > maxLink {
		a.link = ""
	}
	sum := sha256.New()
	sum.Write([]byte(a.contentType + "\x00" + a.link + "\x00"))
	sum.Write(body)
	copy(a.digest[:], sum.Sum(nil))
	if len(body) >= minGzipBytes {
		var buf bytes.Buffer
		buf.Grow(len(body) / 6)
		writeGzip(&buf, body)
		a.body, a.zipped = buf.Bytes(), true
	}
	return a
}

func (a answer) encode() []byte {
	b := make([]byte, 0, answerHeader+len(a.contentType)+len(a.link)+len(a.body))
	var flags byte
	if a.zipped {
		flags |= answerZipped
	}
	b = append(b, answerVersion, flags)
	b = binary.BigEndian.AppendUint32(b, uint32(a.size))
	b = append(b, a.digest[:]...)
	b = append(b, byte(len(a.contentType)))
	b = binary.BigEndian.AppendUint16(b, uint16(len(a.link)))
	b = append(b, a.contentType...)
	b = append(b, a.link...)
	return append(b, a.body...)
}

// decodeAnswer shares b.
func decodeAnswer(b []byte) (answer, error) {
	if len(b) < answerHeader || b[0] != answerVersion || b[1]&^answerZipped != 0 {
		return answer{}, errAnswerFormat
	}
	n, m := int(b[answerHeader-3]), int(binary.BigEndian.Uint16(b[answerHeader-2:]))
	texts, size := b[answerHeader:], binary.BigEndian.Uint32(b[2:])
	if len(texts) < n+m {
		return answer{}, errAnswerFormat
	}
	a := answer{
		contentType: string(texts[:n]), link: string(texts[n : n+m]), size: int(size),
		body: texts[n+m:], zipped: b[1]&answerZipped != 0,
	}
	copy(a.digest[:], b[6:])
	if !a.zipped && a.size != len(a.body) {
		return answer{}, errAnswerFormat
	}
	return a, nil
}

// etag is strong: equal bytes on the wire, so the compressed form has its own.
func (a answer) etag(zipped bool) string {
	tag := hex.EncodeToString(a.digest[:])
	if zipped {
		tag += etagZipped
	}
	return `"` + tag + `"`
}

const etagZipped = "-gzip"

// known reports whether the client has this answer already, in either form
// (RFC 9110 section 13.1.2: the comparison is weak).
func (a answer) known(h http.Header) bool {
	mine := hex.EncodeToString(a.digest[:])
	for _, field := range h.Values("If-None-Match") {
		for item := range strings.SplitSeq(field, ",") {
			item = strings.TrimPrefix(strings.TrimSpace(item), "W/")
			if item == "*" {
				return true
			}
			if tag, ok := strings.CutPrefix(item, `"`); ok {
				if tag, ok = strings.CutSuffix(tag, `"`); ok && strings.TrimSuffix(tag, etagZipped) == mine {
					return true
				}
			}
		}
	}
	return false
}

// send writes the answer or 304. plain is the body before compression when it
// is at hand, else nil.
func (a answer) send(w http.ResponseWriter, r *http.Request, plain []byte) {
	zipped := a.zipped && acceptsGzip(r.Header)
	h := w.Header()
	// A browser may keep it, for one user, but has to ask whether it still holds.
	h.Set("Cache-Control", "private, no-cache")
	h.Set("ETag", a.etag(zipped))
	addVary(h)
	if a.known(r.Header) {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	h.Set("Content-Type", a.contentType)
	if a.link != "" {
		h.Set("Link", a.link)
	}
	length := a.size
	if zipped {
		h.Set("Content-Encoding", "gzip")
		length = len(a.body)
	}
	h.Set("Content-Length", strconv.Itoa(length))
	w.WriteHeader(http.StatusOK)
	switch {
	case r.Method == http.MethodHead:
	case !a.zipped || zipped:
		_, _ = w.Write(a.body) // the client is gone, see send
	case plain != nil:
		_, _ = w.Write(plain)
	default:
		unzip(w, a.body, a.size)
	}
}

func addVary(h http.Header) {
	if h.Get("Vary") != "Accept-Encoding" {
		h.Add("Vary", "Accept-Encoding")
	}
}

var gzipReaders = sync.Pool{New: func() any { return new(gzip.Reader) }}

// unzip writes size bytes. A damaged answer, which the checksums make as good
// as impossible, breaks the connection: its length was announced.
func unzip(w io.Writer, body []byte, size int) {
	zr := gzipReaders.Get().(*gzip.Reader)
	defer gzipReaders.Put(zr)
	if err := zr.Reset(bytes.NewReader(body)); err != nil {
		panic(http.ErrAbortHandler)
	}
	if _, err := io.CopyN(w, zr, int64(size)); errors.Is(err, io.EOF) || errors.Is(err, gzip.ErrChecksum) || errors.Is(err, gzip.ErrHeader) {
		panic(http.ErrAbortHandler)
	}
}
