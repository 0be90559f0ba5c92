// Package openid checks the tokens that Altinn's authentication service issues, for requests that come in here. Tokens that
// are sent out are got by package maskinporten.
package openid
