import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { int4ToF32 } from '../tensor/index.js';
import { openCheckpoint } from './checkpoint.js';
import type { Dtype } from './dtypes.js';
import { type PackedScheme, packedWeight } from './packed.js';
import { writeSafetensors } from './writer.js';

const fixture = (scheme: string) =>
  fileURLToPath(new URL(`../../kernels-tests/fixtures/models/qwen2-${scheme}`, import.meta.url));
const PATH = 'model.layers.0.self_attn.k_proj';
let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'osler-packed-'));
});
afterEach(() => rm(folder, { recursive: true }));

/** The numbers of a weight. */
async function numbers(path: string, name: string, scheme: PackedScheme): Promise<Float32Array> {
  const checkpoint = await openCheckpoint(path);
  try {
    const weight = await packedWeight(checkpoint, name, scheme);
    const segments: Uint32Array<ArrayBuffer>[] = [];
    for await (const { segment, bytes } of weight.pieces(1 << 20)) {
      segments[segment] = new Uint32Array(bytes.slice().buffer);
    }
    return int4ToF32({ codes: segments[0], blocks: segments[1] });
  } finally {
    await checkpoint.close();
  }
}

it('finds the same numbers in both packings, zeros as the version has them', async () => {
  for (const module of ['self_attn.k_proj', 'mlp.down_proj']) {
    const name = `model.layers.1.${module}.qweight`;
    const awq = await numbers(fixture('awq'), name, 'awq');
    expect(new Set(awq).size).toBeGreaterThan(100);
    expect(await numbers(fixture('gptq'), name, 'gptq')).toEqual(awq);
    expect(await numbers(fixture('gptq'), name, 'gptq_v2')).not.toEqual(awq);
  }
});

interface Change {
  readonly without?: string;
  readonly as?: { readonly kind: string; readonly dtype: Dtype; readonly shape: readonly number[] };
  readonly order?: true;
}

it.each<[string, Change]>([
  [`FILE: tensor "${PATH}.qweight" stands without "${PATH}.scales"`, { without: 'scales' }],
  [
    `FILE: tensor "${PATH}.scales" is BF16 [1, 32]; its codes make it F16 [1, 32]`,
    { as: { kind: 'scales', dtype: 'BF16', shape: [1, 32] } },
  ],
  [
    `FILE: tensor "${PATH}.qzeros" is I32 [2, 2]; its codes make it I32 [1, 4]`,
    { as: { kind: 'qzeros', dtype: 'I32', shape: [2, 2] } },
  ],
  [
    `FILE: tensor "${PATH}.qweight" has groups of 32 inputs; multiples of 64 can be read`,
    { as: { kind: 'qweight', dtype: 'I32', shape: [4, 32] } },
  ],
  [
    `FILE: tensor "${PATH}.g_idx" has inputs in another order (desc_act); groups of neighbours can be read`,
    { order: true },
  ],
])('%s', async (sentence, { without, as, order }) => {
  const path = join(folder, 'changed.safetensors');
  const source = await openCheckpoint(fixture('gptq'));
  const names = source.names().filter((name) => name.startsWith(PATH) && name !== `${PATH}.${without}`);
  const sources = await Promise.all(
    names.map(async (name) => {
      const { dtype, shape } = name === `${PATH}.${as?.kind}` ? as! : source.info(name);
      const data = await source.read(name);
      if (order && name.endsWith('g_idx')) data[0] = 1;
      const bytes = shape.reduce((n, d) => n * d, dtype === 'I32' ? 4 : 2);
      return { name, dtype, shape, data: () => data.slice(0, bytes) };
    }),
  );
  await source.close();
  await writeSafetensors(
    path,
    sources.filter(({ name }) => !name.endsWith('bias')),
  );
  const refused = await numbers(path, `${PATH}.qweight`, 'gptq').catch((error: Error) => error.message);
  expect(String(refused).replace(path, 'FILE')).toBe(sentence);
});
