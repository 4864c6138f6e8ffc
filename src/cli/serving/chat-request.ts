/** What clients of the chat completions API ask for, in this program's terms. */
import { randomInt } from 'node:crypto';
import { z } from 'zod';
import type { GenerationRequest } from '../../generate/index.js';
import { type Message, parseMessages } from '../../text/index.js';

/** A request that cannot be served; becomes an error response of the API. */
export class RequestError extends Error {
  readonly status: number;
  /** The field at fault. */
  readonly param: string | null;

  constructor(message: string, param: string | null = null, status = 400) {
    super(message);
    this.param = param;
    this.status = status;
  }
}

/** A checked request. */
export interface ChatRequest {
  readonly messages: readonly Message[];
  readonly settings: Omit<GenerationRequest, 'ids' | 'images'>;
  readonly stream: boolean;
  readonly includeUsage: boolean;
  readonly logprobs: boolean;
}

const NOTHING = z.union([z.literal(0), z.null()]).optional();

/** The fields that have an effect here. Others are ignored, as servers of this API do, unless ignoring would mislead. */
const SCHEMA = z.object({
  model: z.string().nullish(),
  messages: z.array(z.unknown()).min(1),
  n: z.int().min(1).max(128).nullish(),
  max_tokens: z.int().min(1).nullish(),
  max_completion_tokens: z.int().min(1).nullish(),
  temperature: z.number().min(0).max(100).nullish(),
  top_p: z.number().min(0).max(1).nullish(),
  top_k: z.int().min(0).nullish(),
  min_p: z.number().min(0).max(1).nullish(),
  repetition_penalty: z.number().positive().nullish(),
  seed: z.int().min(0).nullish(),
  stop: z.union([z.string().min(1), z.array(z.string().min(1)).max(16)]).nullish(),
  stream: z.boolean().nullish(),
  stream_options: z.object({ include_usage: z.boolean().nullish() }).nullish(),
  logprobs: z.boolean().nullish(),
  top_logprobs: NOTHING,
  frequency_penalty: NOTHING,
  presence_penalty: NOTHING,
  response_format: z.object({ type: z.literal('text') }).nullish(),
  tools: z.array(z.never()).nullish(),
});

/** Checks the body of a request. */
export function parseChatRequest(body: unknown, defaults: { readonly maxNewTokens: number }): ChatRequest {
  const parsed = SCHEMA.safeParse(body);
  if (!parsed.success) {
    const [{ path, message }] = parsed.error.issues;
    const param = path.join('.') || null;
    throw new RequestError(
      param ? `${param}: ${message}; see osler serve --help for what is supported` : message,
      param,
    );
  }
  const { data } = parsed;
  const stop = typeof data.stop === 'string' ? [data.stop] : (data.stop ?? []);
  return {
    messages: parseMessages(data.messages, 'messages'),
    settings: {
      samples: data.n ?? 1,
      maxNewTokens: data.max_completion_tokens ?? data.max_tokens ?? defaults.maxNewTokens,
      sampling: {
        temperature: data.temperature ?? 1,
        topP: data.top_p ?? 1,
        topK: data.top_k ?? 0,
        minP: data.min_p ?? 0,
        repetitionPenalty: data.repetition_penalty ?? 1,
      },
      seed: data.seed ?? randomInt(2 ** 47),
      stop,
    },
    stream: data.stream ?? false,
    includeUsage: data.stream_options?.include_usage ?? false,
    logprobs: data.logprobs ?? false,
  };
}
