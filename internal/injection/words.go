package injection

import "strings"

// Classes of words that rules look for. A word may be in more than one.
const (
	classOverride   uint16 = 1 << iota // ignore, forget
	classScope                         // previous, all, your
	classObject                        // instructions, prompt, rules
	classEverything                    // all, everything
	classBefore                        // above, before, previous
	classReveal                        // reveal, print, repeat
	classSecret                        // system, hidden, initial, your
	classPrompt                        // prompt, instructions: what a user should not see
	classEscape                        // jailbreak, unfiltered: enough alone
	classAnd                           // and, or, the, of: not counted in distances
	classRot13                         // common English, in rot13
	classTurn                          // system, assistant: who can speak
	classOrder                         // add, include, replace: what a model is told to do
	classReply                         // answer, response: what a model writes
	classPointer                       // following, below
	classCode                          // code, snippet, implementation
)

// vocabulary is in English, German, French, Spanish, Italian, Portuguese and Dutch.
var vocabulary = []struct {
	class uint16
	words string
}{
	{classOverride, `ignore ignoring disregard disregarding forget override overrule overwrite bypass discard neglect
		abandon drop cancel erase ignorier ignoriere ignorieren vergiss vergessen vergesst vergesse missachte
		missachten verwirf übergehe ignorez ignore oubliez oublie oublier négligez ignora ignorad olvida olvide olvidate
		olvídate olvidar omite dimentica dimenticate ignorate scorda esqueça ignora desconsidere negeer vergeet`},
	{classScope, `previous prior above preceding earlier former foregoing all any every your past before initial original
		existing current these those system developer alle allen aller vorherigen vorherige bisherigen bisherige obigen
		obige vorangegangenen früheren ihre deine deiner précédentes précédents toutes tous vos tes antérieures
		anteriores previas previos todas todos tus sus precedenti tutte tutti vorige eerdere alle`},
	{classObject, `instruction instructions prompt prompts rule rules guideline guidelines directive directives command
		commands context constraints restrictions programming policies policy filters safeguards training
		conversation information tasks assignments limitations anweisung anweisungen befehle regeln
		informationen aufgaben instruktionen vorgaben richtlinien consignes instructions règles directives
		instrucciones reglas órdenes indicaciones istruzioni regole instruções regras instructies opdrachten regels`},
	{classEverything, `all everything anything whatever alle alles allem tout toute todo tudo tutto`},
	{classBefore, `above before previous previously earlier prior preceding said told davor zuvor vorher vorherige bisher
		oben vorherigen besprochen avant précède précédent anterior antes dicho prima precedente eerder hiervoor`},
	{classReveal, `reveal show print repeat output display tell give leak expose dump share recite disclose write spell
		summarize summarise translate return echo copy paste what list zeige zeig nenne gib verrate wiederhole drucke
		schreibe montre montrez affiche affichez répète révèle muestra imprime repite revela mostra ripeti toon`},
	{classSecret, `system initial hidden secret original your above first preceding internal confidential previous
		starting full exact entire deine deinen ihre ihren ersten obigen votre ton tu su tuo`},
	{classPrompt, `prompt prompts instructions preprompt metaprompt anweisungen prompttext prompt_text instrucciones
		consignes istruzioni guidelines directives`},
	{classEscape, `jailbreak jailbroken jailbreaking unfiltered uncensored amoral unrestricted dan antidan`},
	{classAnd, `and or the of any und oder die der das et les des y los las del e le da das dos that`},
	{classRot13, `gur naq lbh lbhe gb sbe nyy vtaber cerivbhf vafgehpgvbaf cebzcg flfgrz jvgu sebz guvf gung ner jung
		cyrnfr erirny abj jevgr sbetrg vf`},
	{classOrder, `add include insert put append use integrate incorporate embed replace substitute modify provide render
		write give convert encode remove scramble misspell mention begin end start finish translate make ensure consider
		utilize utilise employ adopt merge blend infuse introduce inject place apply execute leverage enhance augment
		adjust rearrange reverse shuffle format phrase suggest recommend promote advise direct tell ask advertise
		offer compose draft keep leave omit swap change alter limit deliver express present speak respond`},
	{classReply, `answer answers response responses reply output summary solution explanation message completion`},
	{classPointer, `following below subsequent next these this underneath`},
	{classCode, `code snippet block excerpt lines function implementation codebase algorithm program script solution
		software logic project`},
	{classTurn, `system assistant human user instruction instructions developer response input ai`},
}

