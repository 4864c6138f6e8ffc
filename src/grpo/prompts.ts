/** The prompts of a run: questions as token ids, in an endless order of shuffled epochs. */
import { DataError, type Question, questionPrompt, Random, shuffleOptions } from '../data/index.js';
import { gridPatches } from '../models/core/grid.js';
import type { Grid, ModelConfig } from '../models/index.js';
import type { Processor, SampleImages } from '../models/processor.js';
import { encodePrompt } from '../text/index.js';
import { imageTokenCount } from '../vision/index.js';
import type { GrpoConfig } from './config.js';

/** A question that is to be answered. */
export interface Prompt {
  /** Number of the question in the data that is used. */
  readonly index: number;
  /** With its options in the order of this prompt. */
  readonly question: Question;
  /** Text without the chat template. */
  readonly text: string;
  readonly ids: Int32Array;
  readonly grids: readonly Grid[];
}

/** What {@link PromptSet} needs to know. */
export interface PromptSetting {
  readonly config: Pick<
    GrpoConfig,
    | 'answer_style'
    | 'prompt_template'
    | 'system_prompt'
    | 'max_prompt_length'
    | 'max_completion_length'
    | 'overlong'
    | 'shuffle_options'
    | 'shuffle_dataset'
    | 'seed'
  >;
  readonly model: ModelConfig;
  readonly processor: Processor;
  note(line: string): void;
}

interface Entry {
  readonly question: Question;
  readonly grids: readonly Grid[];
  readonly tokens: number;
}

/** The questions that can be asked. */
export class PromptSet {
  readonly #setting: PromptSetting;
  readonly #entries: readonly Entry[];
  #epoch = -1;
  #order: readonly number[] = [];

  private constructor(setting: PromptSetting, entries: readonly Entry[]) {
    this.#setting = setting;
    this.#entries = entries;
  }

  /** Encodes all questions once, so that what does not fit is known before any weight is loaded. */
  static async open(questions: readonly Question[], setting: PromptSetting): Promise<PromptSet> {
    const { config, processor, note } = setting;
    const entries: Entry[] = [];
    let dropped = 0;
    for (const question of questions) {
      const name = placeOf(question);
      if (question.images.length > 0 && !setting.model.vision) {
        const problem = `has images, but a ${setting.model.family} model cannot see; use a Qwen2-VL or Qwen2.5-VL`;
        throw new DataError({ file: name }, problem);
      }
      const grids = await Promise.all(question.images.map((image) => processor.grid(question, image)));
      const tokens = encode(question, grids, setting).ids.length;
      const most = config.max_prompt_length;
      if (most !== null && tokens > most) {
        if (config.overlong === 'error') {
          const fix =
            'raise it, lower max_pixels, or set overlong: drop (prompts are never cut: that would cut images)';
          throw new DataError(
            { file: name },
            `has ${tokens} tokens, more than max_prompt_length ${most}; ${fix}`,
          );
        }
        dropped++;
        continue;
      }
      const { maxPositions } = setting.model.text;
      if (tokens + config.max_completion_length > maxPositions) {
        const sum = `${tokens} tokens and max_completion_length ${config.max_completion_length}`;
        throw new DataError(
          { file: name },
          `has ${sum}, more than the model's ${maxPositions} positions; lower one of them, or set max_prompt_length`,
        );
      }
      entries.push({ question, grids, tokens });
    }
    if (dropped > 0) {
      const which = `${dropped} of ${questions.length} prompts are longer than max_prompt_length`;
      note(`${which} ${config.max_prompt_length} and are left out`);
    }
    if (entries.length === 0) throw new DataError({ file: 'the data' }, 'has no question that can be asked');
    return new PromptSet(setting, entries);
  }

  /** Questions. */
  get size(): number {
    return this.#entries.length;
  }

  /** The largest prompt, in tokens and in patches, and the largest image. */
  get largest(): { readonly tokens: number; readonly patches: number; readonly image: number } {
    const greatest = (measure: (entry: Entry) => number) => Math.max(...this.#entries.map(measure));
    return {
      tokens: greatest(({ tokens }) => tokens),
      patches: greatest(({ grids }) => grids.reduce((n, grid) => n + gridPatches(grid), 0)),
      image: greatest(({ grids }) => Math.max(0, ...grids.map(gridPatches))),
    };
  }

  /** The prompt at a place of the endless order. Each epoch has every question once. */
  at(place: number): Prompt {
    const { config } = this.#setting;
    const epoch = Math.floor(place / this.size);
    if (epoch !== this.#epoch) {
      const all = this.#entries.map((_, i) => i);
      this.#order = config.shuffle_dataset ? new Random(config.seed, 'grpo order', epoch).shuffle(all) : all;
      this.#epoch = epoch;
    }
    const index = this.#order[place % this.size];
    const { question, grids } = this.#entries[index];
    const asked = config.shuffle_options
      ? shuffleOptions(question, new Random(config.seed, 'grpo options', place))
      : question;
    return { index, question: asked, grids, ...encode(asked, grids, this.#setting) };
  }

  /** Patches of a prompt's images. */
  async images({ question }: Prompt): Promise<SampleImages | null> {
    if (question.images.length === 0) return null;
    return this.#setting.processor.images(question, question.images);
  }

  /** A number that changes with the questions and their order. */
  fingerprint(): number {
    let hash = 0x811c9dc5;
    for (const { question, tokens } of this.#entries) {
      for (const char of `${question.id} ${tokens} `) hash = Math.imul(hash ^ char.charCodeAt(0), 0x01000193);
    }
    return hash >>> 0;
  }
}

function encode(
  question: Question,
  grids: readonly Grid[],
  { config, model, processor }: PromptSetting,
): Pick<Prompt, 'text' | 'ids'> {
  const words = config.prompt_template ?? { style: config.answer_style, phase: 'train' as const };
  const { text, messages } = questionPrompt(question, words, config.system_prompt ?? undefined);
  const { ids } = encodePrompt(processor.tokenizer, processor.template, messages, {
    imageCounts: grids.map((grid) => imageTokenCount(grid, model.vision?.mergeSize)),
    ...(model.tokens.image === undefined ? {} : { imageTokenId: model.tokens.image }),
    name: placeOf(question),
  });
  return { text, ids: Int32Array.from(ids) };
}

function placeOf({ id, source }: Question): string {
  return source ? `${source.file}:${source.line}` : `question ${id}`;
}
