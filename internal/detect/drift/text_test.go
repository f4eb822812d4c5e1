package drift

import (
	"math"
	"strings"
	"testing"
	"testing/quick"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// cosine of two unit vectors.
func cosine(a, b *Vector) float64 {
	var dot float64
	for i := range a {
		dot += float64(a[i]) * float64(b[i])
	}
	return math.Max(-1, math.Min(1, dot))
}

func vector(t *testing.T, text string) *Vector {
	t.Helper()
	var v Vector
	require.True(t, TextVector(text, &v), text)
	return &v
}

func TestTextsOfOneTopicAreCloserThanOthers(t *testing.T) {
	refund := vector(t, "How do I get a refund for the order that arrived broken last week?")
	refund2 := vector(t, "I want a refund, my order has arrived broken")
	code := vector(t, "Write a function in Python that sorts a list of tuples by their second element")
	assert.Greater(t, cosine(refund, refund2), cosine(refund, code)+.1)
	assert.InDelta(t, 1, cosine(refund, vector(t, "HOW do i get a refund, for the order that arrived broken last week")), 1e-6, "case and signs do not count")
	han, kana := vector(t, "我想退款因为订单坏了"), vector(t, "我想退款因为包裹坏了")
	assert.Greater(t, cosine(han, kana), .4)
	var v Vector
	for _, none := range []string{"", "12345 +-*/ 99", "\xff\xfe"} {
		assert.False(t, TextVector(none, &v), "%q", none)
		assert.Zero(t, v)
	}
}

func TestVectorsAreOfLengthOne(t *testing.T) {
	require.NoError(t, quick.Check(func(text string) bool {
		var v Vector
		if !TextVector(text, &v) {
			return v == Vector{}
		}
		return math.Abs(cosine(&v, &v)-1) < 1e-5
	}, nil))
}

func TestProjectionKeepsAngles(t *testing.T) {
	rng := newRand(3)
	for _, dims := range []int{384, 1536} {
		a, b := make([]float64, dims), make([]float64, dims)
		var dot, aa, bb float64
		for i := range dims {
			a[i] = rng.NormFloat64()
			b[i] = .8*a[i] + .6*rng.NormFloat64()
			dot, aa, bb = dot+a[i]*b[i], aa+a[i]*a[i], bb+b[i]*b[i]
		}
		var va, vb Vector
		for i := range dims {
			va.Project(i, a[i])
			vb.Project(i, b[i])
		}
		require.True(t, va.Normalise() && vb.Normalise())
		assert.InDelta(t, dot/math.Sqrt(aa*bb), cosine(&va, &vb), .25)
	}
	var v Vector
	v.Project(0, math.NaN())
	v.Project(1, math.Inf(1))
	assert.False(t, v.Normalise())
}

func TestDetectLanguage(t *testing.T) {
	for want, text := range map[Language]string{
		English:    "What is the best way to cook rice for ten people?",
		German:     "Wie koche ich Reis für zehn Personen und ist das nicht zu viel?",
		French:     "Quelle est la meilleure façon de cuire le riz pour dix personnes dans une casserole ?",
		Spanish:    "¿Cuál es la mejor manera de cocinar el arroz para los invitados?",
		Portuguese: "Qual é a melhor forma de cozinhar o arroz para os convidados? Não sei.",
		Italian:    "Qual è il modo migliore di cuocere il riso che gli ospiti amano?",
		OtherLatin: "Jak nejlépe uvařit rýži",
		Cyrillic:   "Как лучше всего сварить рис?",
		Greek:      "Πώς μαγειρεύω ρύζι;",
		Arabic:     "كيف أطبخ الأرز؟",
		Hebrew:     "איך מבשלים אורז?",
		Indic:      "चावल कैसे पकाएं?",
		Chinese:    "怎么煮米饭？",
		Japanese:   "お米の炊き方を教えてください",
		Korean:     "밥을 어떻게 짓나요?",
		NoLanguage: "42 + 17 = ?",
	} {
		assert.Equal(t, want, DetectLanguage(text), "%s: %s", want, text)
		assert.NotEqual(t, "unknown", want.String())
	}
	assert.Equal(t, English, DetectLanguage(strings.Repeat("the cat and the dog ", 1000)))
	assert.Equal(t, "unknown", Languages.String())
}

func TestRefuses(t *testing.T) {
	for _, yes := range []string{
		"I'm sorry, but I can't help with that request.", "I cannot assist with this.", "As an AI language model, I have no opinion.",
		"Das kann ich leider nicht beantworten.", "Je ne peux pas vous aider avec cela.", "Lo siento, pero no puedo hacer eso.", "抱歉，我无法回答。",
	} {
		assert.True(t, Refuses(yes), yes)
	}
	for _, no := range []string{"", "Sure! Here is how you can help the user.", strings.Repeat("Paris is the capital. ", 20) + "I can't help"} {
		assert.False(t, Refuses(no), no)
	}
}

func FuzzText(f *testing.F) {
	f.Add("What is the capital?")
	f.Add("\xff\x00я我")
	f.Fuzz(func(t *testing.T, text string) {
		var v Vector
		TextVector(text, &v)
		require.Less(t, DetectLanguage(text), Languages)
		Refuses(text)
	})
}

func BenchmarkText(b *testing.B) {
	text := strings.Repeat("What is the best way to cook rice for ten people? ", 40)
	b.Run("vector", func(b *testing.B) {
		var v Vector
		b.SetBytes(int64(len(text)))
		for b.Loop() {
			TextVector(text, &v)
		}
	})
	b.Run("language", func(b *testing.B) {
		for b.Loop() {
			DetectLanguage(text)
		}
	})
	b.Run("refusal", func(b *testing.B) {
		for b.Loop() {
			Refuses(text)
		}
	})
}
