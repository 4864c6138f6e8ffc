/** What is known of matrix units, by the makers of adapters: which shapes are used, and how a product is shared out. */
import type { Gpu, MatrixConfig } from '../gpu/index.js';
import { formatOf, type WeightFormat } from '../tensor/index.js';

/** Rows and columns of y that a workgroup computes. */
export type TileSize = 32 | 64 | 128;

/** The subgroups of a workgroup, as a grid, and the part of the tile that each of them owns. */
export interface Share {
  readonly gridM: number;
  readonly gridN: number;
  readonly partM: number;
  readonly partN: number;
}

const QUARTERS = { gridM: 2, gridN: 2 } as const;

const SHARES: Readonly<Record<TileSize, Share>> = {
  32: { ...QUARTERS, partM: 16, partN: 16 },
  64: { ...QUARTERS, partM: 32, partN: 32 },
  128: { gridM: 2, gridN: 4, partM: 64, partN: 32 },
};

/** Half of the sums per subgroup. */
const SMALL_SHARES: typeof SHARES = { ...SHARES, 128: { gridM: 4, gridN: 4, partM: 32, partN: 32 } };

/** How matrix products are made on the adapters of one maker. */
export interface MatrixTraits {
  /** Invocations per subgroup, where an adapter lets one choose. */
  readonly subgroup: 'least' | 'most';
  readonly shares: Readonly<Record<TileSize, Share>>;
  /** A processor plays them: no product is faster there, and compiling one takes seconds. */
  readonly emulated?: boolean;
}

/** Where a subgroup's registers hold 64 x 32 sums and what is multiplied. */
const USUAL: MatrixTraits = { subgroup: 'most', shares: SHARES };

/** By `GPUAdapterInfo.vendor`; others are taken for usual. */
const TRAITS: Readonly<Record<string, MatrixTraits>> = {
  // Operands are held once per 16 lanes: subgroups of 64 load all of them twice as often for the same arithmetic.
  amd: { subgroup: 'least', shares: SHARES },
  // 64 x 32 sums are all 8 KiB of the registers that a subgroup of Xe2 has, and its units want 16 lanes.
  intel: { subgroup: 'least', shares: SMALL_SHARES },
  // 208 registers of 32 bits at most, of which half leave twice the subgroups.
  apple: { subgroup: 'most', shares: SMALL_SHARES },
  // What a subgroup does is unrolled and compiled an element at a time.
  mesa: {
    emulated: true,
    subgroup: 'most',
    shares: {
      32: { gridM: 4, gridN: 4, partM: 8, partN: 8 },
      64: { gridM: 4, gridN: 4, partM: 16, partN: 16 },
      128: { gridM: 8, gridN: 8, partM: 16, partN: 16 },
    },
  },
};

/** How products are made on this adapter. */
export function matrixTraits(gpu: Gpu): MatrixTraits {
  return (Object.hasOwn(TRAITS, gpu.info.vendor) && TRAITS[gpu.info.vendor]) || USUAL;
}

/** A shape that an adapter multiplies with sums in f32. */
export interface MatrixShape extends MatrixConfig {
  readonly component: 'f16' | 'f32';
}

/**
 * The largest shape that the adapter multiplies into f32, as far as it divides the tiles: from f16, else from f32. Units that
 * add up f16 in f16 are not used: sums over K lose what decides log-probabilities, and f32 ones are there as well (Apple).
 */
export function matrixShape(gpu: Gpu): MatrixShape | undefined {
  const fitting = gpu.info.matrixConfigs.filter(
    (c): c is MatrixShape =>
      (c.component === 'f16' || c.component === 'f32') &&
      c.result === 'f32' &&
      [c.M, c.N, c.K].every((d) => d === 8 || d === 16),
  );
  const size = (c: MatrixConfig) => c.M * c.N * c.K;
  return fitting.sort(
    (x, y) => Number(y.component === 'f16') - Number(x.component === 'f16') || size(y) - size(x),
  )[0];
}

/** Invocations per subgroup, and whether that must be asked for; undefined where there are no subgroups of a known size. */
export function matrixSubgroup(gpu: Gpu): { readonly size: number; readonly asked: boolean } | undefined {
  const sizes = gpu.info.subgroupSize;
  if (!sizes) return undefined;
  const asked = sizes.min !== sizes.max;
  if (asked && !gpu.device.features.has('subgroup-size-control' as GPUFeatureName)) return undefined;
  return { size: matrixTraits(gpu).subgroup === 'least' ? sizes.min : sizes.max, asked };
}

/** In how many numbers matrix units get an element of A and of B. */
export interface Parts {
  readonly a: 1 | 2;
  readonly b: 1 | 2;
}

/** The parts that a product needs: f16 holds 11 bits, and numbers in 16 bits have no more. */
export function partsFor(shape: MatrixShape, precision: 'f32' | 'f16', dtypeB: WeightFormat): Parts {
  if (shape.component === 'f32' || precision === 'f16') return { a: 1, b: 1 };
  return { a: 2, b: formatOf(dtypeB).exactInHalf ? 1 : 2 };
}

/** Bytes of an element of a part, and steps of K that are staged at a time: 64 bytes of them. */
export function staged({ component }: MatrixShape): { readonly bytes: number; readonly depth: number } {
  return component === 'f16' ? { bytes: 2, depth: 32 } : { bytes: 4, depth: 16 };
}

/** Whether this device can multiply on matrix units with tiles of a size and operands in so many parts. */
export function matrixSupported(gpu: Gpu, size: TileSize, { a, b }: Parts): boolean {
  const shape = matrixShape(gpu);
  const subgroup = matrixSubgroup(gpu);
  if (!gpu.has.subgroupMatrix || !shape || !subgroup) return false;
  const { gridM, gridN } = matrixTraits(gpu).shares[size];
  // 64 bytes per part of a row, 16 more against bank conflicts, and a fragment of f32 per subgroup.
  const bytes = size * (64 * (a + b) + 32) + 4 * gridM * gridN * shape.M * shape.N;
  return (
    gridM * gridN * subgroup.size <= gpu.limits.maxComputeInvocationsPerWorkgroup &&
    bytes <= gpu.limits.maxComputeWorkgroupStorageSize
  );
}
