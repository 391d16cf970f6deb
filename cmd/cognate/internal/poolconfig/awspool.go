package poolconfig

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/cognate-auth/cognate/userpool"
)

// The types below have the form of the API reference (UserPoolType,
// UserPoolClientType), with the members that a local pool has a use for.
type awsPool struct {
	ID           string `yaml:"Id"`
	Name         string `yaml:"Name"`
	Domain       string `yaml:"Domain"`
	CustomDomain string `yaml:"CustomDomain"`

	UsernameAttributes     []string       `yaml:"UsernameAttributes"`
	AliasAttributes        []string       `yaml:"AliasAttributes"`
	AutoVerifiedAttributes []string       `yaml:"AutoVerifiedAttributes"`
	Schema                 []awsAttribute `yaml:"SchemaAttributes"`

	Policies struct {
		Passwords *struct {
			MinimumLength    int  `yaml:"MinimumLength"`
			RequireUppercase bool `yaml:"RequireUppercase"`
			RequireLowercase bool `yaml:"RequireLowercase"`
			RequireNumbers   bool `yaml:"RequireNumbers"`
			RequireSymbols   bool `yaml:"RequireSymbols"`
			History          int  `yaml:"PasswordHistorySize"`
			TemporaryDays    int  `yaml:"TemporaryPasswordValidityDays"`
		} `yaml:"PasswordPolicy"`
		SignIn struct {
			FirstFactors []string `yaml:"AllowedFirstAuthFactors"`
		} `yaml:"SignInPolicy"`
	} `yaml:"Policies"`

	MFAConfiguration string `yaml:"MfaConfiguration"`
	AdminCreateUser  struct {
		AdminOnly bool              `yaml:"AllowAdminCreateUserOnly"`
		Invite    awsInviteTemplate `yaml:"InviteMessageTemplate"`
	} `yaml:"AdminCreateUserConfig"`
	Recovery struct {
		Mechanisms []awsRecovery `yaml:"RecoveryMechanisms"`
	} `yaml:"AccountRecoverySetting"`

	Verification struct {
		SMS         string `yaml:"SmsMessage"`
		Email       string `yaml:"EmailMessage"`
		Subject     string `yaml:"EmailSubject"`
		LinkEmail   string `yaml:"EmailMessageByLink"`
		LinkSubject string `yaml:"EmailSubjectByLink"`
		Option      string `yaml:"DefaultEmailOption"`
	} `yaml:"VerificationMessageTemplate"`
	VerificationSMS     string `yaml:"SmsVerificationMessage"`
	VerificationEmail   string `yaml:"EmailVerificationMessage"`
	VerificationSubject string `yaml:"EmailVerificationSubject"`
	CodeSMS             string `yaml:"SmsAuthenticationMessage"`

	Lambdas map[string]any `yaml:"LambdaConfig"`
}

type awsRecovery struct {
	Priority int    `yaml:"Priority"`
	Name     string `yaml:"Name"`
}

type awsInviteTemplate struct {
	SMS     string `yaml:"SMSMessage"`
	Email   string `yaml:"EmailMessage"`
	Subject string `yaml:"EmailSubject"`
}

type awsAttribute struct {
	Name     string `yaml:"Name"`
	Type     string `yaml:"AttributeDataType"`
	Mutable  *bool  `yaml:"Mutable"`
	Required bool   `yaml:"Required"`
	Length   struct {
		Min string `yaml:"MinLength"`
		Max string `yaml:"MaxLength"`
	} `yaml:"StringAttributeConstraints"`
	Value struct {
		Min string `yaml:"MinValue"`
		Max string `yaml:"MaxValue"`
	} `yaml:"NumberAttributeConstraints"`
}

