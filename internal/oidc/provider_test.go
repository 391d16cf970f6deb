package oidc_test

import (
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cognate-auth/cognate/internal/fakeprovider"
	"github.com/cognate-auth/cognate/internal/oidc"
	"github.com/cognate-auth/cognate/internal/refusal"
)

// TestDiscovery reads documents that a sign-in can't begin with.
func TestDiscovery(t *testing.T) {
	for _, tt := range []struct {
		name, member string
		value        any
		want         refusal.Reason
		text         string
	}{
		{"good", "", nil, "", ""},
		{"another issuer", "issuer", "https://other.test", refusal.ProviderIssuer, "set Issuer"},
		{"no token endpoint", "token_endpoint", "", refusal.ProviderDown, "token endpoint"},
		{"userInfo in the clear", "userinfo_endpoint", "http://provider.test/", refusal.ProviderDown, "not https"},
		{"no JSON expected", "token_endpoint", 7, refusal.ProviderDown, "not the JSON expected"},
		{"too large", "pad", strings.Repeat(" ", 300<<10), refusal.ProviderDown, "larger than"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := fakeprovider.New(t)
			p.EditDiscovery = func(d map[string]any) {
				if tt.member != "" {
					d[tt.member] = tt.value
				}
			}
			m, err := newProvider(p).Ready(t.Context())
			if refusal.Of(err) != tt.want {
				t.Fatalf("%v, want %q", err, tt.want)
			}
			if err == nil && m.Token != p.URL+"/token" {
				t.Errorf("token endpoint %q", m.Token)
			}
			if err != nil && !strings.Contains(err.Error(), tt.text) {
				t.Errorf("%v, want %q in it", err, tt.text)
			}
		})
	}
}

// TestConfiguredEndpoints win over the discovered ones, and need no discovery where they are
// enough.
func TestConfiguredEndpoints(t *testing.T) {
	p := fakeprovider.New(t)
	var told oidc.Endpoints
	c := oidc.ProviderConfig{
		Issuer: p.Issuer, Now: p.Now, Discovered: func(e oidc.Endpoints) { told = e },
		Endpoints: oidc.Endpoints{Token: "https://tokens.test/"},
	}
	m, err := oidc.NewProvider(c).Ready(t.Context())
	if err != nil || m.Token != "https://tokens.test/" || m.JWKS != p.URL+"/keys" || told != m.Endpoints {
		t.Errorf("%+v, %v; told %+v", m.Endpoints, err, told)
	}
	c.Endpoints = oidc.Endpoints{Authorization: "https://a.test", Token: "https://t.test", JWKS: "https://k.test"}
	m, err = oidc.NewProvider(c).Ready(t.Context())
	if err != nil || m.Endpoints != c.Endpoints || p.Discoveries() != 1 {
		t.Errorf("%+v, %v after %d requests", m.Endpoints, err, p.Discoveries())
	}
}

// TestEndSession finds the endpoint in the document, on the authorization endpoint's host, or
// not at all.
func TestEndSession(t *testing.T) {
	p := fakeprovider.New(t)
	if got := newProvider(p).EndSession(t.Context(), "/logout"); got != p.URL+"/end" {
		t.Errorf("announced: %q", got)
	}
	p.EditDiscovery = func(d map[string]any) { delete(d, "end_session_endpoint") }
	if got := newProvider(p).EndSession(t.Context(), "/logout"); got != p.URL+"/logout" {
		t.Errorf("not announced: %q", got)
	}
	if got := newProvider(p).EndSession(t.Context(), ""); got != "" {
		t.Errorf("not announced, and no path: %q", got)
	}
	p.Down = true
	down := oidc.NewProvider(oidc.ProviderConfig{
		Issuer: p.Issuer, Now: p.Now, Endpoints: oidc.Endpoints{Authorization: "https://login.test/authorize"},
	})
	if got := down.EndSession(t.Context(), "/logout"); got != "https://login.test/logout" {
		t.Errorf("no document: %q", got)
	}
	if got := newProvider(p).EndSession(t.Context(), "/logout"); got != "" {
		t.Errorf("nothing known: %q", got)
	}
}

func TestCheckURL(t *testing.T) {
	for raw, want := range map[string]string{
		"https://op.test/x?y":        "",
		"http://127.0.0.1:8080":      "",
		"http://[::1]/":              "",
		"http://shop.localhost/":     "",
		"http://op.test":             "is not https; plain http is for loopback addresses, or with InsecureHTTP",
		"ftp://op.test":              "is not an https URL",
		"op.test/x":                  "is not an absolute URL",
		"https://:443/":              "is not an absolute URL",
		"https://ann:secret@op.test": "contains a user name",
		"https://op.test/#x":         "contains a fragment",
	} {
		err := oidc.CheckURL(raw, false)
		if got := errorText(err); got != want {
			t.Errorf("%s: %q, want %q", raw, got, want)
		}
	}
	err := oidc.CheckURL("http://op.test", true)
	if err != nil {
		t.Errorf("insecure: %v", err)
	}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestAddQuery(t *testing.T) {
	got := oidc.AddQuery("https://op.test/end?tenant=1&a=theirs", url.Values{"a": {"ours"}})
	if got != "https://op.test/end?a=ours&tenant=1" {
		t.Errorf("got %q", got)
	}
}

// TestStaleDocuments checks that old documents stay in use while they can't be fetched again,
// and that this is logged.
func TestStaleDocuments(t *testing.T) {
	fakeprovider.InVirtualTime(t, func(t *testing.T, p *fakeprovider.Provider) {
		var log strings.Builder
		provider := oidc.NewProvider(oidc.ProviderConfig{
			Issuer: p.Issuer, HTTPClient: p.HTTPClient, Now: p.Now, Logger: slog.New(slog.NewTextHandler(&log, nil)),
		})
		provider.SetGrace(patience)
		first, err := provider.Ready(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		p.Down = true
		time.Sleep(25 * time.Hour)
		m, err := provider.Ready(t.Context())
		if err != nil || m.Token != first.Token {
			t.Errorf("%+v, %v", m, err)
		}
		synctest.Wait() // until the log is written
		if !strings.Contains(log.String(), "the discovery document can't be fetched again") {
			t.Errorf("log: %s", &log)
		}
	})
}

// TestRedirectsAreNotFollowed: a redirect would carry secrets elsewhere.
func TestRedirectsAreNotFollowed(t *testing.T) {
	p := fakeprovider.New(t)
	p.ServeUserInfo = func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
	}
	_, err := newClient(p).UserInfo(t.Context(), "access-token")
	if refusal.Of(err) != refusal.UserInfo || !strings.Contains(err.Error(), "status 307") {
		t.Errorf("error %v", err)
	}
}
