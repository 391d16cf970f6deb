package flaskoidc

import "maps"

// What the tests of the outside need of the inside.

var (
	Known    = known
	Obsolete = maps.Clone(obsolete)
	Nearest  = nearest
	Distance = distance
)
