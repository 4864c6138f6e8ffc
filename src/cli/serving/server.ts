/**
 * The part of OpenAI's HTTP API that chat clients use, over a loaded model. Requests of all clients share one batch.
 *
 * Nothing but this machine's programs may ask, with a key if one is set. Web pages may not: their browser sends a foreign
 * host name or asks for a permission that is never given. A request may end its own connection, never the process.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { OslerError } from '../../gpu/index.js';
import { TextError } from '../../text/index.js';
import { ImageError } from '../../vision/index.js';
import { UsageError } from '../common.js';
import type { GenerationSession } from '../generation.js';
import { Admission } from './admission.js';
import { answerChat, type ChatSetting, sendJson } from './chat.js';
import { RequestError } from './chat-request.js';
import { ServerMetrics } from './metrics.js';

/** Settings of {@link ChatServer}. */
export interface ChatServerOptions {
  /** What the model is called. */
  readonly name: string;
  /** Most tokens of an answer whose client names no number. */
  readonly maxNewTokens: number;
  /** What clients must send as `Authorization: Bearer KEY`; nothing by default. */
  readonly apiKey?: string | undefined;
  /** Most requests under way at once; further ones are told to come again. 256 by default. */
  readonly maxRequests?: number;
  /** Most bytes of a request's body; 64 MB by default, room for several photographs. All bodies together: four times that. */
  readonly maxBodyBytes?: number;
  /** Most pictures of a request; 16 by default. */
  readonly maxPictures?: number;
  /** Told of failures that are not the client's. */
  readonly onError?: (error: unknown) => void;
}

const LOCAL = /^(127\.0\.0\.1|localhost|\[::1\])(:\d+)?$/;
const BODY_BYTES = 64 << 20;
/** Milliseconds that a client has for sending a request. */
const SENDING_TIME = 120_000;

/** The server; `http` is not listening yet. */
export class ChatServer {
  readonly http: Server;
  /** Rejects when the device is lost: nothing can be answered any more. */
  readonly lost: Promise<never>;
  readonly #options: ChatServerOptions;
  readonly #setting: ChatSetting;
  readonly #admission: Admission;
  readonly #metrics = new ServerMetrics();
  readonly #created = Math.floor(Date.now() / 1000);
  #deviceLost = false;

