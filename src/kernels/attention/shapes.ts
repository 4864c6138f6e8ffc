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
  /** What scores are multiplied with; 1 / sqrt(D) by default. */
  readonly scale?: number;
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
  readonly scale: number;
  readonly variant: PackedVariant;
}

/** The largest head dimension: beyond it, what a lane keeps no longer fits its registers. */
const MAX_DIM = 256;
/** Likewise in the `wide` variant, which unrolls over it: 256 would compile for half a minute. */
const MAX_WIDE_DIM = 128;
/** Likewise in decoding. */
const MAX_DECODE_DIM = 128;
/** The smallest that pays on matrix units. */
const MIN_MATRIX_DIM = 32;

/** Checks head counts and the head dimension; less is allowed in decoding. */
export function checkHeads(
  op: string,
  heads: number,
  kvHeads: number,
  dim: number,
  most = MAX_DECODE_DIM,
): void {
  check(heads % kvHeads === 0, 'shape', () => {
    return `${op}: ${heads} query heads are not a multiple of ${kvHeads} key heads`;
  });
  check(dim % 4 === 0 && dim <= most, 'shape', () => {
    return `${op}: head dimension ${dim} is not a multiple of 4 up to ${most}; pad the heads`;
  });
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
  checkHeads(op, heads, kvHeads, dim, MAX_DIM);
  const { causal = true, variant = chooseVariant(gpu, dim) } = options;
  check(variant !== 'wide' || dim <= MAX_WIDE_DIM, 'shape', () => {
    return `${op}: head dimension ${dim} is over the ${MAX_WIDE_DIM} of the wide variant; use tile`;
  });
  return { gpu, tokens, heads, kvHeads, dim, causal, scale: chooseScale(op, options.scale, dim), variant };
}

/** Software adapters have matrix units that are slower than their vectors. */
function chooseVariant(gpu: Gpu, dim: number): PackedVariant {
  if (gpu.info.software) return dim <= MAX_WIDE_DIM ? 'wide' : 'tile';
  return dim >= MIN_MATRIX_DIM && matrixSupported(gpu) ? 'matrix' : 'tile';
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
  // Two results of over 64 columns: Apple's compiler would move 190 registers to memory and back, others have room.
  const apple = /apple/i.test(`${gpu.info.vendor} ${gpu.info.name}`);
  return kernel === 'keys' && dim > 64 && apple ? rows / 2 : rows;
}

/** Specialisation of a tile kernel: RT rows per invocation, as many as registers and workgroup memory allow. */
export function tileDefines(shape: AttentionShape, kernel: TileKernel): Record<string, number> {
  const { gpu, dim } = shape;
  const D4 = dim / 4;
  for (let RT = rowsInRegisters(shape, kernel); RT >= 1; RT /= 2) {
    const products = (8 * RT + 64) * 5;
    const DEPTH = 16 * D4 <= products ? 16 : 8;
    const STAGE = Math.max(products, DEPTH * D4);
    const bytes = 16 * (STAGE + 8 * RT * 20);
    if (bytes <= gpu.limits.maxComputeWorkgroupStorageSize) {
      return { RT, D4, CN: Math.ceil(D4 / 16), DEPTH, STAGE };
    }
  }
  check(false, 'limit', () => {
    return `attention: this adapter's ${gpu.limits.maxComputeWorkgroupStorageSize} bytes of workgroup memory are too few`;
  });
}
