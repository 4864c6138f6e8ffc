/** From samples to the picture a radiologist would see: modality LUT, window, polarity, colour. */
import type { DataSet } from 'dicom-parser';
import { ImageError } from '../errors.js';
import { grey, type RgbImage } from '../image.js';
import { dicomLinear, dicomSigmoid, linearTransfer, type Transfer, toLevel, type Window } from '../window.js';
import { type DicomFile, decimals, frameDataSets, type Lut, lookUp, readLut } from './data-set.js';
import type { PixelHeader } from './header.js';
import type { FrameSamples } from './samples.js';

const TAG = {
  pixelPadding: 'x00280120',
  windowCenter: 'x00281050',
  windowWidth: 'x00281051',
  intercept: 'x00281052',
  slope: 'x00281053',
  voiFunction: 'x00281056',
  modalityLut: 'x00283000',
  voiLut: 'x00283010',
  lutDescriptor: 'x00283002',
  lutData: 'x00283006',
} as const;

/** Functional groups of enhanced files. */
const VOI_GROUP = 'x00289132';
const TRANSFORMATION_GROUP = 'x00289145';

/** Renders one frame. */
export function renderFrame(
  file: DicomFile,
  header: PixelHeader,
  samples: FrameSamples,
  frame: number,
  window: Window,
): RgbImage {
  const { rows, columns, samplesPerPixel, photometric } = header;
  if (samplesPerPixel === 3) return renderColour(header, samples);
  if (photometric === 'PALETTE COLOR') return renderPalette(file, header, samples);
  const modality = modalityTransform(file, samples, frame);
  const transfer = voiTransfer(file, samples, frame, window, modality);
  return grey(columns, rows, levels(samples, modality, transfer, photometric === 'MONOCHROME1'));
}

type Modality = (sample: number) => number;

/** Samples to units such as Hounsfield: by table or by slope and intercept. */
function modalityTransform(file: DicomFile, samples: FrameSamples, frame: number): Modality {
  for (const dataSet of frameDataSets(file, frame, TRANSFORMATION_GROUP)) {
    const table = lutOf(dataSet, TAG.modalityLut, samples.signed);
    if (table !== undefined) return (sample) => lookUp(table, sample);
    const [slope] = decimals(dataSet, TAG.slope);
    const [intercept] = decimals(dataSet, TAG.intercept);
    if (slope !== undefined || intercept !== undefined) {
      // A slope of zero, seen in broken files, would make everything one value.
      const factor = slope === undefined || slope === 0 ? 1 : slope;
      return (sample) => sample * factor + (intercept ?? 0);
    }
  }
  return (sample) => sample;
}

function lutOf(dataSet: DataSet, sequence: string, signed: boolean): Lut | undefined {
  const item = dataSet.elements[sequence]?.items?.[0]?.dataSet;
  return item === undefined ? undefined : readLut(item, TAG.lutDescriptor, TAG.lutData, signed);
}

/** Units to 0..255. */
function voiTransfer(
  file: DicomFile,
  samples: FrameSamples,
  frame: number,
  window: Window,
  modality: Modality,
): Transfer {
  if (window === 'full') {
    const low = samples.signed ? -(2 ** (samples.bits - 1)) : 0;
    const ends = [modality(low), modality(low + 2 ** samples.bits - 1)];
    return linearTransfer(Math.min(...ends), Math.max(...ends));
  }
  if (typeof window === 'object') {
    return 'low' in window
      ? linearTransfer(window.low, window.high)
      : dicomLinear(window.center, window.width);
  }
  return (
    (window === 'auto' ? fileWindow(file, samples, frame, modality) : undefined) ??
    fullRange(file, samples, modality)
  );
}

