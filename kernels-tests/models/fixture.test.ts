/** Fixtures that fail, and fixtures that cannot be used. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { openCheckpoint } from '../../src/formats/checkpoint.js';
import { type TensorSource, writeSafetensors } from '../../src/formats/writer.js';
import { loadModel } from '../../src/models/load.js';
import { Difference } from '../../src/models/parity/difference.js';
import { Fixture } from '../../src/models/parity/fixture.js';
import { runParity } from '../../src/models/parity/run.js';
import { testGpu } from '../support/gpu.js';

const folder = fileURLToPath(new URL('../fixtures/models/', import.meta.url));
let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'osler-fixture-'));
});
afterEach(() => rm(dir, { recursive: true }));

type Change = (bytes: Uint8Array<ArrayBufferLike>) => Uint8Array<ArrayBufferLike> | null;

/** Runs the committed fixture of a text model with some tensors changed (or removed, by null) and other metadata. */
async function run(changes: Record<string, Change>, metadata: Record<string, string> = {}) {
  const original = await openCheckpoint(`${folder}qwen2.sft.safetensors`);
  const sources: TensorSource[] = [];
  for (const name of original.names()) {
    const bytes = (changes[name] ?? ((same) => same))((await original.read(name)).slice());
    if (bytes) sources.push({ ...original.info(name), name, data: () => bytes });
  }
  const path = join(dir, 'x.safetensors');
  await writeSafetensors(path, sources, { metadata: { ...original.metadata(), ...metadata } });
  await original.close();
  const model = await loadModel(await testGpu(), `${folder}qwen2`);
  const fixture = await Fixture.open(path);
  try {
    return await runParity(model, fixture);
  } finally {
    await fixture.close();
    model.dispose();
  }
}

/** Sets one I64. */
function put(index: number, value: bigint): Change {
  return (bytes) => {
    new BigInt64Array(bytes.buffer)[index] = value;
    return bytes;
  };
}

it('passes as it is, and fails when a number is off', async () => {
  expect((await run({})).pass).toBe(true);
  const off: Change = (bytes) => {
    new Float32Array(bytes.buffer)[3] += 1;
    return bytes;
  };
  const report = await run({ 'grad.model.norm.weight': off });
  expect(report.pass).toBe(false);
  expect(report.tensors.filter((t) => !t.pass).map((t) => t.name)).toEqual(['grad.model.norm.weight']);
});

it('compares what is there', async () => {
  const gone: Change = () => null;
  const { tensors } = await run({ logits: gone, 'grad.model.norm.weight': gone });
  expect(tensors.map((t) => t.name)).toContain('loss');
  expect(tensors.map((t) => t.name)).not.toContain('logits');
});

it('says what is wrong with a fixture', async () => {
  await expect(run({}, { kind: '' })).rejects.toThrow(
    /is not a parity fixture: .* has no "kind", which is one of/,
  );
  await expect(run({}, { kind: 'dpo' })).rejects.toThrow(/is of kind "dpo"; known are forward, sft/);
  await expect(run({}, { rtol: 'small' })).rejects.toThrow(/has rtol "small"/);
  await expect(run({ input_ids: put(30, 999n) })).rejects.toThrow(
    /token id 999 is not in the vocabulary of 90/,
  );
  await expect(run({ input_ids: () => null })).rejects.toThrow(/"input_ids" is not in the checkpoint/);
  await expect(run({ attention_mask: (b) => b.fill(0) })).rejects.toThrow(/masks all of row 0/);
  await expect(run({ labels: (b) => b.fill(255).map((x, i) => (i % 8 === 0 ? 0x9c : x)) })).rejects.toThrow(
    /counts no token/,
  );
  // Row 1 is padded on the left: its second position is padding.
  await expect(run({ labels: put(24 + 2, 5n) })).rejects.toThrow(/would be predicted from padding/);
});

it('treats NaN as a failure', () => {
  const difference = new Difference();
  difference.add([1, Number.NaN, 3], [1, 2, 3]);
  expect(difference.report('x', { rtol: 1, atol: 1 })).toEqual({
    name: 'x',
    rel: null,
    maxAbs: null,
    pass: false,
  });
});
