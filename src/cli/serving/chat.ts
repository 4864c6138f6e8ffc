/** Answering one chat request: read it, make its prompt, generate, send what comes. */
import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { bytesPicture } from '../../vision/index.js';
import { chatPrompt, dataUrlBytes, type GenerationSession, type PictureReader } from '../generation.js';
import type { Place } from './admission.js';
import { type ChatRequest, checkPromptSize, parseChatRequest, RequestError } from './chat-request.js';
import { answerContext, tokenPieces, usagePiece, wholeAnswer } from './chat-response.js';
import type { ServerMetrics } from './metrics.js';

/** What requests are answered with. */
export interface ChatSetting {
  readonly session: GenerationSession;
  /** What the model is called. */
  readonly name: string;
  /** Most tokens of an answer whose client names no number. */
  readonly maxNewTokens: number;
  /** Most pictures of a request. */
  readonly maxPictures: number;
  readonly metrics: ServerMetrics;
}

/** Answers a request that has been let in. */
export async function answerChat(
  setting: ChatSetting,
  place: Place,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const start = performance.now();
  const { session, name } = setting;
  const { encoder, generator, model } = session;
  if (!encoder) throw new RequestError('the model folder has no tokenizer.json', null, 500);
  const asked = await readRequest(setting, place, request);
  checkPromptSize(asked.messages, model.config.text.maxPositions, setting.maxPictures);
  // Whoever leaves is not waited for: neither are their pictures decoded, nor do they keep places in the batch.
  const gone = new AbortController();
  response.on('close', () => gone.abort());
  const prompt = await chatPrompt(session, asked.messages, dataUrlPictures, 'messages', gone.signal);
  if (response.destroyed) return;
  const context = answerContext({
    model: name,
    tokenizer: encoder.processor.tokenizer,
    logprobs: asked.logprobs,
    promptTokens: prompt.ids.length,
  });
  const handle = generator.submit({ ...prompt, ...asked.settings });
  gone.signal.addEventListener('abort', () => handle.cancel());
  if (asked.stream) {
    await stream(response, async (send) => {
      for await (const event of handle) for (const piece of tokenPieces(context, event)) await send(piece);
      if (asked.includeUsage) await send(usagePiece(context, await handle.completions));
    });
  } else {
    sendJson(response, 200, wholeAnswer(context, await handle.completions));
  }
  const tokens = (await handle.completions).reduce((sum, { tokenIds }) => sum + tokenIds.length, 0);
  setting.metrics.completed((performance.now() - start) / 1000, prompt.ids.length, tokens);
}

/** Answers with one JSON document. */
export function sendJson(response: ServerResponse, status: number, value: object): void {
  if (response.destroyed) return;
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value));
}

async function readRequest(
  setting: ChatSetting,
  place: Place,
  request: IncomingMessage,
): Promise<ChatRequest> {
  const type = request.headers['content-type'] ?? '';
  if (!/^application\/json\b/i.test(type))
    throw new RequestError('send JSON, with content-type application/json');
  const bytes = await place.read(request);
  let body: unknown;
  try {
    body = JSON.parse(bytes.toString('utf8'));
  } catch (error) {
    throw new RequestError(`the request is not valid JSON: ${(error as Error).message}`);
  }
  const { maxNewTokens, name } = setting;
  return parseChatRequest(body, { maxNewTokens, model: name });
}

/** Server-sent events; a client that reads slowly slows its own stream, and holds no more than a buffer's worth. */
async function stream(
  response: ServerResponse,
  body: (send: (piece: object) => Promise<void>) => Promise<void>,
): Promise<void> {
  response.writeHead(200, {
    'content-type': 'text/event-stream; charset=utf-8',
    'cache-control': 'no-cache',
  });
  await body(async (piece) => {
    if (response.destroyed || response.write(`data: ${JSON.stringify(piece)}\n\n`)) return;
    await Promise.race([once(response, 'drain'), once(response, 'close')]);
  });
  response.end('data: [DONE]\n\n');
}

const dataUrlPictures: PictureReader = (image, name) => {
  const bytes = typeof image === 'string' ? dataUrlBytes(image) : undefined;
  if (bytes) return bytesPicture(`a picture in ${name}`, bytes);
  throw new RequestError(
    'pictures must be data URLs such as data:image/png;base64,...; this server fetches nothing',
    'messages',
  );
};
