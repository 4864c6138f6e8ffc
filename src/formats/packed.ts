/**
 * Weights as AWQ (gemm) and GPTQ pack them: for `x W` with W [in, out], `X.qweight` has eight codes to a word, along out in AWQ and
 * along in in GPTQ; `X.scales` F16 and `X.qzeros` have a row per group of inputs. `X.g_idx`, of GPTQ, says which group an input is
 * in. Here they become int4 (src/tensor/int4.ts), with W as [out, in]: the same numbers, of which no bit is lost.
 */
import { describeBlocks, INT4_BLOCK } from '../tensor/index.js';
import type { BlockPiece, QuantisedWeight } from './blocks.js';
import type { Checkpoint } from './checkpoint.js';
import { asBytes, viewAs } from './dtypes.js';
import { SafetensorsError } from './errors.js';
import { describe } from './quote.js';

/** Who packed; the first versions of GPTQ's files have zeros less one. */
export type PackedScheme = 'awq' | 'gptq' | 'gptq_v2';

const CODES = '.qweight';
/** Outputs that AWQ has in the nibbles of a word, lowest first. */
const AWQ_ORDER = [0, 2, 4, 6, 1, 3, 5, 7];

/** Whether a tensor has the codes of a packed weight. */
export function isPacked(name: string): boolean {
  return name.endsWith(CODES);
}

/** What the weight would be called if it were not packed. */
export function packedWeightName(name: string): string {
  return isPacked(name) ? `${name.slice(0, -CODES.length)}.weight` : name;
}

/** The codes that a tensor tells something about, or null for a tensor of its own. */
export function describedCodes(checkpoint: Checkpoint, name: string): string | null {
  const [, path] = /^(.*)\.(?:qzeros|scales|g_idx)$/.exec(name) ?? [];
  return path !== undefined && checkpoint.has(path + CODES) ? path + CODES : null;
}

/** Who packed a weight, by the shapes of its tensors. */
export function likelyScheme(checkpoint: Checkpoint, name: string): PackedScheme {
  const scales = `${name.slice(0, -CODES.length)}.scales`;
  const columns = checkpoint.has(scales) ? checkpoint.info(scales).shape[1] : undefined;
  return columns === checkpoint.info(name).shape[1] ? 'gptq' : 'awq';
}

/** Describes a packed weight by the tensor of its codes; refuses what cannot be what AWQ or GPTQ wrote. */
export async function packedWeight(
  checkpoint: Checkpoint,
  name: string,
  scheme: PackedScheme,
): Promise<QuantisedWeight> {
  const path = name.slice(0, -CODES.length);
  const { file, shape } = checkpoint.info(name);
  const fail = (tensor: string, problem: string): never => {
    throw new SafetensorsError(file, problem, { tensor });
  };
  const [rows, columns] = shape;
  const awq = scheme === 'awq';
  const inputs = awq ? rows : 8 * rows;
  const outputs = awq ? 8 * columns : columns;
  const besides = ['qzeros', 'scales'].map((kind) => `${path}.${kind}`);
  const [zeros, scales] = besides;
  for (const tensor of besides) {
    if (!checkpoint.has(tensor)) fail(name, `stands without ${describe(tensor)}`);
  }
  const groups = checkpoint.info(scales).shape[0];
  if (shape.length !== 2 || !(groups > 0) || inputs % groups !== 0) {
    return fail(name, `is ${describe(shape)}, which ${describe(groups)} groups do not divide`);
  }
  const expect = (tensor: string, dtype: string, wanted: readonly number[]) => {
    const { dtype: own, shape: found } = checkpoint.info(tensor);
    if (own === dtype && found.join() === wanted.join()) return;
    fail(tensor, `is ${own} ${describe(found)}; its codes make it ${dtype} ${describe(wanted)}`);
  };
  expect(name, 'I32', shape);
  expect(scales, 'F16', [groups, outputs]);
  expect(zeros, 'I32', [groups, outputs / 8]);
  const group = inputs / groups;
  if (group % INT4_BLOCK !== 0) {
    fail(name, `has groups of ${group} inputs; multiples of ${INT4_BLOCK} can be read`);
  }
  const order = `${path}.g_idx`;
  const ordered = !awq && checkpoint.has(order);
  if (ordered) {
    expect(order, 'I32', [inputs]);
    const words = await readWords(checkpoint, order);
    if (words.some((own, input) => own !== Math.floor(input / group))) {
      fail(order, 'has inputs in another order (desc_act); groups of neighbours can be read');
    }
  }
  const tensors = [name, ...besides, ...(ordered ? [order] : [])];
  return {
    format: 'int4',
    shape: [outputs, inputs],
    dtype: 'float16',
    tensors,
    bytes: tensors.reduce((sum, tensor) => sum + checkpoint.info(tensor).bytes, 0),
    pieces: async function* (): AsyncGenerator<BlockPiece> {
      const read = await readWords(checkpoint, zeros);
      const steps = viewAs(await checkpoint.read(scales), 'F16') as Uint16Array;
      const blocks = blocksOf(steps, unpackedZeros(read, scheme, outputs), { groups, group, outputs });
      yield { segment: 1, offset: 0, bytes: asBytes(blocks), read: 0 };
      const packed = await readWords(checkpoint, name);
      const codes = awq ? fromAwq(packed, inputs, outputs) : transposed(packed, rows, columns);
      yield { segment: 0, offset: 0, bytes: asBytes(codes), read: packed.byteLength };
    },
  };
}

