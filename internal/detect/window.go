package detect

import "math"

// flatWindow is the longest window that lies in the state itself.
const flatWindow = 64

// tail is the memory of windows longer than flatWindow.
type tail struct {
	value [MaxWindow + 1]float32
	born  [MaxWindow + 1]uint8
}

// window is the short reference: the last values in ascending order, each with
// its place in a ring of the window's size, by which it will be dropped. The
// order makes every quantile a look-up. Values come in blocks, so that keeping
// the order is one pass over the window for eight of them.
//
// Sums are kept relative to pivot and are recomputed each time the ring wraps,
// so that rounding errors neither add up nor show on constant series.
type window struct {
	value [flatWindow]float32
	born  [flatWindow]uint8
	long  *tail // set when the model's window exceeds flatWindow
	sum   float64
	sum2  float64
	pivot float32
	n     uint8
	head  uint8 // place of the next value in the ring
	split uint8 // hint for mad
}

// slices returns the memory for size values, and some beyond.
func (w *window) slices(size int) (value []float32, born []uint8) {
	if size > flatWindow {
		return w.long.value[:], w.long.born[:]
	}
	return w.value[:], w.born[:]
}

// sorted returns the values in ascending order.
func (w *window) sorted(size int) sorted {
	value, _ := w.slices(size)
	return value[:w.n]
}

// merge adds values, at most lagSize, and drops the oldest that have no place
// in a window of size any more.
func (w *window) merge(values []float32, size int) {
	value, born := w.slices(size)
	n, k := int(w.n), len(values)
	full := n == flatWindow && size == flatWindow
	var gone uint64
	if full {
		gone = w.forget(k)
	} else if excess := n + k - size; excess > 0 {
		oldest := int(w.head) + size - n
		if oldest >= size {
			oldest -= size
		}
		w.drop(value[:n], born[:n], size, oldest, excess)
		n -= excess
	}
	var block [lagSize]fresh
	head, wrapped := int(w.head), w.n == 0
	for i := range block {
		if i >= k {
			block[i] = lastFresh
			continue
		}
		block[i] = newFresh(values[i], uint8(head))
		d := float64(values[i]) - float64(w.pivot)
		w.sum += d
		w.sum2 += d * d
		if head++; head == size {
			head, wrapped = 0, true
		}
	}
	sortBlock(&block)
	if full {
		w.replace(&block, k, gone)
		if w.head = uint8(head); wrapped {
			w.resum(size)
		}
		return
	}
	// From the largest on, each goes behind all values that are not above it.
	from, to := n-1, n+k-1
	for j := k - 1; j >= 0; j-- {
		v := block[j].value()
		for from >= 0 && value[from] > v {
			value[to], born[to] = value[from], born[from]
			from--
			to--
		}
		value[to], born[to] = v, block[j].born()
		to--
	}
	w.n, w.head = uint8(n+k), uint8(head)
	if wrapped {
		w.resum(size)
	}
}

// drop takes out the oldest values, those in count places of the ring from
// oldest on. There is no branch in the loop, as it could not be predicted.
func (w *window) drop(value []float32, born []uint8, size, oldest, count int) {
	var gone [2 * lagSize]float32
	left, g := 0, 0
	born = born[:len(value)]
	for i, v := range value {
		b := born[i]
		age := int(b) - oldest
		age += size & (age >> 63)
		keep := 1 + (age-count)>>63
		value[left], born[left] = v, b
		gone[g&(2*lagSize-1)] = v
		left += keep
		g += 1 - keep
	}
	for _, v := range gone[:count] {
		d := float64(v) - float64(w.pivot)
		w.sum -= d
		w.sum2 -= d * d
	}
}

// fresh is a value and its place in the ring in one number that sorts by value.
type fresh uint64

const lastFresh = fresh(math.MaxUint64)

func newFresh(v float32, born uint8) fresh {
	b := math.Float32bits(v)
	b ^= uint32(int32(b)>>31) | 1<<31
	return fresh(b)<<8 | fresh(born)
}

func (f fresh) born() uint8 { return uint8(f) }

// rank sorts by value alone.
func (f fresh) rank() int64 { return int64(f >> 8) }

func (f fresh) value() float32 {
	b := uint32(f >> 8)
	return math.Float32frombits(b ^ (uint32(int32(^b)>>31) | 1<<31))
}

// sortBlock is Batcher's network: no branch depends on the values.
func sortBlock(x *[lagSize]fresh) {
	a, b, c, d, e, f, g, h := x[0], x[1], x[2], x[3], x[4], x[5], x[6], x[7]
	a, b = min(a, b), max(a, b)
	c, d = min(c, d), max(c, d)
	e, f = min(e, f), max(e, f)
	g, h = min(g, h), max(g, h)
	a, c = min(a, c), max(a, c)
	b, d = min(b, d), max(b, d)
	e, g = min(e, g), max(e, g)
	f, h = min(f, h), max(f, h)
	b, c = min(b, c), max(b, c)
	f, g = min(f, g), max(f, g)
	a, e = min(a, e), max(a, e)
	b, f = min(b, f), max(b, f)
	c, g = min(c, g), max(c, g)
	d, h = min(d, h), max(d, h)
	c, e = min(c, e), max(c, e)
	d, f = min(d, f), max(d, f)
	b, c = min(b, c), max(b, c)
	d, e = min(d, e), max(d, e)
	f, g = min(f, g), max(f, g)
	*x = [lagSize]fresh{a, b, c, d, e, f, g, h}
}

// resum computes the sums afresh, around the middle of the window.
func (w *window) resum(size int) {
	values := w.sorted(size)
	w.pivot, w.sum, w.sum2 = values[len(values)/2], 0, 0
	for _, v := range values {
		d := float64(v) - float64(w.pivot)
		w.sum += d
		w.sum2 += d * d
	}
}

// moments returns mean and standard deviation (n-1) of at least two values.
func (w *window) moments() (mean, sd float64) {
	n := float64(w.n)
	m := w.sum / n
	v := (w.sum2 - w.sum*m) / (n - 1)
	return float64(w.pivot) + m, math.Sqrt(max(0, v))
}

// clamp cuts all values to lo..hi.
func (w *window) clamp(lo, hi float64, size int) {
	values := w.sorted(size)
	for i, v := range values {
		values[i] = float32(min(max(float64(v), lo), hi))
	}
	w.resum(size)
}

// stretch multiplies the distance of all values from centre. Where scale is more
// than they have of their own, as in a series that stands still, they become
// normal scores of that scale.
func (w *window) stretch(centre, factor, scale float64, size int) {
	values := w.sorted(size)
	if _, sd := w.moments(); sd < scale/2 {
		w.reshape(centre, factor*scale, size)
		return
	}
	for i, v := range values {
		values[i] = float32(centre + factor*(float64(v)-centre))
	}
	w.resum(size)
}

// ring returns the values by their place in the ring.
func (w *window) ring(size int) (list [MaxWindow + 1]float32) {
	_, born := w.slices(size)
	for i, v := range w.sorted(size) {
		list[born[i]] = v
	}
	return list
}

// reshape replaces the values by normal scores around mean. Their order stays.
func (w *window) reshape(mean, sd float64, size int) {
	values := w.sorted(size)
	n := float64(w.n)
	for i := range values {
		p := (float64(i) + .5) / n
		values[i] = float32(mean + sd*math.Sqrt2*math.Erfinv(2*p-1))
	}
	w.resum(size)
}
