package userpool

import (
	"encoding/json"
	"strconv"
)

// identityClaim is one entry of the identities claim; all of its members are
// strings (developer guide, page "amazon-cognito-user-pools-using-the-id-token").
type identityClaim struct {
	UserID       string  `json:"userId"`
	ProviderName string  `json:"providerName"`
	ProviderType string  `json:"providerType"`
	Issuer       *string `json:"issuer"`
	Primary      string  `json:"primary"`
	DateCreated  string  `json:"dateCreated"` // milliseconds since 1970
}

// IdentitiesClaim is the value of the identities claim, to be encoded as JSON.
func (u User) IdentitiesClaim() any { return u.identityClaims() }

func (u User) identityClaims() []identityClaim {
	out := make([]identityClaim, 0, len(u.Identities))
	for _, i := range u.Identities {
		c := identityClaim{
			UserID: i.UserID, ProviderName: i.ProviderName, ProviderType: i.ProviderType,
			Primary: strconv.FormatBool(i.Primary), DateCreated: strconv.FormatInt(i.Created.UnixMilli(), 10),
		}
		if i.Issuer != "" {
			c.Issuer = &i.Issuer
		}
		out = append(out, c)
	}
	return out
}

// IdentitiesText is the claim as a string that holds JSON, the way userInfo and
// the triggers have it.
func (u User) IdentitiesText() string {
	text, err := json.Marshal(u.identityClaims())
	if err != nil {
		panic("userpool: encoding identities: " + err.Error()) // strings cannot fail
	}
	return string(text)
}
