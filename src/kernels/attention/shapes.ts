/** What the launch functions of attention check and decide alike. */
import { check, type Gpu } from '../../gpu/index.js';
import type { Tensor } from '../../tensor/index.js';
import { checkDevice, checkDtype, checkShapeIs } from '../support.js';
import { matrixSupported, packedDims, packedTokens } from './matrix.js';
import type { Segments } from './segments.js';

/** How attention is computed. */
export interface AttentionOptions {
  /** Whether a token sees only itself and earlier tokens of its own segment; true by default. Prefixes are always seen whole. */
  readonly causal?: boolean;
  /** How many tokens a token looks back on, itself among them; on all of them by default. Prefixes must be before. */
  readonly window?: number | undefined;
  /** What scores are multiplied with; 1 / sqrt(D) by default. */
  readonly scale?: number | undefined;
  /**
   * Forces the kernels of matrix units (`matrix`), of other hardware GPUs (`tile`) or of software adapters (`wide`). They agree
   * to rounding; gradients on matrix units to that of f16.
   */
  readonly variant?: PackedVariant;
}

/** See {@link AttentionOptions.variant}. */
export type AttentionVariant = 'tile' | 'wide';

/** Those of packed sequences; decoding has none for matrix units. */
export type PackedVariant = AttentionVariant | 'matrix';

/** Sizes of a problem, with the options filled in. */
export interface AttentionShape {
  readonly gpu: Gpu;
  readonly tokens: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly dim: number;
  readonly causal: boolean;
  /** 0 for none. */
  readonly window: number;
  readonly scale: number;
  readonly variant: PackedVariant;
}

/** The largest head dimension: beyond it, what a lane keeps no longer fits its registers. */
const MAX_DIM = 256;
/** Likewise in the `wide` variant, which unrolls over it: 256 would compile for half a minute. */
const MAX_WIDE_DIM = 128;
/** No batch is longer; with room for what shaders add. */
const MAX_WINDOW = 2 ** 30;
/** The smallest that pays on matrix units. */
const MIN_MATRIX_DIM = 32;

/** Checks head counts and the head dimension. */
export function checkHeads(op: string, heads: number, kvHeads: number, dim: number): void {
  check(heads % kvHeads === 0, 'shape', () => {
    return `${op}: ${heads} query heads are not a multiple of ${kvHeads} key heads`;
  });
  check(dim % 4 === 0 && dim <= MAX_DIM, 'shape', () => {
    return `${op}: head dimension ${dim} is not a multiple of 4 up to ${MAX_DIM}; pad the heads`;
  });
}

/** The variant of software adapters, where it can be had, or that of other ones without matrix units. */
export function vectorVariant(gpu: Gpu, dim: number): AttentionVariant {
  return gpu.info.software && dim <= MAX_WIDE_DIM ? 'wide' : 'tile';
}

/** Rejects what the `wide` variant does not take. */
export function checkVariant(op: string, variant: PackedVariant, dim: number): void {
  check(variant !== 'wide' || dim <= MAX_WIDE_DIM, 'shape', () => {
    return `${op}: head dimension ${dim} is over the ${MAX_WIDE_DIM} of the wide variant; use tile`;
  });
}

/** Checks a window given by the caller, or gives the 0 that stands for none. */
export function chooseWindow(op: string, window: number | undefined): number {
  check(window === undefined || (Number.isSafeInteger(window) && window > 0), 'value', () => {
    return `${op}: the window is ${window}; it must be a positive number of tokens`;
  });
  return Math.min(window ?? 0, MAX_WINDOW);
}

/** Checks a scale given by the caller, or gives the default. */
export function chooseScale(op: string, scale: number | undefined, dim: number): number {
  check(scale === undefined || Number.isFinite(scale), 'value', () => `${op}: scale is ${scale}`);
  return scale ?? 1 / Math.sqrt(dim);
}