  constructor(session: GenerationSession, options: ChatServerOptions) {
    const { name, maxNewTokens, maxRequests = 256, maxBodyBytes = BODY_BYTES, maxPictures = 16 } = options;
    this.#options = options;
    this.#setting = { session, name, maxNewTokens, maxPictures, metrics: this.#metrics };
    this.#admission = new Admission({
      requests: maxRequests,
      bodyBytes: maxBodyBytes,
      allBodyBytes: 4 * maxBodyBytes,
    });
    this.lost = session.gpu.device.lost.then(({ message }) => {
      this.#deviceLost = true;
      throw new OslerError('device-lost', `the GPU device was lost (${message}); start the server again`);
    });
    this.lost.catch(() => {});
    this.http = createServer({ requestTimeout: SENDING_TIME }, (request, response) => {
      response.on('error', () => response.destroy());
      response.on('finish', () => this.#metrics.answered(response.statusCode));
      this.#answer(request, response).catch((error: unknown) => this.#refuse(response, error));
    });
  }

  /** Takes no new requests; resolves when those under way are answered, or after some seconds. */
  async drain(seconds: number): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, seconds * 1000);
    });
    await Promise.race([this.#admission.close(), late]);
    clearTimeout(timer);
    this.http.close();
    this.http.closeAllConnections();
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (!LOCAL.test(request.headers.host ?? ''))
      throw new RequestError('only requests to 127.0.0.1 or localhost are answered', null, 403);
    const path = pathOf(request);
    const route = `${request.method} ${path}`;
    if (route === 'GET /health') return this.#health(response);
    if (route === 'GET /metrics') return this.#sendMetrics(response);
    if (path.startsWith('/v1/')) this.#checkKey(request);
    if (route === 'GET /v1/models') return sendJson(response, 200, { object: 'list', data: [this.#model()] });
    if (request.method === 'GET' && path.startsWith('/v1/models/')) {
      const name = path.slice('/v1/models/'.length);
      if (name === this.#options.name) return sendJson(response, 200, this.#model());
      throw new RequestError(
        `the model "${name}" is not here; there is "${this.#options.name}"`,
        'model',
        404,
      );
    }
    if (route === 'POST /v1/chat/completions') return this.#chat(request, response);
    throw new RequestError(`${route} is not part of this server`, null, 404);
  }

  async #chat(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (this.#deviceLost) throw new RequestError('the GPU device was lost', null, 503);
    const place = this.#admission.enter();
    try {
      await answerChat(this.#setting, place, request, response);
    } finally {
      place.leave();
    }
  }

  #model(): object {
    return { id: this.#options.name, object: 'model', created: this.#created, owned_by: 'osler' };
  }

  #health(response: ServerResponse): void {
    const status = this.#deviceLost ? 'device lost' : this.#admission.closed ? 'shutting down' : 'ok';
    sendJson(response, status === 'ok' ? 200 : 503, { status });
  }

  #sendMetrics(response: ServerResponse): void {
    const { gpu, generator } = this.#setting.session;
    const { used, capacity } = generator.cache;
    const text = this.#metrics.text({
      requests_in_flight: { help: 'Chat requests under way.', value: this.#admission.requests },
      cache_slots_used: { help: 'Tokens held in the KV cache.', value: used },
      cache_slots: { help: 'Tokens that the KV cache has room for.', value: capacity },
      device_bytes: { help: 'Device memory in use.', value: gpu.memory().liveTotal },
      pipelines: { help: 'Kernels compiled.', value: gpu.caches.pipelines },
      device_lost: { help: '1 when the device was lost.', value: this.#deviceLost ? 1 : 0 },
    });
    response.writeHead(200, { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' }).end(text);
  }

  #checkKey(request: IncomingMessage): void {
    const { apiKey } = this.#options;
    if (apiKey === undefined) return;
    const [, given = ''] = /^Bearer (.*)$/i.exec(request.headers.authorization ?? '') ?? [];
    if (!timingSafeEqual(digest(given), digest(apiKey)))
      throw new RequestError('send the key of this server as Authorization: Bearer KEY', null, 401);
  }

  #refuse(response: ServerResponse, error: unknown): void {
    // Nobody is there to read why.
    if (response.destroyed) return;
    const status = statusOf(error);
    if (status >= 500 && !(error instanceof RequestError)) this.#options.onError?.(error);
    const { message } = error as Error;
    const type = status < 500 ? 'invalid_request_error' : 'server_error';
    const param = error instanceof RequestError ? error.param : null;
    const body = { error: { message, type, param, code: codeOf(error) } };
    if (response.headersSent) {
      response.end(`data: ${JSON.stringify(body)}\n\n`);
      return;
    }
    if (status === 429 || status === 503) response.setHeader('retry-after', '1');
    // What is still to come of the request is not read.
    if (status === 413) response.setHeader('connection', 'close');
    sendJson(response, status, body);
  }
}

/** The path of a request without its query; bytes that make no URL are the client's mistake. */
function pathOf(request: IncomingMessage): string {
  try {
    return decodeURIComponent((request.url ?? '/').replace(/[?#].*$/s, '')).replace(/\/+$/, '');
  } catch {
    throw new RequestError('the address of the request is not valid');
  }
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

function codeOf(error: unknown): string | null {
  if (!(error instanceof RequestError)) return null;
  if (error.status === 401) return 'invalid_api_key';
  return error.status === 404 && error.param === 'model' ? 'model_not_found' : null;
}

function statusOf(error: unknown): number {
  if (error instanceof RequestError) return error.status;
  if (error instanceof OslerError && error.code === 'device-lost') return 503;
  const input = [TextError, ImageError, UsageError].some((kind) => error instanceof kind);
  return input || (error instanceof OslerError && ['value', 'limit'].includes(error.code)) ? 400 : 500;
}
