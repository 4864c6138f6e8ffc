/** Reading a DICOM file's attributes; the syntax is dicom-parser's work, the trust is ours. */
import dicomParser, { type DataSet, type Element } from 'dicom-parser';
import { ImageError, reason } from '../errors.js';
import { inflateFile } from './inflate.js';
import { type TransferSyntax, transferSyntax } from './transfer-syntax.js';

/** Group 0002, which comes first and says how the rest is stored. */
const META_LENGTH = 132;
const SHARED_GROUPS = 'x52009229';
const FRAME_GROUPS = 'x52009230';

/** A parsed file. */
export interface DicomFile {
  readonly name: string;
  readonly syntax: TransferSyntax;
  readonly dataSet: DataSet;
}

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

/**
 * The data sets that may hold an attribute of one frame, most specific first: in enhanced multi-frame files the frame's
 * functional groups, then the shared ones, then the file's top level.
 *
 * @param group the functional group's sequence, such as the one for the window.
 */
export function frameDataSets({ dataSet }: DicomFile, frame: number, group: string): DataSet[] {
  const inGroup = (element: Element | undefined, item: number): DataSet[] => {
    const groups = element?.items?.[item]?.dataSet;
    const found = groups?.elements[group]?.items?.[0]?.dataSet;
    return found === undefined ? [] : [found];
  };
  return [
    ...inGroup(dataSet.elements[FRAME_GROUPS], frame),
    ...inGroup(dataSet.elements[SHARED_GROUPS], 0),
    dataSet,
  ];
}

/** Numbers of a decimal-string attribute; those that are none are left out. */
export function decimals(dataSet: DataSet, tag: string): number[] {
  const count = dataSet.elements[tag] === undefined ? 0 : Math.min(16, dataSet.numStringValues(tag) ?? 0);
  return Array.from({ length: count }, (_, i) => dataSet.floatString(tag, i) ?? Number.NaN).filter(
    Number.isFinite,
  );
}

/** A lookup table of a modality or VOI LUT sequence. */
export interface Lut {
  /** The sample that the first entry is for. */
  readonly first: number;
  readonly entries: Uint16Array;
  /** Largest entry that its bits allow. */
  readonly top: number;
}

/**
 * Reads a lookup table (PS3.3 C.11.1.1.1): its descriptor says how many entries, for which first sample, how many bits.
 *
 * @param signed whether the samples it is for are signed.
 */
export function readLut(
  dataSet: DataSet,
  descriptorTag: string,
  dataTag: string,
  signed: boolean,
): Lut | undefined {
  const descriptor = dataSet.elements[descriptorTag];
  const data = dataSet.elements[dataTag];
  if (descriptor === undefined || data === undefined || descriptor.length < 6) return undefined;
  // Zero stands for 65536.
  const count = dataSet.uint16(descriptorTag, 0) || 65536;
  const first = (signed ? dataSet.int16(descriptorTag, 1) : dataSet.uint16(descriptorTag, 1)) ?? 0;
  const bits = dataSet.uint16(descriptorTag, 2) ?? 16;
  const entries = new Uint16Array(count);
  if (data.length >= count * 2) {
    for (let i = 0; i < count; i++) entries[i] = dataSet.uint16(dataTag, i) ?? 0;
  } else if (data.length >= count) {
    entries.set(dataSet.byteArray.subarray(data.dataOffset, data.dataOffset + count));
  } else {
    return undefined;
  }
  return { first, entries, top: 2 ** Math.min(16, Math.max(1, bits)) - 1 };
}

/** The entry for a sample; samples outside take the first or last one. */
export function lookUp({ first, entries }: Lut, sample: number): number {
  return entries[Math.min(entries.length - 1, Math.max(0, sample - first))] as number;
}
