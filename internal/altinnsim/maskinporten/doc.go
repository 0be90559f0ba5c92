// Package maskinporten simulates Maskinporten's JWT bearer grant (Storage reference, 2.1): it checks assertions one rule
// at a time, and its access tokens are really signed.
package maskinporten
