package poolconfig

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/cognate-auth/cognate/cmd/cognate/internal/textfile"
	"github.com/cognate-auth/cognate/userpool"
)

// Limits of the files that the configuration names. The limits of logos and style
// sheets are userpool's; one more byte is read so that userpool sees that a file is too
// large.
const (
	maxBranding = 1 << 20
	maxMetadata = 1 << 20
)

// readNamed reads a file that the configuration names. It reads each file once and
// keeps the result.
func (in *reading) readNamed(name string, limit int64) ([]byte, error) {
	path := filepath.Join(filepath.Dir(in.file.Path), name)
	file, again := in.read[path]
	if again {
		return file.text, file.err
	}
	file.text, file.err = in.loader.readBelow(in.file.Path, name, limit)
	missing := errors.As(file.err, new(*fs.PathError))
	switch {
	case errors.Is(file.err, textfile.ErrTooLarge):
		file.err = fmt.Errorf("the file %q has more than %d KB", clip(name), limit>>10)
	case missing:
		file.err = fmt.Errorf("the file %q can't be read: %w", clip(name), reason(file.err))
	case file.err != nil && !strings.HasPrefix(file.err.Error(), strconv.Quote(name)):
		file.err = fmt.Errorf("the file %q: %w", clip(name), file.err)
	}
	if !missing {
		in.file.Sources = append(in.file.Sources, path)
	}
	in.read[path] = file
	return file.text, file.err
}

// pool returns the pool that m describes, without clients and users.
func (m poolModel) pool(in *reading) (Pool, error) {
	p := Pool{ID: m.ID, Domain: m.Domain, CustomDomain: m.CustomDomain}
	if m.ID == "" {
		return p, errors.New("the pool has no id; expected an id such as local_Cognate01")
	}
	err := userpool.CheckPoolID(m.ID)
	if err != nil {
		return p, fmt.Errorf("the pool id %w", err)
	}
	err = checkDomains(m)
	if err != nil {
		return p, err
	}
	p.Issuer = m.issuer()
	if p.Issuer != "" {
		err = userpool.CheckIssuer(p.Issuer, m.ID)
	}
	if err != nil {
		return p, fmt.Errorf("issuer: %w", err)
	}
	p.Settings, err = m.settings(in)
	if err != nil {
		return p, err
	}
	return p, userpool.CheckSettings(p.Settings)
}

// issuer returns the issuer, with the word aws replaced by
// https://cognito-idp.<region>.amazonaws.com/<id>.
func (m poolModel) issuer() string {
	if m.Issuer != "aws" {
		return m.Issuer
	}
	region, _, _ := strings.Cut(m.ID, "_")
	return "https://cognito-idp." + region + ".amazonaws.com/" + m.ID
}

func (m poolModel) settings(in *reading) (userpool.Settings, error) {
	s := userpool.Settings{
		Name: m.Name, UsernameAttributes: m.UsernameAttributes, AliasAttributes: m.AliasAttributes,
		SelfSignUp: m.SelfSignUp, AutoVerifiedAttributes: m.AutoVerifiedAttributes, ConfirmByLink: m.ConfirmByLink,
		MFA: userpool.MFA(m.MFAConfiguration), MFATypes: m.MFATypes, FirstFactors: m.FirstFactors,
		Recovery: m.Recovery, Triggers: m.Triggers.triggers(), FixedCode: m.FixedCode,
		IgnoreUnknownScopes: m.IgnoreUnknownScopes,
	}
	for _, a := range m.Schema {
		s.Schema = append(s.Schema, a.attribute())
	}
	if m.PasswordPolicy != nil {
		s.Passwords = userpool.PasswordPolicy(*m.PasswordPolicy)
	}
	if m.Messages != nil {
		s.Messages = userpool.Messages(*m.Messages)
	}
	for _, g := range m.Groups {
		s.Groups = append(s.Groups, userpool.Group(g))
	}
	for _, r := range m.ResourceServers {
		server := userpool.ResourceServer{Identifier: r.Identifier, Name: r.Name}
		for _, scope := range r.Scopes {
			server.Scopes = append(server.Scopes, userpool.ResourceServerScope(scope))
		}
		s.ResourceServers = append(s.ResourceServers, server)
	}
	err := m.WebAuthn.passkeys(&s)
	if err != nil {
		return s, err
	}
	for _, provider := range m.IdentityProviders {
		idp, err := provider.provider(in)
		if err != nil {
			return s, err
		}
		s.IdentityProviders = append(s.IdentityProviders, idp)
	}
	return s, nil
}

func (m attributeModel) attribute() userpool.Attribute {
	return userpool.Attribute{
		Name: m.Name, Type: m.Type, Required: m.Required, Immutable: m.Mutable != nil && !*m.Mutable,
		Min: m.Min, Max: m.Max,
	}
}

