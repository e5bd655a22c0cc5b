package bench

import (
	"context"
	"net/http"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/policy"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
)

// azcoreTokens is the policy of azcore for bearer tokens by itself. A pipeline has a dozen others around it, which
// would cost more than what is compared here.
type azcoreTokens struct{ policy *runtime.BearerTokenPolicy }

func newAzcoreTokens(obtain Obtain) TokenPeer {
	return &azcoreTokens{policy: runtime.NewBearerTokenPolicy(azcoreObtain(obtain), []string{"items"}, nil)}
}

func (p *azcoreTokens) Prepare(ctx context.Context) (Carrier, error) {
	req, err := runtime.NewRequest(ctx, http.MethodGet, FakeURL+itemsPath)
	if err != nil {
		return Carrier{}, err
	}
	header := req.Raw().Header
	return Carrier{Header: header, Authorize: func() error {
		_, err := p.policy.Do(req) //nolint:bodyclose // there is no answer
		if len(header[headerAuthorization]) > 0 {
			return nil // the error only says that there is no policy behind this one
		}
		return err
	}}, nil
}

func (*azcoreTokens) Close() {}

// azcoreObtain is an exchange as a credential.
type azcoreObtain Obtain

func (o azcoreObtain) GetToken(ctx context.Context, _ policy.TokenRequestOptions) (azcore.AccessToken, error) {
	issued, err := o(ctx)
	return azcore.AccessToken{Token: issued.Text, ExpiresOn: issued.Expiry}, err
}
