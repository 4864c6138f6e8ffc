/** DICOM files (Part 10) to pictures. */
import { ImageError } from '../errors.js';
import type { RgbImage } from '../image.js';
import type { Window } from '../window.js';
import { readPixelHeader } from './header.js';
import { parseDicomFile } from './parse.js';
import { renderFrame } from './render.js';
import { readSamples } from './samples.js';

/** Which frames of a file with several: the middle one, all, or one by its number from 0. */
export type FrameChoice = 'middle' | 'all' | number;

/** Settings of {@link decodeDicom}. */
export interface DicomOptions {
  /** What error messages call the file. */
  readonly name: string;
  /** Limit of the pixels of all chosen frames together. */
  readonly maxPixels: number;
  readonly window: Window;
  readonly frames: FrameChoice;
}

/** Decodes the chosen frames. */
export async function decodeDicom(bytes: Uint8Array, options: DicomOptions): Promise<RgbImage[]> {
  const { name, maxPixels, window } = options;
  const file = await parseDicomFile(bytes, name, maxPixels);
  const header = readPixelHeader(file, maxPixels);
  const chosen = chooseFrames(header.frames, options.frames, name);
  if (chosen.length * header.rows * header.columns > maxPixels) {
    throw new ImageError(
      name,
      `is a DICOM file with ${chosen.length} frames of ${header.columns}x${header.rows}, over the limit of ${maxPixels} pixels in all; take fewer frames`,
    );
  }
  const images: RgbImage[] = [];
  for (const frame of chosen) {
    images.push(renderFrame(file, header, await readSamples(file, header, frame), frame, window));
  }
  return images;
}

function chooseFrames(count: number, choice: FrameChoice, name: string): number[] {
  if (choice === 'middle') return [Math.floor((count - 1) / 2)];
  if (choice === 'all') {
    // The claim is checked against the pixel limit by the caller; this only keeps the list itself small.
    if (count > 1_000_000) throw new ImageError(name, `is a DICOM file that claims ${count} frames`);
    return Array.from({ length: count }, (_, i) => i);
  }
  if (!Number.isInteger(choice) || choice < 0 || choice >= count) {
    throw new ImageError(name, `is a DICOM file with ${count} frames, so there is no frame ${choice}`);
  }
  return [choice];
}
