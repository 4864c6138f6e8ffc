/** Matrix products on matrix units: operands are prepared (shaders/matmul/halves.wgsl), then multiplied. */
import { type Bindable, check, type Gpu } from '../gpu/index.js';
import { empty, formatOf, type Tensor, type WeightFormat } from '../tensor/index.js';
import { epilogue, flops, inSteps, outputs, params } from './matmul-launch.js';
import type { Operand, Piece } from './matmul-problem.js';
import { inSlabs } from './matmul-slabs.js';
import {
  type MatrixShape,
  matrixShape,
  matrixSubgroup,
  matrixSupported,
  matrixTraits,
  partsFor,
  staged,
  type TileSize,
} from './matrix-units.js';
import { decoder } from './stored.js';
import { ceilDiv, fold } from './support.js';

/** Bytes of a prepared operand held at a time. */
const PREPARED_BYTES = 128 << 20;
/** Rows that a piece keeps, whatever it takes: the largest tile. */
const ROWS = 128;

/** One operand as it is stored. */
interface Source {
  readonly operand: Operand;
  readonly binding: Bindable;
  /** What its format keeps beside it. */
  readonly beside: Readonly<Record<string, Bindable>>;
  readonly dtype: WeightFormat;
  /** Rows of A, or columns of B. */
  readonly rows: number;
  readonly K: number;
  readonly matrices: number;
  /** Whether rows lie across K. */
  readonly across: boolean;
}

/** An operand as matrix units get it; who asked for it disposes `made`. */
interface Prepared {
  readonly units: Bindable;
  readonly scales: Tensor | null;
  readonly operand: Omit<Operand, 'bindings'>;
  readonly parts: 1 | 2;
  readonly made: readonly Tensor[];
}

/** Records the launches of one piece: tiles of a size, K in so many slabs. */
export function matrix(p: Piece, size: TileSize, splits: number): void {
  const shape = matrixShape(p.gpu);
  check(shape && matrixSupported(p.gpu, size, partsFor(shape, p.precision, p.dtypeB)), 'adapter', () => {
    return `matmul: the matrix variant with tiles of ${size} does not run on this device in tier ${p.gpu.tier}`;
  });
  const parts = partsFor(shape, p.precision, p.dtypeB);
  const { depth } = staged(shape);
  const padded = ceilDiv(p.K, depth) * depth;
  for (const q of windows(p, shape, padded)) {
    const a = prepare(q, shape, padded, sourceOfA(q), parts.a);
    const b = prepare(q, shape, padded, sourceOfB(q), parts.b);
    const prepared: Piece = {
      ...q,
      a: { ...a.operand, bindings: { a: a.units, ...(a.scales && { scalesA: a.scales }) } },
      b: { ...b.operand, bindings: { b: b.units, ...(b.scales && { scalesB: b.scales }) } },
      K: padded,
      transposeA: false,
      transposeB: true,
    };
    const launch = multiply(shape, size, a, b);
    inSlabs(prepared, splits, depth, { a: a.parts, b: b.parts }, launch);
    for (const t of [...a.made, ...b.made]) t.dispose();
  }
}

function sourceOfA({ a, M, K, batch, transposeA }: Piece): Source {
  const matrices = a.stride > 0 ? batch : 1;
  return {
    operand: a,
    binding: a.bindings.a,
    beside: {},
    dtype: 'f32',
    rows: M,
    K,
    matrices,
    across: transposeA,
  };
}

function sourceOfB({ b, N, K, batch, transposeB, dtypeB }: Piece): Source {
  const matrices = b.stride > 0 ? batch : 1;
  const { b: binding, ...beside } = b.bindings;
  return {
    operand: b,
    binding,
    beside,
    dtype: dtypeB,
    rows: N,
    K,
    matrices,
    across: !transposeB,
  };
}

/** Cuts a piece so that neither prepared operand takes more than its memory. */
function* windows(p: Piece, shape: MatrixShape, padded: number): Generator<Piece> {
  const most = Math.min(PREPARED_BYTES, p.gpu.maxBindingBytes);
  const parts = partsFor(shape, p.precision, p.dtypeB);
  const rowBytes = padded * staged(shape).bytes;
  const fits = (rows: number, own: 1 | 2) => {
    const whole = Math.floor(most / (rowBytes * own));
    return rows <= whole ? rows : Math.max(ROWS, whole - (whole % ROWS));
  };
  const matrices = Math.floor(most / (rowBytes * Math.max(p.M * parts.a, p.N * parts.b)));
  const batch = p.batch === 1 ? 1 : Math.max(1, Math.min(matrices, p.batch));
  const [M, N] = [fits(p.M, parts.a), fits(p.N, parts.b)];
  const moved = <O extends Operand | null>(o: O, z: number, by: number): O =>
    o && { ...o, base: o.base + z * o.stride + by };
  for (let z = 0; z < p.batch; z += batch) {
    for (let n = 0; n < p.N; n += N) {
      for (let m = 0; m < p.M; m += M) {
        yield {
          ...p,
          batch: Math.min(batch, p.batch - z),
          M: Math.min(M, p.M - m),
          N: Math.min(N, p.N - n),
          a: moved(p.a, z, m * (p.transposeA ? 1 : p.a.ld)),
          b: moved(p.b, z, n * (p.transposeB ? p.b.ld : 1)),
          y: moved(p.y, z, m * p.y.ld + n),
          residual: moved(p.residual, z, m * p.y.ld + n),
          column: p.column + n,
        };
      }
    }
  }
}

