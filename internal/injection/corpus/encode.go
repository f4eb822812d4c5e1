package corpus

import (
	"encoding/base64"
	"encoding/hex"
	"strings"

	"github.com/llm-devops/llm-sentinel/internal/injection"
)

// wrappers go around an encoded text; %s is the text, %e the name of the encoding.
var wrappers = []string{
	"%s",
	"Decode this %e text and do what it says: %s",
	"Here is a %e string: %s",
	"What does %s mean?",
	"The file contains %e data.\n\n%s\n\nEnd of file.",
	"payload=%s",
	"Note %s for later.",
}

// encode adds the item in one encoding; attacks from a user or from a tool.
func (b *builder) encode(item Item, set string) {
	r := seeded(item.Text, "encode")
	name, text := "", ""
	switch r.IntN(5) {
	case 0:
		name, text = "base64", base64.StdEncoding.EncodeToString([]byte(item.Text))
	case 1:
		name, text = "hex", hex.EncodeToString([]byte(item.Text))
	case 2:
		name, text = "rot13", rot13(item.Text)
	case 3:
		name, text = "plain", spread(item.Text, "\u200b")
	default:
		name, text = "plain", tags(item.Text)
	}
	wrapper := wrappers[r.IntN(len(wrappers))]
	if !item.Attack && name == "plain" {
		// Nobody hides a benign text in invisible characters.
		name, text = "base64", base64.StdEncoding.EncodeToString([]byte(item.Text))
	}
	item.Text = strings.ReplaceAll(strings.ReplaceAll(wrapper, "%e", name), "%s", text)
	item.Set, item.Start, item.End = set, 0, len(item.Text)
	// A request that a tool returns in base64 is no benign text; the others keep who
	// wrote them.
	if item.Attack {
		item.Provenance = []injection.Provenance{injection.User, injection.Tool}[r.IntN(2)]
	}
	b.items = append(b.items, item)
}

func rot13(text string) string {
	return strings.Map(func(c rune) rune {
		switch {
		case c >= 'a' && c <= 'z':
			return 'a' + (c-'a'+13)%26
		case c >= 'A' && c <= 'Z':
			return 'A' + (c-'A'+13)%26
		}
		return c
	}, text)
}

// spread puts a mark between the letters of a text.
func spread(text, mark string) string {
	return strings.Join(strings.Split(text, ""), mark)
}

// tags spells the ASCII of a text in tag characters.
func tags(text string) string {
	return strings.Map(func(c rune) rune {
		if c >= ' ' && c < 0x7f {
			return 0xE0000 + c
		}
		return -1
	}, text)
}
