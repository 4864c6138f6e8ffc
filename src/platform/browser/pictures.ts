/**
 * Pictures in a browser: JPEG, WebP and GIF by its decoders, PNG by our own. What a browser would get wrong without a word is
 * refused in a sentence: CMYK, and WebP with alpha where colours come multiplied by it. There is no TIFF.
 */
import {
  type EncodeOptions,
  type Picture,
  type PictureFormat,
  type Pictures,
  PixelLimitError,
  type RgbImage,
  type Samples,
  UnreadablePictureError,
} from '../ports/pictures.js';
import { gifHeader, jpegHeader, type RasterHeader, webpHeader } from './headers.js';
import { isSideways, upright } from './orientation.js';
import { openPng } from './png.js';
import { web } from './web.js';

/** A browser's pictures. */
export const webPictures: Pictures = { open, decodeJpeg, encode };

const HEADERS = { jpeg: jpegHeader, webp: webpHeader, gif: gifHeader } as const;

async function open(bytes: Uint8Array, format: PictureFormat, maxPixels: number): Promise<Picture> {
  if (format === 'png') return openPng(bytes, maxPixels);
  if (format === 'tiff') {
    throw new UnreadablePictureError('is a TIFF image, which cannot be read in a browser; convert it to PNG');
  }
  const header = HEADERS[format](bytes);
  const { width, height, channels, hasAlpha, depth, orientation } = header;
  if (width * height > maxPixels) throw new PixelLimitError('too many pixels');
  if (format === 'jpeg' && (channels === 4 || depth !== 'uchar')) {
    const kind = channels === 4 ? 'CMYK' : 'more than eight bits a sample';
    throw new UnreadablePictureError(
      `is a JPEG image with ${kind}, which cannot be read in a browser; convert it to PNG`,
    );
  }
  const [w, h] = isSideways(orientation) ? [height, width] : [width, height];
  return {
    format,
    width: w,
    height: h,
    channels,
    hasAlpha,
    isCmyk: false,
    depth,
    samples: async () => {
      const samples = await drawn(header, `image/${format}`);
      if (format === 'webp' && hasAlpha) checkOpaque(samples);
      return upright(samples, orientation);
    },
  };
}

/** By way of a canvas, which gives back what was drawn on it where nothing shines through. */
async function drawn({ width, height, hasAlpha, plain }: RasterHeader, type: string): Promise<Samples> {
  const bitmap = await web.createImageBitmap(new Blob(plain as Uint8Array<ArrayBuffer>[], { type }), {
    colorSpaceConversion: 'none',
  });
  try {
    checkSize(bitmap, width, height);
    const context = contextOf(new web.OffscreenCanvas(width, height));
    context.drawImage(bitmap, 0, 0, width, height);
    const { data } = context.getImageData(0, 0, width, height);
    const rgba = new Uint8Array(data.buffer as ArrayBuffer, data.byteOffset, data.length);
    return { width, height, channels: hasAlpha ? 4 : 3, data: hasAlpha ? rgba : withoutAlpha(rgba) };
  } finally {
    bitmap.close();
  }
}

/** A canvas multiplies colours by their alpha, and loses what it divides again. GIF knows black and opaque alone. */
function checkOpaque({ data }: Samples): void {
  for (let i = 3; i < data.length; i += 4) {
    if (data[i] === 255) continue;
    throw new UnreadablePictureError(
      'is a WebP image with transparency, whose colours a browser does not give exactly; convert it to PNG',
    );
  }
}

function checkSize(got: { width: number; height: number }, width: number, height: number): void {
  if (got.width === width && got.height === height) return;
  throw new Error(`it holds ${got.width}x${got.height} pixels where its header says ${width}x${height}`);
}

function contextOf(canvas: InstanceType<typeof web.OffscreenCanvas>) {
  const context = canvas.getContext('2d', { willReadFrequently: true, colorSpace: 'srgb' });
  if (!context) throw new Error('the browser gives no canvas');
  return context;
}

function withoutAlpha(rgba: Uint8Array): Uint8Array {
  const rgb = new Uint8Array((rgba.length / 4) * 3);
  for (let i = 0, o = 0; o < rgb.length; i += 4) {
    for (let c = 0; c < 3; c++) rgb[o++] = rgba[i + c] as number;
  }
  return rgb;
}

async function decodeJpeg(bytes: Uint8Array, maxPixels: number, channels: 1 | 3): Promise<Uint8Array> {
  const header = jpegHeader(bytes);
  if (header.width * header.height > maxPixels) throw new PixelLimitError('too many pixels');
  if (header.channels !== channels) throw new Error(`it has ${header.channels} samples a pixel`);
  const { data } = await drawn(header, 'image/jpeg');
  return channels === 3 ? (data as Uint8Array) : (data as Uint8Array).filter((_, i) => i % 3 === 0);
}

async function encode(image: RgbImage, { side, ...options }: EncodeOptions): Promise<Uint8Array> {
  const { width, height, data } = image;
  const rgba = new Uint8ClampedArray(4 * width * height).fill(255);
  for (let i = 0, o = 0; i < data.length; i += 3, o += 4) rgba.set(data.subarray(i, i + 3), o);
  const bitmap = await web.createImageBitmap(new web.ImageData(rgba, width, height), {
    colorSpaceConversion: 'none',
  });
  const scale = Math.min(1, (side ?? Number.POSITIVE_INFINITY) / Math.max(width, height));
  const [w, h] = [width, height].map((size) => Math.max(1, Math.round(size * scale))) as [number, number];
  const canvas = new web.OffscreenCanvas(w, h);
  const context = contextOf(canvas);
  context.imageSmoothingQuality = 'high';
  context.drawImage(bitmap, 0, 0, w, h);
  bitmap.close();
  const type = `image/${options.format}`;
  const quality = options.format === 'webp' ? { quality: options.quality / 100 } : {};
  const blob = await canvas.convertToBlob({ type, ...quality });
  if (blob.type !== type) throw new Error(`this browser writes no ${options.format}; ask for png`);
  return new Uint8Array(await blob.arrayBuffer());
}
