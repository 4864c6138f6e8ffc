/** Every parameter that a model has, with its shape, from its config alone. */

import type { VisionConfig } from '../families/qwen-vl/vision-config.js';
import type { ModelConfig, TextConfig } from './config.js';

/** What a parameter is; decides how it is initialised and stored. */
export type ParameterRole = 'matrix' | 'embedding' | 'bias' | 'norm';

/** A parameter by its canonical name. */
export interface ParameterSpec {
  readonly name: string;
  readonly shape: readonly number[];
  readonly role: ParameterRole;
}

/** All parameters in the order of the forward pass; a tied head is not listed. */
export function parameterSpecs(config: ModelConfig): ParameterSpec[] {
  return [...(config.vision ? visionSpecs(config.vision) : []), ...textSpecs(config.text)];
}

/** Number of parameters. */
export function parameterCount(config: ModelConfig): number {
  return parameterSpecs(config).reduce((sum, { shape }) => sum + shape.reduce((n, d) => n * d, 1), 0);
}

function* linearSpecs(path: string, output: number, input: number, bias: boolean): Generator<ParameterSpec> {
  yield { name: `${path}.weight`, shape: [output, input], role: 'matrix' };
  if (bias) yield { name: `${path}.bias`, shape: [output], role: 'bias' };
}

function* textSpecs(c: TextConfig): Generator<ParameterSpec> {
  const { hiddenSize: D, intermediateSize: I } = c;
  const q = c.heads * c.headDim;
  const kv = c.kvHeads * c.headDim;
  yield { name: 'model.embed_tokens.weight', shape: [c.vocabSize, D], role: 'embedding' };
  for (let i = 0; i < c.layers; i++) {
    const layer = `model.layers.${i}`;
    yield { name: `${layer}.input_layernorm.weight`, shape: [D], role: 'norm' };
    yield* linearSpecs(`${layer}.self_attn.q_proj`, q, D, c.qkvBias);
    yield* linearSpecs(`${layer}.self_attn.k_proj`, kv, D, c.qkvBias);
    yield* linearSpecs(`${layer}.self_attn.v_proj`, kv, D, c.qkvBias);
    yield* linearSpecs(`${layer}.self_attn.o_proj`, D, q, c.outputBias);
    yield { name: `${layer}.post_attention_layernorm.weight`, shape: [D], role: 'norm' };
    yield* linearSpecs(`${layer}.mlp.gate_proj`, I, D, c.mlpBias);
    yield* linearSpecs(`${layer}.mlp.up_proj`, I, D, c.mlpBias);
    yield* linearSpecs(`${layer}.mlp.down_proj`, D, I, c.mlpBias);
  }
  yield { name: 'model.norm.weight', shape: [D], role: 'norm' };
  if (!c.tied) yield { name: 'lm_head.weight', shape: [c.vocabSize, D], role: 'matrix' };
}

function* visionSpecs(c: VisionConfig): Generator<ParameterSpec> {
  const E = c.width;
  const I = c.intermediateSize;
  const older = c.kind === 'qwen2_vl';
  function* norm(path: string): Generator<ParameterSpec> {
    yield { name: `${path}.weight`, shape: [E], role: 'norm' };
    if (older) yield { name: `${path}.bias`, shape: [E], role: 'bias' };
  }
  const patch = [E, c.channels, c.temporalPatchSize, c.patchSize, c.patchSize];
  yield { name: 'visual.patch_embed.proj.weight', shape: patch, role: 'matrix' };
  for (let i = 0; i < c.depth; i++) {
    const block = `visual.blocks.${i}`;
    yield* norm(`${block}.norm1`);
    yield* linearSpecs(`${block}.attn.qkv`, 3 * E, E, true);
    yield* linearSpecs(`${block}.attn.proj`, E, E, true);
    yield* norm(`${block}.norm2`);
    if (older) {
      yield* linearSpecs(`${block}.mlp.fc1`, I, E, true);
      yield* linearSpecs(`${block}.mlp.fc2`, E, I, true);
    } else {
      yield* linearSpecs(`${block}.mlp.gate_proj`, I, E, true);
      yield* linearSpecs(`${block}.mlp.up_proj`, I, E, true);
      yield* linearSpecs(`${block}.mlp.down_proj`, E, I, true);
    }
  }
  const merged = E * c.mergeSize ** 2;
  yield* norm('visual.merger.ln_q');
  yield* linearSpecs('visual.merger.mlp.0', merged, merged, true);
  yield* linearSpecs('visual.merger.mlp.2', c.outSize, merged, true);
}
