/** Chat completions of an OpenAI-compatible endpoint, with patience for what goes wrong on the way. */
import { z } from 'zod';
import { backoff, delay, Pace, retryAfter } from './pacing.js';

/** How to reach an endpoint. */
export interface ChatClientOptions {
  /** Address up to and with `/v1`. */
  readonly baseUrl: string;
  readonly apiKey?: string;
  /** Milliseconds that an answer may take. */
  readonly timeout: number;
  /** Times that a request is repeated. */
  readonly retries: number;
  readonly requestsPerMinute: number;
  /** Milliseconds before the first repetition; each further one waits twice as long. */
  readonly retryDelay?: number;
}

/** What an endpoint said. */
export interface ChatReply {
  readonly text: string;
  readonly finish: string;
  readonly tokens?: number;
}

/** The endpoint refuses this request; others may pass. */
export class RefusedRequest extends Error {}

/** The endpoint cannot be used at all: wrong key, wrong address, unknown model. */
export class EndpointError extends Error {}

/** Longest wait between two tries. */
const LONGEST_DELAY = 60_000;
/** Longest that a Retry-After header is taken seriously. */
const LONGEST_PAUSE = 600_000;
const LONGEST_ANSWER = 16 * 1024 * 1024;
/** Too many requests, and failures that pass. */
const PASSING = new Set([408, 409, 425, 429, 500, 502, 503, 504, 520, 522, 524, 529]);
const UNUSABLE = new Set([401, 402, 403, 404]);

const replySchema = z.object({
  choices: z
    .array(
      z.object({
        message: z.object({
          content: z.string().nullish(),
          /** Where servers put the reasoning of models that reason apart. */
          reasoning_content: z.string().nullish(),
          reasoning: z.string().nullish(),
        }),
        finish_reason: z.string().nullish(),
      }),
    )
    .min(1),
  usage: z.object({ completion_tokens: z.number().nullish() }).nullish(),
});

/** Sends requests at a pace, and again when they fail in passing. */
export class ChatClient {
  readonly #options: ChatClientOptions;
  readonly #pace: Pace;
  /** Requests that were sent again. */
  repeated = 0;

  constructor(options: ChatClientOptions) {
    this.#options = options;
    this.#pace = new Pace(options.requestsPerMinute);
  }

  /**
   * Asks for one completion.
   *
   * @param body fields of the request, `model` and `messages` at least.
   * @throws RefusedRequest when the endpoint will not have this request, or all tries failed.
   * @throws EndpointError when it will not have any.
   */
  async complete(body: Readonly<Record<string, unknown>>, signal: AbortSignal): Promise<ChatReply> {
    const { retries, retryDelay = 1000 } = this.#options;
    const json = JSON.stringify(body);
    for (let attempt = 1; ; attempt++) {
      await this.#pace.turn(signal);
      const outcome = await this.#try(json, signal);
      if (!('problem' in outcome)) return outcome;
      if (attempt > retries) throw new RefusedRequest(`${outcome.problem} (tried ${attempt} times)`);
      this.repeated++;
      if (outcome.pause !== undefined) this.#pace.pause(Math.min(outcome.pause, LONGEST_PAUSE));
      await delay(backoff(attempt, retryDelay, LONGEST_DELAY), signal);
    }
  }

  async #try(json: string, signal: AbortSignal): Promise<ChatReply | PassingProblem> {
    const { baseUrl, apiKey, timeout } = this.#options;
    let response: Response;
    let text: string;
    try {
      response = await fetch(`${baseUrl.replace(/\/+$/, '')}/chat/completions`, {
        method: 'POST',
        headers: {
          'Content-Type': 'application/json',
          ...(apiKey === undefined ? {} : { Authorization: `Bearer ${apiKey}` }),
        },
        body: json,
        // A redirect may lead away from whom the key is for.
        redirect: 'error',
        signal: AbortSignal.any([signal, AbortSignal.timeout(timeout)]),
      });
      text = await limitedText(response);
    } catch (error) {
      signal.throwIfAborted();
      return { problem: reasonOf(error as Error, timeout) };
    }
    if (response.ok) return replyOf(text) ?? { problem: 'the answer is not that of a chat completion' };
    const said = `status ${response.status}: ${errorIn(text)}`;
    if (UNUSABLE.has(response.status)) {
      throw new EndpointError(
        `${baseUrl} cannot be used, ${said}; check --endpoint, --model and the API key`,
      );
    }
    if (!PASSING.has(response.status)) throw new RefusedRequest(said);
    const pause = retryAfter(response.headers.get('retry-after'));
    return { problem: said, ...(pause !== undefined && { pause }) };
  }
}

interface PassingProblem {
  readonly problem: string;
  /** Milliseconds that the endpoint asked all requests to wait. */
  readonly pause?: number;
}

async function limitedText(response: Response): Promise<string> {
  const reader = response.body?.getReader();
  if (!reader) return '';
  const decoder = new TextDecoder();
  let text = '';
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return text + decoder.decode();
    text += decoder.decode(value, { stream: true });
    if (text.length > LONGEST_ANSWER) {
      await reader.cancel();
      throw new Error('the answer is longer than 16 MB');
    }
  }
}

function replyOf(text: string): ChatReply | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  const parsed = replySchema.safeParse(value);
  const choice = parsed.data?.choices[0];
  if (!choice) return undefined;
  const { content, reasoning_content, reasoning } = choice.message;
  const apart = (reasoning_content ?? reasoning ?? '').trim();
  const said = content ?? '';
  const tokens = parsed.data?.usage?.completion_tokens;
  return {
    // Reasoning that came apart goes where our format has it.
    text: apart !== '' && !/<think>/i.test(said) ? `<think>${apart}</think>\n${said.trim()}` : said,
    finish: choice.finish_reason ?? 'stop',
    ...(tokens != null && { tokens }),
  };
}

function errorIn(text: string): string {
  try {
    const { error, message } = JSON.parse(text) as {
      error?: { message?: unknown } | string;
      message?: unknown;
    };
    const said = typeof error === 'string' ? error : (error?.message ?? message);
    if (typeof said === 'string') return said.slice(0, 300);
  } catch {
    // Not JSON: shown as it is.
  }
  return text.replace(/\s+/g, ' ').trim().slice(0, 300) || 'no explanation';
}

function reasonOf(error: Error, timeout: number): string {
  if (error.name === 'TimeoutError') return `no answer within ${timeout / 1000} s`;
  const cause = error.cause instanceof Error ? error.cause.message : '';
  return cause === '' ? error.message : `${error.message}: ${cause}`;
}
