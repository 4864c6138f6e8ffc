/** Deflated DICOM files, inflated no further than their own header says they reach. */
import dicomParser from 'dicom-parser';
import { ImageError } from '../errors.js';
import { nativeBytes, PIXEL_DATA } from './frames.js';
import { readPixelHeader } from './header.js';
import type { TransferSyntax } from './transfer-syntax.js';

/** Most bytes before the pixels: what comes there are attributes, tables and icons. */
const MOST_BEFORE_PIXELS = 16 << 20;
/** Most bytes after them: signatures and padding. */
const MOST_AFTER_PIXELS = 1 << 20;
const FIRST_LOOK = 1 << 16;

/** A file whose body is deflated. */
export interface DeflatedFile {
  readonly bytes: Uint8Array;
  /** Where the body begins. */
  readonly start: number;
  readonly name: string;
  readonly syntax: TransferSyntax;
  readonly maxPixels: number;
}

/**
 * The file with its body inflated. A few bytes can inflate to gigabytes, so the body's beginning is read as soon as it is
 * there, and says how long the rest may be.
 */
export async function inflateFile(file: DeflatedFile): Promise<Uint8Array> {
  const { bytes, start, name } = file;
  const body = new Blob([bytes.subarray(start) as Uint8Array<ArrayBuffer>]).stream();
  const reader = body.pipeThrough(new DecompressionStream('deflate-raw')).getReader();
  const chunks: Uint8Array[] = [bytes.subarray(0, start)];
  let length = start;
  let limit: number | undefined;
  let nextLook = start + FIRST_LOOK;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return joined(chunks, length);
    chunks.push(value);
    length += value.length;
    if (limit === undefined && length >= nextLook) {
      limit = mostBytes(joined(chunks, length), file);
      nextLook = 2 * length;
    }
    if (length <= (limit ?? start + MOST_BEFORE_PIXELS)) continue;
    await reader.cancel();
    const reason = limit === undefined ? 'before any pixels begin' : 'which is more than its size needs';
    throw new ImageError(name, `is a DICOM file that inflates to over ${length} bytes, ${reason}`);
  }
}

/** How long the inflated file may be; undefined while its beginning does not reach the pixels. */
function mostBytes(prefix: Uint8Array, { name, syntax, maxPixels }: DeflatedFile): number | undefined {
  let dataSet: dicomParser.DataSet;
  try {
    dataSet = dicomParser.parseDicom(prefix, { untilTag: PIXEL_DATA, inflater: (all: Uint8Array) => all });
  } catch {
    return undefined;
  }
  const pixels = dataSet.elements[PIXEL_DATA];
  if (pixels === undefined) return undefined;
  const header = readPixelHeader({ name, syntax, dataSet }, maxPixels);
  return pixels.dataOffset + nativeBytes(header) + MOST_AFTER_PIXELS;
}

function joined(chunks: readonly Uint8Array[], length: number): Uint8Array {
  const whole = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    whole.set(chunk, at);
    at += chunk.length;
  }
  return whole;
}
