/** What a DICOM file says about its pixels, checked before anything is allocated by it. */
import { ImageError } from '../errors.js';
import type { DicomFile } from './data-set.js';

/** The attributes that say how to read the samples. */
export interface PixelHeader {
  readonly rows: number;
  readonly columns: number;
  readonly samplesPerPixel: 1 | 3;
  readonly bitsAllocated: 1 | 8 | 16 | 32;
  readonly bitsStored: number;
  /** Bits below the lowest one of a sample: 0 in files of this century. */
  readonly shift: number;
  readonly signed: boolean;
  readonly photometric: string;
  /** Whether native colours come one plane after another. */
  readonly planar: boolean;
  readonly frames: number;
}

const GREY = ['MONOCHROME1', 'MONOCHROME2', 'PALETTE COLOR'];
const COLOUR = ['RGB', 'YBR_FULL', 'YBR_FULL_422', 'YBR_ICT', 'YBR_RCT'];
/** Words that messages may repeat: in a damaged file anything may stand in their place, names of patients too. */
const NAMED = [...GREY, ...COLOUR, 'CMYK', 'ARGB', 'HSV', 'YBR_PARTIAL_420', 'YBR_PARTIAL_422'];

/** Reads and checks the image attributes. */
export function readPixelHeader({ dataSet, name }: DicomFile, maxPixels: number): PixelHeader {
  const fail = (problem: string): never => {
    throw new ImageError(name, `is a DICOM file that ${problem}`);
  };
  const need = (tag: string, label: string): number =>
    dataSet.uint16(tag) ?? fail(`has no ${label}; it holds no image`);
  const rows = need('x00280010', 'Rows');
  const columns = need('x00280011', 'Columns');
  if (rows === 0 || columns === 0) fail(`has the size ${columns}x${rows}`);
  if (rows * columns > maxPixels) {
    fail(
      `has ${columns}x${rows} pixels, over the limit of ${maxPixels} in all; raise the limit if it is trusted`,
    );
  }
  const bitsAllocated = need('x00280100', 'Bits Allocated');
  if (![1, 8, 16, 32].includes(bitsAllocated))
    fail(`has ${bitsAllocated} bits a sample; known are 1, 8, 16 and 32`);
  const bitsStored = dataSet.uint16('x00280101') ?? bitsAllocated;
  if (bitsStored < 1 || bitsStored > bitsAllocated) fail(`stores ${bitsStored} bits in ${bitsAllocated}`);
  const highBit = dataSet.uint16('x00280102') ?? bitsStored - 1;
  const shift = highBit + 1 - bitsStored;
  if (shift < 0 || highBit >= bitsAllocated) fail(`has the high bit ${highBit} of ${bitsAllocated}`);
  const samplesPerPixel = dataSet.uint16('x00280002') ?? 1;
  const photometric = dataSet.string('x00280004') ?? (samplesPerPixel === 1 ? 'MONOCHROME2' : 'RGB');
  const known = samplesPerPixel === 1 ? GREY : samplesPerPixel === 3 ? COLOUR : [];
  if (!known.includes(photometric)) {
    const colours = NAMED.includes(photometric) ? `"${photometric}"` : 'colours of an unknown kind';
    fail(`has ${samplesPerPixel} samples a pixel in ${colours}, which is not supported`);
  }
  const frames = dataSet.intString('x00280008') ?? 1;
  if (!Number.isSafeInteger(frames) || frames < 1) fail(`has ${frames} frames`);
  return {
    rows,
    columns,
    samplesPerPixel: samplesPerPixel as 1 | 3,
    bitsAllocated: bitsAllocated as 1 | 8 | 16 | 32,
    bitsStored,
    shift,
    signed: dataSet.uint16('x00280103') === 1,
    photometric,
    planar: dataSet.uint16('x00280006') === 1,
    frames,
  };
}
