/** The memory that a run will need, before anything is loaded. */
import { OslerError } from '../../gpu/index.js';
import type { ModelConfig } from '../../models/index.js';
import { frozenParts, type TrainingConfig } from '../config/index.js';
import { adaptsVision } from '../policy.js';
import type { Workload } from '../task.js';
import { passBytes } from './activations.js';
import { fixedBytes, trainsVision } from './weights.js';

/** Bytes by purpose, each at its own peak, and the peak of their sum. */
export interface MemoryPlan {
  readonly weights: number;
  readonly optimizer: number;
  readonly gradients: number;
  readonly activations: number;
  readonly scratch: number;
  readonly kv: number;
  /** Further copies of the weights, and what else the task keeps. */
  readonly copies: number;
  readonly peak: number;
  /** The largest buffer that training needs. */
  readonly largest: { readonly name: string; readonly bytes: number };
  /** Settings that lower it, best first. */
  readonly lower: readonly string[];
}

/** Buffers come in size classes, which wastes some. */
const POOL_WASTE = 1.02;

/** What the plan must know of the device. */
export interface PlanDevice {
  /** Whether it is a software adapter, whose kernels need other scratch memory. */
  readonly software: boolean;
}

/** Estimates the peak of a run's largest step. */
export function planMemory(
  config: TrainingConfig,
  model: ModelConfig,
  workload: Workload,
  device: PlanDevice,
): MemoryPlan {
  const fixed = fixedBytes(config, model);
  const pass = passBytes(model, {
    tokens: workload.tokens,
    longest: workload.longest ?? workload.tokens,
    patches: workload.patches,
    largestImage: workload.largestImage ?? workload.patches,
    targets: workload.targets,
    recompute: config.gradient_checkpointing,
    rank: config.use_peft ? config.lora_r : 0,
    adaptsVision: adaptsVision(config),
    dropout: config.lora_dropout > 0,
    software: device.software,
  });
  const copies = (workload.frozenCopies ?? 0) * fixed.weights + (workload.extraBytes ?? 0);
  const kv = workload.kvBytes ?? 0;
  const tower = trainsVision(config, model) ? pass.tower : null;
  const saved = pass.around + pass.text.saved + (tower?.saved ?? 0);
  // Gradients grow while what is saved shrinks: the peak is at the head, at the first or the last layer of the decoder, at
  // the first or the last layer of the tower, or in a rollout. From the second micro-batch on all gradients are there.
  const accumulates = config.gradient_accumulation_steps > 1;
  const early = accumulates ? fixed.gradients : fixed.headGradient;
  const decoded = accumulates ? fixed.gradients : fixed.gradients - fixed.visionGradients;
  const moments = [
    early + saved + pass.head,
    early + saved + pass.text.layer,
    decoded + pass.around + (tower?.saved ?? 0) + pass.text.layer,
    decoded + (tower ? tower.saved + tower.layer : 0),
    fixed.gradients + (tower?.layer ?? 0),
    early + pass.towerForward,
    kv + pass.text.layer,
  ];
  return {
    weights: fixed.weights,
    optimizer: fixed.optimizer,
    gradients: fixed.gradients,
    activations: saved + Math.max(pass.text.layer, tower?.layer ?? 0) - pass.scratch,
    scratch: Math.max(pass.scratch, pass.head),
    kv,
    copies,
    peak: (fixed.weights + fixed.optimizer + copies + Math.max(...moments)) * POOL_WASTE,
    largest: { name: fixed.largestTrained.name, bytes: 4 * fixed.largestTrained.elements },
    lower: [...ownSettings(config), ...workload.lower],
  };
}

function ownSettings(config: TrainingConfig): string[] {
  const frozen = frozenParts(config);
  return [
    ...(config.gradient_checkpointing ? [] : ['gradient_checkpointing: true']),
    ...(config.use_peft ? [] : ['use_peft: true']),
    ...(config.dtype === 'float32' ? ['dtype: bfloat16'] : []),
    ...(frozen.visionTower ? [] : ['freeze_vision_tower: true']),
  ];
}

/** What the device offers. */
export interface DeviceMemory {
  /** Bytes that the run may use; undefined where the adapter does not tell. */
  readonly bytes?: number;
  readonly largestBuffer: number;
}

/** Refuses a plan that cannot work. */
export function checkPlan(plan: MemoryPlan, device: DeviceMemory): void {
  if (plan.largest.bytes > device.largestBuffer) {
    throw new OslerError(
      'value',
      `the optimizer state of ${plan.largest.name} takes ${gib(plan.largest.bytes)}, over this adapter's largest buffer of ${gib(device.largestBuffer)}; set use_peft: true or freeze the part it belongs to`,
    );
  }
  if (device.bytes === undefined || plan.peak <= device.bytes) return;
  throw new OslerError(
    'value',
    `the run needs about ${gib(plan.peak)}, but the device has ${gib(device.bytes)} for it (${planText(plan)}); lower it with ${plan.lower.join(', ')}, or set device_memory_gib if the device has more`,
  );
}

/** The plan in one line. */
export function planText(plan: MemoryPlan): string {
  const parts = [
    ['weights', plan.weights],
    ['optimizer', plan.optimizer],
    ['gradients', plan.gradients],
    ['activations', plan.activations],
    ['scratch', plan.scratch],
    ['KV cache', plan.kv],
    ['copies', plan.copies],
  ] as const;
  return parts
    .filter(([, bytes]) => bytes > 0)
    .map(([name, bytes]) => `${name} ${gib(bytes)}`)
    .join(', ');
}

/** Bytes for people. */
export function gib(bytes: number): string {
  if (bytes >= 2 ** 30) return `${(bytes / 2 ** 30).toFixed(2)} GiB`;
  return bytes >= 2 ** 20 ? `${(bytes / 2 ** 20).toFixed(1)} MiB` : `${(bytes / 2 ** 10).toFixed(1)} KiB`;
}
