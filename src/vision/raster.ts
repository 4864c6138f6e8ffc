/**
 * PNG, JPEG, WebP, TIFF and GIF, decoded by sharp (libvips) to what Pillow's `exif_transpose` and `convert('RGB')` give:
 * upright, alpha dropped, palette and grey expanded, CMYK by Pillow's formula, colour profiles ignored. One difference is
 * known: transparent pixels of a GIF are black, as libvips does not tell their palette colour.
 */
import type { Metadata, Sharp, SharpOptions } from 'sharp';
import { ImageError, reason } from './errors.js';
import type { RgbImage, Samples } from './image.js';
import type { Size } from './smart-resize.js';
import type { ImageFormat } from './sniff.js';
import {
  applyTransfer,
  dicomLinear,
  linearTransfer,
  sampleRange,
  type Transfer,
  type Window,
} from './window.js';

/** Settings of {@link decodeRaster}. */
export interface RasterOptions {
  /** What error messages call the image. */
  readonly name: string;
  /** Images with more pixels are refused before they are decoded. */
  readonly maxPixels: number;
  readonly window: Window;
  /** `drop` is what transformers does; `white` puts the image on white paper, as qwen_vl_utils does. */
  readonly alpha: 'drop' | 'white';
}

type SharpModule = typeof import('sharp');
type SharpFactory = SharpModule extends { default: infer Factory } ? Factory : never;
let loading: Promise<SharpFactory> | undefined;

/** Loads sharp when the first image needs it: it brings native code that a browser and most commands do without. */
function loadSharp(): Promise<SharpFactory> {
  loading ??= import('sharp').then((module) => module.default);
  return loading;
}

/** Decodes an image of a known kind; of several frames or pages the first. */
export async function decodeRaster(
  bytes: Uint8Array,
  format: Exclude<ImageFormat, 'dicom'>,
  options: RasterOptions,
): Promise<RgbImage> {
  const sharp = await loadSharp();
  const input: SharpOptions = {
    limitInputPixels: options.maxPixels,
    // As strict as Pillow: what is cut off is an error, an odd chunk is not.
    failOn: 'error',
    ignoreIcc: true,
    pages: 1,
    sequentialRead: true,
  };
  const open = () => sharp(bytes, input);
  try {
    const metadata = await open().metadata();
    check(metadata, format, options);
    if (metadata.space === 'cmyk') return await decodeCmyk(open());
    if (metadata.depth === 'uchar') return toRgb(await decode8(open()), options);
    return toRgb(windowed(await decodeDeep(open(), metadata), metadata, options), options);
  } catch (error) {
    if (error instanceof ImageError) throw error;
    throw new ImageError(options.name, problemOf(error, format, options), { cause: error });
  }
}

/** The upright size of an image of a known kind, from its header. */
export async function rasterSize(
  bytes: Uint8Array,
  format: Exclude<ImageFormat, 'dicom'>,
  { name, maxPixels }: Pick<RasterOptions, 'name' | 'maxPixels'>,
): Promise<Size> {
  const sharp = await loadSharp();
  const options: RasterOptions = { name, maxPixels, window: 'auto', alpha: 'drop' };
  try {
    const metadata = await sharp(bytes, { limitInputPixels: maxPixels, pages: 1 }).metadata();
    check(metadata, format, options);
    return metadata.autoOrient;
  } catch (error) {
    if (error instanceof ImageError) throw error;
    throw new ImageError(name, problemOf(error, format, options), { cause: error });
  }
}

/** Refuses what would need much memory, or would not be understood, before any pixel is decoded. */
function check(metadata: Metadata, format: ImageFormat, { name, maxPixels }: RasterOptions): void {
  const { width, height, channels, space, depth } = metadata;
  if (metadata.format !== format)
    throw new ImageError(name, `begins like ${format} but is not readable as such`);
  if (!(width >= 1 && height >= 1)) throw new ImageError(name, `has the size ${width}x${height}`);
  if (width * height > maxPixels) throw new ImageError(name, tooLarge(maxPixels, `${width}x${height}`));
  const most = space === 'cmyk' ? 5 : 4;
  if (channels > most) throw new ImageError(name, `has ${channels} channels; an image has one to four`);
  if (space === 'cmyk' && depth !== 'uchar')
    throw new ImageError(name, `is CMYK with ${depth} samples; convert it`);
}

function tooLarge(maxPixels: number, size = 'more'): string {
  return `has ${size} pixels, over the limit of ${maxPixels} in all; shrink it, or raise the limit if it is trusted`;
}

