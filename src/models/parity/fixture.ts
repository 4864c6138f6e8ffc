/** Parity fixtures: inputs, and what the reference implementation makes of them, in one safetensors file. */
import { type Checkpoint, openCheckpoint } from '../../formats/checkpoint.js';
import { type FloatDtype, isFloatDtype, toF32, viewAs } from '../../formats/dtypes.js';
import { SafetensorsError } from '../../formats/errors.js';
import { type Grid, gridTokens } from '../core/grid.js';
import type { Model } from '../core/model.js';
import { type PackedBatch, packSequences, type Sequence } from '../core/packing.js';
import type { Tolerance } from './difference.js';

/** An integer matrix of the file. */
export interface IntegerMatrix {
  readonly rows: number;
  readonly columns: number;
  readonly values: Int32Array;
}

const DEFAULT_TOLERANCE = { rtol: 1e-3, atol: 1e-6 };

/** An open fixture. */
export class Fixture {
  readonly path: string;
  readonly kind: string;
  readonly tolerance: Tolerance;
  readonly metadata: Readonly<Record<string, string>>;
  readonly #file: Checkpoint;

  private constructor(path: string, file: Checkpoint) {
    this.path = path;
    this.#file = file;
    this.metadata = file.metadata();
    this.kind = this.metadata.kind ?? '';
    this.tolerance = { rtol: this.#number('rtol'), atol: this.#number('atol') };
  }

  /** Opens a fixture file. */
  static async open(path: string): Promise<Fixture> {
    const file = await openCheckpoint(path);
    try {
      return new Fixture(path, file);
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  /** Names of all tensors. */
  names(): string[] {
    return this.#file.names();
  }

  /** Whether the fixture has a tensor. */
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
      throw this.#wrong(name, `is ${dtype} [${shape.join(', ')}]; expected an I64 matrix`);
    }
    const view = viewAs(await this.#file.read(name), dtype) as BigInt64Array | Int32Array;
    return { rows: shape[0], columns: shape[1], values: Int32Array.from(view, Number) };
  }

  /** Elements `first` to `first + count` of a float tensor; all by default. */
  async floats(name: string, first = 0, count?: number): Promise<Float32Array> {
    const { dtype, shape } = this.#file.info(name);
    if (!isFloatDtype(dtype)) throw this.#wrong(name, `is ${dtype}; expected F32`);
    const bytes = { F32: 4, F64: 8, F16: 2, BF16: 2 }[dtype satisfies FloatDtype];
    const all = shape.reduce((n, d) => n * d, 1);
    const range = { start: first * bytes, end: (first + (count ?? all - first)) * bytes };
    return toF32(await this.#file.read(name, { range }), dtype);
  }

  /** Refuses a tensor whose shape does not follow from the inputs. */
  checkShape(name: string, expected: readonly number[]): void {
    const shape = this.shape(name);
    if (shape.join() === expected.join()) return;
    throw this.#wrong(
      name,
      `has shape [${shape.join(', ')}]; the inputs and the model make it [${expected.join(', ')}]`,
    );
  }

  /** An error about one tensor of the file. */
  wrong(name: string, problem: string): Error {
    return this.#wrong(name, problem);
  }

  /** Closes the file. */
  async close(): Promise<void> {
    await this.#file.close();
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

  #wrong(name: string, problem: string): SafetensorsError {
    return new SafetensorsError(this.path, problem, { tensor: name });
  }
}

/** A fixture's inputs, without padding. */
export interface FixtureInputs {
  readonly packed: PackedBatch;
  /** Row of the padded batch, b * T + t, of each packed token. */
  readonly places: Int32Array;
  readonly rows: number;
  readonly columns: number;
  readonly grids: readonly Grid[];
  readonly pixels: Float32Array | null;
}

/** A fixture's rows without padding, and the images of all of them. */
export interface FixtureSequences extends Omit<FixtureInputs, 'packed'> {
  readonly sequences: readonly Sequence[];
}

/** Reads ids, mask and images, packed. */
export async function readInputs(fixture: Fixture, model: Model): Promise<FixtureInputs> {
  const { sequences, ...inputs } = await readSequences(fixture, model);
  return { ...inputs, packed: packSequences(model.config, sequences) };
}

/** Reads ids, mask and images, row by row. */
export async function readSequences(fixture: Fixture, model: Model): Promise<FixtureSequences> {
  const ids = await fixture.integers('input_ids');
  const mask = fixture.has('attention_mask') ? await fixture.integers('attention_mask') : null;
  if (mask) fixture.checkShape('attention_mask', [ids.rows, ids.columns]);
  const grids = fixture.has('image_grid_thw') ? await readGrids(fixture) : [];
  const places: number[] = [];
  const waiting = [...grids];
  const sequences = [];
  for (let b = 0; b < ids.rows; b++) {
    const own: number[] = [];
    for (let t = 0; t < ids.columns; t++) {
      const at = b * ids.columns + t;
      if (mask && mask.values[at] === 0) continue;
      own.push(ids.values[at]);
      places.push(at);
    }
    if (own.length === 0) throw fixture.wrong('attention_mask', `masks all of row ${b}`);
    sequences.push({ ids: own, images: takeImages(model, own, waiting) });
  }
  if (waiting.length > 0) {
    throw fixture.wrong(
      'image_grid_thw',
      `has ${waiting.length} images more than input_ids have placeholders for`,
    );
  }
  return {
    sequences,
    places: Int32Array.from(places),
    rows: ids.rows,
    columns: ids.columns,
    grids,
    pixels: grids.length > 0 ? await fixture.floats('pixel_values') : null,
  };
}

async function readGrids(fixture: Fixture): Promise<Grid[]> {
  const { rows, columns, values } = await fixture.integers('image_grid_thw');
  if (columns !== 3) throw fixture.wrong('image_grid_thw', `has ${columns} columns; expected 3`);
  return Array.from({ length: rows }, (_, i) => [values[3 * i], values[3 * i + 1], values[3 * i + 2]]);
}

/** The grids of a sample: as many as its placeholders need. */
function takeImages(model: Model, ids: readonly number[], waiting: Grid[]): Grid[] {
  const { config } = model;
  let placeholders = config.vision ? ids.filter((id) => id === config.tokens.image).length : 0;
  const own: Grid[] = [];
  while (placeholders > 0 && waiting.length > 0) {
    const grid = waiting.shift() as Grid;
    own.push(grid);
    placeholders -= gridTokens(grid, config.vision?.mergeSize ?? 1);
  }
  return own;
}