/** Checks q, k, v against one another and the segments. */
export function attentionShape(
  op: string,
  q: Tensor,
  k: Tensor,
  v: Tensor,
  segments: Segments,
  options: AttentionOptions,
): AttentionShape {
  const gpu = checkDevice(op, q, k, v);
  check(segments.gpu === gpu, 'value', () => `${op}: the segments were made for another device`);
  checkShapeIs(op, 'q', q, [segments.tokens, -1, -1]);
  const [tokens, heads, dim] = q.shape;
  checkShapeIs(op, 'k', k, [tokens, -1, dim]);
  checkShapeIs(op, 'v', v, k.shape);
  for (const [name, tensor] of Object.entries({ q, k, v })) checkDtype(op, name, tensor, 'f32');
  const kvHeads = k.shape[1];
  checkHeads(op, heads, kvHeads, dim);
  const { causal = true, variant = chooseVariant(gpu, dim) } = options;
  checkVariant(op, variant, dim);
  const window = chooseWindow(op, options.window);
  check(window === 0 || !segments.looksAhead, 'value', () => {
    return `${op}: a segment has its prefix behind it, where a window does not look; give none of the two`;
  });
  const scale = chooseScale(op, options.scale, dim);
  return { gpu, tokens, heads, kvHeads, dim, causal, window, scale, variant };
}

/** Software adapters have matrix units that are slower than their vectors. */
function chooseVariant(gpu: Gpu, dim: number): PackedVariant {
  const units = !gpu.info.software && dim >= MIN_MATRIX_DIM && matrixSupported(gpu);
  return units ? 'matrix' : vectorVariant(gpu, dim);
}

/** Parts of the batch that this adapter can bind at once. */
export function bindableSpans({ gpu, heads, dim, variant }: AttentionShape, segments: Segments) {
  const step = gpu.bindingAlignment / 4;
  const packed = variant === 'matrix';
  const rowBytes = heads * (packed ? packedDims(dim).DC : dim) * 4;
  const most = Math.floor(gpu.maxBindingBytes / rowBytes);
  return segments.spans(packed ? most - (packedTokens(most) - most) : most, step);
}

/** The tile kernels, by what a workgroup's results are: outputs, gradients of queries, or of keys and values. */
export type TileKernel = 'forward' | 'queries' | 'keys';

/** Rows per invocation whose results stay in registers beside what the products take. */
function rowsInRegisters({ gpu, dim }: AttentionShape, kernel: TileKernel): number {
  const rows = dim <= 64 && kernel === 'forward' ? 8 : dim <= 128 ? 4 : 2;
  // Eight rows, or two results of over 64 columns: Apple's compiler would move registers to memory and back, others have room.
  const apple = /apple/i.test(`${gpu.info.vendor} ${gpu.info.name}`);
  const crowded = kernel === 'keys' ? dim > 64 : rows === 8;
  return apple && crowded ? rows / 2 : rows;
}

/** See {@link tileDefines}. */
type TileDefines = Readonly<Record<'RT' | 'D4' | 'CN' | 'DEPTH' | 'STAGE', number>> & {
  readonly WINDOWED: boolean;
};

/** What a kernel with a window is told of it, beside the define. */
export function windowConstants(window: number): { readonly WINDOW?: number } {
  return window > 0 ? { WINDOW: window } : {};
}

/** Specialisation of a tile kernel: RT rows per invocation, as many as registers and workgroup memory allow. */
export function tileDefines(shape: AttentionShape, kernel: TileKernel): TileDefines {
  const { gpu, dim, window } = shape;
  const D4 = dim / 4;
  for (let RT = rowsInRegisters(shape, kernel); RT >= 1; RT /= 2) {
    const products = (8 * RT + 64) * 5;
    const DEPTH = 16 * D4 <= products ? 16 : 8;
    const STAGE = Math.max(products, DEPTH * D4);
    const bytes = 16 * (STAGE + 8 * RT * 20);
    if (bytes <= gpu.limits.maxComputeWorkgroupStorageSize) {
      return { RT, D4, CN: Math.ceil(D4 / 16), DEPTH, STAGE, WINDOWED: window > 0 };
    }
  }
  check(false, 'limit', () => {
    return `attention: this adapter's ${gpu.limits.maxComputeWorkgroupStorageSize} bytes of workgroup memory are too few`;
  });
}
