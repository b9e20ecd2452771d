// oidc-provider, the certified authorization server, set up as an operator would for MCP servers:
// `node oidc_provider.mjs PREFIX [listed|unlisted [JWK]]`, where PREFIX is the path of the issuer ("/realm", or "").
// Its metadata lists the scopes of the MCP servers, unless they are `unlisted`, which is its default. JWK is the public
// key of the client `machine-with-a-key`, as JSON.
import { observed } from './observed.mjs';
import { createServer } from 'node:http';
import express from 'express';
import { exportJWK, generateKeyPair } from 'jose';
import Provider, { errors } from 'oidc-provider';

const [prefix = '', scopesListed = 'listed', machineKey] = process.argv.slice(2);
const MCP_SCOPES = 'mcp:read mcp:write';
const LOOPBACK_CALLBACK = 'http://127.0.0.1/callback'; // RFC 8252 7.3: the port is free for a native client
const { privateKey } = await generateKeyPair('RS256', { extractable: true });

const configuration = {
  // Scopes of the resources are listed too: a dynamic registration that names others is refused.
  scopes: ['openid', 'offline_access', ...(scopesListed === 'listed' ? MCP_SCOPES.split(' ') : [])],
  clients: [
    publicClient('native'),
    publicClient('lapsing'), // its first access token has expired already, a refreshed one has not
    { ...publicClient('once'), grant_types: ['authorization_code'] }, // gets no refresh token
    machine('machine', { client_secret: 'machine-secret-of-the-integration-tests' }),
    ...(machineKey ? [machine('machine-with-a-key', keyOf(machineKey))] : []),
    {
      ...publicClient('proxy'),
      client_secret: 'proxy-secret-of-the-integration-tests',
      redirect_uris: ['http://127.0.0.1/auth/callback'],
      token_endpoint_auth_method: 'client_secret_basic',
    },
  ],
  features: {
    clientCredentials: { enabled: true },
    devInteractions: { enabled: false },
    registration: { enabled: true },
    resourceIndicators: { enabled: true, getResourceServerInfo },
  },
  formats: { customizers: { jwt: lapse } },
  ttl: {
    // As the machine's access tokens above: what the token answer says must be what the token says.
    AccessToken: (context, token) => (isFirstOfLapsing(context) ? 1 : (token.resourceServer?.accessTokenTTL ?? 3600)),
    ClientCredentials: 3600,
    Grant: 86400,
    Interaction: 3600,
    Session: 86400,
    RefreshToken: 86400,
  },
  rotateRefreshToken: true,
  // MCP clients do not ask for offline_access unless it is offered; the grant type is enough of a wish.
  issueRefreshToken: async (context, client) => client.grantTypeAllowed('refresh_token'),
  findAccount: async (context, sub) => ({ accountId: sub, claims: async () => ({ sub }) }),
  loadExistingGrant,
  interactions: { url: (context, interaction) => `${prefix}/interaction/${interaction.uid}` },
  cookies: { keys: ['cookie-key-of-the-integration-tests'] },
  jwks: { keys: [{ ...(await exportJWK(privateKey)), alg: 'RS256', kid: 'integration', use: 'sig' }] },
};

function publicClient(id) {
  return {
    application_type: 'native',
    client_id: id,
    grant_types: ['authorization_code', 'refresh_token'],
    redirect_uris: [LOOPBACK_CALLBACK],
    token_endpoint_auth_method: 'none',
  };
}

function machine(id, authentication) {
  return {
    client_id: id,
    grant_types: ['client_credentials'],
    redirect_uris: [],
    response_types: [],
    ...authentication,
  };
}

function keyOf(jwk) {
  return { jwks: { keys: [JSON.parse(jwk)] }, token_endpoint_auth_method: 'private_key_jwt' };
}

// RFC 8707: one audience per resource, a JWT that names it; anything that is not on this machine is refused.
function getResourceServerInfo(context, resource) {
  if (new URL(resource).hostname !== '127.0.0.1') throw new errors.InvalidTarget();
  return { accessTokenFormat: 'jwt', accessTokenTTL: 3600, audience: resource, scope: MCP_SCOPES };
}

function isFirstOfLapsing(context) {
  return context?.oidc?.client?.clientId === 'lapsing' && context.oidc.params.grant_type === 'authorization_code';
}

function lapse(context, token, jwt) {
  if (isFirstOfLapsing(context)) Object.assign(jwt.payload, { iat: jwt.payload.iat - 7200, exp: jwt.payload.iat - 3600 });
  return jwt;
}

// Everybody who asks gets what they ask for, without a consent page.
async function loadExistingGrant({ oidc }) {
  const grant = new oidc.provider.Grant({ accountId: oidc.session.accountId, clientId: oidc.client.clientId });
  grant.addOIDCScope(`openid offline_access ${MCP_SCOPES}`);
  for (const resource of Object.keys(oidc.resourceServers ?? {})) grant.addResourceScope(resource, MCP_SCOPES);
  await grant.save();
  return grant;
}

const app = express();
const server = createServer(app);
server.listen(0, '127.0.0.1', () => {
  const origin = `http://127.0.0.1:${server.address().port}`;
  const provider = new Provider(origin + prefix, configuration);
  provider.on('server_error', (context, error) => console.log(`server_error ${error.stack}`));
  app.use(observed);
  app.get(`${prefix}/interaction/:uid`, async (request, response) => {
    const { prompt } = await provider.interactionDetails(request, response);
    const answers = { login: { login: { accountId: 'somebody' } }, consent: { consent: {} } };
    await provider.interactionFinished(request, response, answers[prompt.name]);
  });
  app.use(prefix || '/', provider.callback());
  console.log(`listening on ${origin}`);
});
