package cognate_test

import (
	"encoding/base64"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/cognate-auth/cognate"
	"github.com/cognate-auth/cognate/internal/fakeprovider"
	"github.com/cognate-auth/cognate/sessionstore"
)

// What an earlier version sealed with the configuration of sealedAuth: an upgrade
// signs nobody out and loses no sign-in that is under way.
const (
	sealedSession = "5XZ0D_DMyVw39T832QtJwPVKhoVWDDxmlStWdXb4UvBbEgjnLAf-l31DCxvDRE8Bry0F5AL0jTwHmNEQ36RC8xBs" +
		"5rcS-Ydu1yzW_7-RKY1nYEs1WarvBx3Hazu3ALDGz0aOIg6goKjJHbuuCVxjDA2Ot9PZazN-UGi0gBJ5-_op6ekj" +
		"M1rWryNPZZUIs51ZM5WBxLLfNxQ"
	sealedTokens = "kqEYbK5EDo5KlKER7t5ZQq1KMWAJJLiYLauIFbZgRk_Xp4K_fMsyIOsjKkLMsUNEfjRRJxy-7p6SmlWBVIPzzpsD" +
		"HddlFg0"
	// sealedDropped is the session without its tokens, which had been too large.
	sealedDropped = "wvt275LXtzW1pGjctdmOWAN884COUZ625IGwEzmrDWZ6y5Ww1O0mDo3yFfSt8GPbaO1u6Xb9ZPJl85MYYlR36MW_" +
		"q_HuSXkQptPEwg6Bkt-ygaXyCzth9goHbUWVbZFUZlRM4S5XtWKppJdKTVL9UU4nQaexehL55djQkyNILeEvVZB3" +
		"4IZVyFd_fulAMIfVPnrEYWvSQyI"

	sealedID          = "5RtuhMbeVqK000NXnAsudCvyJZGcpf2JUUiDB7BtyCc"
	sealedRecordKey   = "AtOgDIa9olajKuI1BMdtljyDbOrRjIQ0iX1MtAbHTLw"
	sealedRecordValue = "OHAMEJKGXyQAqThE2vDB78QU8Uh8ghvLWSX4mVSR8d6vbGzuWw9VU9RxqEXC_Nx7nhV4fg_xk0Qa_Gn_O5T09uZe" +
		"Wc9rDiK-3wQtMJ5sSLryhUcruOBGTdh0lMhzLgPPHpEjWyaFBkZ7syDF7Xwz9RZuEnOlMSjvdwxKziR8_oy69dCF" +
		"A-gheHdEpaiOOIC_rR8u4wcaELQuCBpna4m1wShAPPageXiAXj_qtEhEpEG63I6Mwxsl3AFF0_qheQu94JuMKtrN" +
		"Fto"
	sealedSubject = "i5YmHKJY_iGHup-lXyYkR1NjiI49E0a51pzQ1G26ayM" // indexes of the record
	sealedSID     = "sUNAiVnRzV1VnZZEr3oPwVl3yBsd59s_Q2cDDtlVtVQ"

	sealedProof = "aVc1pRmcgMlp7Qkpo_ltiA"
	// sealedMark is the key of the record that says that the callback of sealedState was used, and
	// sealedLogoutMark that of the logout token whose jti is "jti-1".
	sealedMark       = "Dbm041lMikEZ-aRC-UYvIVyOxPydxIxKv_Ic7EIRloY"
	sealedLogoutMark = "DWeq-j9_vY0Ab_YxzX0FIyP00UbG-fu-FjD8VNDVtZM"

	sealedState = "bMh7y6hL9iH224jSg9YES4q3PDoxgjbxMlMkG_hLzQjLhTSeN30KOXAyfwpBKdNCOi71x0RtkxAb0potG68Vscwb" +
		"2P2YP2ne-D5D-v5y6_lIc3sGBsb0ZbRdWQOXAt8"
)

var sealedAt = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// sealedAuth is an Auth whose provider can't be reached.
func sealedAuth(t *testing.T, session cognate.SessionConfig) *cognate.Auth {
	t.Helper()
	session.IdleTimeout = time.Hour
	unreachable := fakeprovider.RoundTripFunc(func(*http.Request) (*http.Response, error) { return nil, errDown })
	auth, err := cognate.New(cognate.Config{
		Issuer: "https://provider.test", ClientID: "client-1", RedirectURL: "https://app.test/oidc_callback",
		Keys: []cognate.Secret{cognate.Secret(strings.Repeat("k", 32))}, Claims: []string{"custom:tier"},
		Now: func() time.Time { return sealedAt.Add(time.Minute) }, Session: session,
		HTTPClient: &http.Client{Transport: unreachable},
		Logger:     slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	return auth
}

// TestSealedBeforeUpgrade opens what an earlier version has sealed, in cookies and in a store.
func TestSealedBeforeUpgrade(t *testing.T) {
	store := sessionstore.NewMemory(0)
	store.Now = func() time.Time { return sealedAt }
	value, err := base64.RawURLEncoding.DecodeString(sealedRecordValue)
	if err != nil {
		t.Fatal(err)
	}
	err = store.Create(t.Context(), sessionstore.Record{
		Key: sealedRecordKey, Value: value, Indexes: []string{sealedSubject, sealedSID},
		Expires: sealedAt.Add(time.Hour),
	})
	if err != nil {
		t.Fatal(err)
	}
	inCookies, inStore := sealedAuth(t, cognate.SessionConfig{TokensInCookie: true}),
		sealedAuth(t, cognate.SessionConfig{Store: store})
	for _, tt := range []struct {
		name, cookies, token string
		auth                 *cognate.Auth
	}{
		{"in cookies", "__Host-cognate=" + sealedSession + "; __Host-cognate.t=" + sealedTokens, "access-1", inCookies},
		{"without tokens", "__Host-cognate=" + sealedDropped, "", inCookies},
		{"in a store", "__Host-cognate=" + sealedID, "access-1", inStore},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "https://app.test/", nil)
			r.Header.Set("Cookie", tt.cookies)
			answer := httptest.NewRecorder()
			tt.auth.RequireLogin(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				checkSealedUser(t, cognate.UserFrom(r.Context()))
				token, err := tt.auth.AccessToken(r.Context())
				e, _ := errors.AsType[*cognate.Error](err)
				if token != tt.token || tt.token != "" && err != nil ||
					tt.token == "" && (e == nil || e.Reason != cognate.ReasonNoTokens) {
					t.Errorf("access token %q, error %v; want %q", token, err, tt.token)
				}
			})).ServeHTTP(answer, r)
			if answer.Code != http.StatusOK {
				t.Errorf("status %d", answer.Code)
			}
		})
	}
	n, err := inStore.LogoutEverywhere(t.Context(), "user-1")
	if n != 1 || err != nil {
		t.Errorf("ended %d sessions, error %v; want 1", n, err)
	}
}

