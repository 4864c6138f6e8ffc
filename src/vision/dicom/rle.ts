/** DICOM's run-length coding (PS3.5 annex G): one segment per byte of a sample, each packed like a TIFF strip. */

const HEADER_BYTES = 64;
const MAX_SEGMENTS = 15;

/**
 * Unpacks a frame to samples, low byte first, one plane after another.
 *
 * @param pixels pixels of the frame.
 * @param segments bytes of one pixel: samples times bytes of a sample.
 * @throws Error with the reason.
 */
export function decodeRle(
  bytes: Uint8Array,
  pixels: number,
  samples: number,
  sampleBytes: number,
): Uint8Array {
  if (bytes.length < HEADER_BYTES) throw new Error('the run-length header is cut off');
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const count = view.getUint32(0, true);
  if (count !== samples * sampleBytes || count > MAX_SEGMENTS) {
    throw new Error(`there are ${count} run-length segments for ${samples} samples of ${sampleBytes} bytes`);
  }
  const out = new Uint8Array(pixels * samples * sampleBytes);
  for (let segment = 0; segment < count; segment++) {
    const start = view.getUint32(4 + segment * 4, true);
    const end = segment + 1 < count ? view.getUint32(8 + segment * 4, true) : bytes.length;
    if (start < HEADER_BYTES || end < start || end > bytes.length)
      throw new Error('a run-length segment lies outside');
    const sample = Math.floor(segment / sampleBytes);
    // Segments hold the high byte first.
    const byte = sampleBytes - 1 - (segment % sampleBytes);
    unpack(bytes.subarray(start, end), out, sample * pixels * sampleBytes + byte, sampleBytes, pixels);
  }
  return out;
}

function unpack(bytes: Uint8Array, out: Uint8Array, offset: number, stride: number, count: number): void {
  let done = 0;
  let at = 0;
  while (done < count) {
    const control = bytes[at++];
    if (control === undefined) throw new Error('a run-length segment ends early');
    if (control === 128) continue;
    const run = control > 128;
    const length = Math.min(run ? 257 - control : control + 1, count - done);
    for (let i = 0; i < length; i++) {
      const value = bytes[run ? at : at + i];
      if (value === undefined) throw new Error('a run-length segment ends early');
      out[offset + (done + i) * stride] = value;
    }
    at += run ? 1 : control + 1;
    done += length;
  }
}
