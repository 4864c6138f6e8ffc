/**
 * PNG, JPEG, WebP, TIFF and GIF, decoded by the platform and made into what Pillow's `exif_transpose` and `convert('RGB')`
 * give: upright, alpha dropped, palette and grey expanded, CMYK by Pillow's formula, colour profiles ignored. One difference
 * is known in Node: transparent pixels of a GIF are black, as libvips does not tell their palette colour.
 */
import { port } from '../platform/current.js';
import {
  type Picture,
  type PictureFormat,
  PixelLimitError,
  UnreadablePictureError,
} from '../platform/ports/pictures.js';
import { ImageError, reason } from './errors.js';
import type { RgbImage, Samples, Size } from './image.js';
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

/** Decodes an image of a known kind; of several frames or pages the first. */
export function decodeRaster(
  bytes: Uint8Array,
  format: PictureFormat,
  options: RasterOptions,
): Promise<RgbImage> {
  return opened(bytes, format, options, async (picture) => {
    const samples = await picture.samples();
    if (picture.isCmyk) return fromCmyk(samples);
    return toRgb(picture.depth === 'uchar' ? samples : windowed(samples, picture, options), options);
  });
}

/** The upright size of an image of a known kind, from its header. */
export function rasterSize(
  bytes: Uint8Array,
  format: PictureFormat,
  options: Pick<RasterOptions, 'name' | 'maxPixels'>,
): Promise<Size> {
  return opened(bytes, format, options, async ({ width, height }) => ({ width, height }));
}

/** Hands a picture on once its header has been checked, and puts what is wrong with it into words. */
async function opened<T>(
  bytes: Uint8Array,
  format: PictureFormat,
  options: Pick<RasterOptions, 'name' | 'maxPixels'>,
  use: (picture: Picture) => Promise<T>,
): Promise<T> {
  const { name, maxPixels } = options;
  try {
    const picture = await port('pictures').open(bytes, format, maxPixels);
    check(picture, format, options);
    return await use(picture);
  } catch (error) {
    if (error instanceof ImageError) throw error;
    if (error instanceof UnreadablePictureError) throw new ImageError(name, error.message, { cause: error });
    const problem =
      error instanceof PixelLimitError
        ? tooLarge(maxPixels)
        : `is a ${format.toUpperCase()} image that cannot be decoded (${reason(error)}); it is truncated or damaged`;
    throw new ImageError(name, problem, { cause: error });
  }
}

/** Refuses what would need much memory, or would not be understood, before any pixel is decoded. */
function check(
  { width, height, channels, isCmyk, depth, format }: Picture,
  wanted: PictureFormat,
  { name, maxPixels }: Pick<RasterOptions, 'name' | 'maxPixels'>,
): void {
  if (format !== wanted) throw new ImageError(name, `begins like ${wanted} but is not readable as such`);
  if (!(width >= 1 && height >= 1)) throw new ImageError(name, `has the size ${width}x${height}`);
  if (width * height > maxPixels) throw new ImageError(name, tooLarge(maxPixels, `${width}x${height}`));
  const most = isCmyk ? 5 : 4;
  if (channels > most) throw new ImageError(name, `has ${channels} channels; an image has one to four`);
  if (isCmyk && depth !== 'uchar') throw new ImageError(name, `is CMYK with ${depth} samples; convert it`);
}

function tooLarge(maxPixels: number, size = 'more'): string {
  return `has ${size} pixels, over the limit of ${maxPixels} in all; shrink it, or raise the limit if it is trusted`;
}

/**
 * Decodes a JPEG stream that is part of another file, without its orientation and with its own number of channels.
 *
 * @param pixels how many pixels it has, which the caller has checked.
 */
export async function decodeRaster8(bytes: Uint8Array, pixels: number, channels: 1 | 3): Promise<Uint8Array> {
  const data = await port('pictures').decodeJpeg(bytes, pixels, channels);
  if (data.length !== pixels * channels) throw new Error('its size is not what its header says');
  return data;
}

function fromCmyk({ width, height, channels, data }: Samples): RgbImage {
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
function windowed(samples: Samples, picture: Picture, { window, name }: RasterOptions): Samples {
  const { channels, data } = samples;
  const colours = channels - (picture.hasAlpha ? 1 : 0);
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
        `has ${picture.depth} samples, which have no full range; choose another window`,
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
