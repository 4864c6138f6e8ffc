/**
 * From a conversation with pictures to what a model takes: the one way for training, evaluation, synthesis and generation.
 *
 * Encoding reads no more of a picture than its header, which gives the number of its tokens, so that a run knows all its
 * prompts before it begins. Patches, which are large, are made when they are asked for and kept by whoever asked.
 */
import {
  encodeConversation,
  encodePrompt,
  expandImageTokens,
  imagesOf,
  type Message,
  type PromptOptions,
  TextError,
  withPictures,
} from '../../text/index.js';
import { ImageError, type Picture } from '../../vision/index.js';
import type { ModelConfig } from '../core/config.js';
import { blindness } from '../core/family.js';
import { type Grid, gridPatches, gridTokens, patchValues } from '../core/grid.js';
import type { ImagePatches } from '../core/patches.js';
import type { Processor } from './processor.js';

/** A prompt as token ids. */
export interface EncodedPrompt {
  /** With one placeholder per merged patch of its pictures. */
  readonly ids: Int32Array;
  readonly pictures: readonly Picture[];
  /** One per picture, and per crop of one where the model is shown crops, too. */
  readonly grids: readonly Grid[];
}

/** A conversation to learn from. */
export interface EncodedLesson extends EncodedPrompt {
  /** 1 where a token is part of an answer and so of the loss, else 0. */
  readonly mask: Uint8Array;
}

/** A prompt as a generator takes it. */
export interface PreparedPrompt {
  readonly ids: Int32Array;
  readonly images?: ImagePatches;
}

/** How to encode. */
export interface EncodeOptions {
  /** What error messages call the prompt, such as a file and line. */
  readonly name: string;
  /** What shall follow, for which the model must have positions; no limit is looked at without it. */
  readonly room?: Room;
}

/** Tokens that shall follow a prompt. */
export interface Room {
  readonly tokens: number;
  /** The setting that says how many. */
  readonly field?: string;
  /** What helps where there is no room for them. */
  readonly fix: string;
}

/** Most pictures of a prompt: more than a study that a model can look at has slices, and few enough to open them all. */
const MOST_PICTURES = 512;

const ONE_TOKEN: Room = { tokens: 1, fix: 'shorten it, or show smaller images' };

/** A prompt's pictures before the text around them is encoded. */
interface Media extends Omit<EncodedPrompt, 'ids'> {
  readonly options: PromptOptions;
}

/** Encodes for one model. */
export class PromptEncoder {
  readonly config: ModelConfig;
  readonly processor: Processor;

  /** The processor is that of the model's folder. */
  constructor(config: ModelConfig, processor: Processor) {
    this.config = config;
    this.processor = processor;
  }

  /** A conversation that the model shall continue. */
  async prompt(messages: readonly Message<Picture>[], options: EncodeOptions): Promise<EncodedPrompt> {
    const media = await this.#look(imagesOf(messages), options.name);
    const { ids } = await encodePrompt(this.processor.coder, messages, media.options);
    return this.#checked(ids, media, { room: ONE_TOKEN, ...options });
  }

