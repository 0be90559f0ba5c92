// Package register simulates the look-up of parties in Altinn Register (Storage reference, chapter 16): partial answers,
// an order that is not the question's, duplicates merged, parties that come to be known late.
package register
