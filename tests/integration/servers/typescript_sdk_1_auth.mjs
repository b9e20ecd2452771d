// A protected server on the official TypeScript SDK 1.x: `node typescript_sdk_1_auth.mjs ISSUER [verbatim]`.
// `verbatim` hands on the words of the JWT library, as many servers do; the SDK puts them into the challenge unescaped.
import { observed } from './observed.mjs';
import { createServer } from 'node:http';
import { InvalidTokenError } from '@modelcontextprotocol/sdk/server/auth/errors.js';
import { requireBearerAuth } from '@modelcontextprotocol/sdk/server/auth/middleware/bearerAuth.js';
import { getOAuthProtectedResourceMetadataUrl, mcpAuthMetadataRouter } from '@modelcontextprotocol/sdk/server/auth/router.js';
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import express from 'express';
import { createRemoteJWKSet, errors, jwtVerify } from 'jose';
import * as z from 'zod/v4';

const [issuer, words] = process.argv.slice(2);
const oauthMetadata = await (await fetch(`${issuer}/.well-known/openid-configuration`)).json();
const keys = createRemoteJWKSet(new URL(oauthMetadata.jwks_uri));

// The audience is left to the SDK (expectedResource), the scopes too.
async function verifyAccessToken(token) {
  try {
    const { payload } = await jwtVerify(token, keys, { issuer, typ: 'at+jwt' });
    return {
      token,
      clientId: payload.client_id,
      scopes: (payload.scope ?? '').split(' '),
      expiresAt: payload.exp,
      resource: new URL(payload.aud),
    };
  } catch (error) {
    if (error instanceof errors.JOSEError && words === 'verbatim') throw new InvalidTokenError(error.message);
    if (error instanceof errors.JWTExpired) throw new InvalidTokenError('Token has expired');
    if (error instanceof errors.JOSEError) throw new InvalidTokenError('Token is not valid');
    throw error;
  }
}

function build() {
  const server = new McpServer({ name: 'typescript-sdk-1-auth', version: '1.0.0' });
  server.registerTool(
    'current_temperature',
    {
      description: 'Give the temperature of a city in degrees Celsius.',
      inputSchema: { city: z.string().default('Paris') },
      annotations: { readOnlyHint: true },
    },
    async () => ({ content: [{ type: 'text', text: '21.5' }] })
  );
  return server;
}

const app = express();
const server = createServer(app);
server.listen(0, '127.0.0.1', () => {
  const origin = `http://127.0.0.1:${server.address().port}`;
  const resourceServerUrl = new URL('/mcp', origin);
  const scopes = ['mcp:read'];
  app.use(observed);
  app.use(mcpAuthMetadataRouter({ oauthMetadata, resourceServerUrl, scopesSupported: scopes }));
  app.use(
    '/mcp',
    requireBearerAuth({
      verifier: { verifyAccessToken },
      requiredScopes: scopes,
      resourceMetadataUrl: getOAuthProtectedResourceMetadataUrl(resourceServerUrl),
      expectedResource: resourceServerUrl,
    })
  );
  app.post('/mcp', async (request, response) => {
    const transport = new StreamableHTTPServerTransport({ sessionIdGenerator: undefined, enableJsonResponse: true });
    await build().connect(transport);
    await transport.handleRequest(request, response);
  });
  app.all('/mcp', (request, response) => response.status(405).set('allow', 'POST').end());
  console.log(`listening on ${origin}`);
});
