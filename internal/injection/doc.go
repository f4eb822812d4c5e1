// Package injection is the first stage against prompt injection: rules on the
// structure of a text, and a small linear model over hashed n-grams of bytes and
// words, put together to one calibrated probability.
//
// It reads text only. What it can do and what it cannot (paraphrase, indirect
// attacks without an imperative, most languages) is told with figures in
// docs/prompt-injection.md.
//
// A text is cut into pieces of about a sentence or two. Each piece has a log-odds
// from each of two heads of the model: "direct" knows attacks in the turn of a
// user, "untrusted" knows instructions inside documents and results of tools. The
// mean and the highest piece, the length and the rules are the inputs of a
// logistic regression per kind of provenance (Platt scaling with more than one
// input), fitted on texts that the heads had not seen.
package injection
