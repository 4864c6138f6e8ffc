import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { openCheckpoint } from '../formats/checkpoint.js';
import { isFloatDtype, toF32 } from '../formats/dtypes.js';
import { loadConfig } from './load.js';
import { quantizeModel } from './quantize.js';

const fixtures = fileURLToPath(new URL('../../kernels-tests/fixtures/models/', import.meta.url));
let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'osler-quantize-'));
});
afterEach(() => rm(folder, { recursive: true }));

/** What tensors of a checkpoint say, by the published names of their weights: numbers, or text. */
async function contents(dir: string): Promise<Map<string, string>> {
  const { names } = await loadConfig(dir);
  const file = await openCheckpoint(dir);
  const found = new Map<string, string>();
  for (const name of file.names()) {
    const { dtype } = file.info(name);
    const bytes = await file.read(name);
    const text = isFloatDtype(dtype) ? toF32(bytes, dtype).join() : new TextDecoder('latin1').decode(bytes);
    found.set(String(names.canonical(name)), text);
  }
  await file.close();
  return found;
}

it('writes what transformers with bitsandbytes does, byte by byte', async () => {
  const out = join(folder, 'nf4');
  const skip = ['model.visual.merger'];
  const result = await quantizeModel(`${fixtures}qwen2.5-vl`, out, { doubleQuant: true, skip });
  expect(result).toMatchObject({ quantised: 29, warnings: [] });
  const [made, expected] = [await contents(out), await contents(`${fixtures}qwen2.5-vl-nf4`)];
  expect([...made.keys()].sort()).toEqual([...expected.keys()].sort());
  // There weights had been widened before.
  const wide = (text?: string) => text?.replace('"bfloat16"', '"float32"');
  const other = [...expected].filter(([name, text]) => wide(made.get(name)) !== text).map(([name]) => name);
  expect(other).toEqual([]);
  const config = async (dir: string) => JSON.parse(await readFile(join(dir, 'config.json'), 'utf8'));
  const { quantization_config: theirs } = await config(`${fixtures}qwen2.5-vl-nf4`);
  const { quantization_config: ours } = await config(out);
  expect(ours).toMatchObject({
    ...{ load_in_4bit: true, bnb_4bit_quant_type: 'nf4', bnb_4bit_use_double_quant: true },
    ...{ quant_method: 'bitsandbytes', llm_int8_skip_modules: ['lm_head', 'model.visual.merger'] },
  });
  expect(Object.keys(ours).sort()).toEqual(Object.keys(theirs).sort());
  await expect(quantizeModel(out, join(folder, 'again'), { doubleQuant: true, skip })).rejects.toThrow(
    /config\.json has a quantization_config: the model is quantised already/,
  );
});
