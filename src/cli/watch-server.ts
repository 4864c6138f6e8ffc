/** The server of `osler watch`: one page, its events and its pictures, for this machine only. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { LiveRun } from '../report/live-run.js';
import type { RunUpdate } from '../report/model.js';
import { contentSecurityPolicy, type PageAssets, pageHtml } from '../report/page-html.js';
import { UsageError } from './common.js';

/** Settings of {@link serveRun}. */
export interface WatchOptions {
  readonly assets: PageAssets;
  /** 0 takes any free port. */
  readonly port: number;
  /** Milliseconds between looks at the files. */
  readonly interval?: number;
  /** Called when the files cannot be read; the server goes on. */
  readonly onProblem?: (error: Error) => void;
}

/** A server that runs. */
export interface WatchServer {
  readonly url: string;
  close(): Promise<void>;
}

const HOST = '127.0.0.1';
/** Milliseconds between signs of life on quiet connections. */
const HEARTBEAT = 15_000;
/** Bytes that a reader may be behind before its connection is cut; it then connects anew. */
const MOST_BEHIND = 256 * 1024 * 1024;

/** Serves a run on 127.0.0.1 and follows its files. */
export async function serveRun(run: LiveRun, options: WatchOptions): Promise<WatchServer> {
  const { assets, interval = 1000, onProblem = () => {} } = options;
  await run.check();
  await run.poll();
  const readers = new Set<ServerResponse>();
  const pieces: string[] = [];
  for await (const piece of pageHtml({ title: `${run.name} · Osler`, assets, events: 'events' }))
    pieces.push(piece);
  const headers = await securityHeaders(assets);

  const server = createServer((request, response) => {
    for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
    answer(request, response).catch((error: Error) => {
      onProblem(error);
      response.destroy();
    });
  });

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { port } = server.address() as AddressInfo;
    if (!isOwnHost(request.headers.host, port)) {
      return refuse(response, 403, 'This server answers to its own address only.');
    }
    if (request.method !== 'GET') return refuse(response, 405, 'Only GET is understood.');
    const path = (request.url ?? '/').replace(/\?.*$/, '');
    if (path === '/') {
      response.setHeader('Content-Type', 'text/html; charset=utf-8');
      response.end(pieces.join(''));
      return;
    }
    if (path === '/events') return listen(response);
    const picture = /^\/picture\/(\d{1,9})$/.exec(path);
    const bytes = picture && (await run.picture(Number(picture[1])));
    if (!bytes) return refuse(response, 404, 'There is nothing here.');
    response.setHeader('Content-Type', 'image/webp');
    response.end(bytes);
  }

  function listen(response: ServerResponse): void {
    response.writeHead(200, { 'Content-Type': 'text/event-stream' });
    for (const updates of run.snapshot()) send(response, updates);
    readers.add(response);
    response.on('close', () => readers.delete(response));
  }

  let timer: NodeJS.Timeout;
  const look = async () => {
    try {
      const news = await run.poll();
      if (news.length > 0) for (const reader of readers) send(reader, news);
    } catch (error) {
      onProblem(error as Error);
    }
    timer = setTimeout(look, interval);
  };
  timer = setTimeout(look, interval);
  const heartbeat = setInterval(() => {
    for (const reader of readers) reader.write(':\n\n');
  }, HEARTBEAT);

  const stop = () => {
    clearTimeout(timer);
    clearInterval(heartbeat);
  };
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(options.port, HOST, resolve);
    });
  } catch (error) {
    stop();
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'EADDRINUSE' && code !== 'EACCES') throw error;
    const why = code === 'EACCES' ? 'may not be used by this user' : 'is in use';
    throw new UsageError(`port ${options.port} ${why}; choose another with --port`);
  }
  return {
    url: `http://${HOST}:${(server.address() as AddressInfo).port}/`,
    close: () => {
      stop();
      for (const reader of readers) reader.destroy();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}

/**
 * Whether a request was meant for this server: a page of another site can have its own name resolved to 127.0.0.1 and then
 * read answers (DNS rebinding), but it cannot forge the Host header.
 */
export function isOwnHost(host: string | undefined, port: number): boolean {
  return host === `${HOST}:${port}` || host === `localhost:${port}`;
}

async function securityHeaders(assets: PageAssets): Promise<Record<string, string>> {
  return {
    'Content-Security-Policy': `${await contentSecurityPolicy(assets, true)}; frame-ancestors 'none'`,
    'X-Content-Type-Options': 'nosniff',
    'Cross-Origin-Resource-Policy': 'same-origin',
    'Referrer-Policy': 'no-referrer',
    'Cache-Control': 'no-store',
  };
}

function refuse(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, { 'Content-Type': 'text/plain; charset=utf-8' });
  response.end(`${text}\n`);
}

function send(response: ServerResponse, updates: readonly RunUpdate[]): void {
  response.write(`data: ${JSON.stringify(updates)}\n\n`);
  if (response.writableLength > MOST_BEHIND) response.destroy();
}
