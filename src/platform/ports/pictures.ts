/** Pictures of the common formats, decoded and written. What a picture means to a model is for `vision/` to know. */

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

/** Formats that a decoder may be asked for; `vision/` has told them apart by their first bytes. */
export type PictureFormat = 'png' | 'jpeg' | 'webp' | 'tiff' | 'gif';

/** Decodes and writes pictures. */
export interface Pictures {
  /**
   * Reads the header of a picture; of several frames or pages the first counts.
   *
   * @throws PixelLimitError where it has more pixels than `maxPixels`, UnreadablePictureError where the platform has no decoder
   *   for it, other errors with the decoder's words.
   */
  open(bytes: Uint8Array, format: PictureFormat, maxPixels: number): Promise<Picture>;
  /** Decodes an 8-bit JPEG stream that is part of another file: its orientation and colour profile do not count. */
  decodeJpeg(bytes: Uint8Array, maxPixels: number, channels: 1 | 3): Promise<Uint8Array>;
  /** Writes a picture. */
  encode(image: RgbImage, options: EncodeOptions): Promise<Uint8Array>;
}

/** A picture whose header has been read. */
export interface Picture {
  /** What the decoder takes it for. */
  readonly format: string;
  /** Upright, as are the samples. */
  readonly width: number;
  readonly height: number;
  readonly channels: number;
  readonly hasAlpha: boolean;
  readonly isCmyk: boolean;
  /** `uchar` for eight bits, `ushort` for sixteen, or another word for errors. */
  readonly depth: string;
  /**
   * Decodes it: eight bits as sRGB or grey, with alpha where there is some; CMYK and deeper samples as they are in the file.
   * What is cut off or damaged is an error.
   */
  samples(): Promise<Samples>;
}

/** A picture with more pixels than whoever opened it allows. */
export class PixelLimitError extends Error {}

/** A sound picture that the platform cannot decode. The message is a predicate, without the picture's name, and says what to do. */
export class UnreadablePictureError extends Error {}

/** How a picture is written; shrunk, where it is larger, to fit a square of `side` pixels. */
export type EncodeOptions =
  | { readonly format: 'png'; readonly side?: number }
  /** `quality` is from 1 to 100. */
  | { readonly format: 'webp'; readonly quality: number; readonly side?: number };
