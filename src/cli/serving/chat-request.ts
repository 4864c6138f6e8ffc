/** What clients of the chat completions API ask for, in this program's terms. */
import { randomInt } from 'node:crypto';
import { z } from 'zod';
import type { GenerationRequest } from '../../generate/index.js';
import { imagesOf, type Message, parseMessages } from '../../text/index.js';

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
  logit_bias: z.record(z.string(), z.never()).nullish(),
  response_format: z.object({ type: z.literal('text') }).nullish(),
  tools: z.array(z.never()).nullish(),
});

/** Characters of text for each position of a model: more than any language needs, and what tokenizes in a second or two. */
const CHARACTERS_PER_POSITION = 16;

/** What a server answers with where a client says nothing, and the model that it has. */
export interface ChatDefaults {
  readonly maxNewTokens: number;
  readonly model: string;
}

/** Checks the body of a request. */
export function parseChatRequest(body: unknown, defaults: ChatDefaults): ChatRequest {
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
  if (data.model && data.model !== defaults.model) {
    const problem = `the model "${data.model}" is not here; there is "${defaults.model}"`;
    throw new RequestError(problem, 'model', 404);
  }
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

/** Refuses prompts that cannot fit before any work goes into them. */
export function checkPromptSize(messages: readonly Message[], positions: number, maxPictures: number): void {
  const pictures = imagesOf(messages).length;
  if (pictures > maxPictures) {
    throw new RequestError(`the request has ${pictures} pictures, more than ${maxPictures}`, 'messages');
  }
  const characters = messages.reduce((sum, { content }) => sum + textLength(content), 0);
  if (characters <= positions * CHARACTERS_PER_POSITION) return;
  const most = `the ${positions} positions of the model can hold`;
  throw new RequestError(`the text has ${characters} characters, more than ${most}`, 'messages');
}

function textLength(content: Message['content']): number {
  if (typeof content === 'string') return content.length;
  return content.reduce((sum, part) => sum + (part.type === 'text' ? part.text.length : 0), 0);
}
