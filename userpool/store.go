package userpool

import (
	"context"
	"errors"
	"time"
)

// Errors of a [Store].
var (
	// ErrExists says that a record with the same key is stored already.
	ErrExists = errors.New("userpool: already exists")
	// ErrConflict says that the record changed since it was read.
	ErrConflict = errors.New("userpool: changed meanwhile")
	// ErrFull says that the store holds as many records as it may.
	ErrFull = errors.New("userpool: store is full")
)

// Store keeps everything a pool must remember. It decides nothing: what is
// valid, expired or allowed is the pool's business, and no method reads a clock.
//
// Rules for all methods: they are safe for concurrent use. Values go in and
// values come out; the store shares no memory with its caller. The first string
// is the pool's id, and pools never see one another's records. What is not
// there is ok == false with a nil error, and removing it is no error; an error
// is a failure of the store itself or one of ErrExists, ErrConflict, ErrFull.
// Implementations pass storetest.Run.
type Store interface {
	ClientStore
	UserStore
	SessionStore
	CodeStore
	RefreshTokenStore
	AttemptStore

	// DeleteExpired removes at most limit records of any pool whose Expires is
	// not after now and reports how many it removed. The pool calls it now and
	// then; until it does, the other methods still return such records.
	DeleteExpired(ctx context.Context, now time.Time, limit int) (int, error)
}

// ClientStore keeps app clients.
type ClientStore interface {
	// CreateClient adds c, or returns ErrExists when its ID is taken.
	CreateClient(ctx context.Context, pool string, c Client) error
	// Client returns the client with this ID.
	Client(ctx context.Context, pool, id string) (c Client, ok bool, err error)
}

// UserStore keeps users.
type UserStore interface {
	// CreateUser adds u with Version 1, or returns ErrExists when its Sub or
	// any of its Logins is taken. It adds all of it or nothing.
	CreateUser(ctx context.Context, pool string, u User) error
	// UpdateUser replaces the user with u.Sub if its stored Version is still
	// u.Version, and counts the version up; otherwise, or when the user is
	// gone, it returns ErrConflict. Sub and Logins do not change.
	UpdateUser(ctx context.Context, pool string, u User) error
	// UserBySub returns the user with this sub.
	UserBySub(ctx context.Context, pool, sub string) (u User, ok bool, err error)
	// UserByLogin returns the user one of whose Logins is exactly this.
	UserByLogin(ctx context.Context, pool, login string) (u User, ok bool, err error)
}

// SessionStore keeps browser sessions.
type SessionStore interface {
	// PutSession adds s, then drops the oldest sessions of the same Sub until
	// at most keep are left (keep is at least 1).
	PutSession(ctx context.Context, pool string, s Session, keep int) error
	// Session returns the session with this hash.
	Session(ctx context.Context, pool, hash string) (s Session, ok bool, err error)
	// DeleteSession removes the session with this hash.
	DeleteSession(ctx context.Context, pool, hash string) error
}

// CodeStore keeps authorization codes until they are redeemed.
type CodeStore interface {
	// PutCode adds c, then drops the oldest codes of the same Sub until at most
	// keep are left.
	PutCode(ctx context.Context, pool string, c Code, keep int) error
	// TakeCode removes and returns the code with this hash, atomically: of any
	// number of concurrent calls at most one gets it.
	TakeCode(ctx context.Context, pool, hash string) (c Code, ok bool, err error)
}

// RefreshTokenStore keeps refresh tokens. A family is what one sign-in at one
// client led to: all tokens with the same OriginJTI. It is alive as long as the
// store holds one of its records, so that what is lost is refused, not honoured.
type RefreshTokenStore interface {
	// PutRefreshToken adds t, then drops the oldest tokens of the same Sub
	// until at most keep are left.
	PutRefreshToken(ctx context.Context, pool string, t RefreshToken, keep int) error
	// RefreshToken returns the token with this hash.
	RefreshToken(ctx context.Context, pool, hash string) (t RefreshToken, ok bool, err error)
	// RotateRefreshToken adds next, as PutRefreshToken does, and sets RetryUntil
	// and Expires of the token with this hash to until: all of it or nothing.
	// When that token is gone, or its RetryUntil is not was any more, it returns
	// ErrConflict; so a revoked family does not come back, and of any number of
	// concurrent calls with a zero was at most one succeeds.
	RotateRefreshToken(
		ctx context.Context, pool, hash string, was, until time.Time, next RefreshToken, keep int,
	) error
	// FamilyAlive reports whether any token with this OriginJTI is stored.
	FamilyAlive(ctx context.Context, pool, originJTI string) (bool, error)
	// DeleteFamily removes every token with this OriginJTI.
	DeleteFamily(ctx context.Context, pool, originJTI string) error
}

// AttemptStore counts failed sign-ins, of users and of names that nobody has.
type AttemptStore interface {
	// Attempts returns the record with this key.
	Attempts(ctx context.Context, pool, key string) (a Attempts, ok bool, err error)
	// PutAttempts stores a if the stored Version is still a.Version (0: there
	// is no record yet) and counts the version up; otherwise ErrConflict. A
	// full store drops the record that expires first.
	PutAttempts(ctx context.Context, pool string, a Attempts) error
	// DeleteAttempts removes the record with this key.
	DeleteAttempts(ctx context.Context, pool, key string) error
}

// Session is a browser that signed in.
type Session struct {
	Hash     string // hexadecimal SHA-256 of the session id
	Sub      string
	AuthTime time.Time // when the person typed the password
	Expires  time.Time
}

// Code is an authorization code and all that it is bound to.
type Code struct {
	Hash            string // hexadecimal SHA-256 of the code
	ClientID        string
	Sub             string
	RedirectURI     string
	RedirectOmitted bool   // the authorization request left redirect_uri out
	Challenge       string // PKCE S256; empty: none was sent
	Nonce           string
	Scopes          []string
	AuthTime        time.Time
	Expires         time.Time
}

// RefreshToken is a refresh token and what it renews.
type RefreshToken struct {
	Hash       string // hexadecimal SHA-256 of the token
	ClientID   string
	Sub        string
	Scopes     []string
	OriginJTI  string
	AuthTime   time.Time
	ValidUntil time.Time // end of the refresh token itself
	RetryUntil time.Time // end of the token's grace after it was rotated; zero: it was not
	Expires    time.Time // later: when no access token of the family is alive
}

// Attempts counts the failed sign-ins of one user or one unknown name.
type Attempts struct {
	Key         string // opaque
	Failures    int
	LockedUntil time.Time
	Expires     time.Time // when the count is forgotten
	Version     int64
}
