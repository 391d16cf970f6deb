// Package userpool has the words of a local user pool that is wire-compatible with
// Amazon Cognito, and its pure rules: [User], [Client], [Settings], the [Flow] of a
// sign-in and its steps, messages, and what may go wrong ([Error], [PageError],
// [RedirectError]). Package pool has the pool itself.
//
// It imports the standard library and, of this module, leaves below internal alone
// (naming, oauthscope, redirect, text): what it decides, it decides from its arguments.
//
// # Settings
//
// [Settings] are what a pool is told, in the words of Cognito's API: how people sign up
// and in, attributes, passwords, second factors, groups, identity providers, messages.
// [CheckSettings] and [CheckClient] say what breaks a rule. What is done over the network
// is brought by the program: [Passkeys] and [SAML] are its seams, as are the functions
// that call triggers and deliver messages.
//
// # Errors
//
// What the client, or the person, is meant to see is an [*Error], a [*RedirectError] or a
// [*PageError]. Everything else is a failure of the pool: the caller logs it and answers
// server_error.
//
// # Secrets
//
// A value that must not be seen is a [Secret], which cannot be printed.
package userpool
