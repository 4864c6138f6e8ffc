/** Candidates from a model on this machine. */
import { DataError, questionPrompt, sampleName, withPictures } from '../data/index.js';
import type { GenerationRequest, Generator } from '../generate/index.js';
import { ahead, type PromptEncoder } from '../models/processor/index.js';
import { ImageError } from '../vision/index.js';
import type { Candidate, CandidateSource, CandidateTask, FailedCandidate } from './candidate.js';
import { type PromptSettings, promptWords, recorded, type SamplingSettings } from './settings.js';

/** Settings of {@link LocalSource}. */
export interface LocalOptions extends PromptSettings, SamplingSettings {
  /** The generator must have the encoder's tokenizer. */
  readonly generator: Generator;
  readonly encoder: PromptEncoder;
  /** Model and adapter as the user named them. */
  readonly model: string;
  readonly adapter?: string;
}

/** Questions whose pictures are decoded side by side. */
const AHEAD = 4;

type Attempt =
  | { readonly task: CandidateTask; readonly request: GenerationRequest; readonly error?: undefined }
  | { readonly task: CandidateTask; readonly request?: undefined; readonly error: string };

/** Samples from a model. */
export class LocalSource implements CandidateSource {
  readonly #options: LocalOptions;

  constructor(options: LocalOptions) {
    this.#options = options;
  }

  get provenance() {
    const { model, adapter } = this.#options;
    return { source: 'local', model, ...(adapter !== undefined && { adapter }), ...recorded(this.#options) };
  }

  async *generate(
    tasks: readonly CandidateTask[],
    signal: AbortSignal,
  ): AsyncGenerator<Candidate | FailedCandidate> {
    const failed: FailedCandidate[] = [];
    const asked: CandidateTask[] = [];
    const requests = async function* (this: LocalSource) {
      for await (const { task, request, error } of ahead(tasks, (next) => this.#attempt(next), AHEAD)) {
        signal.throwIfAborted();
        if (request) {
          asked.push(task);
          yield request;
        } else failed.push(...task.samples.map((sample) => ({ id: task.question.id, sample, error })));
      }
    }.call(this);
    let done = 0;
    for await (const completions of this.#options.generator.stream(requests)) {
      const { question, samples } = asked[done++] as CandidateTask;
      for (const { sample, text, finishReason, tokenIds } of completions) {
        // Where some of a question's candidates are there already, all are drawn again, for the same random numbers.
        if (!samples.includes(sample)) continue;
        yield { id: question.id, sample, text: text ?? '', finish: finishReason, tokens: tokenIds.length };
      }
      signal.throwIfAborted();
    }
    yield* failed;
  }

  /** A task's request, or why it has none: of a picture that cannot be read, while the other questions go on. */
  async #attempt(task: CandidateTask): Promise<Attempt> {
    try {
      return { task, request: await this.#request(task) };
    } catch (error) {
      if (!(error instanceof DataError || error instanceof ImageError)) throw error;
      return { task, error: error.message };
    }
  }

  async #request({ question, index }: CandidateTask): Promise<GenerationRequest> {
    const { encoder, system, samples, temperature, topP, maxNewTokens, seed } = this.#options;
    const { messages } = questionPrompt(question, promptWords(this.#options), system);
    const prompt = await encoder.prompt(withPictures(question, messages), { name: sampleName(question) });
    return {
      ...(await encoder.prepare(prompt)),
      maxNewTokens,
      samples,
      sampling: { temperature, topP },
      seed,
      stream: index * samples,
    };
  }
}
