/** Where each frame of a DICOM file lies. */
import type { Element } from 'dicom-parser';
import { ImageError } from '../errors.js';
import type { DicomFile } from './data-set.js';
import type { PixelHeader } from './header.js';

/** The tag of the pixels. */
export const PIXEL_DATA = 'x7fe00010';

/** The bytes of one frame, as stored. */
export function frameBytes(file: DicomFile, header: PixelHeader, frame: number): Uint8Array {
  const element = file.dataSet.elements[PIXEL_DATA];
  if (element === undefined) {
    throw new ImageError(file.name, 'is a DICOM file without pixel data; it holds no image');
  }
  const encapsulated = element.fragments !== undefined;
  if (encapsulated !== (file.syntax.coding !== 'native')) {
    throw new ImageError(
      file.name,
      'is a DICOM file whose pixel data is not stored as its transfer syntax says',
    );
  }
  return encapsulated
    ? encapsulatedFrame(file, element, header.frames, frame)
    : nativeFrame(file, element, header, frame);
}

/** Bits of one frame when not compressed. */
function nativeBits({ rows, columns, samplesPerPixel, bitsAllocated, photometric }: PixelHeader): number {
  // Two neighbours share their colour differences: four samples for two pixels.
  const samples = photometric === 'YBR_FULL_422' ? 2 : samplesPerPixel;
  return rows * columns * samples * bitsAllocated;
}

/** Bytes of all frames when not compressed. */
export function nativeBytes(header: PixelHeader): number {
  return Math.ceil((nativeBits(header) * header.frames) / 8);
}

function nativeFrame(file: DicomFile, element: Element, header: PixelHeader, frame: number): Uint8Array {
  const bits = nativeBits(header);
  const needed = nativeBytes(header);
  const { byteArray } = file.dataSet;
  if (element.length < needed || element.dataOffset + needed > byteArray.length) {
    throw new ImageError(
      file.name,
      `is a DICOM file with ${element.length} bytes of pixel data where its size needs ${needed}; it is truncated`,
    );
  }
  if (bits % 8 !== 0 && header.frames > 1) {
    throw new ImageError(
      file.name,
      'is a DICOM file whose frames do not begin at bytes, which is not supported',
    );
  }
  const start = element.dataOffset + (bits / 8) * frame;
  return byteArray.subarray(start, start + Math.ceil(bits / 8));
}

/** A frame is one fragment or more; which ones, the offset table says or their first bytes. */
function encapsulatedFrame(file: DicomFile, element: Element, frames: number, frame: number): Uint8Array {
  const fragments = element.fragments ?? [];
  const { byteArray } = file.dataSet;
  const parts = fragments.map(({ position, length }) => byteArray.subarray(position, position + length));
  const starts = frameStarts(fragments, parts, element.basicOffsetTable ?? [], frames);
  if (starts === undefined) {
    throw new ImageError(
      file.name,
      `is a DICOM file with ${frames} frames in ${fragments.length} fragments and no table of which belong together`,
    );
  }
  const own = parts.slice(starts[frame], starts[frame + 1] ?? parts.length);
  if (own.length === 1) return own[0] as Uint8Array;
  const whole = new Uint8Array(own.reduce((n, part) => n + part.length, 0));
  let at = 0;
  for (const part of own) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** The first fragment of each frame. */
function frameStarts(
  fragments: readonly { readonly offset: number }[],
  parts: readonly Uint8Array[],
  offsetTable: readonly number[],
  frames: number,
): number[] | undefined {
  if (parts.length === 0 || frames > parts.length) return undefined;
  if (frames === 1) return [0];
  if (frames === parts.length) return parts.map((_, i) => i);
  if (offsetTable.length === frames) {
    const starts = offsetTable.map((offset) => fragments.findIndex((fragment) => fragment.offset === offset));
    if (starts[0] === 0 && starts.every((start, i) => i === 0 || start > (starts[i - 1] as number)))
      return starts;
  }
  // JPEG and JPEG-LS begin with FFD8, JPEG 2000 with FF4F.
  const starts = parts.flatMap((part, i) =>
    part[0] === 0xff && (part[1] === 0xd8 || part[1] === 0x4f) ? [i] : [],
  );
  return starts.length === frames && starts[0] === 0 ? starts : undefined;
}
