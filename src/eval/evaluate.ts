/** Asks a model questions and grades what it says: for `osler eval`, for trainers between steps, and for the demo. */
import {
  type AnswerStyle,
  type PaperReading,
  promptTemplate,
  type Question,
  questionPrompt,
} from '../data/index.js';
import type { Completion, GenerationRequest, Generator } from '../generate/index.js';
import { check } from '../gpu/index.js';
import type { Processor } from '../models/processor.js';
import { encodePrompt } from '../text/index.js';
import { imageTokenCount } from '../vision/index.js';
import { scoreCompletion } from './score.js';
import { summarize, type Tables } from './summarize.js';
import type { EvalSettings, EvalSummary, Prediction } from './summary.js';

/** A model that answers. The generator must have the processor's tokenizer. */
export interface Examinee {
  readonly generator: Generator;
  readonly processor: Processor;
}

/** How to ask and to sample. */
export interface EvaluateOptions {
  /** Style of the prompts, with Med-R1's words for evaluation; `think` by default. */
  readonly style?: AnswerStyle;
  /** `train` asks in the words of training instead, which is fair to a model trained with them. */
  readonly phase?: 'train' | 'eval';
  /** The prompt's own words with `{Question}` in them, in place of the style's. */
  readonly template?: string;
  readonly system?: string;
  /** How the paper's scripts read the answer; by default as they do for the style. */
  readonly paperReading?: PaperReading;
  /** 0, greedy, by default. */
  readonly temperature?: number;
  readonly topP?: number;
  readonly topK?: number;
  /** Completions per question; 1 by default. */
  readonly samples?: number;
  /** 256 by default, as in the paper. */
  readonly maxNewTokens?: number;
  readonly seed?: number;
  readonly onProgress?: (progress: EvaluateProgress) => void;
  /** Told of each completion as it was drawn, with the text of its prompt; in the order of the predictions. */
  readonly onAnswer?: (question: Question, prompt: string, completion: Completion) => void;
  readonly signal?: AbortSignal;
}

/** How far an evaluation is. */
export interface EvaluateProgress {
  readonly questions: number;
  readonly total: number;
  readonly tokens: number;
  /** Questions with a right answer so far (robust, first sample). */
  readonly correct: number;
}

/** What an evaluation finds. */
export interface Evaluation {
  /** By question, then sample. */
  readonly predictions: readonly Prediction[];
  readonly tables: Tables;
  readonly time: EvalSummary['time'];
}

/** Patches and questions that are prepared at a time: enough to keep a batch busy, bounded for large pictures. */
const CHUNK_BYTES = 512 * 2 ** 20;
const CHUNK_QUESTIONS = 512;

/** Evaluates a model on questions. Equal calls give equal answers, since the batches are put together alike. */
export async function evaluateModel(
  examinee: Examinee,
  questions: readonly Question[],
  options: EvaluateOptions = {},
): Promise<Evaluation> {
  const settings = settingsOf(options);
  const start = performance.now();
  const predictions: Prediction[] = [];
  let [tokens, correct, done] = [0, 0, 0];
  for await (const chunk of chunks(examinee, questions, settings)) {
    options.signal?.throwIfAborted();
    const results = await examinee.generator.generate(chunk.map(({ request }) => request));
    for (const [i, completions] of results.entries()) {
      const { question, text } = chunk[i] as Prepared;
      for (const drawn of completions) {
        const { sample, tokenIds, text: completion, finishReason } = drawn;
        options.onAnswer?.(question, text, drawn);
        const answered = {
          prompt: text,
          sample,
          completion: completion ?? '',
          tokenCount: tokenIds.length,
          finishReason,
        };
        const prediction = scoreCompletion(question, answered, settings.paper_reading);
        predictions.push(prediction);
        tokens += tokenIds.length;
        if (sample === 0 && prediction.correct) correct++;
      }
    }
    done += chunk.length;
    options.onProgress?.({ questions: done, total: questions.length, tokens, correct });
  }
  const seconds = (performance.now() - start) / 1000;
  return {
    predictions,
    tables: summarize(predictions, settings),
    time: { seconds, tokens, tokens_per_second: seconds > 0 ? tokens / seconds : 0 },
  };
}

/** The paper reads tagged answers, but its scripts for base models and for No-Think compare the raw output. */
function settingsOf(options: EvaluateOptions): EvalSettings {
  const { style = 'think', phase = 'eval', template, system, samples = 1, maxNewTokens = 256 } = options;
  const { temperature = 0, topP = 1, topK = 0, seed = 0 } = options;
  check(samples === 1 || temperature > 0, 'value', () => {
    return `eval: ${samples} samples at temperature 0 would all be equal; set a temperature above 0`;
  });
  return {
    style: template === undefined ? style : 'custom',
    template: template ?? promptTemplate(style, phase),
    ...(system === undefined ? {} : { system }),
    paper_reading:
      options.paperReading ?? (style === 'zero-shot' && template === undefined ? 'raw' : 'tagged'),
    temperature,
    top_p: topP,
    top_k: topK,
    samples,
    max_new_tokens: maxNewTokens,
    seed,
  };
}

interface Prepared {
  readonly question: Question;
  readonly text: string;
  readonly request: GenerationRequest;
}

/** Requests in portions; the next one is prepared while the one before is answered. */
async function* chunks(
  examinee: Examinee,
  questions: readonly Question[],
  settings: EvalSettings,
): AsyncGenerator<Prepared[]> {
  let at = 0;
  const next = async (): Promise<Prepared[]> => {
    const chunk: Prepared[] = [];
    for (
      let bytes = 0;
      at < questions.length && chunk.length < CHUNK_QUESTIONS && bytes < CHUNK_BYTES;
      at++
    ) {
      const prepared = await prepare(examinee, questions[at] as Question, at, settings);
      bytes += prepared.request.images?.pixels.byteLength ?? 0;
      chunk.push(prepared);
    }
    return chunk;
  };
  let upcoming = next();
  for (let chunk = await upcoming; chunk.length > 0; chunk = await upcoming) {
    upcoming = next();
    // If the consumer stops early nobody waits for this one.
    upcoming.catch(() => {});
    yield chunk;
  }
}

async function prepare(
  { generator, processor }: Examinee,
  question: Question,
  index: number,
  settings: EvalSettings,
): Promise<Prepared> {
  const { config } = generator.model;
  const { text, messages } = questionPrompt(question, settings.template, settings.system);
  const name = `question ${question.id}`;
  check(question.images.length === 0 || config.vision, 'value', () => {
    return `eval: ${name} has images, but a ${config.family} model cannot see; use a Qwen2-VL or Qwen2.5-VL`;
  });
  const images = await processor.images(question, question.images);
  const { ids } = encodePrompt(processor.tokenizer, processor.template, messages, {
    imageCounts: images.grids.map((grid) => imageTokenCount(grid, config.vision?.mergeSize)),
    ...(config.tokens.image === undefined ? {} : { imageTokenId: config.tokens.image }),
    name,
  });
  return {
    question,
    text,
    request: {
      ids,
      ...(question.images.length > 0 ? { images } : {}),
      maxNewTokens: settings.max_new_tokens,
      samples: settings.samples,
      sampling: { temperature: settings.temperature, topP: settings.top_p, topK: settings.top_k },
      seed: settings.seed,
      // Streams are numbered by question, so that one answer does not depend on how many others there are.
      stream: index * settings.samples,
    },
  };
}
