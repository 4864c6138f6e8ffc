/** Chat completions of an OpenAI-compatible endpoint. */
import { z } from 'zod';
import { type ClientOptions, EndpointClient } from './client.js';

/** What an endpoint said. */
export interface ChatReply {
  readonly text: string;
  readonly finish: string;
  readonly tokens?: number;
}

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

/** Asks for completions. */
export class ChatClient {
  readonly #client: EndpointClient;

  constructor(options: ClientOptions) {
    this.#client = new EndpointClient(options);
  }

  /** Requests that were sent again. */
  get repeated(): number {
    return this.#client.repeated;
  }

  /**
   * Asks for one completion; throws what `EndpointClient.post` does.
   *
   * @param body fields of the request, `model` and `messages` at least.
   */
  complete(body: Readonly<Record<string, unknown>>, signal: AbortSignal): Promise<ChatReply> {
    return this.#client.post('chat/completions', body, replyOf, signal);
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
