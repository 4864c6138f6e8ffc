/**
 * Weights in NF4 as bitsandbytes and transformers write them: beside `X.weight`, whose bytes are codes, stand their magnitudes
 * (`.absmax`), tables, and a description in JSON. Whether a weight is stored so is seen by its `.absmax`.
 */
import { type CompressedScales, expandScales, NF4_BLOCK, NF4_LEVELS } from '../tensor/index.js';
import type { QuantisedWeight } from './blocks.js';
import type { Checkpoint } from './checkpoint.js';
import { asBytes, elementCount, toF32 } from './dtypes.js';
import { SafetensorsError } from './errors.js';
import { describe } from './quote.js';

/** What stands behind the name of a quantised weight. */
const BESIDE = ['absmax', 'quant_map', 'nested_absmax', 'nested_quant_map'] as const;
const STATE = 'quant_state.bitsandbytes__';
/** Descriptions are a few hundred bytes; more is none. */
const MOST_STATE = 1 << 16;
/** Tables of other releases may differ in the last bits. */
const SAME_LEVEL = 1e-6;

/** The weight that a tensor tells something about, or null for a tensor of its own. */
export function describedWeight(checkpoint: Checkpoint, name: string): string | null {
  const [, weight] =
    /^(.*)\.(?:absmax|quant_map|nested_absmax|nested_quant_map|quant_state\.[^.]*)$/.exec(name) ?? [];
  return weight !== undefined && checkpoint.has(weight) ? weight : null;
}

/** Whether a weight is stored in blocks. */
export function isQuantised(checkpoint: Checkpoint, weight: string): boolean {
  return checkpoint.has(`${weight}.absmax`);
}

/** A weight in NF4. */
export interface Nf4Weight extends QuantisedWeight {
  /** Elements that share a magnitude in the file. */
  readonly blockSize: number;
  /** Whether magnitudes are in 8 bits. */
  readonly nested: boolean;
  /** Magnitudes by blocks of {@link NF4_BLOCK}. */
  scales(): Promise<Float32Array<ArrayBuffer>>;
}

/** Describes a weight of which {@link isQuantised}; refuses what cannot be what bitsandbytes wrote. */
export async function nf4Weight(checkpoint: Checkpoint, weight: string): Promise<Nf4Weight> {
  const { file } = checkpoint.info(weight);
  const fail = (tensor: string, problem: string): never => {
    throw new SafetensorsError(file, problem, { tensor });
  };
  const state = await readState(checkpoint, weight);
  const stateName = `${weight}.${STATE}nf4`;
  const { shape, blocksize } = state;
  const isShape = Array.isArray(shape) && shape.every((size) => Number.isSafeInteger(size) && size > 0);
  const elements = isShape ? elementCount(shape) : undefined;
  if (elements === undefined) return fail(stateName, `has the shape ${describe(shape)}; expected sizes`);
  const isBlock = typeof blocksize === 'number' && Number.isSafeInteger(blocksize) && blocksize > 0;
  if (!isBlock || blocksize % NF4_BLOCK !== 0) {
    return fail(stateName, `has the blocksize ${describe(blocksize)}; multiples of ${NF4_BLOCK} can be read`);
  }
  if (elements % blocksize !== 0) {
    return fail(weight, `has ${elements} elements, which are no whole blocks of ${blocksize}`);
  }
  const { bytes } = checkpoint.info(weight);
  if (bytes !== elements / 2) {
    fail(
      weight,
      `has ${bytes} bytes, but its quant state makes it ${describe(shape)}: ${elements / 2} bytes`,
    );
  }
  await checkLevels(checkpoint, weight);
  const blocks = elements / blocksize;
  const absmax = checkpoint.info(`${weight}.absmax`);
  const nested = absmax.dtype === 'U8';
  if (!nested) expectTensor(checkpoint, `${weight}.absmax`, 'F32', blocks);
  const beside = BESIDE.map((name) => `${weight}.${name}`).filter((name) => checkpoint.has(name));
  const tensors = [weight, stateName, ...beside];
  const compressed = nested ? nestedReader(checkpoint, weight, state, blocks) : null;
  const scales = async () => {
    const own = compressed
      ? expandScales(await compressed())
      : toF32((await checkpoint.read(`${weight}.absmax`)).slice(), 'F32');
    const share = blocksize / NF4_BLOCK;
    return Float32Array.from({ length: blocks * share }, (_, i) => own[Math.floor(i / share)]);
  };
  return {
    format: 'nf4',
    shape: shape as number[],
    dtype: typeof state.dtype === 'string' ? state.dtype : 'bfloat16',
    blockSize: blocksize,
    nested,
    tensors,
    bytes: tensors.reduce((sum, name) => sum + checkpoint.info(name).bytes, 0),
    scales,
    pieces: async function* (chunkBytes) {
      yield { segment: 1, offset: 0, bytes: asBytes(await scales()), read: 0 };
      let done = 0;
      // Codes are in the file as they are on the device.
      for await (const bytes of checkpoint.chunks(weight, chunkBytes)) {
        yield { segment: 0, offset: done, bytes, read: bytes.byteLength };
        done += bytes.byteLength;
      }
    },
  };
}

