package oauth_test

import (
	"encoding/json"
	"encoding/xml"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/cognate-auth/cognate/userpool/internal/pooltest"
)

// TestAWSCalls pins what an SDK of AWS gets that is pointed at the pool: an error of its
// own protocol, which names the operation and is no reason to try again.
func TestAWSCalls(t *testing.T) {
	t.Parallel()
	e := pooltest.New(t)
	const (
		userPools = "AWSCognitoIdentityProviderService."
		what      = " It has the sign-in pages and the OAuth 2.0 and OpenID Connect endpoints of a user pool " +
			"domain: see http://pool.test/" + pooltest.PoolID + "/.well-known/openid-configuration"
		unnamed = "The request names no operation in the header X-Amz-Target." + what
	)
	for name, tt := range map[string]struct {
		targets []string
		want    string
	}{
		"a public operation": {[]string{userPools + "SignUp"},
			"SignUp is not there yet: the user pools API is not part of this local user pool." + what},
		"an administrator's": {[]string{userPools + "AdminCreateUser"},
			"AdminCreateUser is not there yet: the user pools API is not part of this local user pool." + what},
		"identity pools": {[]string{"AWSCognitoIdentityService.GetId"},
			"GetId is an operation of identity pools, and this is a local user pool." + what},
		"another service": {[]string{"DynamoDB_20120810.GetItem"},
			"GetItem is an operation of another service of AWS, and this is a local user pool of Amazon Cognito. " +
				"Check the endpoint that your SDK is configured with." + what},
		"none":             {nil, unnamed},
		"an empty one":     {[]string{""}, unnamed},
		"two":              {[]string{userPools + "SignUp", userPools + "GetUser"}, unnamed},
		"not an operation": {[]string{userPools + "<script>"}, unnamed},
		"no dot":           {[]string{"SignUp"}, unnamed},
		"a long one":       {[]string{userPools + strings.Repeat("a", 65)}, unnamed},
		"another script":   {[]string{userPools + "Ünicode"}, unnamed},
	} {
		h := http.Header{"Content-Type": {"application/x-amz-json-1.1"}, "X-Amz-Target": tt.targets}
		a := e.Do(t, http.MethodPost, "/", "{}", h)
		var body map[string]string
		err := json.Unmarshal([]byte(a.Body), &body)
		if err != nil || len(body) != 2 || body["__type"] != "UnknownOperationException" || body["message"] != tt.want {
			t.Errorf("%s: got %s, want the message %q", name, a.Body, tt.want)
		}
		id := a.Header.Get("x-amzn-RequestId")
		if a.StatusCode != http.StatusBadRequest || a.Header.Get("Content-Type") != "application/x-amz-json-1.1" ||
			a.Header.Get("x-amzn-ErrorType") != "UnknownOperationException:" ||
			a.Header.Get("x-amzn-ErrorMessage") != tt.want || len(id) != 36 {
			t.Errorf("%s: got %d %v", name, a.StatusCode, a.Header)
		}
		exposed := strings.Split(a.Header.Get("Access-Control-Expose-Headers"), ", ")
		for _, header := range []string{"x-amzn-RequestId", "x-amzn-ErrorType", "x-amzn-ErrorMessage", "Date"} {
			if !slices.Contains(exposed, header) {
				t.Errorf("%s: a script can't read %s: %v", name, header, exposed)
			}
		}
		if a.Header.Get("Access-Control-Allow-Origin") != "*" {
			t.Errorf("%s: a script can't read the answer: %v", name, a.Header)
		}
	}
}

// TestAWSQueryCalls pins the same for services whose answers are XML, such as STS, which
// SDKs ask by themselves who they are.
func TestAWSQueryCalls(t *testing.T) {
	t.Parallel()
	e := pooltest.New(t)
	form := http.Header{"Content-Type": {"application/x-www-form-urlencoded; charset=utf-8"}}
	a := e.Do(t, http.MethodPost, "/", "Action=GetCallerIdentity&Version=2011-06-15", form)
	var body struct {
		Type      string `xml:"Error>Type"`
		Code      string `xml:"Error>Code"`
		Message   string `xml:"Error>Message"`
		RequestID string `xml:"RequestId"`
	}
	err := xml.Unmarshal([]byte(a.Body), &body)
	if err != nil || a.StatusCode != http.StatusBadRequest || a.Header.Get("Content-Type") != "text/xml" ||
		body.Type != "Sender" || body.Code != "InvalidAction" || len(body.RequestID) != 36 ||
		!strings.HasPrefix(body.Message, "This is a local user pool of Amazon Cognito, and no other service of AWS.") {
		t.Errorf("got %d %v %s", a.StatusCode, a.Header, a.Body)
	}
	for name, body := range map[string]string{
		"a form of another program": "grant_type=refresh_token", "no form": "%zz", "nothing": "",
		"a long one": "Action=" + strings.Repeat("a", 1<<20),
	} {
		a := e.Do(t, http.MethodPost, "/", body, form)
		allow := a.Header.Get("Allow")
		if a.StatusCode != http.StatusMethodNotAllowed || allow != "GET, HEAD, OPTIONS" || a.Body != "" {
			t.Errorf("%s: got %d %v %s", name, a.StatusCode, a.Header, a.Body)
		}
	}
	a = e.Do(t, http.MethodPost, "/", "{}", http.Header{"Content-Type": {"application/json"}})
	if a.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("other JSON: got %d", a.StatusCode)
	}
}
