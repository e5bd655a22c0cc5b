package main

import (
	"context"
	"fmt"
	"os"
)

func Example() {
	if err := run(context.Background(), os.Stdout); err != nil {
		fmt.Println(err)
	}
	// Output:
	// a session that two requests open:
	//   > GET /tenants/acme
	//   < 200 {"challenge":"[REDACTED]","region":"eu-7"}
	//   > POST /eu-7/sessions {"challenge":"[REDACTED]","credentials":{"password":"[REDACTED]","user":"reports"}}
	//   < 201 {"result":{"renewal":"[REDACTED]","session":{"id":"[REDACTED]","ttl_ms":1800000}}}
	//   * renewed, for 30m0s
	//   > GET /reports (X-Session: [REDACTED])
	//   < 200 {"reports":7}
	//   7 reports
	//   > GET /reports (X-Session: [REDACTED])
	//   < 200 {"reports":7}
	//   7 reports
	// it is ended:
	//   > GET /reports (X-Session: [REDACTED])
	//   < 401 {"error":"no session"}
	//   > POST /renewal {"renewal":"[REDACTED]"}
	//   < 201 {"result":{"renewal":"[REDACTED]","session":{"id":"[REDACTED]","ttl_ms":1800000}}}
	//   * renewed, for 30m0s
	//   > GET /reports (X-Session: [REDACTED])
	//   < 200 {"reports":7}
	//   7 reports
	// the service has forgotten everything, and a new one is wanted before it is needed:
	//   > POST /renewal {"renewal":"[REDACTED]"}
	//   < 403 {"error":"renewal failed"}
	//   > GET /tenants/acme
	//   < 200 {"challenge":"[REDACTED]","region":"eu-7"}
	//   > POST /eu-7/sessions {"challenge":"[REDACTED]","credentials":{"password":"[REDACTED]","user":"reports"}}
	//   < 201 {"result":{"renewal":"[REDACTED]","session":{"id":"[REDACTED]","ttl_ms":1800000}}}
	//   * renewed, for 30m0s
	//   > GET /reports (X-Session: [REDACTED])
	//   < 200 {"reports":7}
	//   7 reports
	// the cookie of a web page:
	//   > POST /login password=[REDACTED]&user=reports
	//   < 200 (Set-Cookie: SID=[REDACTED]) (Set-Cookie: tracking=[REDACTED]) {"ok":true}
	//   * renewed, nobody knows for how long
	//   > GET /reports (Cookie: SID=[REDACTED])
	//   < 200 {"reports":7}
	//   7 reports
	//   > GET /reports (Cookie: SID=[REDACTED])
	//   < 200 {"reports":7}
	//   7 reports
	// it is ended:
	//   > GET /reports (Cookie: SID=[REDACTED])
	//   < 401 {"error":"no session"}
	//   > POST /login password=[REDACTED]&user=reports
	//   < 200 (Set-Cookie: SID=[REDACTED]) (Set-Cookie: tracking=[REDACTED]) {"ok":true}
	//   * renewed, nobody knows for how long
	//   > GET /reports (Cookie: SID=[REDACTED])
	//   < 200 {"reports":7}
	//   7 reports
	// the service has forgotten everything, and a new one is wanted before it is needed:
	//   > POST /login password=[REDACTED]&user=reports
	//   < 200 (Set-Cookie: SID=[REDACTED]) (Set-Cookie: tracking=[REDACTED]) {"ok":true}
	//   * renewed, nobody knows for how long
	//   > GET /reports (Cookie: SID=[REDACTED])
	//   < 200 {"reports":7}
	//   7 reports
}