// Phrases of two and three words that mark a change of role.
var phrases = []struct {
	rule  ruleSet
	words string
}{
	{ruleEscape, "do anything now"},
	{ruleEscape, "developer mode enabled"},
	{ruleEscape, "developer mode output"},
	{ruleEscape, "no ethical guidelines"},
	{ruleEscape, "without any restrictions"},
	{ruleEscape, "without any limitations"},
	{ruleEscape, "without any filters"},
	{ruleEscape, "free from restrictions"},
	{ruleEscape, "no moral restrictions"},
	{ruleEscape, "break the rules"},
	{ruleEscape, "broken free of"},
	{ruleEscape, "no longer bound"},
	{ruleEscape, "not bound by"},
	{ruleEscape, "stay in character"},
	{ruleEscape, "break character"},
	{ruleEscape, "opposite mode"},
	{ruleEscape, "god mode"},
	{ruleEscape, "evil mode"},
	{ruleRole, "you are now"},
	{ruleRole, "from now on"},
	{ruleRole, "you will now"},
	{ruleRole, "pretend to be"},
	{ruleRole, "pretend you are"},
	{ruleRole, "act as a"},
	{ruleRole, "act as an"},
	{ruleRole, "act like a"},
	{ruleRole, "roleplay as"},
	{ruleRole, "you are going to"},
	{ruleRole, "du bist jetzt"},
	{ruleRole, "sie sind jetzt"},
	{ruleRole, "ab jetzt"},
	{ruleRole, "à partir de"},
	{ruleRole, "a partir de"},
	{ruleRole, "new task"},
	{ruleRole, "new tasks"},
	{ruleRole, "new instructions"},
	{ruleRole, "neue aufgabe"},
	{ruleRole, "neue aufgaben"},
	{ruleRole, "start over"},
	{ruleRole, "start again"},
	{ruleRole, "von vorne"},
	{ruleRole, "repeat after me"},
	{ruleRole, "my next prompt"},
	{ruleRole, "first response will"},
	{ruleRole, "stay in role"},
}

// wordTable is an open-addressing table from the hash of a word, or of a phrase, to
// its classes or rule. It is filled to at most half.
type wordTable struct {
	keys   [2048]uint32
	values [2048]uint16
}

func (t *wordTable) add(key uint32, value uint16) {
	i := key * prime >> 21
	for t.keys[i] != 0 && t.keys[i] != key {
		i = (i + 1) % uint32(len(t.keys))
	}
	t.keys[i] = key
	t.values[i] |= value
}

func (t *wordTable) find(key uint32) uint16 {
	i := key * prime >> 21
	for t.keys[i] != 0 {
		if t.keys[i] == key {
			return t.values[i]
		}
		i = (i + 1) % uint32(len(t.keys))
	}
	return 0
}

var words, phraseTable = func() (w, p *wordTable) {
	w, p = &wordTable{}, &wordTable{}
	for _, v := range vocabulary {
		for _, s := range strings.Fields(v.words) {
			w.add(hashWord(s), v.class)
		}
	}
	for _, v := range phrases {
		h := uint32(0)
		for _, s := range strings.Fields(v.words) {
			h = joinWords(h, hashWord(s))
		}
		p.add(h, uint16(v.rule))
	}
	return w, p
}()

func hashWord(s string) uint32 {
	h := uint32(fnv32)
	for i := range len(s) {
		h = (h ^ uint32(fold[s[i]])) * prime
	}
	return h
}

// joinWords appends a word to the hash of a phrase.
func joinWords(phrase, word uint32) uint32 { return phrase*0x9E3779B1 + word | 1 }
