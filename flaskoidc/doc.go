// Package flaskoidc reads the configuration of an app that signs people in with flask-oidc
// 1.x or 2.x, and converts it to a [cognate.Config]. It uses only the exported names of
// package cognate:
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
// [Load] does so for settings in a map, such as app.config written as JSON. Both are strict,
// because these settings decide who may sign in:
//
//   - an unknown key is an error, which names the most similar known key;
//   - a key that restricts who may sign in is kept, or is an error; it is never dropped;
//   - a key that has lost its purpose gives exactly one warning;
//   - other programs' keys are ignored, except SECRET_KEY and the three COGNITO_UI_ keys
//     with which apps build the address of Cognito's sign-out.
//
// All problems are reported at once. No message contains the value of a setting, except
// the path of the client secrets file, issuers and paths of URLs.
//
// Values may have the types of Python or JSON, or be the text of an environment variable: a
// boolean, or a word such as True, 1 or off; a number, or its digits; a list, or its members
// separated by spaces, or a JSON or Python list; a dictionary, or a JSON object. None (nil)
// means that the key is missing. An empty text is an error, because it may be a mistake.
//
// docs/migrating-from-flask-oidc.md lists every key and its replacement.
package flaskoidc
