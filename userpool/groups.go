package userpool

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/cognate-auth/cognate/userpool/internal/naming"
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
		case !naming.ValidName(g.Name):
			problem = "expected a name of 1 to 128 characters without space"
		case i > 0 && s.Groups[i-1].Name == g.Name:
			problem = "the name is repeated"
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

// sortedGroups returns a copy sorted by name, which [Settings.Group] needs: a
// pool may have thousands.
func sortedGroups(groups []Group) []Group {
	return slices.SortedStableFunc(slices.Values(groups), func(a, b Group) int {
		return strings.Compare(a.Name, b.Name)
	})
}

// Group returns the group of this name.
func (s *Settings) Group(name string) (Group, bool) {
	i, ok := slices.BinarySearchFunc(s.Groups, name, func(g Group, name string) int {
		return strings.Compare(g.Name, name)
	})
	if !ok {
		return Group{}, false
	}
	return s.Groups[i], true
}
