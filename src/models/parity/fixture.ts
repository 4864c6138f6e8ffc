/** Parity fixtures: inputs, and what the reference implementation makes of them, in one safetensors file. */
import { type Checkpoint, openCheckpoint } from '../../formats/checkpoint.js';
import { SafetensorsError } from '../../formats/errors.js';
import { TensorFile } from '../../formats/tensor-file.js';
import type { Tolerance } from './difference.js';

const DEFAULT_TOLERANCE = { rtol: 1e-3, atol: 1e-6 };

/** An open fixture. */
export class Fixture extends TensorFile {
  readonly kind: string;
  readonly tolerance: Tolerance;

  private constructor(path: string, file: Checkpoint) {
    super(path, file);
    this.kind = this.metadata.kind ?? '';
    this.tolerance = { rtol: this.#number('rtol'), atol: this.#number('atol') };
  }

  /** Opens a fixture file. */
  static override async open(path: string): Promise<Fixture> {
    const file = await openCheckpoint(path);
    try {
      return new Fixture(path, file);
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  #number(field: 'rtol' | 'atol'): number {
    const text = this.metadata[field];
    if (text === undefined) return DEFAULT_TOLERANCE[field];
    const value = Number(text);
    if (text.trim() !== '' && value >= 0) return value;
    throw new SafetensorsError(
      this.path,
      `has ${field} ${JSON.stringify(text)} in __metadata__; expected a number`,
    );
  }
}
