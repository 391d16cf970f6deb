package userpool

import "net/url"

// setResource reads the resource indicator (RFC 8707 section 2), which becomes
// the audience of the access token. It has the form of a redirect URI: https,
// http on localhost, or an app's own scheme, without fragment (developer guide,
// page "cognito-user-pools-define-resource-servers"). It need not be a resource
// server of the pool.
func (a *Authorization) setResource(q url.Values) error {
	resource := q.Get("resource")
	if resource == "" {
		return nil
	}
	if problem := redirectProblem(resource); problem != "" {
		return badRequest("resource " + problem)
	}
	a.Resource = resource
	return nil
}
