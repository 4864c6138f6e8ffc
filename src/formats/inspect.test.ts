import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, expect, it } from 'vitest';
import { writeCheckpoint } from './checkpoint-writer.js';
import { SafetensorsError } from './errors.js';
import { inspect } from './inspect.js';
import { source, useFolders } from './test-files.js';

const folder = useFolders(afterEach);
const sources = [source('w', 'BF16', [3, 4]), source('b', 'F32', []), source('c', 'BF16', [5])];

it('inspects a file', async () => {
  const dir = await folder();
  await writeCheckpoint(dir, sources);
  const path = join(dir, 'model.safetensors');
  const found = await inspect(path);
  expect(found).toEqual({
    files: [{ file: path, bytes: found.files[0].bytes, tensors: 3 }],
    tensors: [
      { name: 'b', dtype: 'F32', shape: [], parameters: 1, bytes: 4, file: 'model.safetensors' },
      { name: 'c', dtype: 'BF16', shape: [5], parameters: 5, bytes: 10, file: 'model.safetensors' },
      { name: 'w', dtype: 'BF16', shape: [3, 4], parameters: 12, bytes: 24, file: 'model.safetensors' },
    ],
    dtypes: { BF16: { tensors: 2, parameters: 17, bytes: 34 }, F32: { tensors: 1, parameters: 1, bytes: 4 } },
    quantised: [],
    formats: {
      BF16: { weights: 2, parameters: 17, bytes: 34, bytesPerParameter: 2 },
      F32: { weights: 1, parameters: 1, bytes: 4, bytesPerParameter: 4 },
    },
    metadata: { format: 'pt' },
    parameters: 18,
    bytes: 38,
    warnings: [],
  });
  expect(JSON.parse(JSON.stringify(found))).toEqual(found);
});

it('inspects a sharded folder', async () => {
  const dir = await folder();
  await writeCheckpoint(dir, sources, { maxShardBytes: 24 });
  const found = await inspect(dir);
  expect(found.files.map(({ tensors }) => tensors)).toEqual([1, 2]);
  expect(found).toMatchObject({ parameters: 18, bytes: 38 });
});

it('counts quantised weights by what they are', async () => {
  const found = await inspect(
    fileURLToPath(new URL('../../kernels-tests/fixtures/nf4.safetensors', import.meta.url)),
  );
  const weights = found.quantised.map(({ name, format, shape }) => [name, format, shape]);
  expect(weights).toEqual(['double', 'single'].map((name) => [`${name}.weight`, 'nf4', [68, 256]]));
  expect(found.quantised[1]).toMatchObject({
    parameters: 17408,
    tensors: expect.arrayContaining(['single.weight.absmax']),
  });
  expect(found.formats.nf4).toMatchObject({ weights: 2, parameters: 2 * 17408 });
  // Beside codes and magnitudes, small weights have tables that large ones do not notice.
  expect(found.formats.nf4.bytesPerParameter).toBeGreaterThan(0.5);
  expect(found.parameters).toBe(2 * 17408 + 17408 + 2 * 272 + 8 * 256);
});

it('reports what is wrong', async () => {
  await expect(inspect(await folder())).rejects.toThrow(SafetensorsError);
});
