package llmtraffic

// topics are the words of prompts and answers. Calls are about the first half of
// them, those of a topic drift about the second.
var topics = [...][]string{
	{"refund", "order", "invoice", "parcel", "delivery", "address", "return", "payment", "voucher", "receipt", "damaged", "late", "customer"},
	{"account", "password", "login", "email", "subscription", "upgrade", "cancel", "plan", "settings", "profile", "security", "verify", "device"},
	{"python", "function", "loop", "compile", "pointer", "goroutine", "stack", "exception", "library", "debugger", "regex", "array", "syntax"},
	{"diagnosis", "symptom", "fever", "dosage", "tablet", "allergy", "patient", "treatment", "blood", "infection", "doctor", "clinic", "vaccine"},
}

// common are words that occur whatever the topic is.
var common = []string{"please", "tell", "me", "how", "to", "with", "my", "the", "and", "for", "a", "of", "is", "what", "can", "you", "this", "that"}

// share turns random bits into a number in [0, 1).
func share(bits uint64) float64 { return float64(mix(bits)>>11) / (1 << 53) }

func mix(x uint64) uint64 {
	x ^= x >> 30
	x *= 0xbf58476d1ce4e5b9
	x ^= x >> 27
	x *= 0x94d049bb133111eb
	return x ^ x>>31
}

// topicOf is the topic of a call whose random bits are given, when a share of
// the calls has moved on to other topics.
func topicOf(bits uint64, moved float64) int {
	half := len(topics) / 2
	at := int(mix(bits^1) % uint64(half))
	if share(bits^2) < moved {
		at += half
	}
	return at
}

// appendText appends n words about a topic to dst. The same bits give the same text.
func appendText(dst []byte, topic int, bits uint64, n int) []byte {
	for i := range n {
		bits = mix(bits + uint64(i) + 0x9e3779b97f4a7c15)
		list := common
		if bits&1 != 0 {
			list = topics[topic]
		}
		if i > 0 {
			dst = append(dst, ' ')
		}
		dst = append(dst, list[bits>>1%uint64(len(list))]...)
	}
	return dst
}
