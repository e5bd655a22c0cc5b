// An OpenID provider on loopback. It has no clients: whoever wants one registers it. Any user name and password will
// do. It has the certificates beside it, and writes a line to seen.log for each call that a client makes.
import { appendFileSync, readFileSync } from 'node:fs';
import { createServer } from 'node:https';
import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { Provider, errors } from 'oidc-provider';

const { oidc: port, secretSuffix } = JSON.parse(readFileSync('settings.json', 'utf8'));
const issuer = `https://127.0.0.1:${port}`;

const newKey = (alg, type, options) => ({
  ...generateKeyPairSync(type, options).privateKey.export({ format: 'jwk' }), use: 'sig', alg, kid: alg.toLowerCase(),
});

const shown = (ctx) => ctx.socket.getPeerX509Certificate?.();

const mTLS = {
  enabled: true,
  tlsClientAuth: true,
  selfSignedTlsClientAuth: true,
  certificateBoundAccessTokens: true,
  getCertificate: (ctx) => shown(ctx)?.toString(),
  certificateAuthorized: (ctx) => ctx.socket.authorized,
  certificateSubjectMatches: (ctx, property, expected) => (
    property === 'tls_client_auth_subject_dn' && shown(ctx)?.subject.split('\n').join(',') === expected
  ),
};

// Each urn:api:... is a service that takes JWTs and knows two scopes.
const resourceIndicators = {
  enabled: true,
  getResourceServerInfo(ctx, resource) {
    if (!resource.startsWith('urn:api:')) throw new errors.InvalidTarget();
    return {
      scope: 'api:read api:write', audience: resource, accessTokenFormat: 'jwt', accessTokenTTL: 600,
      jwt: { sign: { alg: 'ES256' } },
    };
  },
  useGrantedResource: () => true,
};

const provider = new Provider(issuer, {
  jwks: { keys: [newKey('RS256', 'rsa', { modulusLength: 2048 }), newKey('ES256', 'ec', { namedCurve: 'P-256' })] },
  cookies: { keys: [randomUUID()] },
  scopes: ['openid', 'offline_access', 'api:read', 'api:write'],
  claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name'] },
  findAccount: (ctx, id) => ({
    accountId: id,
    claims: () => ({ sub: id, name: id, email: `${id}@example.test`, email_verified: true }),
  }),
  clientAuthMethods: [
    'none', 'client_secret_basic', 'client_secret_post', 'client_secret_jwt', 'private_key_jwt', 'tls_client_auth',
    'self_signed_tls_client_auth',
  ],
  pkce: { required: () => true },
  rotateRefreshToken: true,
  ttl: {
    AccessToken: 3600, ClientCredentials: 600, DeviceCode: 600, Grant: 86400, IdToken: 3600, Interaction: 600,
    RefreshToken: 86400, Session: 3600,
  },
  features: {
    devInteractions: { enabled: true },
    clientCredentials: { enabled: true },
    deviceFlow: { enabled: true },
    introspection: { enabled: true },
    revocation: { enabled: true },
    rpInitiatedLogout: { enabled: true },
    registration: { enabled: true, secretFactory: () => randomUUID() + secretSuffix },
    mTLS,
    resourceIndicators,
  },
});

const calls = ['token', 'device_authorization', 'introspection', 'revocation'];

provider.use(async (ctx, next) => {
  await next();
  const { route, client, params } = ctx.oidc ?? {};
  if (!calls.includes(route)) return;
  if (route === 'device_authorization' && ctx.status === 200) ctx.body.interval = 1; // the provider does not say
  const call = {
    route, client: client?.clientId, grant: params?.grant_type, status: ctx.status, error: ctx.body?.error,
  };
  appendFileSync('seen.log', `${JSON.stringify(call)}\n`);
});
provider.on('server_error', (ctx, err) => console.error(err));
provider.on('grant.error', (ctx, err) => console.error(err.error, err.error_detail ?? err.error_description));

const server = createServer({
  key: readFileSync('server.key'), cert: readFileSync('server.pem'), ca: readFileSync('ca.pem'),
  requestCert: true, rejectUnauthorized: false,
}, provider.callback());
server.listen(port, '127.0.0.1');
