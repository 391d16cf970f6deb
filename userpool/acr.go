package userpool

import (
	"context"
	"slices"
	"strconv"
	"strings"
)

// acrPrefix and a level of assurance, 1 to 4, make an acr value (developer guide,
// page "cognito-user-pools-step-up-authentication").
const acrPrefix = "urn:cognito:loa:"

// acrClaim is the acr claim of a sign-in with these methods, or nothing. Of
// people who come from another identity provider the pool knows only that.
func acrClaim(methods []string) string {
	level := assurance(methods)
	switch {
	case level > 0:
		return acrPrefix + strconv.Itoa(level)
	case slices.Contains(methods, methodFederated):
		return methodFederated
	}
	return ""
}

// amrClaim adds to the methods that there are several.
func amrClaim(methods []string) []string {
	if len(methods) < 2 || slices.Contains(methods, methodMFA) {
		return methods
	}
	return append(slices.Clone(methods), methodMFA)
}

// parseACR reads acr_values: the levels that are known, in the order of the
// request. Others mean nothing.
func parseACR(values string) []int {
	var wanted []int
	for v := range strings.SplitSeq(values, " ") {
		n, ok := strings.CutPrefix(v, acrPrefix)
		if !ok || len(n) != 1 || n[0] < '1' || n[0] > '4' {
			continue
		}
		if level := int(n[0] - '0'); !slices.Contains(wanted, level) {
			wanted = append(wanted, level)
		}
	}
	return wanted
}

// strongEnough reports whether what a user has proven reaches the level that is
// asked of this user: the first of those wanted that the user can reach. Whoever
// signed in at another identity provider was never asked for more.
func (p *Pool) strongEnough(ctx context.Context, req Request, methods []string, u User) (bool, error) {
	if len(req.Levels) == 0 || slices.Contains(methods, methodFederated) {
		return true, nil
	}
	x, err := p.factsOf(ctx, req, &Flow{}, account{u, true})
	if err != nil {
		return false, err
	}
	return assurance(methods) >= x.target(), nil
}
