package grants

import (
	"cmp"
	"math"
	"slices"

	"github.com/cognate-auth/cognate/userpool"
)

// rank orders groups by precedence: the least comes first, and none last.
func rank(g userpool.Group) int {
	if g.Precedence == nil {
		return math.MaxInt
	}
	return *g.Precedence
}

// groupClaims are what a user's groups become in tokens, and what a trigger may
// put in their place.
type groupClaims struct {
	Groups    []string `json:"groupsToOverride"`
	Roles     []string `json:"iamRolesToOverride"`
	Preferred *string  `json:"preferredRole"`
}

// groupClaims orders the groups by precedence and works out the roles
// (developer guide, page "cognito-user-pools-user-groups").
func (g *Grants) groupClaims(names []string) groupClaims {
	s := g.core.Settings()
	groups := make([]userpool.Group, 0, len(names))
	for _, name := range names {
		group, ok := s.Group(name)
		if !ok {
			group = userpool.Group{Name: name}
		}
		groups = append(groups, group)
	}
	slices.SortStableFunc(groups, func(a, b userpool.Group) int { return cmp.Compare(rank(a), rank(b)) })
	out := groupClaims{Groups: []string{}, Roles: []string{}}
	for _, group := range groups {
		out.Groups = append(out.Groups, group.Name)
		if group.RoleARN != "" && !slices.Contains(out.Roles, group.RoleARN) {
			out.Roles = append(out.Roles, group.RoleARN)
		}
	}
	out.Preferred = preferredRole(groups)
	return out
}

// preferredRole is the role of the first of the ordered groups that has one. If
// others of the same precedence have another role, there is none.
func preferredRole(groups []userpool.Group) *string {
	var first *userpool.Group
	for i, g := range groups {
		switch {
		case g.RoleARN == "":
		case first == nil:
			first = &groups[i]
		case rank(g) == rank(*first) && g.RoleARN != first.RoleARN:
			return nil
		}
	}
	if first == nil {
		return nil
	}
	return &first.RoleARN
}
