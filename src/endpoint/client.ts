/** Requests to an OpenAI-compatible endpoint, with patience for what goes wrong on the way. */
import { backoff, delay, Pace, retryAfter } from './pacing.js';

/** How to reach an endpoint. */
export interface ClientOptions {
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

/** Why a try failed that may be repeated. */
class PassingProblem {
  readonly problem: string;
  /** Milliseconds that the endpoint asked all requests to wait. */
  readonly pause: number | undefined;

  constructor(problem: string, pause?: number) {
    this.problem = problem;
    this.pause = pause;
  }
}

/** Sends requests at a pace, and again when they fail in passing. */
export class EndpointClient {
  readonly #options: ClientOptions;
  readonly #pace: Pace;
  /** Requests that were sent again. */
  repeated = 0;

  constructor(options: ClientOptions) {
    this.#options = options;
    this.#pace = new Pace(options.requestsPerMinute);
  }

  /**
   * Sends a request.
   *
   * @param path what follows the address, such as `chat/completions`.
   * @param body fields of the request.
   * @param read takes the text of an answer apart; undefined where it is not what was asked for.
   * @throws RefusedRequest when the endpoint will not have this request, or all tries failed.
   * @throws EndpointError when it will not have any.
   */
  async post<T extends object>(
    path: string,
    body: Readonly<Record<string, unknown>>,
    read: (text: string) => T | undefined,
    signal: AbortSignal,
  ): Promise<T> {
    const { retries, retryDelay = 1000 } = this.#options;
    const json = JSON.stringify(body);
    for (let attempt = 1; ; attempt++) {
      await this.#pace.turn(signal);
      const outcome = await this.#try(path, json, read, signal);
      if (!(outcome instanceof PassingProblem)) return outcome;
      if (attempt > retries) throw new RefusedRequest(`${outcome.problem} (tried ${attempt} times)`);
      this.repeated++;
      if (outcome.pause !== undefined) this.#pace.pause(Math.min(outcome.pause, LONGEST_PAUSE));
      await delay(backoff(attempt, retryDelay, LONGEST_DELAY), signal);
    }
  }

  async #try<T extends object>(
    path: string,
    json: string,
    read: (text: string) => T | undefined,
    signal: AbortSignal,
  ): Promise<T | PassingProblem> {
    const { baseUrl, apiKey, timeout } = this.#options;
    let response: Response;
    let text: string;
    try {
      response = await fetch(`${baseUrl.replace(/\/+$/, '')}/${path}`, {
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
      return new PassingProblem(reasonOf(error as Error, timeout));
    }
    if (response.ok) return read(text) ?? new PassingProblem(`the answer is not one of ${path}`);
    const said = `status ${response.status}: ${errorIn(text)}`;
    if (UNUSABLE.has(response.status)) {
      throw new EndpointError(
        `${baseUrl} cannot be used, ${said}; check its address, the model and the API key`,
      );
    }
    if (!PASSING.has(response.status)) throw new RefusedRequest(said);
    return new PassingProblem(said, retryAfter(response.headers.get('retry-after')));
  }
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
