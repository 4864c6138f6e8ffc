/**
 * Rotary angles of new tokens. Their position is the same in time, height and width, so a table by position serves all
 * models, and a step that is replayed can look its rows up on the device.
 */
import type { Gpu } from '../gpu/index.js';
import { embedding } from '../kernels/embedding.js';
import { type RotaryTable, rotaryTable } from '../kernels/rotary.js';
import type { TextConfig } from '../models/core/config.js';
import { textRotaryAngles } from '../models/core/text-rotary.js';
import type { Tensor } from '../tensor/index.js';

const STEP = 1024;

/** Cosines and sines by position. */
export class PositionTable {
  readonly #gpu: Gpu;
  readonly #config: TextConfig;
  #table: RotaryTable | null = null;
  #size = 0;

  constructor(gpu: Gpu, config: TextConfig) {
    this.#gpu = gpu;
    this.#config = config;
  }

  /** Makes the table reach `count` positions; true if it had to be replaced. */
  reach(count: number): boolean {
    if (count <= this.#size) return false;
    this.dispose();
    this.#size = Math.ceil(Math.max(count, 2 * this.#size) / STEP) * STEP;
    const axis = Int32Array.from({ length: this.#size }, (_, position) => position);
    this.#table = rotaryTable(
      this.#gpu,
      textRotaryAngles(this.#config, [axis, axis, axis]),
      this.#config.headDim,
    );
    this.#table.cos.keep();
    this.#table.sin.keep();
    return true;
  }

  /** The rows of some positions, i32 on the device. */
  lookup(positions: Tensor): RotaryTable {
    const { cos, sin } = this.#table as RotaryTable;
    return { cos: embedding(cos, positions), sin: embedding(sin, positions) };
  }

  /** Frees the table. */
  dispose(): void {
    this.#table?.cos.dispose();
    this.#table?.sin.dispose();
    this.#table = null;
    this.#size = 0;
  }
}
