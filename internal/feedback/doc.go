// Package feedback turns what people say about anomalies into what is marked
// next. It knows no collector: verdicts, findings and times come in, decisions
// go out.
//
// # Rule
//
// A verdict is about a deviation: on the scale of the logarithm how far the value
// was from what was expected, and to which side, see [Deviation]. Findings are
// alike when they are about the same service, model, type and metric, to the same
// side, and of the same class: single calls, the level of many calls (which
// implies the single calls at that level), or a method of its own, see [ClassOf].
//
//	false  deviations of that size are no anomaly. With the n verdicts that hold
//	       (at most 4 count), the largest of which called a deviation d false,
//	       nothing is marked up to
//	           T = d * (1 + (n+1)/10) * w(age)
//	       where w is 1 for a week and falls to 0 on the 30th day.
//	true   deviations of that size are anomalies: T is below them, whatever was
//	       said before, and one verdict of "false" less counts for n.
//	mute   nothing of the service, model and type is marked until its end.
//
// Of several verdicts about one anomaly only the newest holds, but to mute it does
// not undo what was said of it.
//
// # Reasons
//
// The largest of n deviations that were called false is the distribution-free
// upper tolerance limit of such deviations (Wilks 1941): if the next false alarm
// comes from where those came from, it is beyond that with probability 1/(n+1).
// The reserve of 20 % is for the same deviation seen again, which is never exactly as
// large: a level is an average of about eight calls, and both it and what is expected
// are estimates. It grows by 10 % a verdict because many false alarms speak of a heavy
// tail. It is small and bounded on purpose: on a logarithmic scale one verdict on a
// value of 3 times the expected one reaches to 3.7 times, four or more to 5.2 times,
// so that what is clearly worse than anything that a person has seen is always marked. A rate of
// false alarms that is made stricter for all deviations alike would not do: it
// would take away the small true ones on the other side and of other metrics, and
// would not promise that the very deviation does not come again.
//
// Verdicts fade since what is normal changes. Thirty days are as long as feedback
// is handed to an engine that starts.
//
// # State
//
// What is kept is the set of the newest verdicts, at most [MaxVerdicts] and 32 of
// one service, model and type. Decisions follow from that set and the time alone:
// until there are so many, neither the order in which verdicts come nor how often
// they come matters.
package feedback
