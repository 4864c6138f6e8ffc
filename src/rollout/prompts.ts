/** The prompts of a run: questions as token ids, in an endless order of shuffled epochs. */
import {
  DataError,
  type Question,
  questionPrompt,
  Random,
  sampleName,
  shuffleOptions,
  withPictures,
} from '../data/index.js';
import { gridPatches } from '../models/core/grid.js';
import type { ImagePatches } from '../models/core/patches.js';
import {
  ahead,
  type EncodedPrompt,
  isTooLong,
  type PromptEncoder,
  readAll,
} from '../models/processor/index.js';
import type { HostTensor, SavedTaskState } from '../train/task.js';
import type { RolloutConfig } from './config.js';
import { epochOrder, recordedSuccess } from './curriculum.js';

/** A question that is to be answered. */
export interface Prompt extends EncodedPrompt {
  /** Number of the question in the data that is used. */
  readonly index: number;
  /** With its options in the order of this prompt. */
  readonly question: Question;
  /** Text without the chat template. */
  readonly text: string;
}

/** A prompt that is asked, with its images: they live as long as somebody learns from its completions. */
export interface AskedPrompt extends Prompt {
  /** Place in the run's order. */
  readonly place: number;
  readonly images: ImagePatches | null;
}

/** What {@link PromptSet} needs to know. */
export interface PromptSetting {
  readonly config: RolloutConfig;
  readonly encoder: PromptEncoder;
  note(line: string): void;
}

/** A question that can be asked, and the size of its prompt. */
interface Entry {
  readonly question: Question;
  readonly tokens: number;
  /** Of all its images, and of the largest. */
  readonly patches: number;
  readonly image: number;
}

/** Names of arrays in the state. */
const SUCCESS = 'curriculum.success';
const ORDER = 'curriculum.order.';

/** Prompts whose images are decoded side by side. */
const DECODED_TOGETHER = 8;

/** The questions that can be asked. */
export class PromptSet {
  readonly #setting: PromptSetting;
  readonly #entries: readonly Entry[];
  /** Orders of the epochs that are in use: with a curriculum, one is settled when its epoch begins. */
  #orders: ReadonlyMap<number, readonly number[]> = new Map();
  /** Share of right answers by question, replaced and never changed. */
  #success: Float32Array;

  private constructor(setting: PromptSetting, entries: readonly Entry[]) {
    this.#setting = setting;
    this.#entries = entries;
    this.#success = Float32Array.from(entries, ({ question }) => recordedSuccess(question));
  }