/** The description of a weight. */
type State = Readonly<Record<string, unknown>>;

async function readState(checkpoint: Checkpoint, weight: string): Promise<State> {
  const { file } = checkpoint.info(weight);
  const name = `${weight}.${STATE}nf4`;
  if (!checkpoint.has(name)) {
    const other = checkpoint.names().find((own) => own.startsWith(`${weight}.quant_state.`));
    const problem = other
      ? `is quantised as ${describe(other.slice(`${weight}.quant_state.`.length).replace('bitsandbytes__', ''))}; nf4 can be read`
      : `has an absmax but no ${STATE}nf4, which says how it is quantised`;
    throw new SafetensorsError(file, problem, { tensor: weight });
  }
  const { bytes } = checkpoint.info(name);
  let state: unknown;
  try {
    if (bytes <= MOST_STATE) {
      state = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(await checkpoint.read(name)));
    }
  } catch (error) {
    if (error instanceof SafetensorsError) throw error;
  }
  if (typeof state !== 'object' || state === null || Array.isArray(state)) {
    throw new SafetensorsError(file, 'is not the JSON of a quant state', { tensor: name });
  }
  const { quant_type: type } = state as State;
  if (type !== 'nf4') {
    throw new SafetensorsError(file, `has quant_type ${describe(type)}; nf4 can be read`, { tensor: name });
  }
  return state as State;
}

function expectTensor(checkpoint: Checkpoint, name: string, dtype: 'F32' | 'U8', elements: number): void {
  const { file, dtype: own, shape } = checkpoint.info(name);
  if (own === dtype && elementCount(shape) === elements) return;
  const expected = `but its quant state needs ${dtype} ${describe([elements])}`;
  throw new SafetensorsError(file, `is ${own} ${describe(shape)}, ${expected}`, { tensor: name });
}

async function checkLevels(checkpoint: Checkpoint, weight: string): Promise<void> {
  const name = `${weight}.quant_map`;
  expectTensor(checkpoint, name, 'F32', NF4_LEVELS.length);
  const levels = toF32(await checkpoint.read(name), 'F32');
  if (NF4_LEVELS.every((level, i) => Math.abs(level - levels[i]) <= SAME_LEVEL)) return;
  throw new SafetensorsError(checkpoint.info(name).file, 'holds other levels than those of NF4', {
    tensor: name,
  });
}

/** Checks what compressed magnitudes consist of, and says how to read them. */
function nestedReader(
  checkpoint: Checkpoint,
  weight: string,
  state: State,
  blocks: number,
): () => Promise<CompressedScales> {
  const { file } = checkpoint.info(weight);
  const [codes, absmax, table] = ['absmax', 'nested_absmax', 'nested_quant_map'].map(
    (name) => `${weight}.${name}`,
  );
  const { nested_blocksize: block, nested_offset: offset } = state;
  if (typeof block !== 'number' || !Number.isSafeInteger(block) || block <= 0 || !Number.isFinite(offset)) {
    const given = `nested_blocksize ${describe(block)} and nested_offset ${describe(offset)}`;
    throw new SafetensorsError(file, `has ${given}; expected numbers`, { tensor: `${weight}.${STATE}nf4` });
  }
  expectTensor(checkpoint, codes, 'U8', blocks);
  expectTensor(checkpoint, absmax, 'F32', Math.ceil(blocks / block));
  expectTensor(checkpoint, table, 'F32', 256);
  return async () => ({
    codes: await checkpoint.read(codes),
    block,
    absmax: toF32(await checkpoint.read(absmax), 'F32'),
    table: toF32(await checkpoint.read(table), 'F32'),
    offset: Math.fround(offset as number),
  });
}
