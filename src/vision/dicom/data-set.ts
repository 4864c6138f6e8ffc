/** A parsed DICOM file and its attributes. */
import type { DataSet, Element } from 'dicom-parser';
import type { TransferSyntax } from './transfer-syntax.js';

const SHARED_GROUPS = 'x52009229';
const FRAME_GROUPS = 'x52009230';

/** A parsed file. */
export interface DicomFile {
  readonly name: string;
  readonly syntax: TransferSyntax;
  readonly dataSet: DataSet;
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
