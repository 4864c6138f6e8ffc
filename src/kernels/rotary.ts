/**
 * Rotary position embeddings. The tables of cosines and sines are built on the host, in the float32 steps of PyTorch
 * (frequencies, then angles) with the functions themselves in float64: WGSL's sin and cos are only accurate for small
 * angles.
 */
import { check, type Gpu } from '../gpu/index.js';
import { empty, fromHost, type Tensor } from '../tensor/index.js';
import { checkDevice, checkDtype, narrowRows, part, walkGrid, windows } from './support.js';

/** Cosines and sines of the rotation of each token: two f32 tensors [T, D/2]. */
export interface RotaryTable {
  readonly cos: Tensor;
  readonly sin: Tensor;
}

/** `theta^(-2j / dim)` for j < dim/2, rounded as PyTorch does. */
export function rotaryFrequencies(dim: number, theta: number): Float32Array {
  check(
    Number.isInteger(dim) && dim > 0 && dim % 2 === 0,
    'value',
    () => `rotary: head dimension ${dim} is not even`,
  );
  check(theta > 0 && Number.isFinite(theta), 'value', () => `rotary: theta is ${theta}; it must be positive`);
  return Float32Array.from({ length: dim / 2 }, (_, j) => {
    const power = Math.fround(theta ** Math.fround((2 * j) / dim));
    return 1 / power;
  });
}

/** Ordinary rotary angles [T, dim/2]: position times frequency. */
export function rotaryAngles(positions: ArrayLike<number>, dim: number, theta: number): Float32Array {
  const frequencies = rotaryFrequencies(dim, theta);
  const half = frequencies.length;
  const angles = new Float32Array(positions.length * half);
  for (let i = 0; i < angles.length; i++) angles[i] = positions[Math.floor(i / half)] * frequencies[i % half];
  return angles;
}

/**
 * Angles of multimodal rotary embeddings. `positions` holds one row of T per axis (time, height, width); `sections`
 * says how many of the dim/2 frequencies belong to each axis, in order.
 */
export function sectionedRotaryAngles(
  positions: ArrayLike<number>,
  sections: readonly number[],
  theta: number,
): Float32Array {
  const half = sections.reduce((n, s) => n + s, 0);
  const tokens = positions.length / sections.length;
  check(Number.isInteger(tokens), 'shape', () => {
    return `rotary: ${positions.length} positions are not ${sections.length} rows of equal length`;
  });
  const frequencies = rotaryFrequencies(2 * half, theta);
  const axes = sections.flatMap((count, axis) => new Array<number>(count).fill(axis));
  const angles = new Float32Array(tokens * half);
  // Millions for a long batch, each time.
  for (let token = 0, i = 0; token < tokens; token++) {
    for (let j = 0; j < half; j++, i++) angles[i] = positions[axes[j] * tokens + token] * frequencies[j];
  }
  return angles;
}

/** Angles of the vision tower [N, dim/2]: the first half of the frequencies turns with the row, the second with the column. */
export function visionRotaryAngles(
  rows: ArrayLike<number>,
  columns: ArrayLike<number>,
  dim: number,
  theta = 10_000,
): Float32Array {
  check(rows.length === columns.length, 'shape', () => {
    return `rotary: ${rows.length} row positions and ${columns.length} column positions`;
  });
  const quarter = rotaryFrequencies(dim / 2, theta);
  const half = 2 * quarter.length;
  return Float32Array.from({ length: rows.length * half }, (_, i) => {
    const j = i % half;
    const position = (j < quarter.length ? rows : columns)[Math.floor(i / half)];
    return position * quarter[j % quarter.length];
  });
}

/**
 * Uploads the cosines and sines of angles [T, dim/2].
 *
 * @param rows for each token, which row of the angles is its own; by default there is one for each.
 */
export function rotaryTable(gpu: Gpu, angles: Float32Array, dim: number, rows?: Int32Array): RotaryTable {
  const half = dim / 2;
  check(angles.length > 0 && angles.length % half === 0, 'shape', () => {
    return `rotary: ${angles.length} angles are not rows of ${half}`;
  });
  const shape = [rows?.length ?? angles.length / half, half];
  const [cos, sin] = [new Float32Array(angles.length), new Float32Array(angles.length)];
  for (let i = 0; i < angles.length; i++) {
    cos[i] = Math.cos(angles[i]);
    sin[i] = Math.sin(angles[i]);
  }
  const spread = (values: Float32Array) => (rows ? gathered(values, half, rows) : values);
  return {
    cos: fromHost(gpu, spread(cos), shape, 'f32'),
    sin: fromHost(gpu, spread(sin), shape, 'f32'),
  };
}

function gathered(values: Float32Array, width: number, rows: Int32Array): Float32Array {
  const out = new Float32Array(rows.length * width);
  for (let i = 0; i < rows.length; i++) {
    out.set(values.subarray(rows[i] * width, (rows[i] + 1) * width), i * width);
  }
  return out;
}

/** Rotates x [T, H, D]; `direction` -1 rotates back, which is the gradient. */
export function rotate(x: Tensor, { cos, sin }: RotaryTable, direction: 1 | -1 = 1): Tensor {
  const op = 'rotary';
  const gpu = checkDevice(op, x, cos, sin);
  checkDtype(op, 'x', x, 'f32');
  check(x.rank === 3, 'shape', () => `${op}: x is ${x.describe()}, expected [tokens, heads, dim]`);
  const [tokens, heads, dim] = x.shape;
  for (const table of [cos, sin]) {
    checkDtype(op, 'the table', table, 'f32');
    check(
      dim % 2 === 0 && table.rank === 2 && table.shape[0] === tokens && table.shape[1] === dim / 2,
      'shape',
      () => {
        return `${op}: a table ${table.describe()} does not fit x ${x.describe()}; it must be [tokens, dim / 2]`;
      },
    );
  }
  const y = empty(gpu, x.shape);
  const vector = dim % 8 === 0;
  const half = vector ? dim / 8 : dim / 2;
  const row = heads * dim;
  const width = heads * half;
  const shares = [
    { tensor: x, elementsPerItem: row },
    { tensor: cos, elementsPerItem: dim / 2 },
  ];
  for (const { first, count } of windows(gpu, tokens, shares)) {
    const angles = (t: Tensor) => part(t, (first * dim) / 2, (count * dim) / 2);
    const size = count * width;
    gpu.launch(
      'rotary/apply',
      {
        x: part(x, first * row, count * row),
        cosines: angles(cos),
        sines: angles(sin),
        y: part(y, first * row, count * row),
      },
      { size, width, half, direction },
      { ...walkGrid(gpu, size), defines: { VEC4: vector, ...narrowRows(gpu, width) } },
    );
  }
  return y;
}