function problemOf(error: unknown, format: string, { maxPixels }: RasterOptions): string {
  const text = reason(error);
  if (/exceeds pixel limit|dimensions exceed/i.test(text)) return tooLarge(maxPixels);
  return `is a ${format.toUpperCase()} image that cannot be decoded (${text}); it is truncated or damaged`;
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

/**
 * Decodes a JPEG stream that is part of another file, without its orientation and with its own number of channels.
 *
 * @param pixels how many pixels it has, which the caller has checked.
 */
export async function decodeRaster8(bytes: Uint8Array, pixels: number, channels: 1 | 3): Promise<Uint8Array> {
  const sharp = await loadSharp();
  const image = sharp(bytes, { limitInputPixels: pixels, failOn: 'error', ignoreIcc: true });
  const decoded = await raw(image.toColourspace(channels === 1 ? 'b-w' : 'srgb'), 'uchar');
  if (decoded.data.length !== pixels * channels) throw new Error('its size is not what its header says');
  return decoded.data as Uint8Array;
}

function decode8(image: Sharp): Promise<Samples> {
  return raw(image.autoOrient(), 'uchar');
}

/** Keeps the samples as they are in the file: libvips would take the top byte, or clip to 255. */
function decodeDeep(image: Sharp, { space, depth }: Metadata): Promise<Samples> {
  const kept = depth === 'ushort' || depth === 'short' ? depth : 'double';
  return raw(image.autoOrient().pipelineColourspace(space).toColourspace(space), kept);
}

async function decodeCmyk(image: Sharp): Promise<RgbImage> {
  const { width, height, channels, data } = await raw(
    image.autoOrient().pipelineColourspace('cmyk').toColourspace('cmyk'),
    'uchar',
  );
  const rgb = new Uint8Array(width * height * 3);
  for (let i = 0, o = 0; o < rgb.length; i += channels) {
    const white = 255 - (data[i + 3] as number);
    for (let c = 0; c < 3; c++) {
      // Pillow's division by 255.
      const product = (data[i + c] as number) * white + 128;
      rgb[o++] = Math.max(0, white - (((product >> 8) + product) >> 8));
    }
  }
  return { width, height, data: rgb };
}

/** Maps deep samples to levels. Alpha is not windowed: it keeps its top byte. */
function windowed(samples: Samples, metadata: Metadata, { window, name }: RasterOptions): Samples {
  const { channels, data } = samples;
  const colours = channels - (metadata.hasAlpha ? 1 : 0);
  const transfer = transferOf(window === 'auto' ? (colours === 1 ? 'range' : 'full') : window);
  const levels = applyTransfer(data, transfer);
  if (colours < channels) {
    for (let i = colours; i < data.length; i += channels) levels[i] = (data[i] as number) >> 8;
  }
  return { ...samples, data: levels };

  function transferOf(chosen: Exclude<Window, 'auto'>): Transfer {
    if (chosen === 'full') {
      if (data instanceof Uint16Array) return (value) => value >> 8;
      throw new ImageError(
        name,
        `has ${metadata.depth} samples, which have no full range; choose another window`,
      );
    }
    if (chosen === 'range') {
      const { low, high } = sampleRange(colours === channels ? data : withoutAlpha(data, channels));
      return linearTransfer(low, high);
    }
    return 'low' in chosen
      ? linearTransfer(chosen.low, chosen.high)
      : dicomLinear(chosen.center, chosen.width);
  }
}

function withoutAlpha(data: Samples['data'], channels: number): ArrayLike<number> {
  return data.filter((_, i) => i % channels !== channels - 1);
}

/** Grey to three channels; alpha dropped or put on white. */
function toRgb({ width, height, channels, data }: Samples, { alpha }: RasterOptions): RgbImage {
  if (channels === 3) return { width, height, data: data as Uint8Array };
  const rgb = new Uint8Array(width * height * 3);
  const hasAlpha = channels === 2 || channels >= 4;
  const step = channels >= 3 ? 1 : 0;
  for (let i = 0, o = 0; o < rgb.length; i += channels) {
    const opacity = hasAlpha && alpha === 'white' ? (data[i + (channels === 2 ? 1 : 3)] as number) : 255;
    for (let c = 0; c < 3; c++) {
      const level = data[i + c * step] as number;
      rgb[o++] = opacity === 255 ? level : Math.floor((level * opacity + 255 * (255 - opacity)) / 255 + 0.5);
    }
  }
  return { width, height, data: rgb };
}
