package oauth

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/cognate-auth/cognate/userpool"
	"github.com/cognate-auth/cognate/userpool/grants"
)

var errBearer = &userpool.Error{
	Code: userpool.CodeInvalidRequest, Description: grants.TextNoToken,
}

// userInfo is GET /oauth2/userInfo. The token comes in the header only (RFC
// 6750 section 2.1): in a query it would end up in logs.
func (h *Handler) userInfo(w http.ResponseWriter, r *http.Request) {
	token, ok := bearer(r.Header.Values("Authorization"))
	if !ok {
		bearerError(w, http.StatusBadRequest, errBearer)
		return
	}
	info, err := h.Pool.Grants.UserInfo(r.Context(), token)
	if e, refused := errors.AsType[*userpool.Error](err); refused {
		bearerError(w, http.StatusUnauthorized, e)
		return
	}
	if err != nil {
		h.serverError(w, r, err)
		return
	}
	writeJSON(w, http.StatusOK, info)
}

func bearer(header []string) (token userpool.Secret, ok bool) {
	if len(header) != 1 {
		return "", false
	}
	scheme, value, _ := strings.Cut(header[0], " ")
	if !strings.EqualFold(scheme, "Bearer") || value == "" || strings.ContainsAny(value, " \t,") {
		return "", false
	}
	return userpool.Secret(value), true
}

// bearerError puts the details into the header, without the word Bearer, as
// Cognito does, and once more into the body.
func bearerError(w http.ResponseWriter, status int, e *userpool.Error) {
	w.Header().Set("WWW-Authenticate", fmt.Sprintf("error=%q, error_description=%q", e.Code, e.Description))
	writeError(w, status, e)
}
