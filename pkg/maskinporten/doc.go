// Package maskinporten gets access tokens from Maskinporten by the JWT bearer grant (Client), and exchanges them for
// Altinn tokens (Exchange). Both renew early, one renewal at a time, shared by all callers.
//
// Dialogporten and the Correspondence migration API take Maskinporten's tokens; Storage, Register and Events take
// Altinn's only (Storage reference, 2). Tokens, assertions and keys never stand in an error.
package maskinporten
