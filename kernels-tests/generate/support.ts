/** Tiny checkpoints and what transformers generates from them. */
import { fileURLToPath } from 'node:url';
import { promptsOf } from '../../src/generate/inputs.js';
import type { GenerationRequest } from '../../src/generate/request.js';
import type { Gpu } from '../../src/gpu/index.js';
import type { WeightDtype } from '../../src/models/core/load-weights.js';
import type { Model } from '../../src/models/core/model.js';
import { loadModel } from '../../src/models/load.js';
import { Fixture } from '../../src/models/parity/fixture.js';
import { fixture } from '../support/fixture.js';

const folder = fileURLToPath(new URL('../fixtures/', import.meta.url));

/** Names of the tiny checkpoints. */
export const MODELS = [
  'qwen2-vl',
  'qwen2.5-vl',
  'qwen2',
  'llama',
  'qwen3-vl',
  'qwen3',
  'gemma3',
  'gemma3-text',
] as const;

/** A committed tiny checkpoint. */
export function tinyModel(gpu: Gpu, name: string, dtype: WeightDtype = 'f32'): Promise<Model> {
  return loadModel(gpu, `${folder}models/${name}`, { dtype });
}

/** Prompts (padded on the left in the file), and what transformers makes of them. */
export async function expectation(model: Model, name: string) {
  const file = await Fixture.open(`${folder}generate/${name}.safetensors`);
  try {
    const prompts = await promptsOf(file, model);
    const { generated, logprobs } = fixture(`generate/${name}`);
    const [rows, length] = generated.shape;
    const row = <T extends Float32Array | Int32Array>(data: T, i: number) =>
      Array.from(data.subarray(i * length, (i + 1) * length));
    return {
      prompts,
      length,
      tokens: Array.from({ length: rows }, (_, i) => row(generated.data as Int32Array, i)),
      logprobs: Array.from({ length: rows }, (_, i) => row(logprobs.data as Float32Array, i)),
    };
  } finally {
    await file.close();
  }
}

/** Greedy, with eos as an ordinary token. */
export function greedy(prompt: Pick<GenerationRequest, 'ids' | 'images'>, maxNewTokens: number) {
  return { ...prompt, maxNewTokens, stopIds: [], sampling: { temperature: 0 } };
}

/** The largest difference of two lists. */
export function furthest(a: readonly number[], b: readonly number[]): number {
  return Math.max(...a.map((x, i) => Math.abs(x - b[i])));
}
