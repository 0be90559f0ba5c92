// Package config turns the environment into one validated Config (design, chapter 7). Whatever is unknown, missing or
// malformed is told at once, one clear line for each, and no secret's value is ever shown.
//
// What must not live here: flags of single commands, and settings that operators change while the program runs (those
// are in PostgreSQL).
package config
