/** What attention on matrix units needs before its kernels: what it is specialised by, and operands in f16. */
import { type Bindable, check, type Gpu, type MatrixConfig } from '../../gpu/index.js';
import { empty, type Tensor, zeros } from '../../tensor/index.js';
import { ceilDiv } from '../support.js';

/** Tokens that attention/pack.wgsl takes at a time. */
const PACKED = 32;
/** The most rows that a workgroup owns or meets at a time. */
const MOST_ROWS = 64;

/** Rows that a workgroup owns, and that it meets at a time. */
export interface Block {
  readonly own: 16 | 32 | 64;
  readonly seen: 16 | 32 | 64;
}

/** Where subgroups are small, as on software adapters, which compile larger blocks for half a minute. */
const SMALL: Block = { own: 16, seen: 16 };

/** Matrix shape and subgroup size that kernels of this device take. */
interface Units {
  readonly config: MatrixConfig;
  readonly subgroup: number;
  readonly fixed: boolean;
}

function unitsOf({ info, has, device }: Gpu): Units | null {
  const [config] = info.matrixConfigs
    .filter(
      ({ component, result, M, N, K }) =>
        component === 'f16' && result === 'f32' && [M, N, K].every((d) => d === 8 || d === 16),
    )
    .sort((x, y) => y.M * y.N * y.K - x.M * x.N * x.K);
  if (!has.subgroupMatrix || !config || !info.subgroupSize) return null;
  const { min, max } = info.subgroupSize;
  // AMD's matrix units are made for subgroups of 32.
  const subgroup = Math.min(max, Math.max(min, 32));
  if (min !== max && !device.features.has('subgroup-size-control' as GPUFeatureName)) return null;
  return { config, subgroup, fixed: min !== max };
}

/** Whether a device can run the matrix kernels. */
export function matrixSupported(gpu: Gpu): boolean {
  const units = unitsOf(gpu);
  return (
    units !== null &&
    4 * units.subgroup <= gpu.limits.maxComputeInvocationsPerWorkgroup &&
    gpu.limits.maxComputeWorkgroupStorageSize >= 32768
  );
}

/** Head dimensions of packed operands: rows in whole fragments, columns in whole fragments of two subgroups. */
export function packedDims(dim: number): { readonly DP: number; readonly DC: number } {
  return { DP: ceilDiv(dim, 16) * 16, DC: ceilDiv(dim, 32) * 32 };
}

/** Tokens of packed operands: a workgroup's rows may lie beyond the last. */
export function packedTokens(tokens: number): number {
  return ceilDiv(tokens + MOST_ROWS, PACKED) * PACKED;
}

/** Specialisation of a matrix kernel; the block is what hardware takes. */
export function matrixDefines(gpu: Gpu, dim: number, block: Block) {
  const units = unitsOf(gpu);
  check(matrixSupported(gpu) && units, 'adapter', () => {
    return `attention: the matrix variant does not run on this device in tier ${gpu.tier}`;
  });
  const { config, subgroup, fixed } = units;
  const threads = 4 * subgroup;
  const { own, seen } = subgroup < 16 ? SMALL : block;
  return {
    SHAPE_M: config.M,
    SHAPE_N: config.N,
    SHAPE_K: config.K,
    SUBGROUP: subgroup,
    FIXED_SIZE: fixed,
    D4: dim / 4,
    ...packedDims(dim),
    OWN: own,
    SEEN: seen,
    TEAM: threads / own,
  };
}

/** Tensors of a span, as they are bound. */
export interface Sources {
  readonly q: Bindable;
  readonly k: Bindable;
  readonly v: Bindable;
  readonly gradOut?: Bindable;
}

/** The bits of the largest magnitudes of q, k, v and gradOut, in this order: u32 [4]. */
export function magnitudes(gpu: Gpu, sources: Sources): Tensor {
  const largest = zeros(gpu, [4], { dtype: 'u32', purpose: 'scratch' });
  const groups = Math.min(128, ceilDiv(sources.q.range.size, 256 * 64));
  gpu.launch(
    'attention/magnitudes',
    { ...sources, largest },
    { groups },
    { groups: [groups, sources.gradOut ? 4 : 3], defines: { GRADIENT: sources.gradOut !== undefined } },
  );
  return largest;
}

/** What is wanted of a tensor in f16: see attention/pack.wgsl. */
export interface PackOptions {
  readonly which: keyof Sources;
  readonly heads: number;
  readonly tokens: number;
  readonly dim: number;
  /** Parts of a number in rows and in columns; none by default. */
  readonly rows?: 1 | 2;
  readonly columns?: 1 | 2;
  /** Rows carry NaN, also another tensor's. */
  readonly carries?: boolean;
  readonly other?: keyof Sources;
  readonly ownScale?: boolean;
}

/** A tensor in f16; a part that was not asked for holds nothing. */
export interface Packed {
  readonly rows: Tensor;
  readonly columns: Tensor;
  readonly scales: Tensor;
  dispose(): void;
}

/** Packs one of a span's tensors. */
export function pack(gpu: Gpu, sources: Sources, largest: Tensor, options: PackOptions): Packed {
  const { which, heads, tokens, dim, rows: ROWS = 0, columns: COLUMNS = 0, other } = options;
  const { carries = false, ownScale = false } = options;
  const { DP, DC } = packedDims(dim);
  const padded = packedTokens(tokens);
  const make = (wanted: boolean | number, size: number, dtype: 'f16' | 'f32') =>
    wanted ? empty(gpu, [size], { dtype, purpose: 'scratch' }) : null;
  const rows = make(ROWS, heads * ROWS * padded * DP, 'f16');
  const columns = make(COLUMNS, heads * COLUMNS * padded * DC, 'f16');
  const scales = make(ownScale, heads * padded, 'f32');
  gpu.launch(
    'attention/pack',
    {
      x: sources[which] as Bindable,
      ...(other && { other: sources[other] as Bindable }),
      largest,
      ...(rows && { rows }),
      ...(columns && { columns }),
      ...(scales && { scales }),
    },
    { tokens, padded, heads, which: ['q', 'k', 'v', 'gradOut'].indexOf(which) },
    {
      groups: [padded / PACKED, heads],
      defines: {
        D4: dim / 4,
        DP,
        DC,
        ROWS,
        COLUMNS,
        CARRIES: carries,
        OTHER: other !== undefined,
        OWN_SCALE: ownScale,
      },
    },
  );
  return {
    rows: rows as Tensor,
    columns: columns as Tensor,
    scales: scales as Tensor,
    dispose: () => [rows, columns, scales].forEach((tensor) => void tensor?.dispose()),
  };
}
