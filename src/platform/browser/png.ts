/**
 * PNG of any kind (ISO/IEC 15948). Browsers decode it, too, but give eight bits where the file has sixteen, and colours that
 * were multiplied by their alpha and divided again.
 */
import { type Picture, PixelLimitError, type Samples } from '../ports/pictures.js';
import { exifOrientation, isSideways, upright } from './orientation.js';

interface Header {
  readonly width: number;
  readonly height: number;
  readonly bits: number;
  /** Samples of a pixel in the file. */
  readonly stored: number;
  readonly hasPalette: boolean;
  readonly interlaced: boolean;
}

interface Chunks {
  readonly header: Header;
  readonly palette: Uint8Array;
  readonly transparency: Uint8Array | null;
  readonly orientation: number;
  readonly data: readonly Uint8Array[];
}

/** Samples of a pixel, and the depths that there are, by colour type. */
const KINDS: Readonly<Record<number, { readonly stored: number; readonly bits: readonly number[] }>> = {
  0: { stored: 1, bits: [1, 2, 4, 8, 16] },
  2: { stored: 3, bits: [8, 16] },
  3: { stored: 1, bits: [1, 2, 4, 8] },
  4: { stored: 2, bits: [8, 16] },
  6: { stored: 4, bits: [8, 16] },
};
/** The passes of an interlaced picture: first column and row, steps. */
const PASSES = [
  [0, 0, 8, 8],
  [4, 0, 8, 8],
  [0, 4, 4, 8],
  [2, 0, 4, 4],
  [0, 2, 2, 4],
  [1, 0, 2, 2],
  [0, 1, 1, 2],
] as const;

/** Reads the header; the pixels when they are asked for. */
export function openPng(bytes: Uint8Array, maxPixels: number): Picture {
  const chunks = readChunks(bytes);
  const { header, transparency, orientation } = chunks;
  if (header.width * header.height > maxPixels) throw new PixelLimitError('too many pixels');
  const hasAlpha = transparency !== null || header.stored === 2 || header.stored === 4;
  const colours = header.hasPalette || header.stored >= 3 ? 3 : 1;
  const [width, height] = isSideways(orientation)
    ? [header.height, header.width]
    : [header.width, header.height];
  return {
    format: 'png',
    width,
    height,
    channels: colours + Number(hasAlpha),
    hasAlpha,
    isCmyk: false,
    depth: header.bits === 16 ? 'ushort' : 'uchar',
    samples: async () => {
      const values = await readValues(chunks);
      return upright(expand(values, chunks, colours, hasAlpha), orientation);
    },
  };
}

function readChunks(bytes: Uint8Array): Chunks {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let header: Header | undefined;
  let palette = new Uint8Array();
  let transparency: Uint8Array | null = null;
  let orientation = 1;
  const data: Uint8Array[] = [];
  for (let at = 8; ; ) {
    if (at + 12 > bytes.length) throw new Error('it ends early');
    const length = view.getUint32(at);
    const type = String.fromCharCode(...bytes.subarray(at + 4, at + 8));
    if (at + 12 + length > bytes.length) throw new Error('it ends early');
    const body = bytes.subarray(at + 8, at + 8 + length);
    const isCritical = /^[A-Z]/.test(type);
    if (isCritical && crc(bytes.subarray(at + 4, at + 8 + length)) !== view.getUint32(at + 8 + length)) {
      throw new Error(`the checksum of its ${type} is wrong`);
    }
    at += 12 + length;
    if (type === 'IHDR') header = readHeader(body);
    else if (type === 'PLTE') palette = Uint8Array.from(body);
    else if (type === 'tRNS') transparency = body;
    else if (type === 'eXIf') orientation = exifOrientation(body);
    else if (type === 'IDAT') data.push(body);
    else if (type === 'IEND') break;
    if (!header) throw new Error('it has no header');
  }
  if (!header) throw new Error('it has no header');
  if (header.hasPalette && palette.length === 0) throw new Error('it has no palette');
  return { header, palette, transparency, orientation, data };
}

function readHeader(body: Uint8Array): Header {
  if (body.length < 13) throw new Error('its header is too short');
  const view = new DataView(body.buffer, body.byteOffset, body.byteLength);
  const [bits, colour, compression, filter, interlace] = body.subarray(8, 13) as unknown as number[];
  const kind = KINDS[colour as number];
  if (
    !kind?.bits.includes(bits as number) ||
    compression !== 0 ||
    filter !== 0 ||
    (interlace as number) > 1
  ) {
    throw new Error('its header says what PNG does not have');
  }
  return {
    width: view.getUint32(0),
    height: view.getUint32(4),
    bits: bits as number,
    stored: kind.stored,
    hasPalette: colour === 3,
    interlaced: interlace === 1,
  };
}

