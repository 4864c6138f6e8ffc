/** Embeddings of texts by an OpenAI-compatible endpoint. */
import { z } from 'zod';
import { type ClientOptions, EndpointClient } from './client.js';

const replySchema = z.object({
  data: z.array(z.object({ index: z.number().nullish(), embedding: z.array(z.number()).min(1) })).min(1),
});

/** Asks for embeddings. */
export class EmbeddingClient {
  readonly #client: EndpointClient;

  constructor(options: ClientOptions) {
    this.#client = new EndpointClient(options);
  }

  /** The embedding of a text; throws what `EndpointClient.post` does. */
  async embed(model: string, text: string, signal: AbortSignal): Promise<readonly number[]> {
    const { embedding } = await this.#client.post(
      'embeddings',
      { model, input: [text] },
      embeddingOf,
      signal,
    );
    return embedding;
  }
}

function embeddingOf(text: string): { readonly embedding: readonly number[] } | undefined {
  try {
    return replySchema.safeParse(JSON.parse(text)).data?.data[0];
  } catch {
    return undefined;
  }
}

/** Cosine of the angle between two vectors; undefined where they have different lengths, or one has none. */
export function cosine(a: readonly number[], b: readonly number[]): number | undefined {
  if (a.length !== b.length) return undefined;
  let [dot, squaresA, squaresB] = [0, 0, 0];
  for (const [i, x] of a.entries()) {
    const y = b[i] as number;
    dot += x * y;
    squaresA += x * x;
    squaresB += y * y;
  }
  const value = dot / Math.sqrt(squaresA * squaresB);
  // Rounding must not leave more than 1.
  return Number.isFinite(value) ? Math.max(-1, Math.min(1, value)) : undefined;
}
