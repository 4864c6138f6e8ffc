/** Sizes that a compressed frame claims, read before a decoder allocates by them. */

/** What a codestream says it holds. */
export interface CodestreamSize {
  readonly width: number;
  readonly height: number;
  readonly components: number;
  readonly precision: number;
  /** Second byte of the marker that the size was read from; tells JPEG processes apart. */
  readonly marker: number;
}

/** Reads the frame header of a JPEG or JPEG-LS stream; `undefined` if there is none. */
export function jpegSize(bytes: Uint8Array): CodestreamSize | undefined {
  if (bytes[0] !== 0xff || bytes[1] !== 0xd8) return undefined;
  let at = 2;
  while (at + 9 < bytes.length) {
    if (bytes[at] !== 0xff) return undefined;
    const marker = bytes[at + 1] as number;
    if (marker === 0xff) {
      at++;
      continue;
    }
    if (marker === 0xda || marker === 0xd9) return undefined;
    // SOF0 to SOF15 but for DHT, JPG and DAC in between; SOF55 is JPEG-LS.
    const isFrame =
      (marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker)) || marker === 0xf7;
    if (isFrame) {
      const u16 = (i: number) => ((bytes[i] as number) << 8) | (bytes[i + 1] as number);
      return {
        precision: bytes[at + 4] as number,
        height: u16(at + 5),
        width: u16(at + 7),
        components: bytes[at + 9] as number,
        marker,
      };
    }
    at += 2 + (((bytes[at + 2] as number) << 8) | (bytes[at + 3] as number));
  }
  return undefined;
}

/** The codestream within a JPEG 2000 frame: some files hold a whole JP2 file where the bare stream belongs. */
export function jpeg2000Stream(bytes: Uint8Array): Uint8Array | undefined {
  const isStart = (i: number) =>
    bytes[i] === 0xff && bytes[i + 1] === 0x4f && bytes[i + 2] === 0xff && bytes[i + 3] === 0x51;
  if (isStart(0)) return bytes;
  // The boxes before it are small.
  for (let i = 1; i < Math.min(bytes.length - 4, 4096); i++) if (isStart(i)) return bytes.subarray(i);
  return undefined;
}

/**
 * Whether a JPEG 2000 codestream reaches its end marker. OpenJPEG takes a stream that is cut off for one of lower quality
 * and says nothing.
 */
export function jpeg2000IsWhole(stream: Uint8Array): boolean {
  let end = stream.length;
  // Fragments are padded to an even length.
  while (end > 2 && stream[end - 1] === 0) end--;
  return stream[end - 2] === 0xff && stream[end - 1] === 0xd9;
}

/** Reads the SIZ marker of a JPEG 2000 codestream; `undefined` if there is none or it is inconsistent. */
export function jpeg2000Size(stream: Uint8Array): CodestreamSize | undefined {
  if (stream.length < 45) return undefined;
  const view = new DataView(stream.buffer, stream.byteOffset, stream.byteLength);
  const u32 = (i: number) => view.getUint32(i);
  const width = u32(8) - u32(16);
  const height = u32(12) - u32(20);
  const components = view.getUint16(40);
  const tiles = Math.ceil(width / u32(24)) * Math.ceil(height / u32(28));
  // A decoder keeps a record per tile, and a stream may claim 65535.
  if (!(tiles >= 1 && tiles <= 65535)) return undefined;
  return { width, height, components, precision: ((stream[42] as number) & 0x7f) + 1, marker: 0x51 };
}

const SOT = 0xff90;
const SOD = 0xff93;
/** Packet headers that stand apart from the packets, in the main header or in a tile's. */
const PACKED_HEADERS = [0xff60, 0xff61];

/**
 * Whether every tile of a JPEG 2000 codestream has data, as even an empty picture's has: one byte for each packet at least.
 * A stream of a hundred bytes without any would have a decoder fill an array of whatever size it claims.
 */
export function jpeg2000HasBody(stream: Uint8Array): boolean {
  const view = new DataView(stream.buffer, stream.byteOffset, stream.byteLength);
  const tiles =
    Math.ceil((view.getUint32(8) - view.getUint32(32)) / view.getUint32(24)) *
    Math.ceil((view.getUint32(12) - view.getUint32(36)) / view.getUint32(28));
  const filled = new Set<number>();
  let part: { readonly tile: number; readonly end: number } | undefined;
  for (let at = 2; at + 4 <= stream.length; ) {
    const marker = view.getUint16(at);
    if (PACKED_HEADERS.includes(marker)) return true;
    if (marker === SOD) {
      if (!part) return false;
      if (part.end > at + 2) filled.add(part.tile);
      at = part.end;
      part = undefined;
      continue;
    }
    if (marker === SOT) {
      if (at + 12 > stream.length) return false;
      const bytes = view.getUint32(at + 6);
      // Zero: to the end marker.
      part = { tile: view.getUint16(at + 4), end: bytes === 0 ? stream.length - 2 : at + bytes };
      if (part.end <= at + 12) return false;
    }
    at += 2 + view.getUint16(at + 2);
  }
  return filled.size >= tiles;
}