/** The numbers in the file, pixel by pixel in the order of the picture. */
async function readValues({ header, data }: Chunks): Promise<Uint8Array | Uint16Array> {
  const { width, height, bits, stored, interlaced } = header;
  const passes = interlaced ? PASSES : ([[0, 0, 1, 1]] as const);
  const grids = passes
    .map(([x, y, dx, dy]) => ({
      x,
      y,
      dx,
      dy,
      columns: Math.max(0, Math.ceil((width - x) / dx)),
      rows: Math.max(0, Math.ceil((height - y) / dy)),
    }))
    .filter(({ columns, rows }) => columns > 0 && rows > 0);
  const rowBytes = (columns: number) => Math.ceil((columns * stored * bits) / 8);
  const needed = grids.reduce((sum, { columns, rows }) => sum + rows * (1 + rowBytes(columns)), 0);
  const raw = await inflate(data, needed);
  const values =
    bits === 16 ? new Uint16Array(width * height * stored) : new Uint8Array(width * height * stored);
  let at = 0;
  for (const { x, y, dx, dy, columns, rows } of grids) {
    const length = rowBytes(columns);
    let above: Uint8Array = new Uint8Array(length);
    for (let row = 0; row < rows; row++) {
      const filter = raw[at] as number;
      const line = raw.subarray(at + 1, at + 1 + length);
      unfilter(line, above, filter, Math.max(1, (stored * bits) >> 3));
      at += 1 + length;
      above = line;
      const place = ((y + row * dy) * width + x) * stored;
      for (let i = 0; i < columns * stored; i++) {
        const column = Math.floor(i / stored);
        values[place + column * dx * stored + (i % stored)] = valueAt(line, i, bits);
      }
    }
  }
  return values;
}

function valueAt(line: Uint8Array, i: number, bits: number): number {
  if (bits === 8) return line[i] as number;
  if (bits === 16) return ((line[2 * i] as number) << 8) | (line[2 * i + 1] as number);
  const bit = i * bits;
  return ((line[bit >> 3] as number) >> (8 - bits - (bit & 7))) & ((1 << bits) - 1);
}

function unfilter(line: Uint8Array, above: Uint8Array, filter: number, step: number): void {
  if (filter > 4) throw new Error(`a row has the filter ${filter}, which PNG does not have`);
  if (filter === 0) return;
  for (let i = 0; i < line.length; i++) {
    const a = i >= step ? (line[i - step] as number) : 0;
    const b = above[i] as number;
    const c = i >= step ? (above[i - step] as number) : 0;
    const guess = filter === 1 ? a : filter === 2 ? b : filter === 3 ? (a + b) >> 1 : paeth(a, b, c);
    line[i] = (line[i] as number) + guess;
  }
}

function paeth(a: number, b: number, c: number): number {
  const [pa, pb, pc] = [Math.abs(b - c), Math.abs(a - c), Math.abs(a + b - 2 * c)];
  if (pa <= pb && pa <= pc) return a;
  return pb <= pc ? b : c;
}

/** The first `needed` bytes: a few bytes can inflate to gigabytes. */
async function inflate(data: readonly Uint8Array[], needed: number): Promise<Uint8Array> {
  const body = new Blob(data as Uint8Array<ArrayBuffer>[]).stream();
  const reader = body.pipeThrough(new DecompressionStream('deflate')).getReader();
  const raw = new Uint8Array(needed);
  for (let at = 0; at < needed; ) {
    const { done, value } = await reader.read();
    if (done) throw new Error('it ends early');
    const part = value.subarray(0, needed - at);
    raw.set(part, at);
    at += part.length;
  }
  // What follows the pixels may be damaged; nobody wants it.
  reader.cancel().catch(() => {});
  return raw;
}

/** Palettes looked up, few bits spread to eight, the transparent colour made alpha. */
function expand(
  values: Uint8Array | Uint16Array,
  { header, palette, transparency }: Chunks,
  colours: number,
  hasAlpha: boolean,
): Samples {
  const { width, height, bits, stored, hasPalette } = header;
  const channels = colours + Number(hasAlpha);
  const pixels = width * height;
  if (!hasPalette && channels === stored && bits >= 8) return { width, height, channels, data: values };
  const data = bits === 16 ? new Uint16Array(pixels * channels) : new Uint8Array(pixels * channels);
  const opaque = bits === 16 ? 65535 : 255;
  const scale = bits < 8 && !hasPalette ? 255 / ((1 << bits) - 1) : 1;
  const clear = !hasPalette && transparency ? pairs(transparency) : [];
  for (let i = 0; i < pixels; i++) {
    if (hasPalette) {
      const entry = values[i] as number;
      if (3 * entry + 3 > palette.length) throw new Error('a pixel has a colour that is not in the palette');
      data.set(palette.subarray(3 * entry, 3 * entry + 3), i * channels);
      if (hasAlpha) data[i * channels + 3] = transparency?.[entry] ?? 255;
      continue;
    }
    let isClear = clear.length > 0;
    for (let c = 0; c < stored; c++) {
      const value = values[i * stored + c] as number;
      data[i * channels + c] = value * scale;
      isClear &&= value === clear[c];
    }
    if (channels > stored) data[i * channels + colours] = isClear ? 0 : opaque;
  }
  return { width, height, channels, data };
}

function pairs(bytes: Uint8Array): number[] {
  return Array.from({ length: bytes.length >> 1 }, (_, i) => {
    return ((bytes[2 * i] as number) << 8) | (bytes[2 * i + 1] as number);
  });
}

const CRC_TABLE = Int32Array.from({ length: 256 }, (_, n) => {
  let c = n;
  for (let k = 0; k < 8; k++) c = c & 1 ? 0xedb88320 ^ (c >>> 1) : c >>> 1;
  return c;
});

function crc(bytes: Uint8Array): number {
  let c = -1;
  for (const byte of bytes) c = (CRC_TABLE[(c ^ byte) & 255] as number) ^ (c >>> 8);
  return ~c >>> 0;
}
