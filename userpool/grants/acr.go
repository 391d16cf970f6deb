package grants

import (
	"slices"
	"strconv"
	"strings"

	"github.com/cognate-auth/cognate/userpool/signin"
)

// acrPrefix and a level of assurance, 1 to 4, make an acr value (developer guide,
// page "cognito-user-pools-step-up-authentication").
const acrPrefix = "urn:cognito:loa:"

// acrClaim is the acr claim of a sign-in with these methods, or nothing. Of
// people who come from another identity provider the pool knows only that.
func acrClaim(methods []string) string {
	level := signin.Assurance(methods)
	switch {
	case level > 0:
		return acrPrefix + strconv.Itoa(level)
	case slices.Contains(methods, signin.MethodFederated):
		return signin.MethodFederated
	}
	return ""
}

// amrClaim adds to the methods that there are several.
func amrClaim(methods []string) []string {
	proven := len(methods)
	if slices.Contains(methods, signin.MethodOneClick) {
		proven--
	}
	if proven < 2 || slices.Contains(methods, signin.MethodMFA) {
		return methods
	}
	return append(slices.Clone(methods), signin.MethodMFA)
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
