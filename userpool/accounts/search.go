package accounts

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/cognate-auth/cognate/userpool"
	"github.com/cognate-auth/cognate/userpool/internal/records"
	"github.com/cognate-auth/cognate/userpool/store"
)

// A UserSearch looks for users by a part of what they are called. No index helps with that,
// so it looks at one user after the other, and stops after a while.
type UserSearch struct {
	// Text is anywhere in the user name, the e-mail address, the phone number or one of
	// the names, in upper or lower case; or it is the whole sub. Empty: everybody.
	Text string
	// Only takes the users that it reports true for. Nil: all.
	Only  func(userpool.User) bool
	After string // the sub to go on after, as the search before returned it
	Limit int    // how many users at most; zero: 60
}

// searchWork is how many users one search looks at: that takes a quarter of a second or so.
const searchWork = 20_000

// In returns users, by sub. next is where to go on; empty: there are no more. It may be set
// although fewer than Limit were found, or none, and it may lead to no other.
func (s UserSearch) In(ctx context.Context, users *Users) (found []userpool.User, next string, err error) {
	if s.Limit <= 0 {
		s.Limit = 60
	}
	text, after := strings.ToLower(strings.TrimSpace(s.Text)), s.After
	for looked := 0; looked < searchWork; {
		page, err := users.core.Records.Users(ctx, store.Query{After: after, Limit: maxListed})
		if err != nil {
			return nil, "", fmt.Errorf("userpool: searching users: %w", err)
		}
		for _, u := range page {
			if len(found) == s.Limit {
				return found, after, nil
			}
			after = u.Sub
			if isCalled(u, text) && (s.Only == nil || s.Only(u)) {
				found = append(found, u)
			}
		}
		if len(page) < maxListed {
			return found, "", nil
		}
		looked += len(page)
	}
	return found, after, nil
}

// isCalled reports whether text, in lower case, is in one of the user's names. A user name
// that is a sub, as where people sign in with an address, is random letters and digits.
func isCalled(u userpool.User, text string) bool {
	has := func(name string) bool { return strings.Contains(strings.ToLower(name), text) }
	return u.Sub == text || u.Username != u.Sub && has(u.Username) ||
		slices.ContainsFunc(records.SearchedAttributes, func(name string) bool { return has(u.Attributes[name]) })
}