  /** Encodes all questions once, so that what does not fit is known before any weight is loaded. */
  static async open(questions: readonly Question[], setting: PromptSetting): Promise<PromptSet> {
    const { config, note } = setting;
    const found = await readAll(questions, (question) => entryOf(question, setting), note);
    const entries = found.filter((entry) => entry !== undefined);
    const dropped = found.length - entries.length;
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
      patches: greatest(({ patches }) => patches),
      image: greatest(({ image }) => image),
    };
  }

  /** The prompt at a place of the endless order, to be asked. */
  async ask(place: number): Promise<AskedPrompt> {
    const prompt = await this.#at(place);
    return { ...prompt, place, images: await this.#setting.encoder.patches(prompt) };
  }

  /** The one with the most tokens, to be asked. */
  async askLongest(): Promise<AskedPrompt> {
    const longest = this.#entries.reduce((best, entry) => (entry.tokens > best.tokens ? entry : best));
    const { question } = longest;
    const prompt = await encode(question, this.#setting);
    const images = await this.#setting.encoder.patches(prompt);
    return { ...prompt, index: this.#entries.indexOf(longest), question, place: 0, images };
  }

  /** Several prompts that follow each other, read side by side. */
  async askFrom(place: number, count: number): Promise<AskedPrompt[]> {
    const places = Array.from({ length: count }, (_, i) => place + i);
    const asked: AskedPrompt[] = [];
    for await (const prompt of ahead(places, (at) => this.ask(at), DECODED_TOGETHER)) asked.push(prompt);
    return asked;
  }

  /** Each epoch has every question once. */
  async #at(place: number): Promise<Prompt> {
    const { config } = this.#setting;
    const index = this.#orderOf(Math.floor(place / this.size))[place % this.size];
    const { question } = this.#entries[index];
    const asked = config.shuffle_options
      ? shuffleOptions(question, new Random(config.seed, 'grpo options', place))
      : question;
    return { index, question: asked, ...(await encode(asked, this.#setting)) };
  }

  #orderOf(epoch: number): readonly number[] {
    const known = this.#orders.get(epoch);
    if (known) return known;
    const { config } = this.#setting;
    const random = new Random(config.seed, 'grpo order', epoch);
    const all = this.#entries.map((_, i) => i);
    const order =
      config.curriculum !== 'none'
        ? epochOrder(config.curriculum, this.#success, random)
        : config.shuffle_dataset
          ? random.shuffle(all)
          : all;
    // A round under way may still hold prompts of the epoch before.
    this.#orders = new Map([...this.#orders, [epoch, order] as const].filter(([e]) => e >= epoch - 1));
    return order;
  }

  /** Takes note of how questions were answered; an epoch that has begun keeps its order. */
  learnSuccess(found: readonly { readonly index: number; readonly success: number }[]): void {
    const success = this.#success.slice();
    for (const one of found) success[one.index] = one.success;
    this.#success = success;
  }

  /** What the order of later prompts depends on, where there is a curriculum. */
  state(): Readonly<Record<string, HostTensor>> {
    if (this.#setting.config.curriculum === 'none') return {};
    const orders = [...this.#orders].map(([epoch, order]): [string, HostTensor] => [
      `${ORDER}${epoch}`,
      { shape: [order.length], data: Int32Array.from(order) },
    ]);
    return Object.fromEntries([[SUCCESS, { shape: [this.size], data: this.#success }], ...orders]);
  }

  /** Puts it back. */
  async restore(saved: Pick<SavedTaskState, 'names' | 'read'>): Promise<void> {
    if (!saved.names().includes(SUCCESS)) return;
    this.#success = (await saved.read(SUCCESS)).data as Float32Array;
    const orders = new Map<number, readonly number[]>();
    for (const name of saved.names().filter((one) => one.startsWith(ORDER))) {
      orders.set(Number(name.slice(ORDER.length)), Array.from((await saved.read(name)).data));
    }
    this.#orders = orders;
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

/** A question with its sizes; undefined where it is longer than the config wants. */
async function entryOf(question: Question, setting: PromptSetting): Promise<Entry | undefined> {
  const { max_prompt_length, overlong } = setting.config;
  const { ids, grids } = await encode(question, setting);
  const limit = {
    field: 'max_prompt_length',
    tokens: max_prompt_length,
    refuse: overlong === 'error',
    fix: 'raise it, lower max_pixels, or set overlong: drop (prompts are never cut: that would cut images)',
  };
  if (isTooLong(ids.length, limit, sampleName(question))) return undefined;
  const patches = grids.map(gridPatches);
  return {
    question,
    tokens: ids.length,
    patches: patches.reduce((sum, n) => sum + n, 0),
    image: Math.max(0, ...patches),
  };
}

async function encode(
  question: Question,
  { config, encoder }: PromptSetting,
): Promise<EncodedPrompt & Pick<Prompt, 'text'>> {
  const words = config.prompt_template ?? { style: config.answer_style, phase: 'train' as const };
  const { text, messages } = questionPrompt(question, words, config.system_prompt ?? undefined);
  const prompt = await encoder.prompt(withPictures(question, messages), {
    name: sampleName(question),
    room: {
      tokens: config.max_completion_length,
      field: 'max_completion_length',
      fix: 'lower it, or set max_prompt_length',
    },
  });
  return { ...prompt, text };
}
