/** From samples to token ids with a mask of what is learned. */
import {
  type Conversation,
  DataError,
  type ImageSource,
  imageKey,
  isConversation,
  type Sample,
  teachingConversation,
} from '../data/index.js';
import type { Grid, ModelConfig } from '../models/index.js';
import type { Processor } from '../models/processor.js';
import { encodeConversation, imagesOf, TextError } from '../text/index.js';
import { imageTokenCount } from '../vision/index.js';
import type { SftConfig } from './config.js';

/** Something to learn: one conversation. */
export interface Example {
  readonly sample: Conversation;
  readonly ids: Int32Array;
  /** 1 where a token counts in the loss. */
  readonly mask: Uint8Array;
  readonly images: readonly ImageSource[];
  readonly grids: readonly Grid[];
}

/** What {@link buildExamples} needs to know. */
export interface ExampleSetting {
  readonly config: Pick<
    SftConfig,
    'answer_style' | 'prompt_template' | 'system_prompt' | 'learn_from' | 'max_length' | 'overlong'
  >;
  readonly model: ModelConfig;
  readonly processor: Processor;
  note(line: string): void;
}

/** Samples that are encoded side by side, and milliseconds between signs of life. */
const TOGETHER = 64;
const SHOW_EVERY = 10_000;

/** Encodes samples. What cannot be used is left out and told of, or refused where the config says so. */
export async function buildExamples(samples: readonly Sample[], setting: ExampleSetting): Promise<Example[]> {
  const { config, note } = setting;
  const grids = new Grids(setting);
  const examples: Example[] = [];
  let unreasoned = 0;
  let dropped = 0;
  let shown = performance.now();
  // Side by side, because most of the time goes into waiting for image files.
  for (let first = 0; first < samples.length; first += TOGETHER) {
    const conversations = samples
      .slice(first, first + TOGETHER)
      .flatMap((sample) => asConversation(sample, config) ?? []);
    unreasoned += Math.min(TOGETHER, samples.length - first) - conversations.length;
    const encoded = await Promise.all(conversations.map((sample) => encode(sample, setting, grids)));
    const kept = encoded.flatMap((example) => withinLength(example, setting) ?? []);
    dropped += encoded.length - kept.length;
    examples.push(...kept);
    if (performance.now() - shown < SHOW_EVERY) continue;
    shown = performance.now();
    note(`${first + TOGETHER} of ${samples.length} samples are read`);
  }
  if (unreasoned > 0) {
    note(
      `${unreasoned} of ${samples.length} questions have no reasoning to teach with answer_style ${config.answer_style} and are left out`,
    );
  }
  if (dropped > 0)
    note(
      `${dropped} of ${samples.length} examples are longer than max_length ${config.max_length} and are left out`,
    );
  if (examples.length === 0) {
    const reasons =
      unreasoned > 0 ? 'give the questions a "reasoning", or set answer_style: no-think' : 'raise max_length';
    throw new DataError({ file: 'the data' }, `has no example to learn from; ${reasons}`);
  }
  return examples;
}

function asConversation(sample: Sample, config: ExampleSetting['config']): Conversation | undefined {
  if (isConversation(sample)) return sample;
  return teachingConversation(sample, config.answer_style, {
    system: config.system_prompt ?? undefined,
    template: config.prompt_template ?? undefined,
  });
}

async function encode(sample: Conversation, setting: ExampleSetting, grids: Grids): Promise<Example> {
  const { config, model, processor } = setting;
  const images = imagesOf(sample.messages) as ImageSource[];
  const name = placeOf(sample);
  if (images.length > 0 && !model.vision) {
    throw new DataError(
      { file: name },
      `has images, but a ${model.family} model cannot see; use a Qwen2-VL or Qwen2.5-VL`,
    );
  }
  const own = await Promise.all(images.map((image) => grids.of(sample, image)));
  const { ids, completionMask } = encodeConversation(
    processor.tokenizer,
    processor.template,
    sample.messages,
    {
      learn: config.learn_from,
      imageCounts: own.map((grid) => imageTokenCount(grid, model.vision?.mergeSize)),
      ...(model.tokens.image === undefined ? {} : { imageTokenId: model.tokens.image }),
      name,
    },
  );
  if (ids.length > model.text.maxPositions && config.max_length === null) {
    throw new TextError(
      name,
      `has ${ids.length} tokens, more than the model's ${model.text.maxPositions} positions; set max_length`,
    );
  }
  return { sample, ids: Int32Array.from(ids), mask: completionMask, images, grids: own };
}

/** Cuts or drops what is too long. */
function withinLength(example: Example, { config, model }: ExampleSetting): Example | undefined {
  const { max_length: most, overlong } = config;
  const { ids, mask } = example;
  if (most === null || ids.length <= most) return example;
  const name = placeOf(example.sample);
  const problem = `has ${ids.length} tokens, more than max_length ${most}`;
  if (overlong === 'drop') return undefined;
  if (overlong === 'error') throw new TextError(name, `${problem}; raise it, or set overlong: drop`);
  const { image, visionEnd } = model.tokens;
  if (ids.subarray(most - 1).some((id) => id === image || id === visionEnd)) {
    throw new TextError(
      name,
      `${problem}, and cutting it would cut an image; raise max_length, lower max_pixels, or set overlong: drop`,
    );
  }
  const cut = { ...example, ids: ids.slice(0, most), mask: mask.slice(0, most) };
  if (!cut.mask.includes(1)) {
    throw new TextError(
      name,
      `${problem}, and cutting it would leave no answer to learn; raise max_length, or set overlong: drop`,
    );
  }
  return cut;
}

function placeOf({ id, source }: Conversation): string {
  return source ? `${source.file}:${source.line}` : id;
}

/** Grids of pictures, each read once. */
class Grids {
  readonly #processor: Processor;
  readonly #known = new Map<string, Promise<Grid>>();

  constructor({ processor }: ExampleSetting) {
    this.#processor = processor;
  }

  of(sample: Conversation, image: ImageSource): Promise<Grid> {
    const key = imageKey(sample, image);
    let grid = this.#known.get(key);
    if (!grid) {
      grid = this.#processor.grid(sample, image);
      this.#known.set(key, grid);
    }
    return grid;
  }
}
