/** A micro-batch: examples packed into one row of tokens, with what each row of hidden states shall predict. */
import type { ModelConfig, PackedBatch } from '../models/index.js';
import { packSequences } from '../models/index.js';
import type { Processor, SampleImages } from '../models/processor.js';
import type { Example } from './examples.js';

/** Everything on the host that a micro-batch needs. */
export interface MicroBatch {
  readonly packed: PackedBatch;
  /** Rows of hidden states that count. */
  readonly rows: Int32Array;
  /** The token that each of them shall predict. */
  readonly targets: Int32Array;
  /** Pictures of all examples; null where there are none. */
  readonly images: SampleImages | null;
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
  processor: Processor,
  examples: readonly Example[],
): Promise<MicroBatch> {
  const parts = await Promise.all(
    examples
      .filter(({ images }) => images.length > 0)
      .map(({ sample, images }) => processor.images(sample, images)),
  );
  return { ...packExamples(config, examples), images: joined(parts) };
}

function joined(parts: readonly SampleImages[]): SampleImages | null {
  if (parts.length <= 1) return parts[0] ?? null;
  const pixels = new Float32Array(parts.reduce((n, part) => n + part.pixels.length, 0));
  let at = 0;
  for (const part of parts) {
    pixels.set(part.pixels, at);
    at += part.pixels.length;
  }
  return { pixels, grids: parts.flatMap(({ grids }) => grids) };
}
