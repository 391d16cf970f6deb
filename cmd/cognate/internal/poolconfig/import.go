package poolconfig

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/cognate-auth/cognate/userpool"
	"github.com/cognate-auth/cognate/userpool/pool"
	"github.com/cognate-auth/cognate/userpool/store"
)

// Imported counts the users of a file, as far as [Import] has come.
type Imported struct {
	Added   int // who were not there
	There   int // who were there already and stay as they are
	Refused int // whose name or address is another user's
	// Differing is how many of There have other values than the file says, and
	// FirstDiffering is the first of them with the line, as in "ann (line 2)".
	Differing      int
	FirstDiffering string
}

// Done returns how many users of the file Import is done with.
func (i Imported) Done() int { return i.Added + i.There + i.Refused }

// batch is how many users are added in one transaction. A transaction costs about as
// much as adding three users. While it runs, other programs on a SQLite file wait: a
// hundred users take a few milliseconds.
const batch = 250

// Import adds the users of a CSV file; see [ReadCSV]. As in Cognito's import (developer
// guide, "importing users from a CSV file"), a user who is there already is skipped,
// whatever the file says of them: since the user was added, they may have chosen a
// password or another address. So an import that was interrupted at any point goes on
// when it is run again, and what comes of it is the same.
//
// Import calls progress after each batch of users, with what is stored by then. It ends
// early when ctx ends, after the batch that is under way, and when the store fails. The
// result counts what is stored then too. An [*Error] lists the lines that could not be
// used; all others were. Other programs may use the store meanwhile, and may import the
// same file.
func Import(
	ctx context.Context, up *pool.Pool, p Pool, text []byte, name string, progress func(Imported),
) (Imported, error) {
	in := &importing{ctx: ctx, pool: up, settings: p.Settings, progress: progress}
	in.csv = newCSVReading(name, p, in.take)
	err := in.csv.read(text)
	if _, mistakes := errors.AsType[*Error](err); err != nil && !mistakes {
		return in.done, err
	}
	err = in.flush()
	if err != nil {
		return in.done, err
	}
	return in.done, in.csv.problems.err()
}

type importing struct {
	ctx      context.Context //nolint:containedctx // of one call of Import
	pool     *pool.Pool
	settings userpool.Settings
	csv      *csvReading
	progress func(Imported)
	done     Imported
	waiting  []User
}

func (in *importing) take(u User) error {
	in.waiting = append(in.waiting, u)
	if len(in.waiting) < batch {
		return nil
	}
	return in.flush()
}

// flush adds the users who wait. It is not interrupted: what is counted is what is
// stored.
func (in *importing) flush() error {
	if len(in.waiting) == 0 {
		return nil
	}
	err := in.ctx.Err()
	if err != nil {
		return err
	}
	err = in.add(context.WithoutCancel(in.ctx), in.waiting)
	in.waiting = in.waiting[:0]
	in.progress(in.done)
	return err
}

// add adds users at once. If one of them can't be added, it leaves out those who are
// there, and if that is not it, it adds them one by one.
func (in *importing) add(ctx context.Context, users []User) error {
	exists, err := in.create(ctx, users)
	if !exists {
		return err
	}
	news, err := in.missing(ctx, users)
	if err != nil || len(news) == 0 {
		return err
	}
	if len(news) < len(users) {
		exists, err = in.create(ctx, news)
	}
	if !exists {
		return err
	}
	for _, u := range news {
		exists, err = in.create(ctx, []User{u})
		if exists {
			err = in.taken(ctx, u)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// create adds users, all or none. exists reports that one of them is there, or their
// address is another user's.
func (in *importing) create(ctx context.Context, users []User) (exists bool, err error) {
	list := make([]userpool.NewUser, len(users))
	for i, u := range users {
		list[i] = u.NewUser
	}
	err = in.pool.Users.CreateAll(ctx, list)
	if errors.Is(err, store.ErrExists) {
		return true, nil
	}
	if err == nil {
		in.done.Added += len(users)
	}
	return false, err
}

// missing counts the users who are there, and returns the others.
func (in *importing) missing(ctx context.Context, users []User) (news []User, err error) {
	for _, u := range users {
		there, ok, err := in.pool.Users.Find(ctx, u.Username)
		switch {
		case err != nil:
			return nil, err
		case !ok:
			news = append(news, u)
		default:
			in.found(u, there)
		}
	}
	return news, nil
}

// taken counts a user who could not be added alone: another process has added them a
// moment ago, or something of them is another user's.
func (in *importing) taken(ctx context.Context, u User) error {
	there, ok, err := in.pool.Users.Find(ctx, u.Username)
	switch {
	case err != nil:
		return err
	case ok:
		in.found(u, there)
	default:
		in.refuse(u)
	}
	return nil
}

// found counts a user whose name signs somebody in.
func (in *importing) found(u User, there userpool.User) {
	if len(in.settings.UsernameAttributes) == 0 && !strings.EqualFold(there.Username, u.Username) {
		in.refuse(u) // the name is an alias
		return
	}
	in.done.There++
	if !differ(u, there) {
		return
	}
	in.done.Differing++
	if in.done.FirstDiffering == "" {
		in.done.FirstDiffering = fmt.Sprintf("%s (line %d)", clip(u.Username), u.line)
	}
}

func (in *importing) refuse(u User) {
	in.done.Refused++
	in.csv.problems.add(u.line, 0, "the user %s can't be added: %s", clip(u.Username), userSentence(store.ErrExists))
}

// differ reports whether the file says something of u that is not so.
func differ(u User, there userpool.User) bool {
	for name, value := range u.Attributes {
		if !strings.EqualFold(there.Attributes[name], value) ||
			!userpool.IsVerifiedFlag(name) && there.Attributes[name] != value {
			return true
		}
	}
	return slices.ContainsFunc(u.MFA, func(factor string) bool { return !slices.Contains(there.MFA, factor) })
}

// addUsers adds those of whom the file says something for the first time, in one
// transaction, and returns whoever has to be looked at one by one: users with a
// password, whose hash takes longer than a transaction, and users whose entry changed.
// If somebody of the new ones is there already, that is all of them.
func addUsers(
	ctx context.Context, applied lastApplied, p *pool.Pool, users []User, c *Changes,
) (others []User, err error) {
	var news []userpool.NewUser
	var said []store.Change
	for _, u := range users {
		if u.Password != "" {
			others = append(others, u)
			continue
		}
		entry := entryOf(applied.pool, u)
		before, err := applied.user(ctx, entry.key, u)
		switch {
		case err != nil:
			return nil, err
		case before.Digest == "":
			news = append(news, u.NewUser)
			r := store.Record{Kind: kindConfig, ID: entry.key, Body: []byte(entry.record(u).text())}
			said = append(said, store.Change{Op: store.Create, Record: r})
		case before.Digest != entry.digest:
			others = append(others, u)
		}
	}
	if len(news) == 0 {
		return others, nil
	}
	err = p.Users.CreateAll(ctx, news, said...)
	if _, rule := errors.AsType[*userpool.Error](err); rule || errors.Is(err, store.ErrExists) {
		return users, nil
	}
	if err != nil {
		return nil, err
	}
	c.UsersAdded += len(news)
	return others, nil
}
