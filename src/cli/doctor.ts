/** `osler doctor`: what this machine offers, how fast it is, and what to do about what is missing. */
import type { CommandModule } from 'yargs';
import type { AdapterInfo, Gpu } from '../gpu/index.js';
import { measureRoofline, type Roofline } from '../kernels/roofline.js';
import type { AdapterMemory } from '../platform/cards.js';
import { ensureDriver } from '../platform/launcher/launch.js';
import { openGpu } from '../platform/launcher/open.js';
import { type StageName, stageTimes } from '../platform/launcher/stages.js';
import { memoryText } from '../train/memory/index.js';
import { type CommonArgs, commonOptions } from './common.js';
import { deviceMemory } from './device.js';
import { print, printJson } from './terminal.js';

/** What `osler doctor --json` prints. */
export interface DoctorReport {
  readonly adapter: AdapterInfo;
  readonly tier: string;
  /** What the adapter has; null where nothing on the machine tells. */
  readonly memory: AdapterMemory | null;
  readonly limits: Readonly<Record<string, number>>;
  readonly peak: {
    readonly f32: number;
    readonly f16: number | null;
    readonly subgroupMatrix: number | null;
  };
  readonly bandwidth: number;
  readonly dispatchMicroseconds: number;
  readonly node: string;
  /** Seconds that the stages of the start took. */
  readonly start: Readonly<Partial<Record<StageName, number>>>;
  readonly advice: readonly string[];
}

const LIMITS = [
  'maxBufferSize',
  'maxStorageBufferBindingSize',
  'maxStorageBuffersPerShaderStage',
  'maxComputeWorkgroupStorageSize',
  'maxComputeInvocationsPerWorkgroup',
  'maxComputeWorkgroupsPerDimension',
  'maxImmediateSize',
  'minStorageBufferOffsetAlignment',
] as const;

/** Opens the adapter and measures it. */
export async function examine(): Promise<DoctorReport> {
  const gpu = await openGpu();
  try {
    const memory = (await deviceMemory(gpu)) ?? null;
    return report(gpu, memory, await measureRoofline(gpu));
  } finally {
    await gpu.destroy();
  }
}

function report(gpu: Gpu, memory: AdapterMemory | null, roofline: Roofline): DoctorReport {
  return {
    adapter: gpu.info,
    tier: gpu.tier,
    memory,
    limits: Object.fromEntries(LIMITS.map((name) => [name, gpu.limits[name]])),
    peak: { f32: roofline.f32, f16: roofline.f16, subgroupMatrix: roofline.matrix },
    bandwidth: roofline.bandwidth,
    dispatchMicroseconds: roofline.dispatchMicroseconds,
    node: process.version,
    start: stageTimes(),
    advice: advise(gpu, memory, roofline),
  };
}

/** One sentence per thing that is missing or slow, each with what to do. */
function advise(gpu: Gpu, memory: AdapterMemory | null, roofline: Roofline): string[] {
  const { info } = gpu;
  const advice: string[] = [];
  if (info.software) {
    advice.push(
      'Kernels run on the CPU: install the driver of your GPU (Vulkan, Metal or D3D12) to train at speed; tests and small demos work as they are.',
    );
    if (!/512-bits/.test(info.name) && /llvmpipe/.test(info.name)) {
      advice.push(
        'llvmpipe uses vectors under 512 bits; on a CPU with AVX-512, LP_NATIVE_VECTOR_WIDTH=512 is faster.',
      );
    }
  }
  if (!info.tiers.includes('f16')) {
    advice.push(
      'The adapter has no shader-f16: weights may still be stored in f16 or bf16, arithmetic is f32.',
    );
  }
  if (!info.tiers.includes('subgroup-matrix')) {
    if (/llvmpipe/.test(info.name)) {
      advice.push(
        'The matrix tier is off on this driver; LP_NATIVE_VECTOR_WIDTH=256 turns it on for tests of the tensor-core kernels.',
      );
    } else if (!info.software) {
      advice.push(
        'The adapter reports no f16 matrices with f32 results (VK_KHR_cooperative_matrix): update its driver if the GPU has tensor cores.',
      );
    }
  }
  if (!memory) {
    advice.push(
      'Nothing tells how much memory the adapter has: set device_memory_gib in the configs of runs, so that what does not fit is refused before it starts.',
    );
  }
  if (!info.features.includes('timestamp-query'))
    advice.push('No timestamp-query: `--profile` is not available.');
  if (gpu.tier !== info.tiers[info.tiers.length - 1]) {
    advice.push(
      `OSLER_TIER holds the engine at tier ${gpu.tier}; unset it to use ${info.tiers[info.tiers.length - 1]}.`,
    );
  }
  if (roofline.dispatchMicroseconds > 15) {
    advice.push('A dispatch costs more than 15 microseconds: another process may be using the CPU.');
  }
  return advice;
}

/** Prints a report for people. */
export function render(r: DoctorReport): string {
  const giga = (v: number | null, unit: string) =>
    v === null ? 'not available' : `${(v / 1e9).toFixed(1)} ${unit}`;
  const size = (v: number) => (v >= 1 << 20 ? `${(v / (1 << 20)).toFixed(0)} MiB` : `${v}`);
  const { adapter: a } = r;
  const rows: [string, string][] = [
    ['adapter', `${a.name}${a.software ? ' (software)' : ''}`],
    ['driver', a.driver],
    ['vendor', [a.vendor, a.architecture].filter(Boolean).join(' ') || 'not reported'],
    ['memory', r.memory ? memoryText(r.memory) : 'not told'],
    ['tier', `${r.tier} (offered: ${a.tiers.join(', ')})`],
    ['subgroup size', a.subgroupSize ? `${a.subgroupSize.min} to ${a.subgroupSize.max}` : 'no subgroups'],
    [
      'matrix shapes',
      a.matrixConfigs.map((c) => `${c.M}x${c.N}x${c.K} ${c.component}->${c.result}`).join(', ') || 'none',
    ],
    ['peak f32', giga(r.peak.f32, 'GFLOP/s')],
    ['peak f16', giga(r.peak.f16, 'GFLOP/s')],
    ['peak subgroup-matrix', giga(r.peak.subgroupMatrix, 'GFLOP/s')],
    ['bandwidth (copy)', giga(r.bandwidth, 'GB/s')],
    ['dispatch overhead', `${r.dispatchMicroseconds.toFixed(1)} us per launch in a batch`],
    ...Object.entries(r.limits).map(([name, v]): [string, string] => [name, size(v)]),
    ['features', a.features.join(' ')],
    ['node', r.node],
    [
      'start',
      Object.entries(r.start)
        .map(([name, seconds]) => `${name} ${seconds.toFixed(2)} s`)
        .join(', '),
    ],
  ];
  const width = Math.max(...rows.map(([name]) => name.length));
  const table = rows.map(([name, value]) => `${name.padEnd(width)}  ${value}`).join('\n');
  const advice = r.advice.map((line) => `- ${line}`).join('\n');
  return advice ? `${table}\n\n${advice}` : `${table}\n\nNothing is missing.`;
}

/** The yargs command. */
export const doctor: CommandModule<object, CommonArgs> = {
  command: 'doctor',
  describe:
    'Show the adapter, its features, limits and measured speed, and what to do if something is missing',
  builder: (yargs) =>
    commonOptions(yargs)
      .example('$0 doctor', 'what this machine offers, for people')
      .example('$0 doctor --json', 'the same for scripts; FLOP/s and bytes/s'),
  handler: async (args) => {
    await ensureDriver();
    const result = await examine();
    if (args.json) printJson(result);
    else print(render(result));
  },
};
