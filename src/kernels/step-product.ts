/**
 * Products of decode steps with what stands before and after them in a layer: the norm, an adapter, the gate of an MLP and
 * the residual. One launch does what would be three to six, each of which costs about as much as its arithmetic.
 */
import { check, type Gpu } from '../gpu/index.js';
import { empty, formatOf, type Tensor, type WeightFormat } from '../tensor/index.js';
import type { GatedOp } from './activation.js';
import { normForward } from './norm.js';
import { bindStored, decoder, isBindable } from './stored.js';
import { ceilDiv, checkDevice, checkDtype, checkShapeIs, fold } from './support.js';

/** The layers that {@link stepProduct} computes as one. */
export interface StepLayer {
  /** [N, K] in any format; with `gated` the weights of gate and up, N / 2 rows each. */
  readonly weight: Tensor;
  /** f32 [N]. */
  readonly bias?: Tensor | null | undefined;
  readonly adapter?: StepAdapter | null | undefined;
}

/** Adapters of one rank and factor on layers that lie together: one for each stretch of the columns. */
export interface StepAdapter {
  /** f32 [parts * rank, K]. */
  readonly a: Tensor;
  /** f32 [N, rank]. */
  readonly b: Tensor;
  readonly scale: number;
  /** How many columns each part has, in order; at most three parts. */
  readonly parts: readonly number[];
}

/** What stands before and after the product. */
export interface StepSurroundings {
  /** An RMSNorm of x: f32 [K], perhaps as distances from one, and what is added to the mean of squares. */
  readonly norm?:
    | { readonly weight: Tensor; readonly eps: number; readonly aroundOne?: boolean | undefined }
    | null
    | undefined;
  /** Gives `f(gate) * up` [M, N / 2] of this function. */
  readonly gated?: GatedOp | undefined;
  /** Added to the result. */
  readonly residual?: Tensor | null | undefined;
}

/** Rows up to which a GPU takes these kernels: on matrix units larger products are better off. */
const MOST_ROWS = 64;
const MOST_ROWS_BESIDE_MATRIX_UNITS = 32;
const MOST_ROWS_SOFTWARE = 8;
/** Beyond these rows a norm is a launch of its own: arithmetic is what a product waits for then, and each team would do it. */
const MOST_ROWS_WITH_NORM = 16;
const MOST_COLUMNS = 8;
const WORKGROUP = 128;
/** Products of fewer columns give each of them a workgroup. */
const NARROW = 512;

/** Whether {@link stepProduct} computes a product on this device, and is the way to do it. */
export function stepProductFits(x: Tensor, layer: StepLayer, around: StepSurroundings = {}): boolean {
  const { gpu } = x;
  const [rows, inputs] = x.shape;
  const { weight, bias, adapter } = layer;
  const { norm, gated, residual } = around;
  const outputs = gated ? weight.shape[0] / 2 : weight.shape[0];
  const bound = [x, weight, bias, adapter?.a, adapter?.b, norm?.weight, residual].filter((t) => !!t);
  return (
    rows <= mostRows(gpu) &&
    inputs % formatOf(weight.dtype).load === 0 &&
    bound.every(isBindable) &&
    (!norm || norm.weight.dtype === 'f32') &&
    (!adapter || adapterFits(adapter, outputs, gated !== undefined)) &&
    // Nobody would know the limit of a device that stands for any.
    bound.length + formatOf(weight.dtype).segments.length + 1 <=
      (gpu.limits.maxStorageBuffersPerShaderStage ?? 8)
  );
}

function mostRows(gpu: Gpu): number {
  if (gpu.info.software) return MOST_ROWS_SOFTWARE;
  return gpu.has.subgroupMatrix ? MOST_ROWS_BESIDE_MATRIX_UNITS : MOST_ROWS;
}

function adapterFits({ a, b, parts }: StepAdapter, outputs: number, gated: boolean): boolean {
  const rank = b.shape[1];
  return (
    rank % 4 === 0 &&
    a.shape[1] % 4 === 0 &&
    (gated
      ? parts.length === 2 && parts[0] === outputs
      : parts.length <= 3 && parts.every((n) => n % MOST_COLUMNS === 0))
  );
}

