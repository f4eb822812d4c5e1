package injection

import (
	"bytes"
	_ "embed" // the model file
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
	"sync"
)

// Heads of the linear model, and groups of provenance with a calibration each.
const (
	HeadDirect = iota
	HeadUntrusted
	heads

	groupTrusted   = 0
	groupUntrusted = 1
	groups         = 2
)

// Inputs is the number of inputs of the calibration: mean and highest log-odds of
// the pieces for each head, the base-2 logarithm of their number, and the rules.
const Inputs = 2*heads + 1 + rules

// Model is a trained model. It is immutable.
type Model struct {
	parameters
	thresholds [groups]float64
	// weights has the weights of the heads side by side, so that one look into
	// memory serves both.
	weights [][heads]int8
}

// parameters is the head of a model file.
type parameters struct {
	// Scales turns a weight into log-odds.
	Scales [heads]float32
	Biases [heads]float32
	// Stack has the weights of the calibration and Intercepts their constants.
	Stack      [groups][Inputs]float32
	Intercepts [groups]float32
	Thresholds [groups]float64
	// Prevalence is the share of attacks that scores are calibrated for.
	Prevalence float64
}

// Parts are what a trainer makes a model of.
type Parts struct {
	// Weights of each head, 1<<Bits of them, in log-odds.
	Weights [heads][]float32
	Biases  [heads]float32
	// Stack and Intercepts for trusted and for untrusted text.
	Stack      [groups][Inputs]float64
	Intercepts [groups]float64
	Thresholds [groups]float64
	Prevalence float64
}

// NewModel rounds the weights to 8 bits.
func NewModel(p Parts) (*Model, error) {
	m := &Model{weights: make([][heads]int8, 1<<Bits)}
	for h := range heads {
		if len(p.Weights[h]) != 1<<Bits {
			return nil, fmt.Errorf("head %d: %d weights, want %d", h, len(p.Weights[h]), 1<<Bits)
		}
		largest := float32(1e-6)
		for _, w := range p.Weights[h] {
			largest = max(largest, w, -w)
		}
		scale := largest / math.MaxInt8
		for i, w := range p.Weights[h] {
			m.weights[i][h] = int8(math.Round(float64(w / scale)))
		}
		m.Scales[h], m.Biases[h] = scale, p.Biases[h]
	}
	for g := range groups {
		for i, w := range p.Stack[g] {
			m.Stack[g][i] = float32(w)
		}
		m.Intercepts[g] = float32(p.Intercepts[g])
	}
	m.Thresholds, m.thresholds, m.Prevalence = p.Thresholds, p.Thresholds, p.Prevalence
	return m, m.check()
}

const magic = "SNTLINJ1"

// Bytes gives the model file: magic, parameters, weights (little endian), CRC-32.
func (m *Model) Bytes() []byte {
	var b bytes.Buffer
	b.WriteString(magic)
	_ = binary.Write(&b, binary.LittleEndian, m.parameters) // a bytes.Buffer takes everything
	for _, w := range m.weights {
		for _, v := range w {
			b.WriteByte(byte(v))
		}
	}
	return binary.LittleEndian.AppendUint32(b.Bytes(), crc32.ChecksumIEEE(b.Bytes()))
}

// ParseModel reads a model file.
func ParseModel(file []byte) (*Model, error) {
	m := &Model{}
	head := len(magic) + binary.Size(m.parameters)
	if len(file) != head+heads<<Bits+4 || string(file[:len(magic)]) != magic {
		return nil, fmt.Errorf("no injection model: %d bytes, want %d that begin with %q", len(file), head+heads<<Bits+4, magic)
	}
	body, sum := file[:len(file)-4], binary.LittleEndian.Uint32(file[len(file)-4:])
	if got := crc32.ChecksumIEEE(body); got != sum {
		return nil, fmt.Errorf("injection model: checksum %08x, want %08x", got, sum)
	}
	if _, err := binary.Decode(body[len(magic):head], binary.LittleEndian, &m.parameters); err != nil {
		return nil, fmt.Errorf("injection model: %w", err)
	}
	m.weights = make([][heads]int8, 1<<Bits)
	for i := range m.weights {
		for h := range heads {
			m.weights[i][h] = int8(body[head+i*heads+h])
		}
	}
	m.thresholds = m.Thresholds
	return m, m.check()
}

