/** Pictures by sharp (libvips), loaded when the first is needed: it brings native code that most commands do without. */
import type { Metadata, Sharp, SharpOptions } from 'sharp';
import {
  type EncodeOptions,
  type Picture,
  type Pictures,
  PixelLimitError,
  type RgbImage,
  type Samples,
} from '../ports/pictures.js';

type SharpModule = typeof import('sharp');
type SharpFactory = SharpModule extends { default: infer Factory } ? Factory : never;
let loading: Promise<SharpFactory> | undefined;

function loadSharp(): Promise<SharpFactory> {
  loading ??= import('sharp').then((module) => module.default);
  return loading;
}

/** As strict as Pillow: what is cut off is an error, an odd chunk is not. */
const STRICT = { failOn: 'error', ignoreIcc: true } as const satisfies SharpOptions;

/** Node's pictures. */
export const sharpPictures: Pictures = { open, decodeJpeg, encode };

async function open(bytes: Uint8Array, _format: string, maxPixels: number): Promise<Picture> {
  const sharp = await loadSharp();
  const read = () => sharp(bytes, { ...STRICT, limitInputPixels: maxPixels, pages: 1, sequentialRead: true });
  const metadata = await limited(read().metadata());
  const { width, height } = metadata.autoOrient;
  const { format, channels, hasAlpha, depth, space } = metadata;
  const samples = () => limited(decode(read().autoOrient(), metadata));
  return { format, width, height, channels, hasAlpha, depth, isCmyk: space === 'cmyk', samples };
}

async function limited<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    const { message } = error as Error;
    if (!/exceeds pixel limit|dimensions exceed/i.test(message)) throw error;
    throw new PixelLimitError(message, { cause: error });
  }
}

function decode(image: Sharp, { space, depth }: Metadata): Promise<Samples> {
  if (space === 'cmyk') return raw(image.pipelineColourspace('cmyk').toColourspace('cmyk'), 'uchar');
  if (depth === 'uchar') return raw(image, 'uchar');
  // Kept as they are in the file: libvips would take the top byte, or clip to 255.
  const kept = depth === 'ushort' || depth === 'short' ? depth : 'double';
  return raw(image.pipelineColourspace(space).toColourspace(space), kept);
}

async function raw(pipeline: Sharp, depth: 'uchar' | 'ushort' | 'short' | 'double'): Promise<Samples> {
  const { data, info } = await pipeline.raw({ depth }).toBuffer({ resolveWithObject: true });
  const Type = { uchar: Uint8Array, ushort: Uint16Array, short: Int16Array, double: Float64Array }[depth];
  // A copy where Node's buffer pool put the bytes at an odd place.
  const bytes = data.byteOffset % Type.BYTES_PER_ELEMENT === 0 ? data : Uint8Array.from(data);
  const samples = new Type(
    bytes.buffer as ArrayBuffer,
    bytes.byteOffset,
    data.byteLength / Type.BYTES_PER_ELEMENT,
  );
  return { width: info.width, height: info.height, channels: info.channels, data: samples };
}

async function decodeJpeg(bytes: Uint8Array, maxPixels: number, channels: 1 | 3): Promise<Uint8Array> {
  const sharp = await loadSharp();
  const image = sharp(bytes, { ...STRICT, limitInputPixels: maxPixels });
  return (await raw(image.toColourspace(channels === 1 ? 'b-w' : 'srgb'), 'uchar')).data as Uint8Array;
}

async function encode({ width, height, data }: RgbImage, options: EncodeOptions): Promise<Uint8Array> {
  const sharp = await loadSharp();
  const { side } = options;
  let pipeline = sharp(data, { raw: { width, height, channels: 3 } });
  if (side !== undefined) {
    pipeline = pipeline.resize({ width: side, height: side, fit: 'inside', withoutEnlargement: true });
  }
  const file =
    options.format === 'png' ? pipeline.png() : pipeline.webp({ quality: options.quality, effort: 3 });
  return await file.toBuffer();
}