type awsClient struct {
	UserPoolID string `yaml:"UserPoolId"`
	ID         string `yaml:"ClientId"`
	Name       string `yaml:"ClientName"`
	Secret     secret `yaml:"ClientSecret"`

	CallbackURLs       []string `yaml:"CallbackURLs"`
	LogoutURLs         []string `yaml:"LogoutURLs"`
	DefaultRedirectURI string   `yaml:"DefaultRedirectURI"`
	Flows              []string `yaml:"AllowedOAuthFlows"`
	Scopes             []string `yaml:"AllowedOAuthScopes"`
	FlowsEnabled       bool     `yaml:"AllowedOAuthFlowsUserPoolClient"`
	Providers          []string `yaml:"SupportedIdentityProviders"`
	ExplicitAuthFlows  []string `yaml:"ExplicitAuthFlows"`
	ReadAttributes     []string `yaml:"ReadAttributes"`
	WriteAttributes    []string `yaml:"WriteAttributes"`
	UserExistence      string   `yaml:"PreventUserExistenceErrors"`
	Revocation         *bool    `yaml:"EnableTokenRevocation"`

	AccessToken  int64 `yaml:"AccessTokenValidity"`
	IDToken      int64 `yaml:"IdTokenValidity"`
	RefreshToken int64 `yaml:"RefreshTokenValidity"`
	Units        struct {
		AccessToken  string `yaml:"AccessToken"`
		IDToken      string `yaml:"IdToken"`
		RefreshToken string `yaml:"RefreshToken"`
	} `yaml:"TokenValidityUnits"`
	Rotation *struct {
		Feature string `yaml:"Feature"`
		Seconds int64  `yaml:"RetryGracePeriodSeconds"`
	} `yaml:"RefreshTokenRotation"`
}

// model returns the same pool in the words of the YAML file, and notes on what those
// can't say.
func (a *awsPool) model() (poolModel, []string) {
	m := poolModel{
		ID: a.ID, Name: a.Name, Domain: a.Domain, CustomDomain: a.CustomDomain,
		SelfSignUp:    !a.AdminCreateUser.AdminOnly,
		ConfirmByLink: a.Verification.Option == "CONFIRM_WITH_LINK",
	}
	m.Name = strings.Join(strings.Fields(m.Name), " ") // AWS accepts tabs and line breaks
	if p := a.Policies.Passwords; p != nil {
		m.PasswordPolicy = &policyModel{
			MinimumLength: p.MinimumLength, RequireUppercase: p.RequireUppercase, RequireLowercase: p.RequireLowercase,
			RequireNumbers: p.RequireNumbers, RequireSymbols: p.RequireSymbols, History: p.History,
			TemporaryValidity: time.Duration(p.TemporaryDays) * 24 * time.Hour,
		}
	}
	notes := slices.Concat(a.knownWords(&m), a.domains(&m), a.recovery(&m), a.messages(&m), a.schema(&m))
	return m, append(notes, a.notes(&m)...)
}

// knownWords leaves out words that the pool does not know: factors and modes that it
// does not have, and those that AWS adds later.
func (a *awsPool) knownWords(m *poolModel) (notes []string) {
	known := func(member string, list []string, settings func([]string) userpool.Settings) (out []string) {
		for _, word := range addNew(nil, list...) {
			err := userpool.CheckSettings(settings([]string{word}))
			if err != nil {
				notes = append(notes, "left out: UserPool."+member+" "+clip(word)+": "+sentence(err))
				continue
			}
			out = append(out, word)
		}
		return out
	}
	factors := slices.Clone(a.Policies.SignIn.FirstFactors)
	for i, factor := range factors {
		if factor == "SMS_OTP" { // as a first factor; userpool has one name for both
			factors[i] = userpool.FactorSMS
		}
	}
	m.FirstFactors = known("Policies.SignInPolicy.AllowedFirstAuthFactors", factors,
		func(s []string) userpool.Settings { return userpool.Settings{FirstFactors: s} })
	// No unknown word is left out here: without one of these, people would sign in with
	// something else. The pool refuses unknown ones.
	m.UsernameAttributes, m.AliasAttributes = addNew(nil, a.UsernameAttributes...), addNew(nil, a.AliasAttributes...)
	m.AutoVerifiedAttributes = known("AutoVerifiedAttributes", a.AutoVerifiedAttributes,
		func(s []string) userpool.Settings { return userpool.Settings{AutoVerifiedAttributes: s} })
	var mechanisms []string
	for _, r := range a.mechanisms() {
		mechanisms = append(mechanisms, r.Name)
	}
	m.Recovery = known("AccountRecoverySetting", mechanisms,
		func(s []string) userpool.Settings { return userpool.Settings{Recovery: s} })
	for _, mode := range known("MfaConfiguration", []string{a.MFAConfiguration}, func(s []string) userpool.Settings {
		return userpool.Settings{MFA: userpool.MFA(s[0]), MFATypes: []string{userpool.FactorTOTP}}
	}) {
		m.MFAConfiguration = mode
	}
	if o := a.Verification.Option; o != "" && o != "CONFIRM_WITH_LINK" && o != "CONFIRM_WITH_CODE" {
		notes = append(notes,
			"left out: UserPool.VerificationMessageTemplate.DefaultEmailOption "+clip(o)+": it is unknown")
	}
	return notes
}

