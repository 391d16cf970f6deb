// Package flaskoidc reads the configuration of an app that signs people in with flask-oidc,
// of its 1.x or its 2.x line, and says the same in [cognate.Config]:
//
//	loaded, err := flaskoidc.FromEnv(os.Environ())
//	if err != nil {
//		log.Fatal(err)
//	}
//	for _, w := range loaded.Warnings {
//		log.Print(w)
//	}
//	auth, err := cognate.New(loaded.Config)
//
// [Load] does it for settings that are in a map already, such as app.config written as
// JSON. Both are strict, because these settings decide who gets in:
//
//   - a key that nobody knows is an error, which names the nearest one that is known;
//   - a key that restricted who may sign in is kept, or is an error, but is never dropped;
//   - a key that has lost its purpose is a warning, exactly one;
//   - keys that are not flask-oidc's are ignored, apart from SECRET_KEY and the three
//     COGNITO_UI_ keys that apps use to build the address of Cognito's sign-out.
//
// All that is wrong is reported at once. No text holds a value of a setting, apart from
// the path of the client secrets file, issuers and paths of URLs.
//
// Values may be what Python or JSON make of them, or the text that an environment variable
// holds: a boolean, or a word such as True, 1 or off; a number, or its digits; a list, or
// its members with blanks between them, or a JSON or Python list; a dictionary, or a JSON
// object. None (nil) is a key that is not there. An empty text is an error: nobody knows
// whether it was meant.
//
// docs/migrating-from-flask-oidc.md lists every key and what becomes of it.
package flaskoidc
