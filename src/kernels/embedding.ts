/** Embedding lookup: rows of a table by token id. */
import { check, type Gpu } from '../gpu/index.js';
import { empty, FLOATS, type FloatDType, fromHost, type Tensor } from '../tensor/index.js';
import { bindStored, decoder } from './stored.js';
import { ceilDiv, checkDevice, checkDtype, checkShapeIs, fold, part, windows } from './support.js';

const WORKGROUP = 64;

/** Token ids on the device, or on the host, where they can be checked. */
export type EmbeddingIds = Tensor | ArrayLike<number>;

/**
 * `table[ids]` as f32, shape `[...ids.shape, D]`, for a table [V, D] in f32, f16 or bf16. Ids from the host that are not
 * in 0..V-1 are rejected; on the device, where they cannot be looked at, such ids give rows of zeros.
 */
export function embedding(table: Tensor, ids: EmbeddingIds): Tensor {
  const op = 'embedding';
  checkDtype(op, 'table', table, ...FLOATS);
  checkShapeIs(op, 'table', table, [-1, -1]);
  if (!isTensor(ids)) {
    const uploaded = uploadIds(op, table.gpu, ids, table.shape[0]);
    const y = embedding(table, uploaded);
    uploaded.dispose();
    return y;
  }
  const gpu = checkDevice(op, table, ids);
  checkDtype(op, 'ids', ids, 'i32');
  const [vocab, dim] = table.shape;
  const width = dim % 4 === 0 ? 4 : 1;
  const columns = dim / width;
  const y = empty(gpu, [...ids.shape, dim]);
  const outputs = [
    { tensor: y, elementsPerItem: dim },
    { tensor: ids, elementsPerItem: 1 },
  ];
  for (const out of windows(gpu, ids.size, outputs)) {
    const [tokenGroups, folds] = fold(gpu, out.count);
    for (const from of windows(gpu, vocab, [{ tensor: table, elementsPerItem: dim }])) {
      gpu.launch(
        'embedding/gather',
        {
          ids: part(ids, out.first, out.count),
          ...bindStored('table', table, from.first * dim, from.count * dim),
          y: part(y, out.first * dim, out.count * dim),
        },
        { tokens: out.count, columns, firstRow: from.first, rows: from.count },
        {
          groups: [ceilDiv(columns, WORKGROUP), tokenGroups, folds],
          defines: {
            FIRST: from.first === 0,
            ...decoder(gpu, table.dtype as FloatDType, width),
          },
          constants: { WORKGROUP },
        },
      );
    }
  }
  return y;
}

/** Uploads token ids after checking that each is an integer in 0..vocab-1. */
export function uploadIds(op: string, gpu: Gpu, ids: ArrayLike<number>, vocab: number): Tensor {
  check(ids.length > 0, 'shape', () => `${op}: the list of token ids is empty`);
  for (let i = 0; i < ids.length; i++) {
    check(Number.isInteger(ids[i]) && ids[i] >= 0 && ids[i] < vocab, 'value', () => {
      return `${op}: token id ${ids[i]} at position ${i} is not an integer in 0..${vocab - 1}; does the tokenizer belong to this model?`;
    });
  }
  return fromHost(gpu, Int32Array.from(ids), [ids.length], 'i32');
}

/** Tells device ids from host ids. */
export function isTensor(ids: EmbeddingIds): ids is Tensor {
  return 'isTensor' in ids;
}