// mechanisms returns the recovery mechanisms in the order of their priority.
func (a *awsPool) mechanisms() []awsRecovery {
	all := slices.Clone(a.Recovery.Mechanisms)
	slices.SortStableFunc(all, func(x, y awsRecovery) int { return cmp.Compare(x.Priority, y.Priority) })
	return all
}

// domains leaves out domains that new pools can't have.
func (a *awsPool) domains(m *poolModel) (notes []string) {
	for member, name := range map[string]*string{"Domain": &m.Domain, "CustomDomain": &m.CustomDomain} {
		one := poolModel{Domain: m.Domain}
		if member == "CustomDomain" {
			one = poolModel{CustomDomain: m.CustomDomain}
		}
		err := checkDomains(one)
		if err != nil {
			notes = append(notes, "left out: UserPool."+member+": "+sentence(err))
			*name = ""
		}
	}
	slices.Sort(notes)
	return notes
}

// recovery leaves out admin_only if there are other mechanisms: it can't be combined.
func (a *awsPool) recovery(m *poolModel) (notes []string) {
	if i := slices.Index(m.Recovery, "admin_only"); i >= 0 && len(m.Recovery) > 1 {
		m.Recovery = slices.Delete(m.Recovery, i, i+1)
		notes = append(notes, "left out: UserPool.AccountRecoverySetting admin_only: it can't be combined with others")
	}
	return notes
}

func (a *awsPool) messages(m *poolModel) (notes []string) {
	v, invite := a.Verification, a.AdminCreateUser.Invite
	messages := messagesModel{
		VerificationSubject: cmp.Or(v.Subject, a.VerificationSubject),
		VerificationEmail:   cmp.Or(v.Email, a.VerificationEmail),
		VerificationSMS:     cmp.Or(v.SMS, a.VerificationSMS),
		LinkSubject:         v.LinkSubject, LinkEmail: v.LinkEmail,
		InvitationSubject: invite.Subject, InvitationEmail: invite.Email, InvitationSMS: invite.SMS,
		CodeSMS: a.CodeSMS,
	}
	fields := reflect.ValueOf(&messages).Elem()
	for i, key := range keysOf(fields.Type()) {
		one := messagesModel{}
		reflect.ValueOf(&one).Elem().Field(i).Set(fields.Field(i))
		err := userpool.CheckSettings(userpool.Settings{Messages: userpool.Messages(one)})
		if err != nil {
			notes = append(notes, "left out: the message that is "+key+" here: "+sentence(err))
			fields.Field(i).SetString("")
		}
	}
	if messages != (messagesModel{}) {
		m.Messages = &messages
	}
	return notes
}

