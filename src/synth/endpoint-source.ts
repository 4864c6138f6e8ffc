/** Candidates from an OpenAI-compatible endpoint, several requests at a time. */
import { type Question, questionPrompt, withPictures } from '../data/index.js';
import { ChatClient } from '../endpoint/chat.js';
import { type ClientOptions, EndpointError } from '../endpoint/client.js';
import { toBase64 } from '../formats/base64.js';
import { bytesPicture, encodedPicture, imageFormat, type Picture } from '../vision/index.js';
import type { Candidate, CandidateSource, CandidateTask, FailedCandidate } from './candidate.js';
import { type PromptSettings, promptWords, recorded, type SamplingSettings } from './settings.js';

/** Settings of {@link EndpointSource}. */
export interface EndpointOptions extends ClientOptions, PromptSettings, SamplingSettings {
  readonly model: string;
  /** Requests that are under way at a time. */
  readonly concurrency: number;
}

/** Formats that endpoints take; other pictures are sent as PNG. */
const SENT_AS_THEY_ARE: readonly (string | undefined)[] = ['png', 'jpeg', 'webp', 'gif'];

/** Asks an endpoint. */
export class EndpointSource implements CandidateSource {
  readonly client: ChatClient;
  readonly #options: EndpointOptions;

  constructor(options: EndpointOptions) {
    this.#options = options;
    this.client = new ChatClient(options);
  }

  get provenance() {
    const { baseUrl, model } = this.#options;
    // The host alone, without what may be a secret: user, password and query.
    return { source: 'endpoint', endpoint: new URL(baseUrl).host, model, ...recorded(this.#options) };
  }

  async *generate(
    tasks: readonly CandidateTask[],
    signal: AbortSignal,
  ): AsyncGenerator<Candidate | FailedCandidate> {
    // Stops the other requests when one fails for good, or nobody wants any more.
    const stop = new AbortController();
    const line = this.#jobs(tasks);
    const running = new Map<number, Promise<{ place: number; result: Candidate | FailedCandidate }>>();
    let next = 0;
    try {
      for (;;) {
        while (running.size < this.#options.concurrency) {
          const job = line.next();
          if (job.done) break;
          const place = next++;
          // A signal for each: Node warns where more than ten wait on one.
          const either = AbortSignal.any([signal, stop.signal]);
          const result = this.#ask(job.value.task, job.value.sample, either);
          const named = result.then((value) => ({ place, result: value }));
          // Where one throws, nobody waits for the others.
          named.catch(() => {});
          running.set(place, named);
        }
        if (running.size === 0) return;
        const { place, result } = await Promise.race(running.values());
        running.delete(place);
        yield result;
      }
    } finally {
      stop.abort();
      await Promise.allSettled(running.values());
    }
  }

  *#jobs(tasks: readonly CandidateTask[]): Generator<{ task: CandidateTask; sample: number }> {
    for (const task of tasks) for (const sample of task.samples) yield { task, sample };
  }

  async #ask(task: CandidateTask, sample: number, signal: AbortSignal): Promise<Candidate | FailedCandidate> {
    const { question } = task;
    const { model, temperature, topP, maxNewTokens, seed, samples } = this.#options;
    try {
      const reply = await this.client.complete(
        {
          model,
          messages: await this.#messages(question, signal),
          temperature,
          top_p: topP,
          max_tokens: maxNewTokens,
          // Each candidate has a seed of its own, for endpoints that know seeds.
          seed: (seed + task.index * samples + sample) % 2 ** 31,
        },
        signal,
      );
      return { id: question.id, sample, ...reply };
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof EndpointError) throw error;
      // Refused, or a picture that cannot be read: the other questions go on.
      return { id: question.id, sample, error: (error as Error).message };
    }
  }

  async #messages(question: Question, signal: AbortSignal): Promise<object[]> {
    const { messages } = questionPrompt(question, promptWords(this.#options), this.#options.system);
    return Promise.all(
      withPictures(question, messages).map(async ({ role, content }) => {
        if (typeof content === 'string') return { role, content };
        const parts = content.map(async (part) =>
          part.type === 'text'
            ? part
            : {
                type: 'image_url',
                image_url: { url: await dataUrl(part.image as Picture, signal) },
              },
        );
        return { role, content: await Promise.all(parts) };
      }),
    );
  }
}

/** A picture as a data URL. */
async function dataUrl(picture: Picture, signal: AbortSignal): Promise<string> {
  const bytes = await picture.read();
  const format = imageFormat(bytes);
  if (SENT_AS_THEY_ARE.includes(format)) return `data:image/${format};base64,${toBase64(bytes)}`;
  const png = await encodedPicture(bytesPicture(picture.name, bytes), { format: 'png' }, signal);
  return `data:image/png;base64,${toBase64(png)}`;
}
