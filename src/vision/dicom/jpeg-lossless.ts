/**
 * Lossless JPEG (ITU-T T.81 annex H, process 14), as DICOM uses it. libjpeg in sharp does not read it. Strict: a stream
 * that ends early or has codes outside its tables is an error, never a picture with a grey rest.
 */

/** Decoded samples, components side by side. */
export interface LosslessImage {
  readonly width: number;
  readonly height: number;
  readonly components: number;
  readonly precision: number;
  readonly data: Uint16Array;
}

const SOF3 = 0xc3;
const DHT = 0xc4;
const EOI = 0xd9;
const SOS = 0xda;
const DRI = 0xdd;

/** Codes by their next 16 bits: length in the high byte, symbol in the low one; 0 where there is no code. */
type HuffmanTable = Uint16Array;

interface Frame {
  readonly width: number;
  readonly height: number;
  readonly precision: number;
  /** Identifier of each component. */
  readonly ids: readonly number[];
  readonly data: Uint16Array;
}

/**
 * Decodes a stream.
 *
 * @param expected the size that the caller has checked; another one is an error.
 * @throws Error with the reason.
 */
export function decodeJpegLossless(
  bytes: Uint8Array,
  expected: { width: number; height: number },
): LosslessImage {
  if (bytes[0] !== 0xff || bytes[1] !== 0xd8) throw new Error('it does not begin like JPEG');
  const tables: (HuffmanTable | undefined)[] = [];
  const decoded = new Set<number>();
  let frame: Frame | undefined;
  let restartInterval = 0;
  let at = 2;
  while (frame === undefined || decoded.size < frame.ids.length) {
    if (at + 4 > bytes.length) throw new Error('it ends early');
    if (bytes[at] !== 0xff) throw new Error('a marker is missing');
    const marker = bytes[at + 1] as number;
    if (marker === 0xff) {
      at++;
      continue;
    }
    if (marker === EOI) throw new Error('it ends before its last component');
    const length = ((bytes[at + 2] as number) << 8) | (bytes[at + 3] as number);
    if (length < 2 || at + 2 + length > bytes.length) throw new Error('a marker is cut off');
    const body = bytes.subarray(at + 4, at + 2 + length);
    at += 2 + length;
    if (marker === DHT) readTables(body, tables);
    else if (marker === DRI) restartInterval = ((body[0] as number) << 8) | (body[1] as number);
    else if (marker === SOF3) frame = readFrame(body, expected);
    else if (marker >= 0xc0 && marker <= 0xcf) throw new Error('it is JPEG, but not of the lossless kind');
    else if (marker === SOS) {
      if (frame === undefined) throw new Error('its scan comes before its frame header');
      at += decodeScan(bytes.subarray(at), body, frame, tables, restartInterval, decoded);
    }
  }
  const { width, height, precision, ids, data } = frame;
  return { width, height, components: ids.length, precision, data };
}

function readFrame(body: Uint8Array, expected: { width: number; height: number }): Frame {
  const precision = body[0] ?? 0;
  const height = ((body[1] ?? 0) << 8) | (body[2] ?? 0);
  const width = ((body[3] ?? 0) << 8) | (body[4] ?? 0);
  const components = body[5] ?? 0;
  if (width !== expected.width || height !== expected.height) {
    throw new Error(`its size is ${width}x${height}, not ${expected.width}x${expected.height}`);
  }
  if (precision < 2 || precision > 16) throw new Error(`its precision is ${precision} bits`);
  if (components < 1 || components > 4 || body.length < 6 + components * 3)
    throw new Error('its components are wrong');
  const ids = Array.from({ length: components }, (_, i) => body[6 + i * 3] as number);
  if (ids.some((_, i) => body[7 + i * 3] !== 0x11)) throw new Error('its components are subsampled');
  return { width, height, precision, ids, data: new Uint16Array(width * height * components) };
}

function readTables(body: Uint8Array, tables: (HuffmanTable | undefined)[]): void {
  let at = 0;
  while (at < body.length) {
    const id = (body[at] as number) & 0x0f;
    const table = new Uint16Array(65536);
    let code = 0;
    let symbol = at + 17;
    for (let length = 1; length <= 16; length++) {
      for (let n = body[at + length] ?? 0; n > 0; n--, code++) {
        const value = body[symbol++];
        if (value === undefined || value > 16 || code >= 1 << length)
          throw new Error('a Huffman table is wrong');
        const first = code << (16 - length);
        table.fill((length << 8) | value, first, first + (1 << (16 - length)));
      }
      code <<= 1;
    }
    tables[id] = table;
    at = symbol;
  }
}