// schema leaves out attributes that are the same in every pool.
func (a *awsPool) schema(m *poolModel) (notes []string) {
	left := func(name, format string, args ...any) {
		notes = append(notes,
			fmt.Sprintf("left out: UserPool.SchemaAttributes %s: ", clip(name))+fmt.Sprintf(format, args...))
	}
	for _, s := range a.Schema {
		fixed := s.Mutable != nil && !*s.Mutable
		out := attributeModel{Name: s.Name, Type: s.Type, Required: s.Required}
		custom := strings.HasPrefix(s.Name, "custom:")
		err := checkAttribute(attributeModel{Name: s.Name})
		switch {
		case s.Name == "sub" || s.Name == "identities":
			continue // Cognito sets them
		case strings.HasPrefix(s.Name, "dev:"):
			left(s.Name, "only a program with AWS credentials writes a developer-only attribute, "+
				"which a local pool does not have")
			continue
		case err != nil:
			left(s.Name, "%s", sentence(err))
			continue
		case !custom && !s.Required && !fixed:
			continue
		case checkAttribute(attributeModel{Name: s.Name, Type: s.Type}) != nil:
			out.Type = "" // a standard attribute always has its own type
			if custom {
				left(s.Name, "its type %q, which is unknown; it is a String", clip(s.Type))
			}
		}
		if fixed {
			out.Mutable = s.Mutable
		}
		required := out
		required.Required = false
		if s.Required && checkAttribute(out) != nil && checkAttribute(required) == nil {
			left(s.Name, "that it is required; a local pool can't ask for it")
			out = required
		}
		bounded := out
		if bounded.bounds(s) && checkAttribute(bounded) == nil {
			out = bounded
		} else {
			left(s.Name, "its bounds, which are not whole numbers or contradict each other")
		}
		m.Schema = append(m.Schema, out)
	}
	return notes
}

// bounds reads the bounds of a string or a number, and reports whether it understood
// them.
func (m *attributeModel) bounds(s awsAttribute) bool {
	good := true
	read := func(text string) int64 {
		if text == "" {
			return 0
		}
		n, err := strconv.ParseInt(text, 10, 64)
		good = good && err == nil
		return n
	}
	m.Min, m.Max = read(cmp.Or(s.Length.Min, s.Value.Min)), read(cmp.Or(s.Length.Max, s.Value.Max))
	return good
}

func checkAttribute(m attributeModel) error {
	return userpool.CheckSettings(userpool.Settings{Schema: []userpool.Attribute{m.attribute()}})
}

func (a *awsPool) notes(m *poolModel) []string {
	var notes []string
	for name := range a.Lambdas {
		notes = append(notes, "left out: UserPool.LambdaConfig."+clip(name)+"; a local pool calls triggers by URL")
	}
	slices.Sort(notes)
	if m.MFAConfiguration == "ON" || m.MFAConfiguration == "OPTIONAL" {
		// describe-user-pool does not list the factors; get-user-pool-mfa-config does.
		m.MFATypes = []string{userpool.FactorTOTP}
		notes = append(notes,
			"mfa_types has only SOFTWARE_TOKEN_MFA: describe-user-pool does not list the factors")
	}
	return notes
}

func (a *awsClient) model() clientModel {
	m := clientModel{
		ID: a.ID, Name: a.Name, Secret: a.Secret,
		CallbackURLs: a.CallbackURLs, LogoutURLs: a.LogoutURLs, DefaultRedirectURI: a.DefaultRedirectURI,
		Scopes: a.Scopes, Flows: a.Flows, Providers: a.Providers, ExplicitAuthFlows: a.ExplicitAuthFlows,
		ReadAttributes: a.ReadAttributes, WriteAttributes: a.WriteAttributes,
		UserExistence: a.UserExistence, Revocation: a.Revocation,
		AccessTokenValidity:  validity(a.AccessToken, a.Units.AccessToken, time.Hour),
		IDTokenValidity:      validity(a.IDToken, a.Units.IDToken, time.Hour),
		RefreshTokenValidity: validity(a.RefreshToken, a.Units.RefreshToken, 24*time.Hour),
	}
	if a.Rotation != nil {
		m.Rotation = &rotationModel{
			Enabled:     a.Rotation.Feature == "ENABLED",
			RetryPeriod: time.Duration(a.Rotation.Seconds) * time.Second,
		}
	}
	return m
}

// validity returns how long a token is valid. The unit is otherwise if
// TokenValidityUnits does not name one: hours for access and ID tokens, days for
// refresh tokens.
func validity(n int64, unit string, otherwise time.Duration) time.Duration {
	length, ok := map[string]time.Duration{
		"seconds": time.Second, "minutes": time.Minute, "hours": time.Hour, "days": 24 * time.Hour,
	}[unit]
	if !ok {
		length = otherwise
	}
	// A value above every limit is refused later; it must not overflow here.
	return time.Duration(min(max(n, -1), int64(maxDuration/length))) * length
}
