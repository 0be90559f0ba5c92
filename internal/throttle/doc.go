// Package throttle puts live before history (Invariant 9): it decides how much of the destination's concurrency history may
// take in this process, yields when live falls behind or the destination slows, takes back slowly when both are well, and says
// why.
//
// The rule (Policy) is a function of values. It is additive increase and multiplicative decrease, as in the known limiters;
// those judge by their own calls alone and give no reasons, while this one must heed how live is doing and be able to say so.
// Live deliveries never pass the Gate. Rates that operators order are package stream's; a system that fails as a whole is
// transport.Health's: there is no second breaker here.
package throttle