// multiFactor makes a passkey count as two factors.
const multiFactor = "MULTI_FACTOR_WITH_USER_VERIFICATION"

func (m *passkeyModel) passkeys(s *userpool.Settings) error {
	if m == nil {
		return nil
	}
	s.PasskeyDomain, s.PasskeysVerifyUser = m.RelyingPartyID, m.UserVerification == "required"
	s.PasskeysAreMFA = m.Factors == multiFactor
	err := oneOf("user_verification", m.UserVerification, "preferred", "required")
	if err != nil {
		return err
	}
	return oneOf("factor_configuration", m.Factors, "SINGLE_FACTOR", multiFactor)
}

// oneOf refuses a word that is not empty and not known.
func oneOf(key, word string, known ...string) error {
	if word == "" || slices.Contains(known, word) {
		return nil
	}
	return fmt.Errorf("%s: %q is unknown; expected %s", key, clip(word), strings.Join(known, " or "))
}

func (m *triggersModel) triggers() map[string]userpool.Trigger {
	if m == nil {
		return nil
	}
	all := map[string]userpool.Trigger{}
	for name, t := range map[string]*triggerModel{
		"PreSignUp": m.PreSignUp, "PostConfirmation": m.PostConfirmation,
		"PreAuthentication": m.PreAuthentication, "PostAuthentication": m.PostAuthentication,
		"CustomMessage": m.CustomMessage, "PreTokenGeneration": m.PreToken,
	} {
		if t != nil {
			all[name] = userpool.Trigger(*t)
		}
	}
	return all
}

func (m providerModel) provider(in *reading) (userpool.IdentityProvider, error) {
	p := userpool.IdentityProvider{
		Name: m.Name, Type: m.Type, Identifiers: m.Identifiers, AttributeMapping: m.AttributeMapping,
		ClientID: m.ClientID, ClientSecret: userpool.Secret(m.ClientSecret), Issuer: m.Issuer, Scopes: m.Scopes,
		AuthorizeURL: m.AuthorizeURL, TokenURL: m.TokenURL, UserInfoURL: m.UserInfoURL, JWKSURL: m.JWKSURL,
		UserInfoByPost: m.Method == "POST",
		SignOut:        m.SignOut, SignRequests: m.SignRequests, IDPInitiated: m.IDPInitiated,
	}
	err := oneOf("attributes_request_method", m.Method, "GET", "POST")
	if err != nil || m.MetadataFile == "" {
		return p, err
	}
	metadata, err := in.readNamed(m.MetadataFile, maxMetadata)
	p.Metadata = string(metadata)
	return p, err
}

func (m clientModel) client(in *reading) (userpool.Client, error) {
	c := userpool.Client{
		ID: m.ID, Name: m.Name, Secret: userpool.Secret(m.Secret), SecondSecret: userpool.Secret(m.SecondSecret),
		CallbackURLs: m.CallbackURLs, LogoutURLs: m.LogoutURLs, DefaultRedirectURI: m.DefaultRedirectURI,
		AllowedOAuthScopes: m.Scopes, AllowedOAuthFlows: m.Flows,
		SupportedIdentityProviders: m.Providers, ExplicitAuthFlows: m.ExplicitAuthFlows,
		ReadAttributes: m.ReadAttributes, WriteAttributes: m.WriteAttributes,
		RevealUserExistence: m.UserExistence == "LEGACY",
		DisableRevocation:   m.Revocation != nil && !*m.Revocation,
		AccessTokenValidity: m.AccessTokenValidity, IDTokenValidity: m.IDTokenValidity,
		RefreshTokenValidity: m.RefreshTokenValidity,
	}
	if m.Rotation != nil {
		c.RefreshTokenRotation = userpool.RefreshTokenRotation{
			Enabled: m.Rotation.Enabled, RetryGracePeriod: m.Rotation.RetryPeriod,
		}
	}
	if m.ID == "" {
		return c, errors.New("the client has no id; expected 1 to 128 letters, digits, _ or +")
	}
	err := oneOf("prevent_user_existence_errors", m.UserExistence, "ENABLED", "LEGACY")
	if err != nil {
		return c, err
	}
	c.Branding, err = m.Branding.branding(in)
	if err != nil {
		return c, err
	}
	return c, userpool.CheckClient(c)
}

func (m *brandingModel) branding(in *reading) (b userpool.Branding, err error) {
	if m == nil {
		return b, nil
	}
	b = userpool.Branding{
		LogoAlt: m.LogoAlt, Primary: m.Primary, Background: m.Background,
		DarkPrimary: m.DarkPrimary, DarkBackground: m.DarkBackground,
	}
	if m.LogoFile != "" {
		b.Logo, err = in.readNamed(m.LogoFile, maxBranding)
	}
	if err == nil && m.CSSFile != "" {
		var css []byte
		css, err = in.readNamed(m.CSSFile, maxBranding)
		b.CSS = string(css)
	}
	return b, err
}
