// A server of both eras on the official TypeScript SDK 2.x.
import { createServer } from 'node:http';
import { createMcpHandler, McpServer } from '@modelcontextprotocol/server';
import { toNodeHandler } from '@modelcontextprotocol/node';
import * as z from 'zod/v4';

function build() {
  const server = new McpServer({ name: 'typescript-sdk-2', version: '1.0.0' });
  server.registerTool(
    'current_temperature',
    {
      description: 'Give the temperature of a city in degrees Celsius.',
      inputSchema: z.object({ city: z.string().default('Paris') }),
      outputSchema: z.object({ degrees: z.number() }),
      annotations: { readOnlyHint: true },
    },
    async () => ({ content: [{ type: 'text', text: '{"degrees":21.5}' }], structuredContent: { degrees: 21.5 } })
  );
  return server;
}

const http = createServer(toNodeHandler(createMcpHandler(build)));
http.listen(0, '127.0.0.1', () => console.log(`listening on http://127.0.0.1:${http.address().port}`));
