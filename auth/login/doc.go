// Package login gets tokens from services that have a login of their own: a request with a user name and a password, or
// with a key, whose answer has a token in it. [New] makes an [auth.Grant] of such a login, [auth.Manage] keeps what it
// brings, and [auth.Bearer] or [SendCookies] sends it:
//
//	grant := login.New(login.Config{
//		BaseURL: "https://api.example.com/v1",
//		Secrets: map[string]secrets.Provider{"password": secrets.Env("API_PASS")},
//		Steps: []login.Step{{
//			Path: "/auth/login",
//			JSON: map[string]string{"user": "svc", "password": "{{password}}"},
//		}},
//		Token:  "body['access_token']",
//		Expiry: "body['expires_in']",
//	})
//	a := auth.Bearer(auth.Manage(grant))
//
// # Templates
//
// {{name}} in a field of a [Step] stands for a value: one of Secrets, what Compute returns, one of Params, or what an
// earlier step saved. A secret wins over what Compute returns, and that over a parameter. {{token}} and {{refresh}} are
// the token and the refresh token that a renewal is made with, or that [Config].Start brought. A value is escaped for
// its place, and is not searched for names again:
//
//	path       one segment, which is not empty and no dot segment: a/b c is a%2Fb%20c
//	query      a/b c is a%2Fb+c
//	form       as in a query
//	JSON       inside quotes the text of a string, and elsewhere a number, true, false or null
//	XML        text or the value of an attribute
//	header     as it is, without control characters
//	host       letters, digits, dots, hyphens and a colon
//	multipart  as it is, and so in a Raw of any other content type
//
// A URL that begins with {{name}} takes an absolute URL from there. Two braces that stand for themselves are written
// {{'{{'}}. All names that have no value are reported together, as a [*MissingError], before anything is sent.
//
// # Expressions
//
// Where the token is in the answer, expressions tell. They see these names:
//
//	body     the answer: JSON, XML, a form, or else text
//	headers  the header fields, by their names in lower case: headers['x-token']
//	cookies  the cookies that the answer sets: cookies['sid']
//	status   the status code, also as statusCode
//	steps    the answers of all steps, in order: steps[0].body.id
//
// They have member access (a.b, a['b'], a[0], a?.b), a ?? b, c ? a : b, comparisons, arithmetic, "and", "or", "not",
// in, contains, startsWith and endsWith, and the functions int, float, string, trim, split, lower, upper, trimPrefix
// and trimSuffix. There are no loops, no variables and no patterns. Of JavaScript, === and !== are understood; what is
// not is refused with a hint. An expression is compiled once, by New.
//
// In JSON, an object with two members of one name is not read, and whole numbers are exact, however long. In XML, an
// element is a member of the one around it, a repeated one a list, and an attribute a member with @ before its name:
// body.response.session['@id']. Text beside children is the member '#text'. Prefixes of names are left out.
package login
