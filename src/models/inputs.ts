/**
 * A model's inputs from a file of tensors: `input_ids`, `attention_mask`, `pixel_values` and `image_grid_thw`; or, of models that
 * take pictures of one size, `pixel_values` alone, as pictures.
 */
import type { TensorFile } from '../formats/tensor-file.js';
import { type Grid, gridTokens } from './core/grid.js';
import type { Model } from './core/model.js';
import { type PackedBatch, packSequences, type Sequence } from './core/packing.js';
import { cutPictures } from './core/patches.js';

/** Inputs without padding. */
export interface ModelInputs {
  readonly packed: PackedBatch;
  /** Row of the padded batch, b * T + t, of each packed token. */
  readonly places: Int32Array;
  readonly rows: number;
  readonly columns: number;
  readonly grids: readonly Grid[];
  readonly pixels: Float32Array | null;
}

/** Rows without padding, and the images of all of them. */
export interface InputSequences extends Omit<ModelInputs, 'packed'> {
  readonly sequences: readonly Sequence[];
}

/** Reads ids, mask and images, packed. */
export async function readInputs(file: TensorFile, model: Model): Promise<ModelInputs> {
  const { sequences, ...inputs } = await readSequences(file, model);
  return { ...inputs, packed: packSequences(model.config, sequences) };
}

/** Reads ids, mask and images, row by row. */
export async function readSequences(file: TensorFile, model: Model): Promise<InputSequences> {
  const ids = await file.integers('input_ids');
  const mask = file.has('attention_mask') ? await file.integers('attention_mask') : null;
  if (mask) file.checkShape('attention_mask', [ids.rows, ids.columns]);
  const { grids, pixels } = await readImages(file, model);
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
    if (own.length === 0) throw file.wrong('attention_mask', `masks all of row ${b}`);
    sequences.push({ ids: own, images: takeImages(model, own, waiting) });
  }
  if (waiting.length > 0) {
    throw file.wrong(
      file.has('image_grid_thw') ? 'image_grid_thw' : 'pixel_values',
      `has ${waiting.length} images more than input_ids have placeholders for`,
    );
  }
  return {
    sequences,
    places: Int32Array.from(places),
    rows: ids.rows,
    columns: ids.columns,
    grids,
    pixels,
  };
}

async function readImages(file: TensorFile, model: Model): Promise<Pick<ModelInputs, 'grids' | 'pixels'>> {
  if (file.has('image_grid_thw')) {
    const grids = await readGrids(file);
    return { grids, pixels: grids.length > 0 ? await file.floats('pixel_values') : null };
  }
  const { vision } = model.config;
  if (!vision || !file.has('pixel_values')) return { grids: [], pixels: null };
  const shape = file.shape('pixel_values');
  if (shape.length !== 4) {
    throw file.wrong(
      'pixel_values',
      'are no pictures [n, channels, height, width], and there is no image_grid_thw',
    );
  }
  return cutPictures(await file.floats('pixel_values'), shape, vision);
}

async function readGrids(file: TensorFile): Promise<Grid[]> {
  const { rows, columns, values } = await file.integers('image_grid_thw');
  if (columns !== 3) throw file.wrong('image_grid_thw', `has ${columns} columns; expected 3`);
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
