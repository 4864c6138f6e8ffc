/** One frame's samples as numbers, whatever way they are stored. */
import { ImageError, reason } from '../errors.js';
import { decodeRaster8 } from '../raster.js';
import { decodeJpeg2000, decodeJpegLs } from './codecs.js';
import { jpeg2000HasBody, jpeg2000IsWhole, jpeg2000Size, jpeg2000Stream, jpegSize } from './codestream.js';
import type { DicomFile } from './data-set.js';
import { frameBytes } from './frames.js';
import type { PixelHeader } from './header.js';
import { decodeJpegLossless } from './jpeg-lossless.js';
import { decodeRle } from './rle.js';

/** Samples of one frame, pixel by pixel. */
export interface FrameSamples {
  readonly data: Uint8Array | Uint16Array | Int16Array | Int32Array | Uint32Array;
  /** Significant bits. */
  readonly bits: number;
  readonly signed: boolean;
  /** Whether the decoder has already turned luminance and colour differences to RGB. */
  readonly isRgb: boolean;
}

/** Decodes one frame. */
export async function readSamples(
  file: DicomFile,
  header: PixelHeader,
  frame: number,
): Promise<FrameSamples> {
  const bytes = frameBytes(file, header, frame);
  try {
    switch (file.syntax.coding) {
      case 'native':
        return nativeSamples(bytes, header, file.syntax.bigEndian);
      case 'rle': {
        const sampleBytes = wholeBytes(header);
        const { rows, columns, samplesPerPixel } = header;
        const planes = decodeRle(bytes, rows * columns, samplesPerPixel, sampleBytes);
        // Every pixel has its own colour here, whatever the photometric interpretation says.
        return nativeSamples(planes, { ...header, planar: true, photometric: 'YBR_FULL' }, false);
      }
      case 'jpeg':
        return await jpegSamples(bytes, header, file.name);
      case 'jpeg-lossless': {
        checkSize(jpegSize(bytes), header);
        const image = decodeJpegLossless(bytes, { width: header.columns, height: header.rows });
        return fromCodec(image.data, image.precision, header, false);
      }
      case 'jpeg-ls':
        checkSize(jpegSize(bytes), header);
        return codecSamples(await decodeJpegLs(bytes), header, false);
      case 'jpeg-2000': {
        const stream = jpeg2000Stream(bytes);
        checkSize(stream && jpeg2000Size(stream), header);
        if (!jpeg2000IsWhole(stream as Uint8Array)) throw new Error('it ends early');
        if (!jpeg2000HasBody(stream as Uint8Array)) throw new Error('it has tiles without data');
        const wasRgb = header.photometric === 'YBR_RCT' || header.photometric === 'YBR_ICT';
        return codecSamples(await decodeJpeg2000(stream as Uint8Array), header, wasRgb);
      }
    }
  } catch (error) {
    if (error instanceof ImageError) throw error;
    throw new ImageError(
      file.name,
      `is a DICOM file whose ${file.syntax.coding} frame ${frame + 1} cannot be decoded (${reason(error)}); it is truncated or damaged`,
      { cause: error },
    );
  }
}

function wholeBytes({ bitsAllocated }: PixelHeader): number {
  if (bitsAllocated === 1) throw new Error('single bits are not stored that way');
  return bitsAllocated / 8;
}

function checkSize(
  size: { width: number; height: number; components: number; precision: number } | undefined,
  { rows, columns, samplesPerPixel }: PixelHeader,
): void {
  if (size === undefined) throw new Error('it has no frame header');
  if (size.width !== columns || size.height !== rows || size.components !== samplesPerPixel) {
    throw new Error(
      `it holds ${size.width}x${size.height} pixels of ${size.components} samples where the file says ` +
        `${columns}x${rows} of ${samplesPerPixel}`,
    );
  }
  if (size.precision > 16)
    throw new Error(`it has ${size.precision} bits a sample; at most 16 are supported`);
}

async function jpegSamples(bytes: Uint8Array, header: PixelHeader, name: string): Promise<FrameSamples> {
  const size = jpegSize(bytes);
  checkSize(size, header);
  if (size?.precision !== 8) {
    throw new ImageError(
      name,
      `is a DICOM file with lossy JPEG of ${size?.precision} bits, which is not supported; convert it with gdcmconv --raw`,
    );
  }
  const jpeg = header.photometric === 'RGB' ? markAsRgb(bytes) : bytes;
  const data = await decodeRaster8(jpeg, header.columns * header.rows, header.samplesPerPixel);
  return { data, bits: 8, signed: false, isRgb: true };
}

