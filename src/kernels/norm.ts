/** RMSNorm and LayerNorm over the last axis. */
import { check, type Defines, type Gpu } from '../gpu/index.js';
import { empty, FLOATS, type Tensor } from '../tensor/index.js';
import { columnSum } from './reduce.js';
import { launchHeldRows } from './rows.js';
import { ceilDiv, checkDevice, checkDtype, checkSame, checkShapeIs, fold, part, windows } from './support.js';

/** Which norm: LayerNorm subtracts the mean, RMSNorm does not. */
export type NormKind = 'rmsNorm' | 'layerNorm';

/** Arguments of {@link normForward}. */
export interface NormInputs {
  readonly kind: NormKind;
  /** [..., n], f32. */
  readonly x: Tensor;
  /** [n], f32, f16 or bf16. */
  readonly weight: Tensor;
  /** The weight is stored as its distance from one. */
  readonly aroundOne?: boolean | undefined;
  /** [n], stored like the weight. */
  readonly bias?: Tensor | null;
  /** Added to x before the norm. */
  readonly residual?: Tensor | null;
  readonly eps: number;
}

/** Statistics of each row that the backward needs. */
export interface NormStatistics {
  readonly rstd: Tensor;
  /** Only for LayerNorm. */
  readonly mean: Tensor | null;
}

/** Results of {@link normForward}; `h` is `x + residual`, or null without a residual. */
export interface NormResult extends NormStatistics {
  readonly y: Tensor;
  readonly h: Tensor | null;
}

/** Normalises the rows of x, or of `x + residual`. */
export function normForward({ kind, x, weight, aroundOne, bias, residual, eps }: NormInputs): NormResult {
  const gpu = checkDevice(kind, x, weight, ...(bias ? [bias] : []), ...(residual ? [residual] : []));
  checkDtype(kind, 'x', x, 'f32');
  checkParameters(kind, x, weight, bias);
  check(eps >= 0 && Number.isFinite(eps), 'value', () => `${kind}: eps is ${eps}; it must be 0 or more`);
  if (residual) {
    checkSame(kind, x, residual);
    checkDtype(kind, 'residual', residual, 'f32');
  }
  const n = x.dim(-1);
  const layer = kind === 'layerNorm';
  const y = empty(gpu, x.shape);
  const rstd = empty(gpu, x.shape.slice(0, -1));
  const mean = layer ? empty(gpu, rstd.shape) : null;
  const h = residual ? empty(gpu, x.shape) : null;
  launchHeldRows('norm/forward', {
    n,
    matrices: { x, y, ...(residual && h ? { residual, h } : {}) },
    columns: { rstd, ...(mean ? { mean } : {}) },
    shared: { weight, ...(bias ? { bias } : {}) },
    params: { inverse: 1 / n, eps },
    defines: { LAYER: layer, BIAS: Boolean(bias), RESIDUAL: Boolean(residual), ...stored(weight, aroundOne) },
  });
  return { y, rstd, mean, h };
}

/** Arguments of {@link normInputGradient} and {@link normParameterGradients}. */
export interface NormGradientInputs extends NormStatistics {
  readonly kind: NormKind;
  /** What was normalised: x, or `h` where there was a residual. */
  readonly x: Tensor;
  /** Gradient of y. */
  readonly gradient: Tensor;
  /** See {@link NormInputs}. */
  readonly aroundOne?: boolean | undefined;
}

/** Gradient of what was normalised, plus `direct` (a gradient that reached it by another way) if given. */
export function normInputGradient(
  { kind, x, gradient, rstd, mean, aroundOne }: NormGradientInputs,
  weight: Tensor,
  direct?: Tensor | null,
): Tensor {
  const gpu = checkDevice(kind, x, gradient, weight);
  checkSame(kind, x, gradient);
  checkParameters(kind, x, weight);
  const n = x.dim(-1);
  const dx = empty(gpu, x.shape);
  launchHeldRows('norm/backward', {
    n,
    copies: 2,
    matrices: { x, g: gradient, dx, ...(direct ? { direct } : {}) },
    columns: { rstd, ...(mean ? { mean } : {}) },
    shared: { weight },
    params: { inverse: 1 / n },
    defines: { LAYER: mean !== null, RESIDUAL: Boolean(direct), ...stored(weight, aroundOne) },
  });
  return dx;
}

