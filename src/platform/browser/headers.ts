/** Headers of the formats whose pixels the browser decodes, and their bytes without what would change its mind about colours. */
import { exifOrientation } from './orientation.js';

/** What a header says, and the bytes to decode. */
export interface RasterHeader {
  /** As stored: not turned yet. */
  readonly width: number;
  readonly height: number;
  readonly orientation: number;
  readonly channels: number;
  readonly hasAlpha: boolean;
  readonly depth: 'uchar' | 'ushort';
  /** The file without colour profiles and orientation. */
  readonly plain: readonly Uint8Array[];
}

const END = 'it ends early';

/** JPEG (ITU-T T.81). */
export function jpegHeader(bytes: Uint8Array): RasterHeader {
  let frame: { precision: number; width: number; height: number; channels: number } | undefined;
  let orientation = 1;
  const plain: Uint8Array[] = [bytes.subarray(0, 2)];
  for (let at = 2; ; ) {
    while (bytes[at] === 0xff && bytes[at + 1] === 0xff) at++;
    if (at + 4 > bytes.length) throw new Error(END);
    if (bytes[at] !== 0xff) throw new Error('its segments are damaged');
    const marker = bytes[at + 1] as number;
    const length = u16(bytes, at + 2);
    if (length < 2 || at + 2 + length > bytes.length) throw new Error(END);
    const body = bytes.subarray(at + 4, at + 2 + length);
    if (marker === 0xe1 && String.fromCharCode(...body.subarray(0, 4)) === 'Exif') {
      orientation = exifOrientation(body);
    }
    // SOF0 to SOF15, without the three that are tables.
    if (marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker)) {
      if (body.length < 6) throw new Error(END);
      const [precision, channels] = [body[0] as number, body[5] as number];
      frame = { precision, channels, height: u16(body, 1), width: u16(body, 3) };
    }
    if (marker === 0xda) {
      if (!frame) throw new Error('it has no frame header');
      // Within coded data 0xff is followed by other bytes.
      if (!endsWithMarker(bytes, at)) throw new Error(END);
      const { width, height, channels, precision } = frame;
      const depth = precision === 8 ? 'uchar' : 'ushort';
      plain.push(bytes.subarray(at));
      return { width, height, orientation, channels, hasAlpha: false, depth, plain };
    }
    const isAboutOthers = marker >= 0xe1 && marker <= 0xef && marker !== 0xee;
    if (!isAboutOthers) plain.push(bytes.subarray(at, at + 2 + length));
    at += 2 + length;
  }
}

function endsWithMarker(bytes: Uint8Array, from: number): boolean {
  for (let at = bytes.length - 2; at > from; at--)
    if (bytes[at] === 0xff && bytes[at + 1] === 0xd9) return true;
  return false;
}

/** WebP (RFC 9649). */
export function webpHeader(bytes: Uint8Array): RasterHeader {
  const plain = Uint8Array.from(bytes);
  const view = new DataView(plain.buffer);
  if (bytes.length < 20 || view.getUint32(4, true) + 8 > bytes.length) throw new Error(END);
  let size: { width: number; height: number } | undefined;
  let hasAlpha = false;
  let orientation = 1;
  const end = view.getUint32(4, true) + 8;
  for (let at = 12; at + 8 <= end; ) {
    const type = String.fromCharCode(...plain.subarray(at, at + 4));
    const length = view.getUint32(at + 4, true);
    const body = at + 8;
    if (body + length > end) throw new Error(END);
    if (type === 'VP8X' && length >= 10) {
      size = {
        width: 1 + (view.getUint16(body + 4, true) | ((plain[body + 6] as number) << 16)),
        height: 1 + (view.getUint16(body + 7, true) | ((plain[body + 9] as number) << 16)),
      };
      hasAlpha ||= ((plain[body] as number) & 0x10) !== 0;
      // No colour profile and no EXIF are announced.
      plain[body] = (plain[body] as number) & ~0x28;
    } else if (type === 'VP8 ' && length >= 10) {
      size ??= {
        width: view.getUint16(body + 6, true) & 0x3fff,
        height: view.getUint16(body + 8, true) & 0x3fff,
      };
    } else if (type === 'VP8L' && length >= 5) {
      const word = view.getUint32(body + 1, true);
      size ??= { width: 1 + (word & 0x3fff), height: 1 + ((word >>> 14) & 0x3fff) };
      hasAlpha ||= ((word >>> 28) & 1) === 1;
    } else if (type === 'EXIF' || type === 'ICCP') {
      if (type === 'EXIF') orientation = exifOrientation(plain.subarray(body, body + length));
      // Decoders pass over chunks that they do not know.
      plain.set([0x58, 0x58, 0x58, 0x58], at);
    }
    at = body + length + (length & 1);
  }
  if (!size) throw new Error('it has no picture');
  return { ...size, orientation, channels: hasAlpha ? 4 : 3, hasAlpha, depth: 'uchar', plain: [plain] };
}

/** GIF89a: the first picture. */
export function gifHeader(bytes: Uint8Array): RasterHeader {
  if (bytes.length < 13) throw new Error(END);
  const tableBytes = (flags: number) => (flags & 0x80 ? 3 << ((flags & 7) + 1) : 0);
  const [width, height] = [u16le(bytes, 6), u16le(bytes, 8)];
  let hasAlpha = false;
  let at = 13 + tableBytes(bytes[10] as number);
  const skipBlocks = (): void => {
    for (;;) {
      const length = bytes[at];
      if (length === undefined) throw new Error(END);
      at += 1 + length;
      if (length === 0) return;
    }
  };
  for (;;) {
    const kind = bytes[at];
    if (kind === 0x21) {
      if (bytes[at + 1] === 0xf9 && bytes[at + 2] === 4) hasAlpha = ((bytes[at + 3] as number) & 1) === 1;
      at += 2;
      skipBlocks();
    } else if (kind === 0x2c) {
      if (at + 11 > bytes.length) throw new Error(END);
      const covers = u16le(bytes, at + 5) >= width && u16le(bytes, at + 7) >= height;
      at += 11 + tableBytes(bytes[at + 9] as number);
      skipBlocks();
      hasAlpha ||= !covers;
      return {
        width,
        height,
        orientation: 1,
        channels: hasAlpha ? 4 : 3,
        hasAlpha,
        depth: 'uchar',
        plain: [bytes],
      };
    } else {
      throw new Error(kind === undefined ? END : 'it has no picture');
    }
  }
}

function u16(bytes: Uint8Array, at: number): number {
  return ((bytes[at] as number) << 8) | (bytes[at + 1] as number);
}

function u16le(bytes: Uint8Array, at: number): number {
  return (bytes[at] as number) | ((bytes[at + 1] as number) << 8);
}
