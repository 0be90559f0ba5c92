// Package dialogid derives the ids of dialogs and of their parts. Every id is a UUID of version 7 and a pure function of
// its source, so that a repeated delivery meets its own earlier one.
//
// No other ways of making ids belong here.
package dialogid