async function readWords(checkpoint: Checkpoint, name: string): Promise<Uint32Array> {
  return viewAs(await checkpoint.read(name), 'U32') as Uint32Array;
}

/** Zeros [groups, out]. */
function unpackedZeros(words: Uint32Array, scheme: PackedScheme, outputs: number): Uint8Array {
  const zeros = new Uint8Array(words.length * 8);
  const less = scheme === 'gptq' ? 1 : 0;
  for (let at = 0; at < zeros.length; at++) {
    const column = at % outputs;
    const nibble = scheme === 'awq' ? AWQ_ORDER.indexOf(column % 8) : column % 8;
    zeros[at] = ((words[at >> 3] >>> (4 * nibble)) & 15) + less;
  }
  return zeros;
}

/** Descriptions of blocks along the inputs of each output. */
function blocksOf(
  steps: Uint16Array,
  zeros: Uint8Array,
  { groups, group, outputs }: { readonly groups: number; readonly group: number; readonly outputs: number },
): Uint32Array {
  const share = group / INT4_BLOCK;
  const described = describeBlocks(steps, zeros);
  const blocks = new Uint32Array(outputs * groups * share);
  for (let i = 0; i < blocks.length; i++) {
    const place = Math.floor(i / share);
    blocks[i] = described[(place % groups) * outputs + Math.floor(place / groups)];
  }
  return blocks;
}

/** Columns that a transposition goes through at a time, so that what it writes to stays in the cache. */
const STRIP = 64;

function transposed(words: Uint32Array, rows: number, columns: number): Uint32Array {
  const out = new Uint32Array(words.length);
  for (let first = 0; first < columns; first += STRIP) {
    const end = Math.min(first + STRIP, columns);
    for (let row = 0; row < rows; row++) {
      for (let column = first; column < end; column++)
        out[column * rows + row] = words[row * columns + column];
    }
  }
  return out;
}

/** Words [in, out / 8] of eight outputs as words [out, in / 8] of eight inputs. */
function fromAwq(words: Uint32Array, inputs: number, outputs: number): Uint32Array {
  const rows = inputs / 8;
  const columns = outputs / 8;
  const out = new Uint32Array(words.length);
  for (let column = 0; column < columns; column++) {
    for (let row = 0; row < rows; row++) {
      for (let nibble = 0; nibble < 8; nibble++) {
        let word = 0;
        for (let k = 0; k < 8; k++) {
          word |= ((words[(8 * row + k) * columns + column] >>> (4 * nibble)) & 15) << (4 * k);
        }
        out[(8 * column + AWQ_ORDER[nibble]) * rows + row] = word;
      }
    }
  }
  return out;
}
