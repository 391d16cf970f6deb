// Package core is what every rule of a pool stands on: the pool's id and issuer, its
// settings, its records, its clock and its log.
//
// It knows the words (userpool), records, clock, gate, password and text, and no rule
// that is about a user, a sign-in or a token.
package core

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync/atomic"
	"time"

	"github.com/cognate-auth/cognate/userpool"
	"github.com/cognate-auth/cognate/userpool/internal/clock"
	"github.com/cognate-auth/cognate/userpool/internal/gate"
	"github.com/cognate-auth/cognate/userpool/internal/password"
	"github.com/cognate-auth/cognate/userpool/internal/records"
	"github.com/cognate-auth/cognate/userpool/internal/text"
)

// Core is one pool, without its rules. Its fields are set once; then it is safe for
// concurrent use.
type Core struct {
	ID, Issuer string
	Domain     string // where the pages are, without trailing slash

	Records records.Records
	Gate    *gate.Gate       // one sign-in of an account at a time
	Hasher  *password.Hasher // of passwords
	Now     func() time.Time
	Log     *slog.Logger

	// Invoke calls a trigger; nil: there are none.
	Invoke func(context.Context, userpool.Trigger, []byte) ([]byte, error)

	settings  atomic.Pointer[userpool.Settings] // of Configure
	collected atomic.Int64                      // Unix seconds of the last DeleteExpired
}

const (
	collectEvery = time.Minute
	collectLimit = 10_000
)

// Collect removes expired records, at most once a minute. A failure costs
// memory and nothing else, since the pool checks every expiry itself.
func (c *Core) Collect(ctx context.Context, now time.Time) {
	last := c.collected.Load()
	if clock.Recent(now, time.Unix(last, 0), collectEvery) || !c.collected.CompareAndSwap(last, now.Unix()) {
		return
	}
	_, err := c.Records.DeleteExpired(ctx, now, collectLimit)
	if err != nil {
		c.Log.ErrorContext(ctx, "removing expired records failed", "err", err)
	}
}

// Audit writes the one line about an outcome that matters to security. It lies
// below HTTP so that no handler can leave it out.
func (c *Core) Audit(ctx context.Context, event string, attrs ...slog.Attr) {
	c.Log.LogAttrs(ctx, slog.LevelInfo, event, attrs...)
}

// AuditMistake is Audit for a request that was refused because an app is not set up as the
// pool expects it. Whoever runs the app wants to know at once, so it is a warning; hint says
// what came, what is registered, and what to change.
func (c *Core) AuditMistake(ctx context.Context, event, hint string, attrs ...slog.Attr) {
	c.Log.LogAttrs(ctx, slog.LevelWarn, event, append(attrs, slog.String("hint", hint))...)
}

// ClientAttr names an app client in a log line.
func ClientAttr(id string) slog.Attr { return slog.String("client", text.Clip(id)) }

// SubAttr names a user in a log line.
func SubAttr(sub string) slog.Attr { return slog.String("sub", sub) }

// RefusalAttrs say in a log line why something was refused, and by which code.
func RefusalAttrs(e *userpool.Error) []slog.Attr {
	return []slog.Attr{ReasonAttr(e.Description), slog.String("error", e.Code)}
}

// ReasonAttr says in a log line why something was refused.
func ReasonAttr(reason string) slog.Attr { return slog.String("reason", reason) }

// Settings returns what the pool was told the last time, by Configure. The caller must
// not modify what it points to.
func (c *Core) Settings() *userpool.Settings { return c.settings.Load() }

// Configure gives the pool other settings, from the next request on. What
// breaks a rule is an error that names the field; then nothing changes. The
// attributes that people sign in with cannot change.
func (c *Core) Configure(_ context.Context, s userpool.Settings) error {
	s = s.WithDefaults()
	err := errors.Join(userpool.CheckSettings(s), c.checkInvoke(s))
	if err != nil {
		return err
	}
	before := c.settings.Load() // nil: these are the first
	if before != nil && (!slices.Equal(before.UsernameAttributes, s.UsernameAttributes) ||
		!slices.Equal(before.AliasAttributes, s.AliasAttributes)) {
		return errors.New("userpool: UsernameAttributes and AliasAttributes cannot change: users are found by them")
	}
	c.settings.Store(&s)
	return nil
}

// checkInvoke holds a pool without transport to having no triggers.
func (c *Core) checkInvoke(s userpool.Settings) error {
	if len(s.Triggers) > 0 && c.Invoke == nil {
		return errors.New("userpool: Settings.Triggers: Config.Invoke is needed to call them")
	}
	return nil
}
