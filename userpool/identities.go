package userpool

import (
	"encoding/json"
	"strconv"
)

// IdentityClaim is one entry of the identities claim; all of its members are
// strings (developer guide, page "amazon-cognito-user-pools-using-the-id-token").
type IdentityClaim struct {
	UserID       string  `json:"userId"`
	ProviderName string  `json:"providerName"`
	ProviderType string  `json:"providerType"`
	Issuer       *string `json:"issuer"`
	Primary      string  `json:"primary"`
	DateCreated  string  `json:"dateCreated"` // milliseconds since 1970
}

func IdentityClaims(list []Identity) []IdentityClaim {
	out := make([]IdentityClaim, 0, len(list))
	for _, i := range list {
		c := IdentityClaim{
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
func IdentitiesText(list []Identity) string {
	text, err := json.Marshal(IdentityClaims(list))
	if err != nil {
		panic("userpool: encoding identities: " + err.Error()) // strings cannot fail
	}
	return string(text)
}
