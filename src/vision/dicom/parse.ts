/** Parsing DICOM files; the syntax is dicom-parser's work, the trust is ours. */
import dicomParser from 'dicom-parser';
import { ImageError, reason } from '../errors.js';
import type { DicomFile } from './data-set.js';
import { inflateFile } from './inflate.js';
import { transferSyntax } from './transfer-syntax.js';

/** Group 0002, which comes first and says how the rest is stored. */
const META_LENGTH = 132;

/**
 * Parses a Part 10 file.
 *
 * @param name what error messages call it.
 * @param maxPixels most pixels of a frame; a deflated file is inflated no further than its pixels need.
 */
export async function parseDicomFile(bytes: Uint8Array, name: string, maxPixels: number): Promise<DicomFile> {
  try {
    const { uid, end } = readMeta(bytes);
    if (uid === '') throw new Error('it has no transfer syntax');
    const syntax = transferSyntax(uid);
    if (typeof syntax === 'string') throw new ImageError(name, syntax);
    const plain = syntax.deflated ? await inflateFile({ bytes, start: end, name, syntax, maxPixels }) : bytes;
    const dataSet = dicomParser.parseDicom(plain, {
      // What follows the prefix is inflated already.
      inflater: (all: Uint8Array) => all,
    });
    return { name, syntax, dataSet };
  } catch (error) {
    if (error instanceof ImageError) throw error;
    throw new ImageError(
      name,
      `is a DICOM file that cannot be parsed (${reason(error)}); it is truncated or damaged`,
      {
        cause: error,
      },
    );
  }
}

/** Whether a file, if it is one, is deflated: what it holds may be far more than its bytes. */
export function isDeflated(bytes: Uint8Array): boolean {
  const syntax = transferSyntax(readMeta(bytes).uid);
  return typeof syntax !== 'string' && syntax.deflated;
}

/** Where the meta header ends and the UID it holds. Reads no more than that, as what follows may be compressed. */
function readMeta(bytes: Uint8Array): { uid: string; end: number } {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = META_LENGTH;
  let uid = '';
  while (at + 8 <= bytes.length && view.getUint16(at, true) === 2) {
    const element = view.getUint16(at + 2, true);
    const long = ['OB', 'OW', 'UN', 'UT', 'SQ'].includes(
      String.fromCharCode(bytes[at + 4] ?? 0, bytes[at + 5] ?? 0),
    );
    if (long && at + 12 > bytes.length) break;
    const length = long ? view.getUint32(at + 8, true) : view.getUint16(at + 6, true);
    const start = at + (long ? 12 : 8);
    if (start + length > bytes.length) break;
    if (element === 0x10) {
      uid = String.fromCharCode(...bytes.subarray(start, start + Math.min(length, 64))).replace(
        /[\0 ]+$/,
        '',
      );
    }
    at = start + length;
  }
  return { uid, end: at };
}