func checkSealedUser(t *testing.T, u *cognate.User) {
	t.Helper()
	if u.Issuer != "https://provider.test" || u.Subject != "user-1" || u.Username != "ann" ||
		u.Email != "ann@example.com" ||
		!u.EmailVerified || u.Name != "Ann" || !slices.Equal(u.Groups, []string{"staff", "admins"}) ||
		!u.AuthTime.Equal(sealedAt.Add(-time.Minute)) || !slices.Equal(u.Scopes, []string{"openid", "email"}) ||
		u.Text("custom:tier") != "gold" {
		t.Errorf("the user is %+v", u)
	}
}

// TestStateBeforeUpgrade comes back with a state and a cookie that an earlier version has given
// the browser: what fails is not the sign-in, but the question to the provider.
func TestStateBeforeUpgrade(t *testing.T) {
	query := url.Values{"state": {sealedState}, "code": {"code-1"}}
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet,
		"https://app.test/oidc_callback?"+query.Encode(), nil)
	r.Header.Set("Cookie", "__Host-cognate-tx-18="+sealedProof)
	answer := httptest.NewRecorder()
	sealedAuth(t, cognate.SessionConfig{}).Handler(nil).ServeHTTP(answer, r)
	if page := answer.Body.String(); answer.Code != http.StatusServiceUnavailable ||
		!strings.Contains(page, "return_to=%2Fprivate%2F%3Fa%3Db") {
		t.Errorf("status %d and\n%s", answer.Code, page)
	}
}

// TestMarksBeforeUpgrade uses once more what an earlier version has marked in the store as used: a
// callback, which leads on to its page without a request to the provider, and a logout token.
func TestMarksBeforeUpgrade(t *testing.T) {
	p := fakeprovider.New(t)
	p.URL, p.Issuer, p.Now = "https://provider.test", "https://provider.test", func() time.Time { return sealedAt }
	store := sessionstore.NewMemory(0)
	store.Now = p.Now
	for _, key := range []string{sealedMark, sealedLogoutMark} {
		err := store.Create(t.Context(),
			sessionstore.Record{Key: key, Value: []byte{1}, Expires: sealedAt.Add(time.Hour)})
		if err != nil {
			t.Fatal(err)
		}
	}
	x := newApp(t, p, func(c *cognate.Config) {
		c.BackchannelLogoutPath, c.Session.Store = "/backchannel", store
		c.HTTPClient = &http.Client{Transport: fakeprovider.RoundTripFunc(func(r *http.Request) (*http.Response,
			error) {
			w := httptest.NewRecorder()
			p.Config.Handler.ServeHTTP(w, r)
			return w.Result(), nil
		})}
	})
	b := x.browser(t)
	b.jar.SetCookies(appURL,
		[]*http.Cookie{{Name: "__Host-cognate-tx-18", Value: sealedProof, Path: "/", Secure: true}})
	resp := b.get("/oidc_callback?" + url.Values{"state": {sealedState}, "code": {"code-1"}}.Encode())
	if resp.StatusCode != http.StatusFound || resp.Header.Get("Location") != "/private/?a=b" {
		t.Errorf("callback: status %d to %q\n%s", resp.StatusCode, resp.Header.Get("Location"), x.log)
	}
	token := p.SignIDToken(jwt.MapClaims{
		"iss": p.Issuer, "aud": clientID, "sub": "user-1", "iat": sealedAt.Unix(),
		"exp":    sealedAt.Add(time.Minute).Unix(),
		"jti":    "jti-1",
		"events": map[string]any{"http://schemas.openid.net/event/backchannel-logout": map[string]any{}},
	})
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, appOrigin+"/backchannel",
		strings.NewReader("logout_token="+token))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	answer := httptest.NewRecorder()
	x.handler.ServeHTTP(answer, r)
	if answer.Code != http.StatusBadRequest || !strings.Contains(x.log.String(), "was used before") {
		t.Errorf("logout token: status %d\n%s", answer.Code, x.log)
	}
	if n := len(p.TokenRequests()); n != 0 {
		t.Errorf("%d token requests, want none", n)
	}
}
