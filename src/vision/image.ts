/** Decoded images. */

/** Eight bits a channel, rows from top to bottom, red, green and blue side by side: what the model's processor takes. */
export interface RgbImage {
  readonly width: number;
  readonly height: number;
  /** height * width * 3 bytes. */
  readonly data: Uint8Array;
}

/** Samples of a picture before they are mapped to eight bits. */
export interface Samples {
  readonly width: number;
  readonly height: number;
  /** Samples side by side for each pixel. */
  readonly channels: number;
  readonly data: Uint8Array | Uint16Array | Int16Array | Float32Array | Float64Array;
}

/** The `RgbImage` of a grey picture. */
export function grey(width: number, height: number, levels: Uint8Array): RgbImage {
  const data = new Uint8Array(levels.length * 3);
  for (let i = 0, o = 0; i < levels.length; i++) {
    const level = levels[i] as number;
    data[o++] = level;
    data[o++] = level;
    data[o++] = level;
  }
  return { width, height, data };
}
