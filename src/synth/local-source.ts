/** Candidates from a model on this machine. */
import { DataError, type Question, questionPrompt } from '../data/index.js';
import type { GenerationRequest, Generator } from '../generate/index.js';
import { check } from '../gpu/index.js';
import type { Processor } from '../models/processor.js';
import { encodePrompt } from '../text/index.js';
import { ImageError, imageTokenCount } from '../vision/index.js';
import type { Candidate, CandidateSource, CandidateTask, FailedCandidate } from './candidate.js';
import { type PromptSettings, recorded, type SamplingSettings } from './settings.js';

/** Settings of {@link LocalSource}. */
export interface LocalOptions extends PromptSettings, SamplingSettings {
  /** The generator must have the processor's tokenizer. */
  readonly generator: Generator;
  readonly processor: Processor;
  /** Model and adapter as the user named them. */
  readonly model: string;
  readonly adapter?: string;
}

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
      for (const task of tasks) {
        signal.throwIfAborted();
        const request = await this.#request(task).catch((error: Error) => {
          // A picture that cannot be read: the other questions go on.
          if (!(error instanceof DataError || error instanceof ImageError)) throw error;
          failed.push(
            ...task.samples.map((sample) => ({ id: task.question.id, sample, error: error.message })),
          );
        });
        if (request === undefined) continue;
        asked.push(task);
        yield request;
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

  async #request({ question, index }: CandidateTask): Promise<GenerationRequest> {
    const { generator, processor, template, system, samples, temperature, topP, maxNewTokens, seed } =
      this.#options;
    const { config } = generator.model;
    const { messages } = questionPrompt(question, template, system);
    check(question.images.length === 0 || config.vision, 'value', () => cannotSee(question, config.family));
    const images = await processor.images(question, question.images);
    const { ids } = encodePrompt(processor.tokenizer, processor.template, messages, {
      imageCounts: images.grids.map((grid) => imageTokenCount(grid, config.vision?.mergeSize)),
      ...(config.tokens.image === undefined ? {} : { imageTokenId: config.tokens.image }),
      name: `question ${question.id}`,
    });
    return {
      ids,
      ...(question.images.length > 0 ? { images } : {}),
      maxNewTokens,
      samples,
      sampling: { temperature, topP },
      seed,
      stream: index * samples,
    };
  }
}

function cannotSee(question: Question, family: string): string {
  return `synth: question ${question.id} has images, but a ${family} model cannot see; use a Qwen2-VL or Qwen2.5-VL`;
}