/** The first window that the file itself asks for. A table goes before numbers, as in pydicom. */
function fileWindow(
  file: DicomFile,
  samples: FrameSamples,
  frame: number,
  modality: Modality,
): Transfer | undefined {
  for (const dataSet of frameDataSets(file, frame, VOI_GROUP)) {
    const table = lutOf(dataSet, TAG.voiLut, samples.signed || modality(0) < 0);
    if (table !== undefined) return (value) => (lookUp(table, Math.trunc(value)) / table.top) * 255;
    const [center] = decimals(dataSet, TAG.windowCenter);
    const [width] = decimals(dataSet, TAG.windowWidth);
    if (center === undefined || width === undefined) continue;
    const kind = dataSet.string(TAG.voiFunction) ?? 'LINEAR';
    if (kind === 'SIGMOID' && width > 0) return dicomSigmoid(center, width);
    if (kind === 'LINEAR_EXACT' && width > 0) return linearTransfer(center - width / 2, center + width / 2);
    if (width >= 1) return dicomLinear(center, width);
  }
  return undefined;
}

/** From the smallest to the largest value, without the padding around the picture. */
function fullRange(file: DicomFile, { data, signed }: FrameSamples, modality: Modality): Transfer {
  const { dataSet } = file;
  const padding = signed ? dataSet.int16(TAG.pixelPadding) : dataSet.uint16(TAG.pixelPadding);
  let low = Number.POSITIVE_INFINITY;
  let high = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < data.length; i++) {
    const sample = data[i] as number;
    if (sample === padding) continue;
    const value = modality(sample);
    if (value < low) low = value;
    if (value > high) high = value;
  }
  return linearTransfer(low, high);
}

function levels(
  { data }: FrameSamples,
  modality: Modality,
  transfer: Transfer,
  inverted: boolean,
): Uint8Array {
  const level = (sample: number) => {
    const value = toLevel(transfer(modality(sample)));
    return inverted ? 255 - value : value;
  };
  const out = new Uint8Array(data.length);
  if (data instanceof Uint32Array || data instanceof Int32Array) {
    for (let i = 0; i < data.length; i++) out[i] = level(data[i] as number);
    return out;
  }
  const offset = data instanceof Int16Array ? 32768 : 0;
  const table = new Uint8Array(data instanceof Uint8Array ? 256 : 65536);
  for (let i = 0; i < table.length; i++) table[i] = level(i - offset);
  for (let i = 0; i < data.length; i++) out[i] = table[(data[i] as number) + offset] as number;
  return out;
}

function renderColour({ rows, columns, photometric }: PixelHeader, samples: FrameSamples): RgbImage {
  const { data, bits } = samples;
  const out = new Uint8Array(data.length);
  const down = Math.max(0, bits - 8);
  for (let i = 0; i < data.length; i++) out[i] = (data[i] as number) >>> down;
  if (!samples.isRgb && photometric.startsWith('YBR')) ybrToRgb(out);
  return { width: columns, height: rows, data: out };
}

/** ITU-R BT.601, full range, in place. */
function ybrToRgb(data: Uint8Array): void {
  for (let i = 0; i + 2 < data.length; i += 3) {
    const y = data[i] as number;
    const cb = (data[i + 1] as number) - 128;
    const cr = (data[i + 2] as number) - 128;
    data[i] = toLevel(y + 1.402 * cr);
    data[i + 1] = toLevel(y - 0.344136 * cb - 0.714136 * cr);
    data[i + 2] = toLevel(y + 1.772 * cb);
  }
}

/** Descriptor and data of the red, green and blue tables. */
const PALETTE = [
  ['x00281101', 'x00281201'],
  ['x00281102', 'x00281202'],
  ['x00281103', 'x00281203'],
] as const;

function renderPalette(
  file: DicomFile,
  { rows, columns }: PixelHeader,
  { data, signed }: FrameSamples,
): RgbImage {
  const tables = PALETTE.map(([descriptor, entries]) => {
    const table = readLut(file.dataSet, descriptor, entries, signed);
    if (table === undefined) {
      throw new ImageError(
        file.name,
        'is a DICOM file in palette colours without a palette that can be read',
      );
    }
    return table;
  });
  const out = new Uint8Array(data.length * 3);
  for (let i = 0; i < data.length; i++) {
    tables.forEach((table, c) => {
      const entry = lookUp(table, data[i] as number);
      out[i * 3 + c] = table.top > 255 ? entry >> 8 : entry;
    });
  }
  return { width: columns, height: rows, data: out };
}
