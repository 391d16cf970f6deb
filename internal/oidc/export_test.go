package oidc

import "encoding/json"

// What external tests need of unexported code.

// ReadToken takes a token apart and returns its header's alg, kid and typ, and its claims.
func ReadToken(raw string) (alg, kid, typ string, members map[string]json.RawMessage, err error) {
	t, err := (&tokenReader{limit: MaxToken}).read(raw)
	if err != nil {
		return "", "", "", nil, err
	}
	return t.alg, t.kid, t.typ, t.claims, nil
}

// SplitObject is the reader of the JSON in tokens.
func SplitObject(data []byte) (map[string]json.RawMessage, error) { return splitObject(data) }
