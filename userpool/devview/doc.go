// Package devview serves the developer's view of a user pool at /_cognate/:
// every sign-in as a sequence diagram, with what came, what was decided and why,
// and what to do; the messages that the pool sent or would have sent, with
// their codes and links; users, app clients and settings.
//
//	/_cognate/              the sign-ins; ?failed=1, ?client=, ?user= choose
//	/_cognate/flows/{id}    one of them
//	/_cognate/flows.json    the same for programs
//	/_cognate/report        takes what apps say of how a sign-in ended (POST), for its diagram
//	/_cognate/outbox        the messages
//	/_cognate/outbox.json   the same for tests; ?to=, ?purpose=, ?after=, ?wait=5s
//	/_cognate/users, /_cognate/clients, /_cognate/pool
//
// # Who may look
//
// Whoever reads the outbox can take over an account. So the view wants a token,
// which the program that serves the pool shows to who started it: a browser opens
// [Address] and keeps it in a cookie, a program sends it as a bearer token. An
// address proves nothing: behind a proxy on this machine everyone has that of the
// machine, and every Host. No page of another site gets an answer. The view only
// reads, and shows no secret but the codes and links of messages, which is what it
// is for: no password hash, no client secret, no token that works.
//
// An app has no token, and reports how its sign-ins end all the same. Such a report
// is a note in the diagram of a sign-in whose state the app knows, and no more; no
// browser can send one.
//
// # What it knows
//
// The words (userpool), accounts, grants, pool and trace, and of the internal packages
// decision, by whose names it finds what to do. It knows none of the other HTTP packages.
package devview
