/** What makers say of their cards, as far as the prediction needs it. Matrix rates are dense, into f32. */
import { ANY_GPU, type DeviceTraits, type MatrixConfig } from '#osler/gpu/index.js';

/** A card's peaks. */
export interface Card {
  readonly name: string;
  /** FLOP/s of f32 arithmetic, and of matrix units where Osler can use them. */
  readonly f32: number;
  readonly matrix: number | null;
  /** Bytes per second. */
  readonly bandwidth: number;
  /** Seconds from the end of a launch to the start of the next that waits for it. */
  readonly launch: number;
  /** What kernels are chosen by. */
  readonly traits: DeviceTraits;
}

/**
 * Nobody publishes it. 3 microseconds are an assumption for drivers with a barrier between any two launches; `osler bench
 * --card` uses what it measures.
 */
const LAUNCH = 3e-6;

const MATRIX = 'chromium-experimental-subgroup-matrix';

function traits(
  vendor: string,
  name: string,
  subgroup: readonly [min: number, max: number],
  matrices: readonly MatrixConfig[],
  sharedBytes: number,
): DeviceTraits {
  const [min, max] = subgroup;
  return {
    ...ANY_GPU,
    tier: 'subgroup-matrix',
    info: { ...ANY_GPU.info, vendor, name, subgroupSize: { min, max }, matrixConfigs: matrices },
    limits: { ...ANY_GPU.limits, maxComputeWorkgroupStorageSize: sharedBytes },
    device: {
      features: new Set(['shader-f16', 'subgroups', 'subgroup-size-control', MATRIX]),
    },
  };
}

const half = (M: number, N: number, K: number): MatrixConfig => ({
  component: 'f16',
  result: 'f32',
  M,
  N,
  K,
});

const NVIDIA = (name: string) => traits('nvidia', name, [32, 32], [half(16, 16, 16)], 49152);

/** The cards of the table. */
export const CARDS: readonly Card[] = [
  {
    // NVIDIA, H100 Tensor Core GPU datasheet, SXM: FP32 67 TFLOP/s, FP16 tensor 1979 with sparsity, 3.35 TB/s.
    name: 'H100 SXM',
    f32: 67e12,
    matrix: 989e12,
    bandwidth: 3.35e12,
    launch: LAUNCH,
    traits: NVIDIA('H100'),
  },
  {
    // NVIDIA, Ada GPU architecture whitepaper, table of the RTX 4090: FP32 82.6, FP16 tensor into FP32 165.2, 1008 GB/s.
    name: 'RTX 4090',
    f32: 82.6e12,
    matrix: 165.2e12,
    bandwidth: 1.008e12,
    launch: LAUNCH,
    traits: NVIDIA('RTX 4090'),
  },
  {
    // AMD, product page of the RX 7900 XTX: FP32 61.4 TFLOP/s (two operations issued at once), FP16 matrix 123, 960 GB/s.
    name: 'RX 7900 XTX',
    f32: 61.4e12,
    matrix: 123e12,
    bandwidth: 0.96e12,
    launch: LAUNCH,
    traits: traits('amd', 'RX 7900 XTX', [32, 64], [half(16, 16, 16)], 65536),
  },
  {
    // Intel, product page of the Arc B580: 233 TOPS of INT8 (half of that in FP16), 456 GB/s, 20 Xe cores at 2.67 GHz with
    // 128 f32 lanes each.
    name: 'Arc B580',
    f32: 13.7e12,
    matrix: 116.5e12,
    bandwidth: 0.456e12,
    launch: LAUNCH,
    traits: traits('intel', 'Arc B580', [16, 32], [half(8, 16, 16)], 49152),
  },
  {
    // Apple publishes 400 GB/s for the M3 Max with 40 cores, no FLOP/s: 128 lanes a core at about 1.4 GHz. Its matrix
    // instructions take f32 into f32 at that rate (f16 into f16 too, which Osler does not use).
    name: 'M3 Max',
    f32: 14.2e12,
    matrix: 14.2e12,
    bandwidth: 0.4e12,
    launch: LAUNCH,
    traits: traits('apple', 'M3 Max', [32, 32], [{ ...half(8, 8, 8), component: 'f32' }], 32768),
  },
];
