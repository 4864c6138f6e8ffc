/** The server of `osler page`: a few files, for this machine only. */
import { createServer, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname } from 'node:path';
import { UsageError } from './common.js';
import { isOwnHost } from './watch-server.js';

const HOST = '127.0.0.1';
const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.txt': 'text/plain; charset=utf-8',
};

/** A server that runs. */
export interface PageServer {
  readonly url: string;
  close(): Promise<void>;
}

/** Serves files by name on 127.0.0.1; port 0 takes any free one. */
export async function servePage(
  files: Readonly<Record<string, string | Uint8Array>>,
  port: number,
): Promise<PageServer> {
  const server = createServer((request, response) => {
    const { port: own } = server.address() as AddressInfo;
    if (!isOwnHost(request.headers.host, own))
      return refuse(response, 403, 'This server answers to its own address only.');
    if (request.method !== 'GET') return refuse(response, 405, 'Only GET is understood.');
    const name = (request.url ?? '/').replace(/\?.*$/, '').slice(1) || 'index.html';
    const content = Object.hasOwn(files, name) ? files[name] : undefined;
    if (content === undefined) return refuse(response, 404, 'There is nothing here.');
    response.setHeader('Content-Type', TYPES[extname(name)] ?? 'application/octet-stream');
    response.setHeader('X-Content-Type-Options', 'nosniff');
    response.setHeader('Cross-Origin-Resource-Policy', 'same-origin');
    response.setHeader('Cache-Control', 'no-store');
    response.end(content);
  });
  await listen(server, port);
  return {
    url: `http://${HOST}:${(server.address() as AddressInfo).port}/`,
    close: () => {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}

async function listen(server: Server, port: number): Promise<void> {
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(port, HOST, resolve);
    });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'EADDRINUSE' && code !== 'EACCES') throw error;
    const why = code === 'EACCES' ? 'may not be used by this user' : 'is in use';
    throw new UsageError(`port ${port} ${why}; choose another with --port`);
  }
}

function refuse(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, { 'Content-Type': 'text/plain; charset=utf-8' });
  response.end(`${text}\n`);
}
