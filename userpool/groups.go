package userpool

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"

	"github.com/cognate-auth/cognate/userpool/internal/text"
)

// maxPoolGroups bounds the groups of a pool (page "quotas").
const maxPoolGroups = 10_000

// roleARN is the form of the API reference, GroupType.
var roleARN = regexp.MustCompile(`^arn:[\w+=/,.@-]+:[\w+=/,.@-]+:([\w+=/,.@-]*)?:[0-9]*:[\w+=/,.@-]+(:[\w+=/,.@-]+)*$`)

func checkGroups(s Settings) error {
	if len(s.Groups) > maxPoolGroups {
		return fmt.Errorf("%s: at most %d", "Groups", maxPoolGroups)
	}
	for i, g := range s.Groups { // sorted by name
		problem := ""
		switch {
		case !validName(g.Name):
			problem = "expected a name of 1 to 128 characters without space"
		case i > 0 && s.Groups[i-1].Name == g.Name:
			problem = "it is there already"
		case g.RoleARN != "" && (len(g.RoleARN) > 2048 || !roleARN.MatchString(g.RoleARN)):
			problem = "RoleARN: expected arn:aws:iam::<account>:role/<name>"
		case g.Precedence != nil && *g.Precedence < 0:
			problem = "Precedence: expected 0 or more"
		case len(g.Description) > 2048:
			problem = "Description: expected at most 2048 bytes"
		}
		if problem != "" {
			return errors.New("Groups: " + fmt.Sprintf("%q", text.Clip(g.Name)) + ": " + problem)
		}
	}
	return nil
}

// sortedGroups returns a copy sorted by name, which [Settings.group] needs: a
// pool may have thousands.
func sortedGroups(groups []Group) []Group {
	return slices.SortedStableFunc(slices.Values(groups), func(a, b Group) int {
		return strings.Compare(a.Name, b.Name)
	})
}

// group returns the group of this name.
func (s *Settings) group(name string) (Group, bool) {
	i, ok := slices.BinarySearchFunc(s.Groups, name, func(g Group, name string) int {
		return strings.Compare(g.Name, name)
	})
	if !ok {
		return Group{}, false
	}
	return s.Groups[i], true
}

// rank orders groups by precedence: the least comes first, and none last.
func rank(g Group) int {
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
func (p *Pool) groupClaims(names []string) groupClaims {
	s := p.Settings()
	groups := make([]Group, 0, len(names))
	for _, name := range names {
		group, ok := s.group(name)
		if !ok {
			group = Group{Name: name}
		}
		groups = append(groups, group)
	}
	slices.SortStableFunc(groups, func(a, b Group) int { return cmp.Compare(rank(a), rank(b)) })
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
func preferredRole(groups []Group) *string {
	var first *Group
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
