package totp_test

import (
	"encoding/base32"
	"testing"
	"time"

	"github.com/cognate-auth/cognate/userpool"
	"github.com/cognate-auth/cognate/userpool/internal/totp"
)

// code is the code of an authenticator app at this time.
func code(secret userpool.Secret, at time.Time) string {
	key, err := totp.Decode(secret)
	if err != nil {
		panic(err)
	}
	return totp.Code(key, at.Unix()/30)
}

// TestTOTPVectors has the values of RFC 6238 appendix B for SHA-1, of which the
// last six digits count here.
func TestTOTPVectors(t *testing.T) {
	t.Parallel()
	secret := userpool.Secret(base32.StdEncoding.EncodeToString([]byte("12345678901234567890")))
	for at, want := range map[int64]string{
		59: "287082", 1111111109: "081804", 1111111111: "050471", 1234567890: "005924", 2000000000: "279037",
		20000000000: "353130",
	} {
		if got := code(secret, time.Unix(at, 0)); got != want {
			t.Errorf("%d: got %s, want %s", at, got, want)
		}
	}
}

// TestMatchTOTP checks how far a clock may be off, and what is no code.
func TestMatchTOTP(t *testing.T) {
	t.Parallel()
	secret, now := userpool.Secret("JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"), time.Unix(1_800_000_015, 0)
	for offset, want := range map[time.Duration]bool{
		0: true, -30 * time.Second: true, 30 * time.Second: true, -60 * time.Second: false, 60 * time.Second: false,
	} {
		step, ok := totp.Match(secret, userpool.Secret(code(secret, now.Add(offset))), now)
		if ok != want || ok && step != now.Add(offset).Unix()/30 {
			t.Errorf("%v: got step %d, %t, want %t", offset, step, ok, want)
		}
	}
	valid := code(secret, now)
	for name, tt := range map[string]struct {
		secret, code userpool.Secret
		want         bool
	}{
		"spaces":     {secret, userpool.Secret(" " + valid[:3] + " " + valid[3:] + "\n"), true},
		"empty":      {secret, "", false},
		"no secret":  {"", userpool.Secret(valid), false},
		"bad secret": {"not base32!", userpool.Secret(valid), false},
		"too long":   {secret, userpool.Secret(valid + "0"), false},
		"too short":  {secret, userpool.Secret(valid[:5]), false},
	} {
		if _, got := totp.Match(tt.secret, tt.code, now); got != tt.want {
			t.Errorf("%s: got %t, want %t", name, got, tt.want)
		}
	}
}

// FuzzMatchTOTP checks that nothing but six digits is ever taken.
func FuzzMatchTOTP(f *testing.F) {
	f.Add("123456", int64(59))
	f.Add("１２３４５６", int64(0))
	f.Fuzz(func(t *testing.T, typed string, at int64) {
		now := time.Unix(at&(1<<36-1)+60, 0)
		step, ok := totp.Match("JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP", userpool.Secret(typed), now)
		if ok && (step < now.Unix()/30-1 || step > now.Unix()/30+1) {
			t.Errorf("%q is of step %d at %d", typed, step, now.Unix()/30)
		}
	})
}
