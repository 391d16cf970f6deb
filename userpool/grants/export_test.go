package grants

import "github.com/cognate-auth/cognate/userpool/internal/triggers"

// ApplyPreToken applies what a pre token generation trigger answered to the
// claims of two tokens, which it changes.
func ApplyPreToken(event []byte, first bool, id, access map[string]any) error {
	var answer preTokenAnswer
	err := triggers.ReadAnswer(event, &answer)
	if err == nil {
		_, err = answer.apply(tokenClaims{id: id, access: access, scopes: []string{"openid"}}, first)
	}
	return err
}
