/** A micro-batch: examples packed into one row of tokens, with what each row of hidden states shall predict. */
import type { ImagePatches } from '../models/core/patches.js';
import { type ModelConfig, type PackedBatch, packSequences } from '../models/index.js';
import type { PromptEncoder } from '../models/processor/index.js';
import type { Example } from './examples.js';

/** Everything on the host that a micro-batch needs. */
export interface MicroBatch {
  readonly packed: PackedBatch;
  /** Rows of hidden states that count. */
  readonly rows: Int32Array;
  /** The token that each of them shall predict. */
  readonly targets: Int32Array;
  /** Pictures of each example that has some. */
  readonly images: readonly ImagePatches[];
}

/** Packs examples; no example sees another. */
export function packExamples(config: ModelConfig, examples: readonly Example[]): Omit<MicroBatch, 'images'> {
  const packed = packSequences(
    config,
    examples.map(({ ids, grids }) => ({ ids, images: grids })),
  );
  const rows: number[] = [];
  const targets: number[] = [];
  let start = 0;
  for (const { ids, mask } of examples) {
    // Nothing predicts the first token.
    for (let i = 1; i < ids.length; i++) {
      if (mask[i] === 0) continue;
      rows.push(start + i - 1);
      targets.push(ids[i]);
    }
    start += ids.length;
  }
  return { packed, rows: Int32Array.from(rows), targets: Int32Array.from(targets) };
}

/** Packs examples and prepares their pictures. */
export async function makeBatch(
  config: ModelConfig,
  encoder: Pick<PromptEncoder, 'patches'>,
  examples: readonly Example[],
): Promise<MicroBatch> {
  const parts = await Promise.all(examples.map((example) => encoder.patches(example)));
  return { ...packExamples(config, examples), images: parts.filter((part) => part !== null) };
}
