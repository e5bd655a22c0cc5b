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
//	a := auth.Bearer(auth.Manage(grant)) // for connection.WithAuth
//
// A manager that only connections use, such as this one, need not be closed: closing the last of them ends what it
// runs. One that is asked directly is closed by whoever made it.
//
// # Templates
//
// {{name}} in a field of a [Step] stands for a value. Of several values of one name, the first of these counts:
//
//  1. of [Config].Secrets
//  2. of an earlier step of the same login or renewal, by [Step].Save
//  3. that Compute returns
//  4. of Params
//  5. of the token that the steps start from, by its [auth.Token].Extra: in Renew the token before, with what
//     [Config].Extra has kept of the login, and in Steps the one that [Config].Start brought
//
// Save takes no name of Secrets or Params. {{token}} and {{refresh}} are the token itself that the steps start from,
// and its refresh token. A value is escaped for its place, and is not searched for names again:
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
// Two braces that stand for themselves are written {{'{{'}}. All names that have no value are reported together, as a
// [*MissingError], before anything is sent; by New already, unless they may come from Compute, from Start, or from the
// Extra of a token that this login has not made.
//
// A URL that begins with {{name}} takes an absolute URL from there. One that an answer has brought may be any https
// URL: the service that tells it decides who gets the secrets of that step. Plain http has to be permitted by
// Endpoint's AllowHTTP, and is then for this machine only; a host of an answer in a URL that you begin with http:// has
// to be permitted as well. Where the service does not have to, let it tell a part:
// "https://{{tenant}}.example.com/login".
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
//	token    the token that the steps start from, as {{token}}: body.token ?? token keeps it if there is no other
//
// They have member access (a.b, a['b'], a[0], a?.b), a ?? b, c ? a : b, comparisons, arithmetic, "and", "or", "not",
// in, contains, startsWith and endsWith, and the functions int, float, string, trim, split, lower, upper, trimPrefix
// and trimSuffix. There are no loops, no variables and no patterns. Of JavaScript, === and !== are understood; what is
// not is refused with a hint. An expression is compiled once, by New. What it takes is at most 64 KiB long. If it finds
// nothing, the error shows the expression and where it ended, and of the answer nothing.
//
// What has two members of one name is not read: an object in JSON, a form, the attributes of an element in XML. In
// JSON, whole numbers are exact, however long. In XML, an element is a member of the one around it, a repeated one a
// list, and an attribute a member with @ before its name: body.response.session['@id']. Text beside children is the
// member '#text'. Prefixes of names are left out.
//
// # When a token ends
//
// [Config].Expiry is read first. If it finds nothing, or a number that is not positive, Lifetime counts from when the
// answer came; without Lifetime, nothing is an error, and the number stands for an end that nobody knows. A text that
// is no time is an error in any case. Times of the server's clock are corrected by the Date of its answer.
package login
