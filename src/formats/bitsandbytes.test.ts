import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compressScales, nf4ToF32, quantizeNf4 } from '../tensor/index.js';
import { isQuantised, nf4Weight } from './bitsandbytes.js';
import { type Checkpoint, openCheckpoint } from './checkpoint.js';
import { type Dtype, toF32 } from './dtypes.js';
import { writeSafetensors } from './writer.js';

const FIXTURE = fileURLToPath(new URL('../../kernels-tests/fixtures/nf4.safetensors', import.meta.url));
let file: Checkpoint;
let folder: string;

beforeAll(async () => {
  file = await openCheckpoint(FIXTURE);
  folder = await mkdtemp(join(tmpdir(), 'osler-nf4-'));
});
afterAll(async () => {
  await file.close();
  await rm(folder, { recursive: true });
});

const f32 = async (name: string) => toF32(await file.read(name), 'F32').slice();

describe('what bitsandbytes packed', () => {
  it('is packed to the same bits', async () => {
    const values = toF32(await file.read('source'), 'BF16');
    const { codes, absmax } = quantizeNf4(values);
    for (const name of ['single', 'double']) expect(codes).toEqual(await file.read(`${name}.weight`));
    expect(absmax).toEqual(await f32('single.weight.absmax'));
    const scales = compressScales(absmax);
    expect(scales.codes).toEqual(await file.read('double.weight.absmax'));
    expect(scales.absmax).toEqual(await f32('double.weight.nested_absmax'));
    expect(scales.table).toEqual(await f32('double.weight.nested_quant_map'));
    const state = JSON.parse(
      new TextDecoder().decode(await file.read('double.weight.quant_state.bitsandbytes__nf4')),
    );
    expect(scales.offset).toBe(state.nested_offset);
  });

  it('is read, with its magnitudes in 8 bits or not', async () => {
    for (const name of ['single', 'double']) {
      const weight = await nf4Weight(file, `${name}.weight`);
      expect(weight).toMatchObject({ shape: [68, 256], dtype: 'bfloat16', nested: name === 'double' });
      expect(await weight.scales()).toEqual(await f32(`${name}.absmax`));
    }
    const { scales } = await nf4Weight(file, 'double.weight');
    const values = nf4ToF32(await file.read('double.weight'), await scales());
    // It rounds to the weight's own format.
    const rounded = await f32('double.values');
    rounded.forEach((value, i) => {
      expect(Math.abs(values[i] - value)).toBeLessThanOrEqual(Math.abs(value) * 2 ** -8);
    });
  });
});

interface Change {
  readonly without?: string;
  readonly state?: Record<string, unknown>;
  readonly shape?: readonly number[];
  readonly tensor?: { readonly name: string; readonly dtype: Dtype; readonly shape: readonly number[] };
}

/** The sentence with which a changed copy is refused. */
async function refusal({ without, state, tensor }: Change): Promise<string> {
  const path = join(folder, 'changed.safetensors');
  const stateName = 'double.weight.quant_state.bitsandbytes__nf4';
  const names = file.names().filter((name) => name.startsWith('double.weight') && name !== without);
  const sources = await Promise.all(
    names.map(async (name) => {
      let data = await file.read(name);
      if (name === stateName && state) {
        data = new TextEncoder().encode(
          JSON.stringify({ ...JSON.parse(new TextDecoder().decode(data)), ...state }),
        );
      }
      const changed = tensor?.name === name ? tensor : file.info(name);
      const shape = name === stateName ? [data.length] : changed.shape;
      const size = shape.reduce((n, d) => n * d, changed.dtype === 'F32' ? 4 : 1);
      return { name, dtype: changed.dtype, shape, data: () => data.slice(0, size) };
    }),
  );
  await writeSafetensors(path, sources);
  const changed = await openCheckpoint(path);
  try {
    expect(isQuantised(changed, 'double.weight')).toBe(true);
    await (await nf4Weight(changed, 'double.weight')).scales();
    return 'nothing';
  } catch (error) {
    return (error as Error).message.replace(path, 'FILE');
  } finally {
    await changed.close();
  }
}

describe('what it would not have written is refused by file and tensor', () => {
  const STATE = 'double.weight.quant_state.bitsandbytes__nf4';
  it.each<[string, Change]>([
    [
      `FILE: tensor "double.weight" has an absmax but no quant_state.bitsandbytes__nf4, which says how it is quantised`,
      { without: STATE },
    ],
    [`FILE: tensor "${STATE}" has quant_type "fp4"; nf4 can be read`, { state: { quant_type: 'fp4' } }],
    [
      `FILE: tensor "${STATE}" has the blocksize 48; multiples of 64 can be read`,
      { state: { blocksize: 48 } },
    ],
    [`FILE: tensor "${STATE}" has the shape "all"; expected sizes`, { state: { shape: 'all' } }],
    [
      'FILE: tensor "double.weight" has 17204 elements, which are no whole blocks of 64',
      { state: { shape: [68, 253] } },
    ],
    [
      'FILE: tensor "double.weight" has 8704 bytes, but its quant state makes it [68, 512]: 17408 bytes',
      { state: { shape: [68, 512] } },
    ],
    [
      `FILE: tensor "${STATE}" has nested_blocksize 256 and nested_offset "0"; expected numbers`,
      { state: { nested_offset: '0' } },
    ],
    [
      'FILE: tensor "double.weight.nested_absmax" is F32 [2], but its quant state needs F32 [3]',
      { state: { nested_blocksize: 128 } },
    ],
    [
      'FILE: tensor "double.weight.absmax" is U8 [271], but its quant state needs U8 [272]',
      { tensor: { name: 'double.weight.absmax', dtype: 'U8', shape: [271] } },
    ],
    [
      'FILE: tensor "double.weight.absmax" is U8 [272], but its quant state needs U8 [136]',
      { state: { blocksize: 128 } },
    ],
  ])('%s', async (sentence, change) => {
    expect(await refusal(change)).toBe(sentence);
  });
});
