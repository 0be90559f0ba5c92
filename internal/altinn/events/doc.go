// Package events is the client of Altinn Events' subscriptions (Storage reference, chapter 15): the webhook is told of an app's
// instances only after a subscription to the app was made and its endpoint has answered. What is pushed is taken in elsewhere.
package events