function prepare({ gpu }: Piece, shape: MatrixShape, padded: number, s: Source, parts: 1 | 2): Prepared {
  const { operand, dtype, rows, K, matrices, across } = s;
  const { bytes, depth } = staged(shape);
  if (!across && dtype === shape.component && K % depth === 0 && inSteps(operand, 16 / bytes)) {
    return { units: s.binding, scales: null, operand, parts: 1, made: [] };
  }
  const ld = padded * parts;
  const units = empty(gpu, [(matrices * rows * ld * bytes) / 4], { dtype: 'u32', purpose: 'scratch' });
  const scaled = shape.component === 'f16';
  const scales = scaled ? empty(gpu, [matrices * rows], { purpose: 'scratch' }) : null;
  const launch = across ? prepareAcross : prepareAlong;
  launch({ units, scales, shape, padded, parts }, s, {
    rows,
    K,
    padded,
    ld: operand.ld,
    stride: operand.stride,
    base: operand.base,
    count: matrices * rows,
  });
  return {
    units,
    scales,
    operand: { base: 0, ld, stride: matrices > 1 ? rows * ld : 0 },
    parts,
    made: scales ? [units, scales] : [units],
  };
}

/** Where a prepared operand goes. */
interface Target {
  readonly units: Tensor;
  readonly scales: Tensor | null;
  readonly shape: MatrixShape;
  readonly padded: number;
  readonly parts: 1 | 2;
}

function definesOf({ units, shape, parts }: Target, { dtype, operand }: Source) {
  const width = inSteps(operand, 4) ? 4 : 1;
  return { COMPONENT: shape.component, PARTS: parts, ...decoder(units.gpu, dtype, width) };
}

function bindingsOf({ units, scales }: Target, { binding, beside }: Source): Record<string, Bindable> {
  return { source: binding, ...beside, units, ...(scales && { scales }) };
}

function prepareAlong(to: Target, s: Source, launchParams: Record<string, number>): void {
  const { gpu } = to.units;
  const elements = 16 / staged(to.shape).bytes;
  const lanes = Math.min(128, Math.max(8, 2 ** Math.ceil(Math.log2(to.padded / elements / 2))));
  gpu.launch('matmul/prepare', bindingsOf(to, s), launchParams, {
    groups: fold(gpu, ceilDiv(s.matrices * s.rows, 128 / lanes)),
    defines: { ...definesOf(to, s), LANES: lanes },
  });
}

function prepareAcross(to: Target, s: Source, launchParams: Record<string, number>): void {
  const { gpu } = to.units;
  const fixed = formatOf(s.dtype).exactInHalf;
  const magnitudes = to.scales && !fixed ? magnitudesOf(gpu, s) : null;
  gpu.launch(
    'matmul/prepare-transposed',
    { ...bindingsOf(to, s), ...(magnitudes && { magnitudes }) },
    launchParams,
    {
      groups: [ceilDiv(to.padded, 32), ceilDiv(s.rows, 64), s.matrices],
      defines: { ...definesOf(to, s), FIXED: fixed },
    },
  );
  magnitudes?.dispose();
}

/**
 * Partial maxima, as bits, of magnitudes in an operand that lies across K: those of its f32 numbers, or of the blocks in which
 * they are stored.
 */
function magnitudesOf(gpu: Gpu, { operand, binding, beside, dtype, K, matrices }: Source): Tensor {
  const { ld, stride } = operand;
  // Whole rows in memory, and with them columns that belong to other pieces of the same matrix.
  const length = matrices > 1 ? matrices * stride : K * ld;
  const bounds = formatOf(dtype).segments.find(({ name }) => name === 'absmax');
  const [source, share] = bounds ? [beside.absmax, bounds.elements] : [binding, 1];
  const base = Math.floor(operand.base / share);
  const count = Math.min(Math.ceil(length / share) + (share > 1 ? 1 : 0), source.range.size / 4 - base);
  const groups = Math.min(256, ceilDiv(count, 256 * 8));
  const partials = empty(gpu, [groups], { dtype: 'u32', purpose: 'scratch' });
  gpu.launch(
    'matmul/magnitude',
    { a: source, partials },
    { first: base, count },
    { groups: [groups], constants: { WORKGROUP: 256 } },
  );
  return partials;
}

type Multiply = Parameters<typeof inSlabs>[4];

function multiply(shape: MatrixShape, size: TileSize, a: Prepared, b: Prepared): Multiply {
  return (p, defines, kEnd) => {
    const { gpu } = p;
    const { gridM, gridN, partM, partN } = matrixTraits(gpu).shares[size];
    const { size: subgroup = 1, asked = false } = matrixSubgroup(gpu) ?? {};
    const threads = gridM * gridN * subgroup;
    // Units of 16 bytes, of which a row has four per part.
    const fetches = (parts: number) => ceilDiv(size * 4 * parts, threads);
    gpu.launch(
      'matmul/subgroup-matrix',
      { ...p.a.bindings, ...p.b.bindings, ...outputs(p) },
      params(p, kEnd),
      {
        groups: [ceilDiv(p.N, size), ceilDiv(p.M, size), p.batch],
        flops: flops(p),
        defines: {
          ...epilogue(p),
          TRANSPOSE_B: true,
          ...defines,
          COMPONENT: shape.component,
          PARTS_A: a.parts,
          PARTS_B: b.parts,
          SCALES_A: a.scales !== null,
          SCALES_B: b.scales !== null,
          SHAPE_M: shape.M,
          SHAPE_N: shape.N,
          SHAPE_K: shape.K,
          GRID_M: gridM,
          GRID_N: gridN,
          FRAGS_M: partM / shape.M,
          FRAGS_N: partN / shape.N,
          FETCHES_A: fetches(a.parts),
          FETCHES_B: fetches(b.parts),
          SUBGROUP: subgroup,
          FIXED_SIZE: asked,
        },
      },
    );
  };
}
