/** Weights that files keep in blocks, in whatever way they were quantised. */

/** A quantised weight of a file. */
export interface QuantisedWeight {
  /** The format that it has on the device. */
  readonly format: 'nf4' | 'int4';
  readonly shape: readonly number[];
  /** Of the weight that was quantised. */
  readonly dtype: string;
  /** What the file keeps of it: first what it is named by, then what stands beside that. */
  readonly tensors: readonly string[];
  /** Bytes of them all. */
  readonly bytes: number;
  /** Its memory on the device, segment by segment, so much of a tensor at a time. */
  pieces(chunkBytes: number): AsyncGenerator<BlockPiece>;
}

/** A stretch of a segment. */
export interface BlockPiece {
  /** Index among the segments of the format. */
  readonly segment: number;
  /** Bytes into the segment. */
  readonly offset: number;
  readonly bytes: Uint8Array<ArrayBufferLike>;
  /** Bytes of the tensor that names the weight which were read for it. */
  readonly read: number;
}