  /**
   * A conversation with the answers that the model shall learn.
   *
   * @param options.learn which answers count: the last message (default) or all of the assistant's.
   */
  async lesson(
    messages: readonly Message<Picture>[],
    options: EncodeOptions & { readonly learn?: 'last' | 'all' },
  ): Promise<EncodedLesson> {
    const media = await this.#look(imagesOf(messages), options.name);
    const { learn = 'last' } = options;
    const found = await encodeConversation(this.processor.coder, messages, { ...media.options, learn });
    return { ...this.#checked(found.ids, media, options), mask: found.completionMask };
  }

  /** A text as it is, without a template; pictures stand where it has their placeholder tokens. */
  async text(text: string, pictures: readonly Picture[], options: EncodeOptions): Promise<EncodedPrompt> {
    const media = await this.#look(pictures, options.name);
    const { imageCounts = [], imageTokenId, pictureTexts } = media.options;
    const spelled = pictureTexts ? withPictures(text, pictureTexts, options.name) : text;
    const ids = await this.processor.coder.encode(spelled, { addSpecialTokens: true });
    const expanded =
      pictures.length === 0 || imageTokenId === undefined
        ? ids
        : expandImageTokens(ids, imageTokenId, imageCounts, options.name);
    return this.#checked(expanded, media, { room: ONE_TOKEN, ...options });
  }

  /**
   * Patches of a prompt's pictures; null where it has none.
   *
   * @param signal aborted where nobody waits for them any more.
   */
  async patches({ pictures, grids }: EncodedPrompt, signal?: AbortSignal): Promise<ImagePatches | null> {
    if (pictures.length === 0) return null;
    const patches = await this.processor.patches(pictures, signal);
    const changed = grids.findIndex((grid, i) => grid.join() !== patches.grids[i]?.join());
    if (changed >= 0 || grids.length !== patches.grids.length) {
      // With crops nobody knows whose they are.
      const name = pictures.length === grids.length ? pictures[changed].name : 'a picture';
      throw new ImageError(name, 'has another size than before; files must not change meanwhile');
    }
    return patches;
  }

  /** Bytes that the patches of a prompt's pictures will take. */
  patchBytes({ grids }: EncodedPrompt): number {
    const { vision } = this.config;
    if (!vision) return 0;
    return grids.reduce((sum, grid) => sum + gridPatches(grid), 0) * patchValues(vision) * 4;
  }

  /** A prompt with its patches. */
  async prepare(prompt: EncodedPrompt, signal?: AbortSignal): Promise<PreparedPrompt> {
    const images = await this.patches(prompt, signal);
    return images ? { ids: prompt.ids, images } : { ids: prompt.ids };
  }

  /** What encoding needs to know of a prompt's pictures; refuses them where the model has no tower. */
  async #look(images: readonly (Picture | undefined)[], name: string): Promise<Media> {
    const { vision, tokens, family, pictureText } = this.config;
    const pictures = images.filter((image) => image !== undefined);
    if (pictures.length < images.length) throw new TextError(name, 'has an image part without an image');
    if (pictures.length > 0 && !vision) throw new TextError(name, `has images, but ${blindness(family)}`);
    if (pictures.length > MOST_PICTURES) {
      throw new TextError(name, `has ${pictures.length} pictures, more than ${MOST_PICTURES}; show fewer`);
    }
    const views = await Promise.all(pictures.map((picture) => this.processor.grids(picture)));
    const grids = views.flat();
    const imageCounts = grids.map((grid) => gridTokens(grid, vision?.mergeSize ?? 1));
    const token = tokens.image === undefined ? {} : { imageTokenId: tokens.image };
    const texts = pictureText && {
      pictureTexts: {
        placeholder: pictureText.placeholder,
        texts: views.map((own) => pictureText.text(own.length)),
      },
    };
    return { pictures, grids, options: { imageCounts, ...token, ...texts, name } };
  }

  /** Refuses a prompt that leaves no room for what shall follow. */
  #checked(ids: readonly number[], { pictures, grids }: Media, options: EncodeOptions): EncodedPrompt {
    const { name, room } = options;
    const { maxPositions } = this.config.text;
    // A picture takes fewer positions than tokens, never more.
    if (room && ids.length + room.tokens > maxPositions) {
      const { next } = this.config.positions(ids, { images: grids });
      const { tokens, field, fix } = room;
      if (next + tokens > maxPositions) {
        const needs = `takes ${next} positions${field ? ` and ${field} ${tokens}` : ''}`;
        throw new TextError(name, `${needs}, more than the model's ${maxPositions} positions; ${fix}`);
      }
    }
    return { ids: Int32Array.from(ids), pictures, grids };
  }
}
