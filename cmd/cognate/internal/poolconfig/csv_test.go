package poolconfig_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/cognate-auth/cognate/cmd/cognate/internal/poolconfig"
	"github.com/cognate-auth/cognate/internal/utf8text"
	"github.com/cognate-auth/cognate/userpool"
	"github.com/cognate-auth/cognate/userpool/accounts"
)

// aPool has user names that are not addresses, and a custom attribute.
var aPool = poolconfig.Pool{ID: "local_A1", Settings: userpool.Settings{
	Schema: []userpool.Attribute{{Name: "custom:plan"}},
}}

func readCSV(text string) (users []poolconfig.User, err error) {
	decoded, err := utf8text.Decode([]byte(text))
	if err != nil {
		return nil, err
	}
	err = poolconfig.ReadCSV(decoded, "u.csv", aPool, func(u poolconfig.User) error {
		users = append(users, u)
		return nil
	})
	return users, err
}

// TestCSV reads Cognito's whole header in two orders, and a part of it.
func TestCSV(t *testing.T) {
	const header = "cognito:username,name,given_name,family_name,middle_name,nickname,preferred_username," +
		"profile,picture,website,email,email_verified,gender,birthdate,zoneinfo,locale,phone_number," +
		"phone_number_verified,address,updated_at,cognito:mfa_enabled,custom:plan\r\n"
	for name, text := range map[string]string{
		"whole header": "\xef\xbb\xbf" + header +
			"ann,Ann,,,,,,,,,ann@example.com,TRUE,,,,,+491234567,FALSE,,,TRUE,\"gold, big\"\r\n",
		"another order": "custom:plan,email_verified,email,phone_number,phone_number_verified,name," +
			"cognito:mfa_enabled,cognito:username\n" +
			"\"gold, big\",true,ann@example.com,+491234567,false,Ann,true,ann",
	} {
		t.Run(name, func(t *testing.T) {
			users, err := readCSV(text)
			if err != nil || len(users) != 1 {
				t.Fatalf("%d users, %v", len(users), err)
			}
			u := users[0]
			want := map[string]string{
				"name": "Ann", "email": "ann@example.com", "phone_number": "+491234567", "custom:plan": "gold, big",
			}
			for _, flag := range []string{"email_verified", "phone_number_verified"} {
				want[flag] = u.Attributes[flag] // upper and lower case are accepted
			}
			if diff := cmp.Diff(want, u.Attributes); diff != "" {
				t.Errorf("attributes (-want +got):\n%s", diff)
			}
			if u.Username != "ann" || u.Status != userpool.UserResetRequired || u.Password != "" {
				t.Errorf("user %s is %s", u.Username, u.Status)
			}
			if diff := cmp.Diff([]string{userpool.FactorSMS}, u.MFA); diff != "" {
				t.Errorf("factors (-want +got):\n%s", diff)
			}
		})
	}
}

// TestCSVWithoutPhone fills in every column of Cognito's template.
func TestCSVWithoutPhone(t *testing.T) {
	users, err := readCSV("cognito:username,email,email_verified,phone_number,phone_number_verified," +
		"cognito:mfa_enabled\n" +
		"ann,ann@example.com,TRUE,,FALSE,FALSE\n")
	if err != nil || len(users) != 1 || users[0].Attributes["phone_number_verified"] != "" {
		t.Errorf("got %v, %v", users, err)
	}
}

// TestCSVMistakes checks that all mistakes of a file are reported, and that valid users
// are passed on.
func TestCSVMistakes(t *testing.T) {
	const header = "cognito:username,email,email_verified,phone_number,cognito:mfa_enabled\n"
	const good = "ann,ann@example.com,true,,\n"
	for _, tt := range []struct {
		name, text string
		want       []string
		users      int
	}{
		{"nothing", "", []string{"u.csv: the file has no header; expected cognito:username,name,given_name,..."}, 0},
		{"unknown columns", "cognito:username,emial,mail or so\nx,y,z\n", []string{
			`u.csv:1:18: unknown column "emial"; did you mean "email"?`,
			`u.csv:1:24: unknown column "mail or so"; known here: cognito:username, name, given_name, family_name, ` +
				"middle_name, nickname, preferred_username, profile, picture, website, email, email_verified, " +
				"gender, birthdate, zoneinfo, locale, phone_number, phone_number_verified, " +
				"address, updated_at, cognito:mfa_enabled",
		}, 0},
		{"no user names", "email,email\n", []string{
			"u.csv:1:1: the column cognito:username is missing", `u.csv:1:7: the column "email" appears twice`,
		}, 0},
		{"several", header + good + "bob,bob@example.com\n" + ",c@example.com,true,,\n" + "ann,a@example.com,true,,\n" +
			"dora,dora@example.com,maybe,,\n" + "erik,erik@example.com,true,,yes\n" + "fred,fred,true,,\n" +
			"gus,g@example.com,true,,true\n" +
			"hal,hal@example.com,true,,\n", []string{
			"u.csv:3: expected 5 fields as in the header, got 2",
			"u.csv:4: cognito:username is empty",
			`u.csv:5: the user "ann" appears twice in the file`,
			"u.csv:6: neither email_verified nor phone_number_verified is true; an imported user chooses a password " +
				"by a code, which has to go somewhere",
			`u.csv:7: cognito:mfa_enabled: expected true or false, not "yes"`,
			"u.csv:8: Invalid email address format.",
			"u.csv:9: cognito:mfa_enabled: a code by short message needs a phone_number",
		}, 2},
		{"an open quote", header + good + "\"bob,bob@example.com,true,,\n" + good, []string{
			`u.csv:3: extraneous or missing " in quoted-field`,
		}, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			users, err := readCSV(tt.text)
			if err == nil {
				t.Fatal("no error")
			}
			if diff := cmp.Diff(tt.want, strings.Split(err.Error(), "\n")); diff != "" {
				t.Errorf("errors (-want +got):\n%s", diff)
			}
			if len(users) != tt.users {
				t.Errorf("%d users, want %d", len(users), tt.users)
			}
		})
	}
}

// FuzzCSV checks that every line gives a user or a mistake.
func FuzzCSV(f *testing.F) {
	f.Add("cognito:username,email,email_verified\nann,ann@example.com,true\n")
	f.Add("cognito:username,email\n\"a\n")
	f.Add("\xef\xbb\xbfcustom:plan,cognito:username\n\"\"\"\",\r\r\n")
	f.Fuzz(func(t *testing.T, text string) {
		users, err := readCSV(text)
		e, ok := errors.AsType[*poolconfig.Error](err)
		if err != nil && (!ok || len(e.Problems) == 0) {
			t.Fatalf("error = %v", err)
		}
		for _, u := range users {
			err := accounts.CheckUser(aPool.Settings, u.NewUser)
			if err != nil {
				t.Errorf("a user who breaks a rule was taken: %v", err)
			}
		}
		if lines := strings.Count(text, "\n"); len(users) > lines+1 {
			t.Errorf("%d users of %d lines", len(users), lines)
		}
	})
}
