/** Asks a model questions and grades what it says: for `osler eval`, for trainers between steps, and for the demo. */
import {
  type AnswerStyle,
  type PaperReading,
  promptTemplate,
  type Question,
  questionPrompt,
  sampleName,
  withPictures,
} from '../data/index.js';
import type { Completion, GenerationRequest, Generator } from '../generate/index.js';
import { check } from '../gpu/index.js';
import { ahead, type EncodedPrompt, type PromptEncoder } from '../models/processor/index.js';
import { scoreCompletion } from './score.js';
import { summarize, type Tables } from './summarize.js';
import type { EvalSettings, EvalSummary, Prediction } from './summary.js';

/** A model that answers. The generator must have the encoder's tokenizer. */
export interface Examinee {
  readonly generator: Generator;
  readonly encoder: PromptEncoder;
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
/** Questions whose files are read, and whose pictures are decoded, side by side. */
const ENCODED_AHEAD = 32;
const DECODED_AHEAD = 8;

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
  for await (const chunk of chunks(examinee, questions, settings, wordsOf(options))) {
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

/** A template, or the words of a style, which depend on the kind of answer that a question wants. */
type PromptWords = Parameters<typeof questionPrompt>[1];

function wordsOf({ style = 'think', phase = 'eval', template }: EvaluateOptions): PromptWords {
  return template ?? { style, phase };
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

interface Asked {
  readonly question: Question;
  readonly text: string;
  readonly prompt: EncodedPrompt;
}

interface Prepared extends Asked {
  readonly request: GenerationRequest;
}

/** Requests in portions; the next one is prepared while the one before is answered. */
async function* chunks(
  { encoder }: Examinee,
  questions: readonly Question[],
  settings: EvalSettings,
  words: PromptWords,
): AsyncGenerator<Prepared[]> {
  let at = 0;
  const encoded = ahead(questions, (question) => ask(encoder, question, settings, words), ENCODED_AHEAD);
  const next = async (): Promise<Prepared[]> => {
    const asked: Asked[] = [];
    for (let bytes = 0; asked.length < CHUNK_QUESTIONS && bytes < CHUNK_BYTES; ) {
      const { value, done } = await encoded.next();
      if (done) break;
      bytes += encoder.patchBytes(value.prompt);
      asked.push(value);
    }
    const first = at;
    at += asked.length;
    const prepared = ahead(asked, ({ prompt }) => encoder.prepare(prompt), DECODED_AHEAD);
    const chunk: Prepared[] = [];
    for await (const images of prepared) {
      const i = chunk.length;
      chunk.push({ ...asked[i], request: { ...images, ...requestOf(first + i, settings) } });
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

async function ask(
  encoder: PromptEncoder,
  question: Question,
  settings: EvalSettings,
  words: PromptWords,
): Promise<Asked> {
  const { text, messages } = questionPrompt(question, words, settings.system);
  const prompt = await encoder.prompt(withPictures(question, messages), { name: sampleName(question) });
  return { question, text, prompt };
}

function requestOf(index: number, settings: EvalSettings): Omit<GenerationRequest, 'ids' | 'images'> {
  return {
    maxNewTokens: settings.max_new_tokens,
    samples: settings.samples,
    sampling: { temperature: settings.temperature, topP: settings.top_p, topK: settings.top_k },
    seed: settings.seed,
    // Streams are numbered by question, so that one answer does not depend on how many others there are.
    stream: index * settings.samples,
  };
}
