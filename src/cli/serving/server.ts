/**
 * The part of OpenAI's HTTP API that chat clients use, over a loaded model. Requests of all clients share one batch.
 *
 * For one person's own machine: no accounts, and nothing but this machine's programs may ask. Web pages may not: their
 * browser sends a foreign host name or asks for a permission that is never given.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { OslerError } from '../../gpu/index.js';
import { TextError } from '../../text/index.js';
import { ImageError } from '../../vision/index.js';
import { UsageError } from '../common.js';
import { chatPrompt, dataUrlBytes, type GenerationSession, type ImageReader } from '../generation.js';
import { parseChatRequest, RequestError } from './chat-request.js';
import { answerContext, tokenPieces, usagePiece, wholeAnswer } from './chat-response.js';

/** Settings of {@link chatServer}. */
export interface ChatServerOptions {
  /** What the model is called. */
  readonly name: string;
  /** Most tokens of an answer whose client names no number. */
  readonly maxNewTokens: number;
  /** Told of failures that are not the client's. */
  readonly onError?: (error: unknown) => void;
}

/** Room for several photographs, as base64. */
const MOST_BYTES = 128 << 20;
const LOCAL = /^(127\.0\.0\.1|localhost|\[::1\])(:\d+)?$/;

/** A server that is not listening yet. */
export function chatServer(session: GenerationSession, options: ChatServerOptions): Server {
  const created = Math.floor(Date.now() / 1000);
  return createServer((request, response) => {
    const { pathname } = new URL(request.url ?? '/', 'http://localhost');
    const route = `${request.method} ${pathname.replace(/\/+$/, '')}`;
    const model = { id: options.name, object: 'model', created, owned_by: 'osler' };
    const answer = async () => {
      if (!LOCAL.test(request.headers.host ?? '')) {
        throw new RequestError('only requests to 127.0.0.1 or localhost are answered', null, 403);
      }
      if (route === 'GET /health') sendJson(response, 200, { status: 'ok' });
      else if (route === 'GET /v1/models') sendJson(response, 200, { object: 'list', data: [model] });
      else if (route === 'POST /v1/chat/completions') await chat(session, options, request, response);
      else throw new RequestError(`${route} is not part of this server`, null, 404);
    };
    answer().catch((error: unknown) => sendError(response, error, options));
  });
}

async function chat(
  session: GenerationSession,
  { name, maxNewTokens }: ChatServerOptions,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { processor, generator } = session;
  if (!processor) throw new RequestError('the model folder has no tokenizer.json', null, 500);
  const asked = parseChatRequest(await readJson(request), { maxNewTokens });
  const prompt = await chatPrompt(session, asked.messages, dataUrlImages, 'messages');
  const context = answerContext({
    model: name,
    tokenizer: processor.tokenizer,
    logprobs: asked.logprobs,
    promptTokens: prompt.ids.length,
  });
  const handle = generator.submit({ ...prompt, ...asked.settings });
  // A client that went away leaves its places in the batch to others.
  response.on('close', () => handle.cancel());
  if (!asked.stream) {
    sendJson(response, 200, wholeAnswer(context, await handle.completions));
    return;
  }
  response.writeHead(200, {
    'content-type': 'text/event-stream; charset=utf-8',
    'cache-control': 'no-cache',
  });
  const send = (piece: object) => response.write(`data: ${JSON.stringify(piece)}\n\n`);
  for await (const event of handle) for (const piece of tokenPieces(context, event)) send(piece);
  if (asked.includeUsage) send(usagePiece(context, await handle.completions));
  response.end('data: [DONE]\n\n');
}

const dataUrlImages: ImageReader = async (image, name) => {
  const bytes = typeof image === 'string' ? dataUrlBytes(image) : undefined;
  if (bytes) return { bytes, name: `a picture in ${name}` };
  throw new RequestError(
    'pictures must be data URLs such as data:image/png;base64,...; this server fetches nothing',
    'messages',
  );
};

async function readJson(request: IncomingMessage): Promise<unknown> {
  const type = request.headers['content-type'] ?? '';
  if (!/^application\/json\b/i.test(type))
    throw new RequestError('send JSON, with content-type application/json');
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request) {
    bytes += (chunk as Buffer).length;
    if (bytes > MOST_BYTES)
      throw new RequestError(`the request is larger than ${MOST_BYTES} bytes`, null, 413);
    chunks.push(chunk as Buffer);
  }
  try {
    return JSON.parse(Buffer.concat(chunks).toString('utf8'));
  } catch (error) {
    throw new RequestError(`the request is not valid JSON: ${(error as Error).message}`);
  }
}

function sendJson(response: ServerResponse, status: number, value: object): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value));
}

function sendError(response: ServerResponse, error: unknown, { onError }: ChatServerOptions): void {
  const status = statusOf(error);
  if (status >= 500) onError?.(error);
  const { message } = error as Error;
  const type = status < 500 ? 'invalid_request_error' : 'server_error';
  const param = error instanceof RequestError ? error.param : null;
  const body = { error: { message, type, param, code: null } };
  if (!response.headersSent) sendJson(response, status, body);
  else response.end(`data: ${JSON.stringify(body)}\n\n`);
}

function statusOf(error: unknown): number {
  if (error instanceof RequestError) return error.status;
  const input = [TextError, ImageError, UsageError].some((kind) => error instanceof kind);
  return input || (error instanceof OslerError && ['value', 'limit'].includes(error.code)) ? 400 : 500;
}
