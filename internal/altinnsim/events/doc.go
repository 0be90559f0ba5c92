// Package events simulates Altinn Events (Storage reference, chapter 15): subscriptions and their validation, pushing
// with its retries, pulling, and whatever goes wrong with events on the way.
package events
