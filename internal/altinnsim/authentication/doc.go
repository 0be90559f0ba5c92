// Package authentication simulates the part of Altinn Authentication that turns Maskinporten's access tokens into Altinn
// tokens (Storage reference, 2.2).
package authentication
