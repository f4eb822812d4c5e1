package drift

import (
	"strings"
	"unicode/utf8"
)

// Language is the language of a text as far as its letters and its commonest
// words tell it; for other scripts than the Latin it is the script.
type Language uint8

// The languages.
const (
	NoLanguage Language = iota // no letters
	OtherLatin
	English
	German
	French
	Spanish
	Portuguese
	Italian
	Cyrillic
	Greek
	Arabic
	Hebrew
	Indic
	Chinese
	Japanese
	Korean

	// Languages is their number.
	Languages
)

var languageNames = [Languages]string{
	"none", "other_latin", "english", "german", "french", "spanish", "portuguese", "italian",
	"cyrillic", "greek", "arabic", "hebrew", "indic", "chinese", "japanese", "korean",
}

func (l Language) String() string {
	if l < Languages {
		return languageNames[l]
	}
	return "unknown"
}

// stopWords are words that are frequent in one of the languages and rare in the
// others. Words that several share are left out.
var stopWords = func() map[string]Language {
	m := map[string]Language{}
	for l, words := range map[Language]string{
		English:    "the and of to is that for with this what you are have from how",
		German:     "der die das und ist nicht ich ein eine zu den mit auf für wie wird",
		French:     "le les et est une des pour dans que qui je vous pas sur avec ce",
		Spanish:    "el los y las una por del como qué más está pero muy hay esto cuál",
		Portuguese: "o os uma não você são mais isso ao também pelo foi muito ou eu qual",
		Italian:    "il gli che è della sono perché non nel questo anche più alla delle cosa come",
	} {
		for _, w := range strings.Fields(words) {
			if _, shared := m[w]; !shared {
				m[w] = l
			}
		}
	}
	return m
}()

// maxWord is the longest word, in bytes, that can be a stop word.
const maxWord = 12

// DetectLanguage tells the language of a text. It looks at the first 256 bytes.
func DetectLanguage(text string) Language {
	if len(text) > 256 {
		text = text[:256]
	}
	var scripts, words [Languages]int
	var buf [maxWord + utf8.UTFMax]byte
	word := buf[:0]
	end := func() {
		if n := len(word); n > 0 && n <= maxWord {
			if l, ok := stopWords[string(word)]; ok {
				words[l]++
			}
		}
		word = buf[:0]
	}
	for _, c := range text {
		l := script(c)
		if l == NoLanguage {
			end()
			continue
		}
		scripts[l]++
		if l != OtherLatin || len(word) > maxWord {
			continue
		}
		if c >= 'A' && c <= 'Z' {
			c += 'a' - 'A'
		}
		word = utf8.AppendRune(word, c)
	}
	end()
	scripts[Chinese] *= 2 // a character says more than a letter
	best := most(scripts)
	switch {
	case best == Chinese && scripts[Japanese] > 0:
		return Japanese // kana stand between the Chinese characters
	case best != OtherLatin:
		return best
	case words[most(words)] > 0:
		return most(words)
	}
	return OtherLatin
}

func most(counts [Languages]int) (best Language) {
	top := 0
	for l, n := range counts {
		if n > top {
			best, top = Language(l), n
		}
	}
	return best
}

// script is the language that stands for the script of a letter, [OtherLatin]
// for all Latin letters, [NoLanguage] for what is no letter.
func script(c rune) Language {
	switch {
	case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= 0xc0 && c <= 0x24f && c != 0xd7 && c != 0xf7:
		return OtherLatin
	case c < 0x370:
		return NoLanguage
	case c <= 0x3ff:
		return Greek
	case c <= 0x52f:
		return Cyrillic
	case c >= 0x590 && c <= 0x5ff:
		return Hebrew
	case c >= 0x600 && c <= 0x77f:
		return Arabic
	case c >= 0x900 && c <= 0xeff:
		return Indic // with Thai and Lao
	case c >= 0x3040 && c <= 0x30ff:
		return Japanese
	case c >= 0x3400 && c <= 0x9fff, c >= 0x20000 && c <= 0x3ffff:
		return Chinese
	case c >= 0xac00 && c <= 0xd7af, c >= 0x1100 && c <= 0x11ff:
		return Korean
	}
	return NoLanguage
}

// refusals begin answers that decline, in lower case.
var refusals = []string{
	"i can't help", "i can’t help", "i cannot help", "i can't assist", "i can’t assist", "i cannot assist", "i'm unable to", "i’m unable to",
	"i am unable to", "i'm not able to", "i’m not able to", "i won't be able", "i cannot provide", "i can't provide", "i can’t provide",
	"i cannot fulfill", "i can't comply", "i cannot comply", "as an ai language model", "i must decline",
	"ich kann ihnen dabei nicht", "ich kann dabei nicht helfen", "dabei kann ich nicht helfen", "das kann ich leider nicht",
	"je ne peux pas vous aider", "je ne peux pas fournir", "je suis désolé, mais je ne peux",
	"no puedo ayudar", "no puedo proporcionar", "lo siento, pero no puedo",
	"não posso ajudar", "desculpe, mas não posso", "non posso aiutar", "mi dispiace, ma non posso",
	"я не могу помочь", "не могу выполнить", "我无法", "我不能提供", "抱歉，我", "お手伝いできません", "お答えできません", "도와드릴 수 없",
}

// Refuses reports whether an answer begins with a phrase that declines. It looks
// at the first 240 bytes.
func Refuses(answer string) bool {
	if len(answer) > 240 {
		answer = answer[:240]
	}
	answer = strings.ToLower(answer)
	for _, phrase := range refusals {
		if strings.Contains(answer, phrase) {
			return true
		}
	}
	return false
}