/** Where {@link normParameterGradients} puts its results. */
export interface NormParameterTargets {
  /** Add to this tensor instead of making a new one. */
  readonly weightInto?: Tensor | null;
  /** Compute the bias gradient too. */
  readonly bias?: boolean;
  /** Add to this tensor instead of making a new one. */
  readonly biasInto?: Tensor | null;
}

/** Gradients of weight and bias, [n], f32; accumulated in place into the targets that are given. */
export function normParameterGradients(
  { kind, x, gradient, rstd, mean }: NormGradientInputs,
  { weightInto, bias = false, biasInto }: NormParameterTargets = {},
): { weight: Tensor; bias: Tensor | null } {
  const gpu = checkDevice(kind, x, gradient);
  checkSame(kind, x, gradient);
  const n = x.dim(-1);
  const rows = x.size / n;
  const vector = n % 4 === 0;
  const units = vector ? n / 4 : n;
  const lanes = gpu.info.software ? 16 : 64;
  const tiles = ceilDiv(units, lanes);
  const chunk = rowsPerPiece(gpu, rows, tiles, n);
  const chunks = ceilDiv(rows, chunk);
  const dweight = empty(gpu, [chunks, n], { purpose: 'scratch' });
  const dbias = bias ? empty(gpu, [chunks, n], { purpose: 'scratch' }) : null;
  const shares = [
    { tensor: x, elementsPerItem: chunk * n },
    { tensor: dweight, elementsPerItem: n },
    { tensor: rstd, elementsPerItem: chunk },
  ];
  for (const { first, count } of windows(gpu, chunks, shares)) {
    const row = first * chunk;
    const take = Math.min(count * chunk, rows - row);
    const matrix = (t: Tensor) => part(t, row * n, take * n);
    const partial = (t: Tensor) => part(t, first * n, count * n);
    gpu.launch(
      'norm/weight-gradient',
      {
        x: matrix(x),
        g: matrix(gradient),
        rstd: part(rstd, row, take),
        dweight: partial(dweight),
        ...(mean ? { mean: part(mean, row, take) } : {}),
        ...(dbias ? { dbias: partial(dbias) } : {}),
      },
      { rows: take, units, tiles, chunk },
      {
        groups: fold(gpu, tiles * count),
        defines: { LAYER: mean !== null, BIAS: bias, VEC4: vector },
        constants: { WORKGROUP: lanes },
      },
    );
  }
  const result = {
    weight: columnSum(dweight, weightInto ?? undefined),
    bias: dbias ? columnSum(dbias, biasInto ?? undefined) : null,
  };
  dweight.dispose();
  dbias?.dispose();
  return result;
}

/** Enough pieces to fill the machine, none shorter than 16 rows, each within a binding. */
function rowsPerPiece(gpu: Gpu, rows: number, tiles: number, n: number): number {
  const wanted = Math.min(ceilDiv(gpu.info.software ? 8 : 1024, tiles), ceilDiv(rows, 16));
  // Even pieces of a multiple of 64 rows start where bindings may start, for matrices and per-row statistics alike.
  const chunk = ceilDiv(rows, wanted);
  const most = Math.max(1, Math.floor(gpu.maxBindingBytes / (4 * n)));
  if (rows <= most) return chunk;
  const aligned = Math.max(64, Math.floor(Math.min(chunk, most) / 64) * 64);
  check(aligned <= most, 'limit', () => {
    return `norm: 64 rows of ${n} elements are larger than this adapter's binding limit of ${gpu.maxBindingBytes} bytes`;
  });
  return aligned;
}

function checkParameters(kind: NormKind, x: Tensor, weight: Tensor, bias?: Tensor | null): void {
  const n = x.dim(-1);
  checkDtype(kind, 'weight', weight, ...FLOATS);
  checkShapeIs(kind, 'weight', weight, [n]);
  if (!bias) return;
  checkShapeIs(kind, 'bias', bias, [n]);
  check(bias.dtype === weight.dtype, 'dtype', () => {
    return `${kind}: weight is ${weight.dtype} and bias is ${bias.dtype}; cast() one of them`;
  });
}

/** The defines of shaders/norm/gain.wgsl: weights are loaded as rows are. */
function stored(weight: Tensor, aroundOne = false): Defines {
  return { FORMAT: weight.dtype, WIDTH: weight.size % 4 === 0 ? 4 : 1, AROUND_ONE: aroundOne };
}
