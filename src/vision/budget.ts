/**
 * What all pictures of a process may take together, whoever asks for them.
 *
 * A file of some kilobytes may hold a hundred megapixels, which take gigabytes and many seconds. So nothing is decoded before
 * its header has said how much it will be, only so many pixels are under way at a time, and what is large or has a decoder
 * that cannot be trusted with this process is decoded in a helper, which has a deadline and ends when nobody waits any more.
 */
import { helpersIfAny } from '../platform/current.js';
import { HelperPool } from '../platform/helper-pool.js';
import { type Helper, HelperError, type Helpers } from '../platform/ports/helpers.js';
import { Turnstile } from '../platform/turnstile.js';
import type { ImageConfig } from './config.js';
import { isDeflated } from './dicom/parse.js';
import type { EncodeOptions } from './encode.js';
import { ImageError } from './errors.js';
import type { RgbImage, Size } from './image.js';
import type { Picture } from './picture.js';
import { targetSize } from './smart-resize.js';
import { imageFormat } from './sniff.js';
import {
  doPictureWork,
  type PictureReply,
  type PictureRequest,
  type PictureResult,
  type PictureWork,
} from './work.js';

/** Limits of a {@link PictureBudget}. */
export interface PictureLimits {
  /** Pictures whose files are in memory at a time. */
  readonly pictures: number;
  /** Pixels that are decoded at a time; a picture that has more is decoded alone. */
  readonly pixels: number;
  /** Seconds that a helper may take for one picture. */
  readonly seconds: number;
  /** Up to so many pixels a picture of a common format is decoded in place. */
  readonly inPlacePixels: number;
}

const LIMITS: PictureLimits = {
  pictures: 64,
  pixels: 1 << 26,
  seconds: 120,
  // Takes less than starting a helper does, and no longer than a step of the event loop may.
  inPlacePixels: 1 << 20,
};

/** Formats whose decoders work beside the event loop and take no more memory than the header's pixels need. */
const IN_PLACE_FORMATS: readonly (string | undefined)[] = ['png', 'jpeg', 'webp'];
/** Longer files are not decoded in place, and of DICOM not parsed. */
const IN_PLACE_BYTES = 1 << 23;
const PARSED_IN_PLACE_BYTES = 1 << 20;
/** A helper that has decoded more pixels ends, as what they took may still be taken. */
const KEPT_PIXELS = 1 << 24;

/** Decodes pictures within limits. */
export class PictureBudget {
  readonly helpers: Helpers | undefined;
  readonly #limits: PictureLimits;
  readonly #pool: HelperPool | undefined;
  readonly #pictures: Turnstile;
  readonly #pixels: Turnstile;
  readonly #workers: Turnstile;

  /** @param helpers all is done in place without them. */
  constructor(helpers: Helpers | undefined, limits: Partial<PictureLimits> = {}) {
    this.helpers = helpers;
    this.#limits = { ...LIMITS, ...limits };
    this.#pictures = new Turnstile(this.#limits.pictures);
    this.#pixels = new Turnstile(this.#limits.pixels);
    this.#workers = new Turnstile(helpers?.together ?? 1);
    this.#pool = helpers && new HelperPool(() => helpers.start('pictures'), helpers.together);
  }

  /** See {@link pictureSize}. */
  async size(picture: Picture): Promise<Size> {
    return this.#reading(picture, undefined, (bytes) => this.#size(bytes, picture.name));
  }

  /** See {@link resizedViews} and {@link encodedPicture}. */
  async make(
    picture: Picture,
    work: Exclude<PictureWork, { kind: 'size' }>,
    given?: AbortSignal,
  ): Promise<PictureResult> {
    const { name } = picture;
    // One for each picture: Node warns where more than ten wait on one.
    const signal = given && AbortSignal.any([given]);
    return this.#reading(picture, signal, async (bytes) => {
      const size = await this.#size(bytes, name, signal);
      const pixels = size.width * size.height;
      const made = work.kind === 'resize' ? targetSize(size, work.config, name) : size;
      const leave = await this.#pixels.enter(pixels, signal);
      try {
        const request = { ...work, bytes, name };
        const isSmall = Math.max(pixels, made.width * made.height) <= this.#limits.inPlacePixels;
        const isHarmless = IN_PLACE_FORMATS.includes(imageFormat(bytes)) && bytes.length <= IN_PLACE_BYTES;
        return isSmall && isHarmless
          ? await doPictureWork(request)
          : await this.#ask(request, pixels, signal);
      } finally {
        leave();
      }
    });
  }

  async #reading<T>(
    picture: Picture,
    signal: AbortSignal | undefined,
    use: (bytes: Uint8Array) => Promise<T>,
  ): Promise<T> {
    const leave = await this.#pictures.enter(1, signal);
    try {
      return await use(await picture.read());
    } finally {
      leave();
    }
  }

  async #size(bytes: Uint8Array, name: string, signal?: AbortSignal): Promise<Size> {
    const request = { kind: 'size', bytes, name } as const;
    const isHarmless =
      imageFormat(bytes) !== 'dicom' || (bytes.length <= PARSED_IN_PLACE_BYTES && !isDeflated(bytes));
    return (isHarmless ? await doPictureWork(request) : await this.#ask(request, 0, signal)) as Size;
  }

  /** Has a helper do it, where there are helpers. */
  async #ask(request: PictureRequest, pixels: number, signal?: AbortSignal): Promise<PictureResult> {
    const pool = this.#pool;
    if (pool === undefined) return doPictureWork(request);
    const leave = await this.#workers.enter(1, signal);
    try {
      const helper = await pool.take();
      let isReusable = false;
      try {
        const reply = await this.#answer(helper, request, signal);
        isReusable = pixels <= KEPT_PIXELS;
        if ('result' in reply) return reply.result;
        throw new ImageError(reply.file, reply.problem);
      } finally {
        if (isReusable) pool.give(helper);
        else helper.end();
      }
    } finally {
      leave();
    }
  }

  async #answer(helper: Helper, request: PictureRequest, signal?: AbortSignal): Promise<PictureReply> {
    const { seconds } = this.#limits;
    try {
      return (await helper.ask(request, { seconds, ...(signal && { signal }) })) as PictureReply;
    } catch (error) {
      signal?.throwIfAborted();
      if (!(error instanceof HelperError)) throw error;
      const problem =
        error.kind === 'late'
          ? `takes more than ${seconds} s to decode; it is damaged, or too large: shrink it`
          : 'takes more memory to decode than there is for it; it is damaged, or too large: shrink it';
      throw new ImageError(request.name, problem, { cause: error });
    }
  }
}

let current: PictureBudget | undefined;

/** That of this process. */
function budget(): PictureBudget {
  const helpers = helpersIfAny();
  if (current === undefined || current.helpers !== helpers) current = new PictureBudget(helpers);
  return current;
}

/** The size of a picture, from its header. */
export function pictureSize(picture: Picture): Promise<Size> {
  return budget().size(picture);
}

/** A picture, and its crops if it has some, as they are cut into patches: decoded, and of the size that the model wants. */
export function resizedViews(
  picture: Picture,
  config: ImageConfig,
  signal?: AbortSignal,
): Promise<readonly RgbImage[]> {
  return budget().make(picture, { kind: 'resize', config }, signal) as Promise<readonly RgbImage[]>;
}

/** A picture as a file of another format or size. */
export function encodedPicture(
  picture: Picture,
  options: EncodeOptions,
  signal?: AbortSignal,
): Promise<Uint8Array> {
  return budget().make(picture, { kind: 'encode', options }, signal) as Promise<Uint8Array>;
}