/** Says that components are RGB where the file says so but the stream does not: decoders take YCbCr for granted. */
function markAsRgb(bytes: Uint8Array): Uint8Array {
  const next = bytes[3];
  // JFIF or Adobe: the stream speaks for itself.
  if (next === 0xe0 || next === 0xee) return bytes;
  const adobe = [0xff, 0xee, 0, 14, 0x41, 0x64, 0x6f, 0x62, 0x65, 0, 100, 0, 0, 0, 0, 0];
  const marked = new Uint8Array(bytes.length + adobe.length);
  marked.set(bytes.subarray(0, 2));
  marked.set(adobe, 2);
  marked.set(bytes.subarray(2), 2 + adobe.length);
  return marked;
}

function codecSamples(
  image: Awaited<ReturnType<typeof decodeJpegLs>>,
  header: PixelHeader,
  isRgb: boolean,
): FrameSamples {
  const { width, height, componentCount, bitsPerSample, bytes } = image;
  checkSize({ width, height, components: componentCount, precision: bitsPerSample }, header);
  const count = width * height * componentCount;
  const data =
    bitsPerSample > 8 ? new Uint16Array(bytes.buffer, bytes.byteOffset, count) : bytes.subarray(0, count);
  const pixels = image.planar ? interleave(data, width * height, componentCount) : data;
  return fromCodec(pixels, bitsPerSample, image.isSigned ? { ...header, signed: true } : header, isRgb);
}

/** Samples as a codec gives them: right-aligned, of the codec's own precision. */
function fromCodec(
  data: Uint8Array | Uint16Array,
  precision: number,
  header: PixelHeader,
  isRgb: boolean,
): FrameSamples {
  const bits = header.signed ? Math.min(precision, header.bitsStored) : precision;
  return { data: header.signed ? signExtend(data, bits) : data, bits, signed: header.signed, isRgb };
}

function signExtend(data: Uint8Array | Uint16Array, bits: number): Int16Array {
  const out = new Int16Array(data.length);
  const shift = 32 - bits;
  for (let i = 0; i < data.length; i++) out[i] = ((data[i] as number) << shift) >> shift;
  return out;
}

function interleave<T extends Uint8Array | Uint16Array>(data: T, pixels: number, channels: number): T {
  const out = data.slice() as T;
  for (let c = 0; c < channels; c++) {
    for (let i = 0; i < pixels; i++) out[i * channels + c] = data[c * pixels + i] as number;
  }
  return out;
}

/** Uncompressed samples: cut from their words, sign extended, pixel by pixel. */
export function nativeSamples(bytes: Uint8Array, header: PixelHeader, bigEndian: boolean): FrameSamples {
  const { rows, columns, samplesPerPixel, bitsAllocated, bitsStored, shift, signed } = header;
  const pixels = rows * columns;
  if (bitsAllocated === 1) {
    const data = new Uint8Array(pixels);
    for (let i = 0; i < pixels; i++) data[i] = ((bytes[i >> 3] as number) >> (i & 7)) & 1;
    return { data, bits: 1, signed: false, isRgb: false };
  }
  const halved = header.photometric === 'YBR_FULL_422';
  const count = pixels * (halved ? 2 : samplesPerPixel);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const wordBytes = bitsAllocated / 8;
  if (bytes.length < count * wordBytes) throw new Error('it ends early');
  const Type = { 8: [Uint8Array, Int16Array], 16: [Uint16Array, Int16Array], 32: [Uint32Array, Int32Array] }[
    bitsAllocated
  ];
  const data = new (Type[signed ? 1 : 0] as typeof Int32Array)(count);
  const up = 32 - bitsStored - shift;
  const down = 32 - bitsStored;
  for (let i = 0; i < count; i++) {
    const at = i * wordBytes;
    const word =
      wordBytes === 1
        ? (bytes[at] as number)
        : wordBytes === 2
          ? view.getUint16(at, !bigEndian)
          : view.getUint32(at, !bigEndian);
    data[i] = signed ? (word << up) >> down : (word << up) >>> down;
  }
  const result = data as FrameSamples['data'];
  if (halved) return { data: widen422(result as Uint8Array), bits: bitsStored, signed, isRgb: false };
  const whole = header.planar && samplesPerPixel > 1;
  return {
    data: whole ? interleave(result as Uint8Array, pixels, samplesPerPixel) : result,
    bits: bitsStored,
    signed,
    isRgb: false,
  };
}

/** Y1 Y2 Cb Cr to two pixels that share their colour. */
function widen422(data: Uint8Array): Uint8Array {
  const out = new Uint8Array((data.length / 2) * 3);
  for (let i = 0, o = 0; i + 3 < data.length; i += 4) {
    for (let k = 0; k < 2; k++) {
      out[o++] = data[i + k] as number;
      out[o++] = data[i + 2] as number;
      out[o++] = data[i + 3] as number;
    }
  }
  return out;
}