/** See {@link StepLayer} and {@link StepSurroundings}: f32 [M, N] of x f32 [M, K], or [M, N / 2]. */
export function stepProduct(x: Tensor, layer: StepLayer, around: StepSurroundings = {}): Tensor {
  const op = 'stepProduct';
  const { weight, bias, adapter } = layer;
  const { norm, gated, residual } = around;
  check(stepProductFits(x, layer, around), 'value', () => {
    return `${op}: x ${x.describe()} and weight ${weight.describe()} are not for this kernel; ask stepProductFits first`;
  });
  const gpu = checkDevice(op, x, weight);
  const [rows, inputs] = x.shape;
  checkDtype(op, 'x', x, 'f32');
  checkShapeIs(op, 'weight', weight, [-1, inputs]);
  const [columns] = weight.shape;
  check(!gated || columns % 2 === 0, 'shape', () => `${op}: ${columns} rows of gate and up are not even`);
  const outputs = gated ? columns / 2 : columns;
  if (bias) checkShapeIs(op, 'bias', bias, [columns]);
  if (residual) checkShapeIs(op, 'residual', residual, [rows, outputs]);
  if (norm) checkShapeIs(op, 'norm', norm.weight, [inputs]);
  if (norm && rows > MOST_ROWS_WITH_NORM) {
    const normal = normForward({ kind: 'rmsNorm', x, ...norm });
    normal.rstd.dispose();
    const y = stepProduct(normal.y, layer, { gated, residual });
    normal.y.dispose();
    return y;
  }
  const gain = norm?.weight;
  const aroundOne = norm?.aroundOne;
  const y = empty(gpu, [rows, outputs]);
  if (!adapter) {
    launch(gpu, { x, w: weight, y, gain, bias, residual }, { gated, eps: norm?.eps, aroundOne });
    return y;
  }
  const { a, b, scale, parts } = adapter;
  const rank = b.shape[1];
  checkShapeIs(op, 'a', a, [parts.length * rank, inputs]);
  checkShapeIs(op, 'b', b, [columns, rank]);
  const narrow = empty(gpu, [rows, parts.length * rank], { purpose: 'scratch' });
  // Not divided by the root mean square: the product that reads it divides everything.
  launch(gpu, { x, w: a, y: narrow, gain }, { aroundOne });
  launch(
    gpu,
    { x, w: weight, y, gain, narrow, up: b, bias, residual },
    { gated, eps: norm?.eps, aroundOne, adapter: { rank, scale, parts } },
  );
  narrow.dispose();
  return y;
}

interface Launch {
  readonly x: Tensor;
  readonly w: Tensor;
  readonly y: Tensor;
  readonly gain?: Tensor | null | undefined;
  readonly narrow?: Tensor;
  readonly up?: Tensor;
  readonly bias?: Tensor | null | undefined;
  readonly residual?: Tensor | null | undefined;
}

function launch(
  gpu: Gpu,
  tensors: Launch,
  how: {
    readonly gated?: GatedOp | undefined;
    /** Gains are distances from one. */
    readonly aroundOne?: boolean | undefined;
    /** Rows are divided by their root mean square. */
    readonly eps?: number | undefined;
    readonly adapter?: { readonly rank: number; readonly scale: number; readonly parts: readonly number[] };
  },
): void {
  const { x, w, y } = tensors;
  const [M, N] = y.shape;
  const { gated, aroundOne = false, eps, adapter } = how;
  const team = teams(gpu, M, N, gated !== undefined);
  const { rows, columns, workgroup } = team;
  const blocks = ceilDiv(M, rows);
  const count = blocks * ceilDiv(N, gated ? columns / 2 : columns);
  const ends = adapter && !gated ? [adapter.parts[0], adapter.parts[0] + (adapter.parts[1] ?? 0)] : [N, N];
  const bindings = Object.entries(tensors).map(([name, t]) => (t ? bindStored(name, t) : {}));
  gpu.launch(
    'matmul/step',
    Object.assign({}, ...bindings),
    {
      M,
      N,
      K: x.shape[1],
      blocks,
      rank: adapter?.rank ?? 0,
      end0: ends[0],
      end1: ends[1],
      scale: adapter?.scale ?? 1,
      eps: eps ?? 0,
    },
    {
      groups: fold(gpu, ceilDiv(count, team.perWorkgroup)),
      flops: 2 * M * N * x.shape[1] * (gated ? 2 : 1),
      defines: {
        ...decoder(gpu, w.dtype as WeightFormat, formatOf(w.dtype).load),
        ROWS: rows,
        COLUMNS: columns,
        TEAM: team.kind,
        ...(team.kind === 'workgroup' ? { SUBGROUPS: gpu.has.subgroups } : {}),
        GAIN: !!tensors.gain,
        RSTD: eps !== undefined,
        GATED: gated !== undefined,
        GELU: gated === 'geglu',
        AROUND_ONE: aroundOne,
        PARTS: adapter?.parts.length ?? 0,
        BIAS: !!tensors.bias,
        RESIDUAL: !!tensors.residual,
      },
      constants: { WORKGROUP: workgroup },
    },
  );
}

interface Teams {
  readonly kind: 'invocation' | 'subgroup' | 'workgroup';
  readonly rows: number;
  readonly columns: number;
  readonly workgroup: number;
  readonly perWorkgroup: number;
}

function teams(gpu: Gpu, M: number, N: number, gated: boolean): Teams {
  const most = gpu.info.subgroupSize?.max ?? WORKGROUP;
  const rows = M > 4 ? 8 : 2 ** Math.ceil(Math.log2(M));
  if (gpu.info.software) {
    return { kind: 'invocation', rows, columns: gated ? 2 : 1, workgroup: most, perWorkgroup: most };
  }
  if (!gpu.has.subgroups || (N <= NARROW && !gated)) {
    return { kind: 'workgroup', rows, columns: 2, workgroup: WORKGROUP, perWorkgroup: 1 };
  }
  return {
    kind: 'subgroup',
    rows,
    columns: 4,
    workgroup: WORKGROUP,
    perWorkgroup: Math.max(1, WORKGROUP / most),
  };
}
