package oauth

import (
	"encoding/json"
	"encoding/xml"
	"fmt"
	"log/slog"
	"mime"
	"net/http"
	"regexp"
	"strings"

	"github.com/cognate-auth/cognate/userpool"
	"github.com/cognate-auth/cognate/userpool/internal/browser"
)

// AWS's SDKs send every call to POST /, where a user pool domain of Cognito has nothing:
// an SDK that was pointed at the pool, or a browser's library such as Amplify. There is no
// API here, and they say so only if the answer has their own form. 400 is the status of
// all refusals there, and one that no SDK tries again.

// amazonJSON is the media type of the AWS JSON 1.1 protocol.
const amazonJSON = "application/x-amz-json-1.1"

// targetHeader names the operation in that protocol.
const targetHeader = "X-Amz-Target"

// unknownOperation is what AWS calls a target that a service does not know.
const unknownOperation = "UnknownOperationException"

// target matches what may be repeated of a target: a service and an operation.
var target = regexp.MustCompile(`^([A-Za-z0-9_]{1,64})\.([A-Za-z0-9]{1,64})$`)

// The services of Amazon Cognito, as targets begin.
const (
	userPoolsService     = "AWSCognitoIdentityProviderService"
	identityPoolsService = "AWSCognitoIdentityService"
)

// awsCall answers POST /. Only what has the form of a call of AWS gets an answer to one.
func (h *Handler) awsCall(w http.ResponseWriter, r *http.Request) {
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	targets := r.Header.Values(targetHeader)
	switch {
	case len(targets) > 0 || err == nil && strings.HasPrefix(kind, "application/x-amz-json-"):
		h.refuseJSON(w, r, targets)
		return
	case err == nil && kind == "application/x-www-form-urlencoded":
		form, err := browser.Form(w, r)
		if err == nil && form.Has("Action") {
			h.refuseQuery(w, r)
			return
		}
	}
	only("GET, HEAD, OPTIONS")(w, r)
}

// refuseJSON answers a call in the AWS JSON protocol.
func (h *Handler) refuseJSON(w http.ResponseWriter, r *http.Request, targets []string) {
	m := target.FindStringSubmatch(strings.Join(targets, ","))
	var message string
	switch {
	case m == nil:
		message = "The request names no operation in the header " + targetHeader + ". " + h.whatThereIs()
	case m[1] == userPoolsService:
		message = fmt.Sprintf("%s is not there yet: the user pools API is not part of this local user pool. %s",
			m[2], h.whatThereIs())
	case m[1] == identityPoolsService:
		message = fmt.Sprintf("%s is an operation of identity pools, and this is a local user pool. %s",
			m[2], h.whatThereIs())
	default:
		message = fmt.Sprintf("%s is an operation of another service of AWS, and this is a local user pool of "+
			"Amazon Cognito. Check the endpoint that your SDK is configured with. %s", m[2], h.whatThereIs())
	}
	h.amazonHeaders(w, r, m)
	header := w.Header()
	header.Set("Content-Type", amazonJSON)
	// Libraries cut at the colon, and read the headers if they can't read the body.
	header.Set("X-Amzn-Errortype", unknownOperation+":")
	header.Set("X-Amzn-Errormessage", message)
	body, err := json.Marshal(map[string]string{"__type": unknownOperation, "message": message})
	if err != nil {
		panic("oauth: " + err.Error()) // strings can always be encoded
	}
	w.WriteHeader(http.StatusBadRequest)
	_, _ = w.Write(body)
}

// queryError is the answer of the AWS query protocol, which STS and others have.
type queryError struct {
	XMLName   xml.Name `xml:"ErrorResponse"`
	Type      string   `xml:"Error>Type"`
	Code      string   `xml:"Error>Code"`
	Message   string   `xml:"Error>Message"`
	RequestID string   `xml:"RequestId"`
}

// refuseQuery answers a call in the AWS query protocol.
func (h *Handler) refuseQuery(w http.ResponseWriter, r *http.Request) {
	id := h.amazonHeaders(w, r, nil)
	w.Header().Set("Content-Type", "text/xml")
	body, err := xml.Marshal(queryError{
		Type: "Sender", Code: "InvalidAction", RequestID: id,
		Message: "This is a local user pool of Amazon Cognito, and no other service of AWS. Check the endpoint that " +
			"your SDK is configured with. " + h.whatThereIs(),
	})
	if err != nil {
		panic("oauth: " + err.Error()) // strings can always be encoded
	}
	w.WriteHeader(http.StatusBadRequest)
	_, _ = w.Write(body)
}

// whatThereIs says what a caller can use here.
func (h *Handler) whatThereIs() string {
	return "It has the sign-in pages and the OAuth 2.0 and OpenID Connect endpoints of a user pool domain: see " +
		h.BaseURL + "/" + h.Pool.ID() + "/.well-known/openid-configuration"
}

// amazonHeaders sets what each answer to a call of AWS has, writes a log line, and
// returns the request's ID, by which SDKs name it. called has the service and the
// operation, if they are known.
func (h *Handler) amazonHeaders(w http.ResponseWriter, r *http.Request, called []string) (id string) {
	header := w.Header()
	id = header.Get(browser.RequestIDHeader)
	if id == "" {
		id = userpool.NewUUID()
	}
	header.Set("X-Amzn-Requestid", id)
	header.Set("Access-Control-Expose-Headers", header.Get("Access-Control-Expose-Headers")+
		", x-amzn-RequestId, x-amzn-ErrorType, x-amzn-ErrorMessage, Date")
	operation := "unknown"
	if called != nil {
		operation = called[0]
	}
	h.Logger.LogAttrs(r.Context(), slog.LevelInfo, "call of an AWS API refused: there is none",
		slog.String("operation", operation))
	return id
}
