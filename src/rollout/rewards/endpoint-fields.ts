/** What rewards that ask an endpoint have in common: how it is reached, what is kept, and what happens when it is down. */
import { z } from 'zod';
import { AnswerCache } from '../../endpoint/answer-cache.js';
import { type ClientOptions, RefusedRequest } from '../../endpoint/client.js';
import { Gate } from '../../endpoint/gate.js';
import type { Refuse, RewardContext } from './kind.js';
import { inFolder } from './module.js';
import type { Judge, RewardResult, RewardSample } from './reward.js';

/** Fields of such an entry. */
export const endpointFields = {
  /** Address of an OpenAI-compatible API, up to and with `/v1`; that of `osler serve` is http://127.0.0.1:8080/v1. */
  endpoint: z.url('is missing or no address; give that of an OpenAI-compatible API, up to /v1'),
  /** Name that the endpoint knows the model by. */
  model: z.string('is missing; give the name that the endpoint knows the model by').min(1),
  /** Environment variable that holds the API key. */
  api_key_env: z.string().min(1).nullable().default(null),
  /** Seconds that an answer may take, times that a request is repeated, and requests at a time and a minute (0: no limit). */
  timeout: z.number().positive().max(1e6).default(60),
  retries: z.int().nonnegative().default(4),
  concurrency: z.int().positive().default(8),
  requests_per_minute: z.number().nonnegative().default(0),
  /** Folder for answers, relative to the config, so that runs repeat exactly; null keeps none. */
  cache: z.string().min(1).nullable().default('reward-cache'),
  /** When the endpoint gives no answer: `stop` the run, `skip` the reward for this completion, or give it this number. */
  unavailable: z.union([z.enum(['stop', 'skip']), z.number()]).default('stop'),
};

/** The fields, read. */
export type EndpointEntry = z.output<z.ZodObject<typeof endpointFields>>;

/** An endpoint as rewards use it. */
export interface EndpointAccess<T> {
  readonly options: ClientOptions;
  /** Ends what is under way. */
  readonly signal: AbortSignal;
  /** The answer to a request: kept, or asked for with `ask` when there is room. */
  answer(request: object, check: (value: unknown) => value is T, ask: () => Promise<T>): Promise<T>;
}

/** Makes the judge of such an entry out of one that asks. */
export function endpointJudge<T>(
  entry: EndpointEntry,
  { folder, environment }: RewardContext,
  refuse: Refuse,
  judgeWith: (access: EndpointAccess<T>) => (sample: RewardSample) => Promise<RewardResult>,
): Judge {
  const apiKey = entry.api_key_env === null ? undefined : environment?.(entry.api_key_env);
  if (entry.api_key_env !== null && !apiKey)
    refuse('api_key_env', `names ${entry.api_key_env}, which is not set`);
  const { protocol, hostname } = new URL(entry.endpoint);
  if (
    apiKey !== undefined &&
    protocol !== 'https:' &&
    !/^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(hostname)
  ) {
    refuse('endpoint', `is ${entry.endpoint}, to which no key is sent: it is neither https nor this machine`);
  }
  const options = {
    baseUrl: entry.endpoint,
    ...(apiKey === undefined ? {} : { apiKey }),
    timeout: entry.timeout * 1000,
    retries: entry.retries,
    requestsPerMinute: entry.requests_per_minute,
  };
  const stop = new AbortController();
  const gate = new Gate(entry.concurrency);
  const cache = new AnswerCache<T>(entry.cache === null ? undefined : inFolder(entry.cache, folder));
  const outage = new Outage(options.timeout);
  const judge = judgeWith({
    options,
    signal: stop.signal,
    answer: (request, check, ask) => cache.get(request, check, () => gate.pass(() => outage.guard(ask))),
  });
  const score = async (sample: RewardSample): Promise<RewardResult> => {
    try {
      return await judge(sample);
    } catch (error) {
      if (!(error instanceof RefusedRequest)) throw error;
      if (entry.unavailable === 'stop') {
        throw new Error(
          `${entry.endpoint} gave no answer: ${error.message}; unavailable says whether to go on`,
        );
      }
      return {
        value: entry.unavailable === 'skip' ? null : entry.unavailable,
        reason: `no answer: ${error.message}`,
      };
    }
  };
  return Object.assign(score, { close: () => stop.abort(new Error('the run has ended')) });
}

/** After a request that failed for good, others need not each wait as long to learn the same. */
class Outage {
  readonly #milliseconds: number;
  #until = 0;
  #message = '';

  constructor(milliseconds: number) {
    this.#milliseconds = milliseconds;
  }

  async guard<R>(ask: () => Promise<R>): Promise<R> {
    if (performance.now() < this.#until) throw new RefusedRequest(this.#message);
    try {
      return await ask();
    } catch (error) {
      if (error instanceof RefusedRequest) {
        this.#until = performance.now() + this.#milliseconds;
        this.#message = error.message;
      }
      throw error;
    }
  }
}
