/** Bytes of weights, optimizer state and gradients, from the configs alone. */

import { type ParameterSpec, parameterSpecs } from '../../models/core/inventory.js';
import { LORA_DEFAULTS, type LoraConfig } from '../../models/core/lora/config.js';
import { isSaved } from '../../models/core/lora/disk.js';
import { scaling, targets } from '../../models/core/lora/targets.js';
import { isVision, memoryName } from '../../models/core/names.js';
import type { ModelConfig } from '../../models/index.js';
import { frozenParts, type TrainingConfig } from '../config/index.js';
import { isFrozen } from '../parts.js';
import { adaptsVision, loraSettings } from '../policy.js';

/** Bytes that do not depend on the batch. */
export interface FixedBytes {
  readonly weights: number;
  readonly optimizer: number;
  readonly gradients: number;
  /** Gradient of the output head alone, which is there from the start of the backward pass. */
  readonly headGradient: number;
  /** Gradients of the tower, which are the last to come. */
  readonly visionGradients: number;
  /** Elements of the largest weight that trains: its moments are buffers of four bytes each. */
  readonly largestTrained: { readonly name: string; readonly elements: number };
}

const ELEMENT_BYTES = { float32: 4, bfloat16: 2, float16: 2 } as const;

interface Trained {
  readonly name: string;
  readonly elements: number;
  readonly stored: number;
}

/** Adds up what a run holds from its first step to its last. */
export function fixedBytes(config: TrainingConfig, model: ModelConfig): FixedBytes {
  const specs = parameterSpecs(model);
  const stored = storedBytes(config, model);
  const adapter = config.use_peft ? adapterMatrices(config, model, specs) : [];
  const trained: Trained[] = [
    ...specs
      .filter((spec) => trains(config, spec.name))
      .map((spec) => ({ name: spec.name, elements: size(spec), stored: stored(spec) })),
    ...adapter,
  ];
  const weights =
    specs.reduce((sum, spec) => sum + size(spec) * stored(spec), 0) +
    adapter.reduce((sum, { elements }) => sum + 4 * elements, 0);
  const head = model.text.tied ? 'model.embed_tokens.weight' : 'lm_head.weight';
  const gradient = (list: readonly Trained[]) => list.reduce((sum, { elements }) => sum + 4 * elements, 0);
  const largest = trained.reduce((a, b) => (b.elements > a.elements ? b : a), { name: '', elements: 0 });
  return {
    weights,
    optimizer: trained.reduce((sum, t) => sum + t.elements * (8 + (t.stored < 4 ? 4 : 0)), 0),
    gradients: gradient(trained),
    headGradient: gradient(trained.filter(({ name }) => name === head)),
    visionGradients: gradient(trained.filter(({ name }) => isVision(name))),
    largestTrained: largest,
  };
}

/** Whether gradients flow through the tower, so that its activations are kept. */
export function trainsVision(config: TrainingConfig, model: ModelConfig): boolean {
  if (!model.vision) return false;
  if (!config.use_peft)
    return parameterSpecs(model).some(({ name }) => isVision(name) && trains(config, name));
  const { modulesToSave } = { ...LORA_DEFAULTS, ...loraSettings(config) };
  const specs = parameterSpecs(model);
  return (
    adapterMatrices(config, model, specs).some(({ name }) => isVision(name)) ||
    specs.some(({ name }) => isVision(name) && isSaved(modulesToSave, name))
  );
}

function trains(config: TrainingConfig, name: string): boolean {
  if (config.use_peft) return isSaved(config.lora_modules_to_save, name);
  return !isFrozen(frozenParts(config), name);
}

function size({ shape }: ParameterSpec): number {
  return shape.reduce((n, d) => n * d, 1);
}

function storedBytes(config: TrainingConfig, model: ModelConfig): (spec: ParameterSpec) => number {
  const bytes = ELEMENT_BYTES[config.dtype === 'auto' ? model.dtype : config.dtype];
  return ({ role }) => (role === 'matrix' || role === 'embedding' ? bytes : 4);
}

/** Matrices of the adapter that the config makes; the one of `adapter_name_or_path` may differ. */
function adapterMatrices(
  config: TrainingConfig,
  model: ModelConfig,
  specs: readonly ParameterSpec[],
): Trained[] {
  const lora: LoraConfig = { ...LORA_DEFAULTS, ...loraSettings(config) };
  const multimodal = model.vision !== null;
  const names = typeof lora.targets === 'string' && lora.targets.includes('visual');
  return specs.flatMap(({ name, shape, role }) => {
    if (role !== 'matrix' || shape.length !== 2 || name === 'lm_head.weight') return [];
    const path = name.replace(/\.weight$/, '');
    const module = memoryName(path, multimodal);
    if (!targets(lora, module) || (isVision(path) && !names && !adaptsVision(config))) return [];
    const { rank } = scaling(lora, module);
    return [
      { name: `${path}.lora_A.weight`, elements: rank * shape[1], stored: 4 },
      { name: `${path}.lora_B.weight`, elements: rank * shape[0], stored: 4 },
    ];
  });
}
