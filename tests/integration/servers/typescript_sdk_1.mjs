// A stateless server with JSON answers on the official TypeScript SDK 1.x.
import { createServer } from 'node:http';
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import * as z from 'zod/v4';

function build() {
  const server = new McpServer({ name: 'typescript-sdk-1', version: '1.0.0' });
  server.registerTool(
    'current_temperature',
    {
      description: 'Give the temperature of a city in degrees Celsius.',
      inputSchema: { city: z.string().default('Paris') },
      outputSchema: { degrees: z.number() },
      annotations: { readOnlyHint: true },
    },
    async () => ({ content: [{ type: 'text', text: '{"degrees":21.5}' }], structuredContent: { degrees: 21.5 } })
  );
  return server;
}

const http = createServer(async (request, response) => {
  if (request.method !== 'POST') {
    response.writeHead(405, { allow: 'POST' }).end();
    return;
  }
  const transport = new StreamableHTTPServerTransport({ sessionIdGenerator: undefined, enableJsonResponse: true });
  await build().connect(transport);
  await transport.handleRequest(request, response);
});
http.listen(0, '127.0.0.1', () => console.log(`listening on http://127.0.0.1:${http.address().port}`));
