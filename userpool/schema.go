package userpool

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/cognate-auth/cognate/userpool/internal/naming"
	"github.com/cognate-auth/cognate/userpool/internal/text"
)

// The types of attributes (AttributeDataType).
const (
	TypeString   = "String"
	TypeNumber   = "Number"
	TypeDateTime = "DateTime"
	TypeBoolean  = "Boolean"
)

// The standard attributes of a pool: OpenID Connect Core section 5.1, less sub.
// Those of the profile scope (userInfo page of the developer guide) come first.
var (
	ProfileAttributes = []string{
		"name", "family_name", "given_name", "middle_name", "nickname", "preferred_username", "profile",
		"picture", "website", "gender", "birthdate", "zoneinfo", "locale", "updated_at",
	}
	otherAttributes = []string{"address", "email", "email_verified", "phone_number", "phone_number_verified"}
)

const (
	customPrefix  = "custom:"
	maxCustomName = 20 // characters, without the prefix
)

// MaxAttributeBytes is how long the value of an attribute is at most.
const MaxAttributeBytes = 2048

const (
	maxAttributes = 100
	maxCustom     = 50
)

// isCustom holds a name to CustomAttributeNameType of the API reference: after
// the prefix 1 to 20 letters, marks, symbols, digits or punctuation.
func isCustom(name string) bool {
	own, custom := strings.CutPrefix(name, customPrefix)
	return custom && naming.ValidName(own) && utf8.RuneCountInString(own) <= maxCustomName
}

func isStandard(name string) bool {
	return slices.Contains(ProfileAttributes, name) || slices.Contains(otherAttributes, name)
}

// IsVerifiedFlag reports whether an attribute says that an address is verified: it is "true"
// or "false", and no client may write it.
func IsVerifiedFlag(name string) bool {
	return name == "email_verified" || name == "phone_number_verified"
}

// Attribute returns what is known of an attribute, with the defaults filled in.
func (s *Settings) Attribute(name string) (a Attribute, known bool) {
	listed, custom := false, false
	for _, each := range s.Schema {
		if each.Name == name {
			a, listed = each, true
		}
		custom = custom || strings.HasPrefix(each.Name, customPrefix)
	}
	if !listed {
		a, known = Attribute{Name: name}, isStandard(name) || !custom && isCustom(name)
	}
	switch {
	case IsVerifiedFlag(name):
		a.Type = TypeBoolean
	case name == "updated_at":
		a.Type = TypeNumber
	case a.Type == "":
		a.Type = TypeString
	}
	return a, listed || known
}

// Required returns the names of the attributes that a person must have, in the
// order of the schema.
func (s *Settings) Required() []string {
	var out []string
	for _, a := range s.Schema {
		if a.Required && a.Name != "sub" {
			out = append(out, a.Name)
		}
	}
	return out
}

// CleanAttributes checks attributes and leaves out the empty ones.
func (s *Settings) CleanAttributes(in map[string]string) (map[string]string, error) {
	out := make(map[string]string, len(in))
	if len(in) > maxAttributes {
		return nil, InvalidParameter("a user has at most 100 attributes")
	}
	for _, name := range slices.Sorted(maps.Keys(in)) {
		if in[name] == "" {
			continue
		}
		value, err := s.CleanAttribute(name, in[name])
		if err != nil {
			return nil, err
		}
		out[name] = value
	}
	return out, checkVerified(out)
}

// checkVerified wants an address where one is said to be verified or not.
func checkVerified(attributes map[string]string) error {
	for _, name := range []string{"email", "phone_number"} {
		if attributes[name+"_verified"] != "" && attributes[name] == "" {
			return InvalidParameter(name + "_verified needs " + name)
		}
	}
	return nil
}

// CheckVerified is checkVerified of the user's attributes.
func (u User) CheckVerified() error { return checkVerified(u.Attributes) }

// unfit is how Cognito words what the schema does not allow.
func unfit(name, said string) error {
	return InvalidParameter("Attributes did not conform to the schema: " + name + ": " + said)
}

// CleanAttribute holds the value of an attribute to the schema, and returns it as it is
// stored.
func (s *Settings) CleanAttribute(name, value string) (string, error) {
	a, known := s.Attribute(name)
	switch {
	case !known || name == "sub":
		return "", unfit(text.Clip(strconv.QuoteToGraphic(name)), "Attribute does not exist in the schema.")
	case len(value) > MaxAttributeBytes || !utf8.ValidString(value):
		return "", unfit(name, "expected UTF-8 of at most 2048 bytes")
	case strings.ContainsFunc(value, func(r rune) bool { return unicode.IsControl(r) && !unicode.IsSpace(r) }):
		return "", unfit(name, "expected no control characters")
	case name == "email" && !naming.ValidEmail(value):
		return "", InvalidParameter("Invalid email address format.")
	case name == "phone_number" && !naming.ValidPhone(value):
		return "", InvalidParameter("Invalid phone number format.")
	case name == "birthdate" && utf8.RuneCountInString(value) != 10:
		return "", unfit(name, "expected ten characters, as in 1999-12-31")
	}
	return a.clean(value)
}