/** Bits of entropy-coded data: a zero after FF is padding, anything else ends them. */
class BitReader {
  at = 0;
  #bits = 0;
  #count = 0;
  readonly #bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** Difference coded next: its size by Huffman code, then that many bits. */
  difference(table: HuffmanTable): number {
    this.#fill();
    const padded = this.#count >= 16 ? this.#bits >>> (this.#count - 16) : this.#bits << (16 - this.#count);
    const code = table[padded & 0xffff] as number;
    const length = code >>> 8;
    if (length === 0) throw new Error('a code is in no table');
    const size = code & 0xff;
    this.#take(length);
    if (size === 0) return 0;
    if (size === 16) return 32768;
    this.#fill();
    const value = this.#take(size);
    return value < 1 << (size - 1) ? value - (1 << size) + 1 : value;
  }

  /** Ends the data before a restart marker and goes behind it. */
  restart(index: number): void {
    this.#bits = 0;
    this.#count = 0;
    const marker = 0xd0 + (index & 7);
    if (this.#bytes[this.at] !== 0xff || this.#bytes[this.at + 1] !== marker)
      throw new Error('a restart is missing');
    this.at += 2;
  }

  #take(n: number): number {
    if (n > this.#count) throw new Error('it ends early');
    this.#count -= n;
    const value = (this.#bits >>> this.#count) & ((1 << n) - 1);
    this.#bits &= (1 << this.#count) - 1;
    return value;
  }

  /** Holds at least 16 bits where there are as many. */
  #fill(): void {
    while (this.#count <= 16) {
      const byte = this.#bytes[this.at];
      if (byte === undefined) return;
      if (byte === 0xff) {
        if (this.#bytes[this.at + 1] !== 0) return;
        this.at++;
      }
      this.at++;
      this.#bits = (this.#bits << 8) | byte;
      this.#count += 8;
    }
  }
}

/** Decodes one scan into the frame and returns how many bytes it took. */
function decodeScan(
  bytes: Uint8Array,
  header: Uint8Array,
  frame: Frame,
  tables: readonly (HuffmanTable | undefined)[],
  restartInterval: number,
  decoded: Set<number>,
): number {
  const { width, height, precision, ids, data } = frame;
  const count = header[0] ?? 0;
  if (count < 1 || count > ids.length || header.length < 4 + count * 2)
    throw new Error('a scan header is wrong');
  const components = Array.from({ length: count }, (_, i) => {
    const index = ids.indexOf(header[1 + i * 2] as number);
    const table = tables[(header[2 + i * 2] as number) >> 4];
    if (index < 0 || decoded.has(index) || table === undefined) throw new Error('a scan header is wrong');
    decoded.add(index);
    return { index, table };
  });
  const predictor = header[1 + count * 2] as number;
  const shift = (header[3 + count * 2] as number) & 0x0f;
  if (predictor < 1 || predictor > 7 || shift >= precision) throw new Error('a scan header is wrong');

  const reader = new BitReader(bytes);
  const step = ids.length;
  const row = width * step;
  const start = 1 << (precision - shift - 1);
  // T.81 H.1.1 puts restarts at the beginning of rows.
  if (restartInterval % width !== 0) throw new Error('it restarts within a row');
  // The pixel at which prediction began anew, and how many follow before it does again.
  let origin = 0;
  let left = restartInterval;
  let restarts = 0;
  for (let pixel = 0; pixel < width * height; pixel++) {
    if (restartInterval > 0 && left === 0) {
      reader.restart(restarts++);
      origin = pixel;
      left = restartInterval;
    }
    left--;
    const x = pixel % width;
    for (const { index, table } of components) {
      const at = pixel * step + index;
      let prediction: number;
      if (pixel - origin < width) prediction = x === 0 ? start : (data[at - step] as number);
      else if (x === 0) prediction = data[at - row] as number;
      else {
        const above = data[at - row] as number;
        prediction = predict(predictor, data[at - step] as number, above, data[at - row - step] as number);
      }
      data[at] = prediction + reader.difference(table);
    }
  }
  if (shift > 0) {
    for (const { index } of components) {
      for (let at = index; at < data.length; at += step) data[at] = (data[at] as number) << shift;
    }
  }
  let end = reader.at;
  while (end + 1 < bytes.length && !(bytes[end] === 0xff && bytes[end + 1] !== 0)) end++;
  return end;
}

/** Annex H.1.2.1: from the neighbours at the left, above, and above left. */
function predict(predictor: number, left: number, above: number, corner: number): number {
  switch (predictor) {
    case 1:
      return left;
    case 2:
      return above;
    case 3:
      return corner;
    case 4:
      return left + above - corner;
    case 5:
      return left + ((above - corner) >> 1);
    case 6:
      return above + ((left - corner) >> 1);
    default:
      return (left + above) >> 1;
  }
}
