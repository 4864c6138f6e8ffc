/**
 * Rotary angles of new tokens. Their position is the same in time, height and width, so a table by position serves all
 * models, and a step that is replayed can look its rows up on the device.
 */
import type { Gpu } from '../gpu/index.js';
import { embedding } from '../kernels/embedding.js';
import type { RotaryTable } from '../kernels/rotary.js';
import { uploadRotary } from '../models/core/batch.js';
import type { ModelConfig } from '../models/core/config.js';
import type { Tensor } from '../tensor/index.js';

const STEP = 1024;

/** Cosines and sines by position, for each kind of layer. */
export class PositionTable {
  readonly #gpu: Gpu;
  readonly #config: ModelConfig;
  #tables: readonly RotaryTable[] = [];
  #size = 0;

  constructor(gpu: Gpu, config: ModelConfig) {
    this.#gpu = gpu;
    this.#config = config;
  }

  /** Makes the table reach `count` positions; true if it had to be replaced. */
  reach(count: number): boolean {
    if (count <= this.#size) return false;
    this.dispose();
    this.#size = Math.ceil(Math.max(count, 2 * this.#size) / STEP) * STEP;
    const axis = Int32Array.from({ length: this.#size }, (_, position) => position);
    this.#tables = uploadRotary(this.#gpu, this.#config, [axis, axis, axis]);
    return true;
  }

  /** The rows of some positions, i32 on the device, by kind of layer. */
  lookup(positions: Tensor): readonly RotaryTable[] {
    return this.#tables.map(({ cos, sin }) => ({
      cos: embedding(cos, positions),
      sin: embedding(sin, positions),
    }));
  }

  /** Frees the table. */
  dispose(): void {
    for (const { cos, sin } of this.#tables) {
      cos.dispose();
      sin.dispose();
    }
    this.#tables = [];
    this.#size = 0;
  }
}
