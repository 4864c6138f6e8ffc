/** A safetensors file of inputs and results rather than weights: whole tensors by name, as numbers of the host. */

import { type Checkpoint, openCheckpoint } from './checkpoint.js';
import { dtypeBytes, isFloatDtype, toF32, viewAs } from './dtypes.js';
import { SafetensorsError } from './errors.js';

/** An integer matrix of the file. */
export interface IntegerMatrix {
  readonly rows: number;
  readonly columns: number;
  readonly values: Int32Array;
}

/** An open file. */
export class TensorFile {
  readonly path: string;
  readonly metadata: Readonly<Record<string, string>>;
  readonly #file: Checkpoint;

  protected constructor(path: string, file: Checkpoint) {
    this.path = path;
    this.#file = file;
    this.metadata = file.metadata();
  }

  /** Opens a file. */
  static async open(path: string): Promise<TensorFile> {
    return new TensorFile(path, await openCheckpoint(path));
  }

  /** Names of all tensors. */
  names(): string[] {
    return this.#file.names();
  }

  /** Whether the file has a tensor. */
  has(name: string): boolean {
    return this.#file.has(name);
  }

  /** Shape of a tensor that must be there. */
  shape(name: string): readonly number[] {
    return this.#file.info(name).shape;
  }

  /** An I64 or I32 matrix. */
  async integers(name: string): Promise<IntegerMatrix> {
    const { dtype, shape } = this.#file.info(name);
    if ((dtype !== 'I64' && dtype !== 'I32') || shape.length !== 2) {
      throw this.wrong(name, `is ${dtype} [${shape.join(', ')}]; expected an I64 matrix`);
    }
    const view = viewAs(await this.#file.read(name), dtype) as BigInt64Array | Int32Array;
    return { rows: shape[0], columns: shape[1], values: Int32Array.from(view, Number) };
  }

  /** Elements `first` to `first + count` of a float tensor; all by default. */
  async floats(name: string, first = 0, count?: number): Promise<Float32Array> {
    const { dtype, shape } = this.#file.info(name);
    if (!isFloatDtype(dtype)) throw this.wrong(name, `is ${dtype}; expected F32`);
    const bytes = dtypeBytes(dtype);
    const all = shape.reduce((n, d) => n * d, 1);
    const range = { start: first * bytes, end: (first + (count ?? all - first)) * bytes };
    return toF32(await this.#file.read(name, { range }), dtype);
  }

  /** Refuses a tensor whose shape does not follow from the inputs. */
  checkShape(name: string, expected: readonly number[]): void {
    const shape = this.shape(name);
    if (shape.join() === expected.join()) return;
    throw this.wrong(
      name,
      `has shape [${shape.join(', ')}]; the inputs and the model make it [${expected.join(', ')}]`,
    );
  }

  /** An error about one tensor of the file. */
  wrong(name: string, problem: string): SafetensorsError {
    return new SafetensorsError(this.path, problem, { tensor: name });
  }

  /** Closes the file. */
  async close(): Promise<void> {
    await this.#file.close();
  }
}