func (m *Model) check() error {
	all := []float64{m.Prevalence}
	all = append(all, m.Thresholds[:]...)
	for _, v := range all {
		if !(v > 0 && v <= 1) {
			return fmt.Errorf("injection model: threshold or prevalence %v is not in 0..1", v)
		}
	}
	for g := range groups {
		for _, w := range append(m.Stack[g][:], m.Intercepts[g], m.Scales[g], m.Biases[g]) {
			if math.IsNaN(float64(w)) || math.IsInf(float64(w), 0) {
				return errors.New("injection model: a parameter is not a number")
			}
		}
	}
	return nil
}

//go:embed model.bin
var modelFile []byte

var embedded = sync.OnceValues(func() (*Model, error) { return ParseModel(modelFile) })

// Embedded gives the model that comes with the package.
func Embedded() (*Model, error) { return embedded() }

// Signals are what is read of a text.
type Signals struct {
	sum, highest [heads]float64
	pieces       int
	rules        ruleSet
}

// read reads a text of one or two parts; it tells whether something may be encoded.
func (m *Model) read(s *Signals, head, tail string) (encoded bool) {
	var buf [maxFeatures]uint32
	for _, part := range [2]string{head, tail} {
		if part == "" {
			continue
		}
		r, e := scan(part)
		s.rules |= r
		encoded = encoded || e
		for start := 0; start < len(part); {
			end := pieceEnd(part, start)
			n := features(part[start:end], &buf)
			s.add(m, buf[:n])
			start = end
		}
	}
	return encoded
}

// readHidden reads a text that was hidden in another one.
func (m *Model) readHidden(outer *Signals, hidden, encoding string) (inner Signals) {
	m.read(&inner, hidden, "")
	inner.rules |= outer.rules & hiddenRules
	if encoding != DecodedZeroWidth {
		// Benign base64 is everywhere; to hide an instruction in it is not.
		inner.rules |= ruleEncoded
	}
	return inner
}

// add adds a piece: the sum of its weights, divided by the root of their number, so
// that a piece has the same length as a vector however long it is.
func (s *Signals) add(m *Model, features []uint32) {
	if len(features) == 0 {
		return
	}
	var sum [heads]int32
	for _, f := range features {
		w := &m.weights[f]
		sum[0] += int32(w[0])
		sum[1] += int32(w[1])
	}
	root := 1 / math.Sqrt(float64(len(features)))
	for h := range heads {
		l := float64(float64(sum[h])*root)*float64(m.Scales[h]) + float64(m.Biases[h])
		s.sum[h] += l
		if s.pieces == 0 || l > s.highest[h] {
			s.highest[h] = l
		}
	}
	s.pieces++
}

// inputs gives the inputs of the calibration.
func (s *Signals) inputs(x *[Inputs]float64) {
	if s.pieces > 0 {
		for h := range heads {
			x[2*h] = s.sum[h] / float64(s.pieces)
			x[2*h+1] = s.highest[h]
		}
		x[2*heads] = math.Log2(float64(s.pieces))
	}
	for i := range rules {
		x[2*heads+1+i] = float64(s.rules >> i & 1)
	}
}

// logit gives the calibrated log-odds.
func (m *Model) logit(s *Signals, group int) float64 {
	if s.pieces == 0 {
		return math.Inf(-1) // nothing was said
	}
	var x [Inputs]float64
	s.inputs(&x)
	l := float64(m.Intercepts[group])
	for i, v := range x {
		l += float64(float64(m.Stack[group][i]) * v)
	}
	return l
}

// Inputs gives the inputs of the calibration for a text: of the text itself, and
// one more for everything that is encoded in it. Trainers fit on the same.
func (m *Model) Inputs(text string) [][Inputs]float64 {
	var s Signals
	encoded := m.read(&s, text, "")
	out := make([][Inputs]float64, 1)
	s.inputs(&out[0])
	if encoded {
		decodeAll(text, DefaultMaxTextBytes, func(hidden, encoding string) {
			inner := m.readHidden(&s, hidden, encoding)
			var x [Inputs]float64
			inner.inputs(&x)
			out = append(out, x)
		})
	}
	return out
}
