/** Going on past images that cannot be used, without losing sight of them. */
import { ImageError } from './errors.js';

/** An image that was left out. */
export interface SkippedImage {
  readonly file: string;
  readonly problem: string;
}

/** Counts the images of a run: those used, and those left out with why. */
export class ImageTally {
  /** Images that could be used. */
  used = 0;
  /** Images that could not. */
  skippedCount = 0;
  /** The first of them; no more, as a broken dataset may have millions. */
  readonly skipped: SkippedImage[] = [];
  readonly #keep: number;

  /** @param options.keep how many skipped images to remember. */
  constructor(options: { keep?: number } = {}) {
    this.#keep = options.keep ?? 100;
  }

  /**
   * Does something with an image. An `ImageError` is counted and gives `undefined`; any other error is a fault of the
   * program and goes through.
   */
  async attempt<T>(work: () => T | Promise<T>): Promise<T | undefined> {
    try {
      const result = await work();
      this.used++;
      return result;
    } catch (error) {
      if (!(error instanceof ImageError)) throw error;
      this.skippedCount++;
      if (this.skipped.length < this.#keep) this.skipped.push({ file: error.file, problem: error.problem });
      return undefined;
    }
  }

  /** One sentence for a log, or `undefined` if nothing was skipped. */
  summary(): string | undefined {
    const [first] = this.skipped;
    if (first === undefined) return undefined;
    const total = this.used + this.skippedCount;
    return `skipped ${this.skippedCount} of ${total} images; the first: ${first.file} ${first.problem}`;
  }
}
