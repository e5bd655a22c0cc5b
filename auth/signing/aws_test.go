package signing_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/restconn/restconn/auth/signing"
	"github.com/restconn/restconn/connection/connectiontest"
	"github.com/restconn/restconn/request"
	"github.com/restconn/restconn/secrets"
)

// sigV4 is AWS Signature Version 4 in the primitives of this package.
type sigV4 struct {
	id, region, service string
	secret              secrets.Provider
	signed              []string // headers beside host and x-amz-*, in lower case
	payload             bool     // sends the hash of the body as well
}

// sign is a signing.Func.
func (v sigV4) sign(ctx context.Context, r *signing.Request) error {
	secret, err := v.secret.Secret(ctx)
	if err != nil {
		return err
	}
	sum, err := r.BodySum(signing.SHA256)
	if err != nil {
		return err
	}
	query, err := signing.SortQuery(r.Query())
	if err != nil {
		return err
	}
	payload, date := hex.EncodeToString(sum), r.Time().Format("20060102T150405Z")
	names := append([]string{"host", "x-amz-date"}, v.signed...)
	r.SetHeader("X-Amz-Date", date)
	if v.payload {
		r.SetHeader("X-Amz-Content-Sha256", payload)
		names = append(names, "x-amz-content-sha256")
	}
	slices.Sort(names)
	var fields strings.Builder
	for _, name := range names {
		value := strings.Join(strings.Fields(strings.Join(r.Values(name), ",")), " ")
		fields.WriteString(name + ":" + value + "\n")
	}
	list := strings.Join(names, ";")
	canonical := strings.Join([]string{r.Method(), r.Path(), query, fields.String(), list, payload}, "\n")

	scope := strings.Join([]string{date[:8], v.region, v.service, "aws4_request"}, "/")
	hash := sha256.Sum256([]byte(canonical))
	key := []byte("AWS4" + secret.Reveal())
	for part := range strings.SplitSeq(scope, "/") {
		key = hmac256(key, part)
	}
	signature := hmac256(key, "AWS4-HMAC-SHA256\n"+date+"\n"+scope+"\n"+hex.EncodeToString(hash[:]))
	r.SetHeader("Authorization", "AWS4-HMAC-SHA256 Credential="+v.id+"/"+scope+", SignedHeaders="+list+
		", Signature="+hex.EncodeToString(signature))
	return nil
}

func hmac256(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}

func TestSigV4(t *testing.T) {
	t.Parallel()
	suite := sigV4{
		id: "AKIDEXAMPLE", region: "us-east-1", service: "service",
		secret: secrets.Static("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"),
	}
	// The signatures are those of the test suite that AWS published for Signature Version 4.
	for _, tt := range []struct{ name, method, target, header, want string }{
		{
			name: "Q-173 get-vanilla", method: "GET", target: "/",
			want: "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31",
		},
		{
			name: "Q-173 post-vanilla", method: "POST", target: "/",
			want: "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b",
		},
		{
			name: "H10 Q-173 get-vanilla-query-order-key-case", method: "GET", target: "/?Param2=value2&Param1=value1",
			want: "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
		},
		{
			name: "Q-173 get-utf8", method: "GET", target: "/ሴ",
			want: "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85",
		},
		{
			name: "H10 Q-173 get-vanilla-utf8-query", method: "GET", target: "/?ሴ=bar",
			want: "2cdec8eed098649ff3a119c94853b13c643bcf08f8b0a1d91e12c9027818dd04",
		},
		{
			name: "Q-173 post-header-key-sort", method: "POST", target: "/", header: "My-Header1",
			want: "c5410059b04c1ee005303aed430f6e6645f61f4dc9e1461ec8f8916fdf18852c",
		},
	} {
		bubble(t, tt.name, func(t *testing.T) {
			at(t, "2015-08-30T12:36:00Z")
			req := newRequest(t, tt.method, "https://example.amazonaws.com"+tt.target, "")
			v, list := suite, "host;x-amz-date"
			if tt.header != "" {
				req.Header.Set(tt.header, "value1")
				v.signed, list = []string{strings.ToLower(tt.header)}, "host;my-header1;x-amz-date"
			}
			signed(t, signing.Func(v.sign), req)
			want := "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=" +
				list + ", Signature=" + tt.want
			if diff := cmp.Diff(want, req.Header.Get("Authorization")); diff != "" {
				t.Errorf("Authorization (-want +got):\n%s", diff)
			}
		})
	}

	bubble(t, "Q-173 the headers arrive with the body that they are about", func(t *testing.T) {
		srv := connectiontest.NewServer(t, connectiontest.Status(200))
		v := suite
		v.payload = true
		conn := connectTo(t, srv, signing.Func(v.sign))
		if err := request.Put(conn, "/bucket/key").Text("content").Exec(t.Context()); err != nil {
			t.Fatal(err)
		}
		got := srv.Requests()[0]
		sum := sha256.Sum256(got.Body)
		if got.Header.Get("X-Amz-Content-Sha256") != hex.EncodeToString(sum[:]) || string(got.Body) != "content" {
			t.Errorf("got\n%s", got.Raw)
		}
		again := newRequest(t, "PUT", srv.URL+"/bucket/key", string(got.Body))
		again.Header = http.Header{"X-Amz-Date": got.Header["X-Amz-Date"]}
		signed(t, signing.Func(v.sign), again)
		if again.Header.Get("Authorization") != got.Header.Get("Authorization") {
			t.Errorf("a server makes %q of it", again.Header.Get("Authorization"))
		}
	})
}
