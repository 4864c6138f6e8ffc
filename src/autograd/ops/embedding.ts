/** Differentiable embedding lookup. */
import {
  type EmbeddingIds,
  embedding as embeddingKernel,
  isTensor,
  uploadIds,
} from '../../kernels/embedding.js';
import { scatterAddRows } from '../../kernels/scatter.js';
import { type Tensor, zeros } from '../../tensor/index.js';
import { ACCUMULATED, differentiable } from '../graph.js';

/**
 * `table[ids]` as f32, shape `[...ids.shape, D]`. The gradient of the table is f32 [V, D]; where the table already has
 * one, only the rows that `ids` names are touched.
 */
export function embedding(table: Tensor, ids: EmbeddingIds): Tensor {
  const onDevice = isTensor(ids);
  const tokens = onDevice ? ids : uploadIds('embedding', table.gpu, ids, table.shape[0]);
  const y = embeddingKernel(table, tokens);
  const { shape } = table;
  differentiable({
    name: 'embedding',
    inputs: onDevice ? [table, tokens] : [table],
    outputs: [y],
    saved: [tokens],
    backward: ([g], [saved], { needs, accumulator }) => {
      const rest = onDevice ? [null] : [];
      if (!needs[0] || !g) return [null, ...rest];
      const existing = accumulator(0);
      const target = existing ?? zeros(g.gpu, shape, { purpose: 'gradients' });
      scatterAddRows(target, g, saved);
      return [existing ? ACCUMULATED : target, ...rest];
    },
  });
  return y;
}
