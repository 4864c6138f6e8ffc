/** Choosing what to ask of an adapter: feature tiers, limits, and refusing adapters that only pretend. */
import { check, OslerError } from './errors.js';

declare global {
  interface GPUSubgroupMatrixConfig {
    readonly componentType: string;
    readonly resultComponentType: string;
    readonly M: number;
    readonly N: number;
    readonly K: number;
  }
  interface GPUAdapterInfo {
    readonly subgroupMatrixConfigs?: readonly GPUSubgroupMatrixConfig[];
  }
  interface GPUSupportedLimits {
    readonly maxImmediateSize: number;
  }
}

/** Feature tiers, each including the ones before it. */
export const TIERS = ['base', 'f16', 'subgroups', 'subgroup-matrix'] as const;
/** A named set of adapter features that kernels may use. */
export type Tier = (typeof TIERS)[number];

/** A matrix shape that the adapter multiplies in hardware: result[M,N] += left[M,K] * right[K,N]. */
export interface MatrixConfig {
  readonly component: string;
  readonly result: string;
  readonly M: number;
  readonly N: number;
  readonly K: number;
}

/** What the adapter is, in plain data (what `osler doctor` prints and caches are keyed by). */
export interface AdapterInfo {
  readonly name: string;
  readonly vendor: string;
  readonly architecture: string;
  readonly driver: string;
  /** True where kernels run on the CPU (llvmpipe, SwiftShader, WARP): other variants win there. */
  readonly software: boolean;
  readonly features: readonly string[];
  readonly subgroupSize: { readonly min: number; readonly max: number } | null;
  readonly matrixConfigs: readonly MatrixConfig[];
  readonly tiers: readonly Tier[];
}

/** An adapter that passed inspection. */
export interface Candidate {
  readonly adapter: GPUAdapter;
  readonly info: AdapterInfo;
}

/** Asks for the most powerful adapter; throws where there is none that executes what it accepts. */
export async function requestAdapter(gpu: GPU): Promise<Candidate> {
  const adapter = await gpu.requestAdapter({ powerPreference: 'high-performance' });
  check(
    adapter,
    'adapter',
    () =>
      'no WebGPU adapter was found; start the program with `node dist/platform/launcher/run.js`, which provides a software driver, or ask `osler doctor` what to install',
  );
  const info = describeAdapter(adapter);
  // Dawn's Null backend accepts all work and executes none of it: results would be silent zeros.
  check(!/null backend/i.test(`${info.name} ${info.driver}`), 'adapter', () => {
    return 'only the Null backend was found, which executes nothing; `osler doctor` says what to install';
  });
  return { adapter, info };
}

/** Reads an adapter's self-description. */
export function describeAdapter(adapter: GPUAdapter): AdapterInfo {
  const { info, features } = adapter;
  const has = (name: string) => features.has(name as GPUFeatureName);
  const names = `${info.device} ${info.description} ${info.architecture}`;
  const llvmpipe = /llvmpipe|lavapipe/i.test(names);
  const software = llvmpipe || /swiftshader|microsoft basic render/i.test(names);
  const matrixConfigs = [...(info.subgroupMatrixConfigs ?? [])].map((c) => ({
    component: c.componentType,
    result: c.resultComponentType,
    M: c.M,
    N: c.N,
    K: c.K,
  }));
  const tiers: Tier[] = ['base'];
  if (has('shader-f16')) tiers.push('f16');
  if (has('subgroups')) tiers.push('subgroups');
  // f16 or f32 operands with an f32 accumulator; f16 accumulation overflows on Qwen activations.
  // llvmpipe offers 8x8x8 whatever its vector width, but crashes the process on it when subgroups have 16 lanes (Mesa
  // 26.1, LP_NATIVE_VECTOR_WIDTH=512); with 8 lanes (256) it is right.
  const crashes = llvmpipe && (info.subgroupMaxSize ?? 0) > 8;
  const usable =
    !crashes && matrixConfigs.some((c) => ['f16', 'f32'].includes(c.component) && c.result === 'f32');
  if (has('chromium-experimental-subgroup-matrix') && has('shader-f16') && has('subgroups') && usable) {
    tiers.push('subgroup-matrix');
  }
  return {
    name: info.device || info.description || 'unknown adapter',
    vendor: info.vendor,
    architecture: info.architecture,
    driver: info.description,
    software,
    features: [...features].sort(),
    subgroupSize: has('subgroups')
      ? { min: info.subgroupMinSize ?? 4, max: info.subgroupMaxSize ?? 128 }
      : null,
    matrixConfigs,
    tiers,
  };
}

/** Validates a tier name (as given by a user) against what the adapter offers. */
export function chooseTier(info: AdapterInfo, wanted: string | undefined): Tier {
  if (!wanted) return info.tiers[info.tiers.length - 1];
  const tier = TIERS.find((name) => name === wanted);
  check(tier, 'value', () => `tier "${wanted}" is unknown; use one of ${TIERS.join(', ')}`);
  if (info.tiers.includes(tier)) return tier;
  throw new OslerError(
    'adapter',
    `tier "${tier}" is not offered by ${info.name}; it has ${info.tiers.join(', ')}`,
  );
}

const FEATURES: readonly { readonly from: Tier; readonly name: string }[] = [
  { from: 'base', name: 'timestamp-query' },
  { from: 'f16', name: 'shader-f16' },
  { from: 'subgroups', name: 'subgroups' },
  { from: 'subgroups', name: 'subgroup-size-control' },
  { from: 'subgroup-matrix', name: 'chromium-experimental-subgroup-matrix' },
];

/** Requests a device with a tier's features and all of the adapter's limits. */
export async function requestDevice({ adapter, info }: Candidate, tier: Tier): Promise<GPUDevice> {
  const features = FEATURES.filter(
    ({ from, name }) => TIERS.indexOf(from) <= TIERS.indexOf(tier) && info.features.includes(name),
  );
  const requiredLimits: Record<string, number> = {};
  for (const key in adapter.limits) {
    const value = (adapter.limits as unknown as Record<string, unknown>)[key];
    if (typeof value === 'number') requiredLimits[key] = value;
  }
  return adapter.requestDevice({
    label: 'osler',
    requiredFeatures: features.map(({ name }) => name as GPUFeatureName),
    requiredLimits,
  });
}
