package flaskoidc

import "maps"

// These names are for the external tests.

var (
	Known    = known
	Obsolete = maps.Clone(obsolete)
	Nearest  = nearest
	Distance = distance
)
