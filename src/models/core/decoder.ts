/** A text decoder: embedding, layers, final norm, output head. Families differ in what they make it of. */
import { affine, embedding, scatterRows } from '../../autograd/index.js';
import type { LayerContext } from '../../nn/attention.js';
import type { Norm } from '../../nn/norm.js';
import { runLayers, type TransformerLayer } from '../../nn/transformer.js';
import { scope, type Tensor } from '../../tensor/index.js';
import { modelError } from './errors.js';

/** The tokens of a pass. */
export interface DecoderInput {
  /** Ids [T], -1 at the rows that features take. */
  readonly ids: Tensor;
  /** Rows that hold image features instead of embedded tokens, in the order of the features. */
  readonly featureRows: Int32Array;
  /** What the tower gave; the first takes the place of the placeholders. */
  readonly features: readonly Tensor[];
}

/** What a decoder is made of. */
export interface DecoderParts {
  /** [V, D]. */
  readonly embeddings: Tensor;
  /** Output weights [V, D]: the embedding again where they are tied. */
  readonly head: Tensor;
  readonly layers: readonly TransformerLayer[];
  readonly norm: Norm;
  /** Factor on embedded tokens, but not on features; 1 by default. */
  readonly embeddingScale?: number;
  /** Changes what a layer hands to the next one, such as by further features. */
  readonly tap?: (h: Tensor, layer: number, input: DecoderInput) => Tensor;
}

/** See {@link DecoderParts}. */
export class Decoder {
  readonly parts: DecoderParts;

  constructor(parts: DecoderParts) {
    this.parts = parts;
  }

  /** Embedded tokens [T, D], with features in the rows that are theirs. */
  embed({ ids, featureRows, features }: DecoderInput): Tensor {
    const got = features[0]?.shape[0] ?? 0;
    if (got !== featureRows.length) {
      const hint = 'each image takes one placeholder per merged cell';
      throw modelError(
        'the batch',
        `has ${featureRows.length} placeholder tokens and ${got} image features; ${hint}`,
      );
    }
    const { embeddings, embeddingScale = 1 } = this.parts;
    return scope(() => {
      const found = embedding(embeddings, ids);
      const x = embeddingScale === 1 ? found : affine(found, embeddingScale);
      return features.length > 0 ? scatterRows(x, features[0], featureRows) : x;
    });
  }

  /** Hidden states after the final norm [T, D]. */
  forward(input: DecoderInput, context: LayerContext, recompute = false): Tensor {
    const { layers, norm, tap } = this.parts;
    return scope(() => {
      const run = { recompute, ...(tap ? { tap: (h: Tensor, i: number) => tap(h, i, input) } : {}) };
      return norm.forward(runLayers(this.embed(input), layers, context, run));
    });
  }
}
