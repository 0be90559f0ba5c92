// Package message decides, without any I/O, how a message of Altinn 2 is brought over to Altinn 3 Correspondence: whether at all
// (selection), with what requests (request, prepare, dedupe), what is new about one brought over before (since), and what the
// answers mean (outcome). The rules are chapter 17 of the correspondence reference.
//
// What the dialog looks like is not decided here: the Correspondence service makes it (chapter 9).
package message

// Version is raised whenever the mapping changes what is sent.
const Version int16 = 1