// clean holds a value to the attribute's type and bounds.
func (a Attribute) clean(value string) (string, error) {
	switch a.Type {
	case TypeBoolean:
		value = strings.ToLower(value)
		if value != "true" && value != "false" {
			return "", unfit(a.Name, `expected "true" or "false"`)
		}
	case TypeNumber:
		return value, a.checkNumber(value)
	case TypeDateTime:
		if !isDateTime(value) {
			return "", unfit(a.Name, "expected a time, as in 2026-05-06T07:08:09Z")
		}
	default:
		n := int64(utf8.RuneCountInString(value))
		if n < a.Min || a.Max > 0 && n > a.Max {
			return "", unfit(a.Name, fmt.Sprintf("expected %d to %d characters", a.Min, a.longest()))
		}
	}
	return value, nil
}

func (a Attribute) longest() int64 {
	if a.Max > 0 {
		return a.Max
	}
	return MaxAttributeBytes
}

var number = regexp.MustCompile(`^-?[0-9]{1,18}$`)

func (a Attribute) checkNumber(value string) error {
	n, err := strconv.ParseInt(value, 10, 64)
	switch {
	case !number.MatchString(value) || err != nil:
		return unfit(a.Name, "expected a whole number")
	case n < a.Min && (a.Min != 0 || a.Name == "updated_at"), a.Max != 0 && n > a.Max:
		return unfit(a.Name, "the number is out of range")
	}
	return nil
}

// isDateTime takes RFC 3339, a date, and seconds since 1970.
func isDateTime(value string) bool {
	_, err := time.Parse(time.RFC3339, value)
	if err != nil {
		_, err = time.Parse(time.DateOnly, value)
	}
	return err == nil || number.MatchString(value)
}

// checkSchema holds Settings.Schema to the rules of SchemaAttributeType.
func checkSchema(s Settings) error {
	seen, custom := map[string]bool{}, 0
	for _, a := range s.Schema {
		err := checkSchemaAttribute(a)
		if err != nil {
			return fmt.Errorf("Schema: %q: %w", text.Clip(a.Name), err) //nolint:staticcheck // the name of a field
		}
		if seen[a.Name] {
			return fmt.Errorf("Schema: %q is repeated", a.Name) //nolint:staticcheck // the name of a field
		}
		seen[a.Name] = true
		if isCustom(a.Name) {
			custom++
		}
	}
	if custom > maxCustom {
		return errors.New("Schema: expected at most 50 custom attributes") //nolint:staticcheck // the name of a field
	}
	return nil
}

func checkSchemaAttribute(a Attribute) error {
	types := []string{"", TypeString, TypeNumber, TypeDateTime, TypeBoolean}
	custom := isCustom(a.Name)
	with, _ := (&Settings{}).Attribute(a.Name)
	switch {
	case !custom && !isStandard(a.Name) && a.Name != "sub":
		return errors.New(
			"expected a standard attribute, or custom: with 1 to 20 letters, digits, symbols or punctuation after it",
		)
	case custom && a.Required:
		return errors.New("a custom attribute cannot be required")
	case !slices.Contains(types, a.Type):
		return fmt.Errorf("the type %q is unknown; known are String, Number, DateTime, Boolean", text.Clip(a.Type))
	case !custom && a.Type != "" && a.Type != with.Type:
		return fmt.Errorf("the type of this standard attribute is %s", with.Type)
	case IsVerifiedFlag(a.Name) && a.Required:
		return errors.New("nobody can be asked for this")
	case a.Max != 0 && a.Min > a.Max:
		return errors.New("its Min is more than its Max")
	}
	return nil
}

// knows reports whether users may have the attribute.
func (s *Settings) knows(name string) bool {
	_, known := s.Attribute(name)
	return known
}

// SetAttribute changes one attribute; an empty value removes it. An address that
// changes is not verified any more, unless something is said about that.
func (s *Settings) SetAttribute(u *User, name, value string, said bool) error {
	a, known := s.Attribute(name)
	switch {
	case !known || name == "sub":
		return unfit(text.Clip(strconv.QuoteToGraphic(name)), "Attribute does not exist in the schema.")
	case a.Immutable && u.Attributes[name] != "":
		return InvalidParameter("Cannot modify the non-mutable attribute " + name)
	}
	verified := name + "_verified"
	if value == "" {
		delete(u.Attributes, name)
		if !said {
			delete(u.Attributes, verified)
		}
		return nil
	}
	value, err := s.CleanAttribute(name, value)
	if err != nil {
		return err
	}
	u.Attributes[name] = value
	if u.Attributes[verified] != "" && !said {
		u.Attributes[verified] = "false"
	}
	return nil
}

// Missing returns the names of the required attributes that a user does not have.
func (s *Settings) Missing(u User) []string {
	return slices.DeleteFunc(s.Required(), func(name string) bool { return u.Attributes[name] != "" })
}

// CheckRequired names the attributes that are missing, as Cognito does.
func (s *Settings) CheckRequired(u User) error {
	var missing []string
	for _, name := range s.Required() {
		if u.Attributes[name] != "" || name == "preferred_username" && slices.Contains(s.AliasAttributes, name) {
			continue
		}
		if name == "name" {
			name = "name.formatted"
		}
		missing = append(missing, name+": The attribute is required")
	}
	if len(missing) == 0 {
		return nil
	}
	return InvalidParameter("Attributes did not conform to the schema: " + strings.Join(missing, "\n"))
}
