/** The size of a picture from its header, without decoding it. */
import { DEFAULT_MAX_PIXELS } from './decode.js';
import { readPixelHeader } from './dicom/header.js';
import { parseDicomFile } from './dicom/parse.js';
import { ImageError } from './errors.js';
import type { Size } from './image.js';
import { rasterSize } from './raster.js';
import { foreignProblem, imageFormat } from './sniff.js';

/** Reads the size that `decodeImage` would give; what is wrong with the pixels themselves it does not see. */
export async function imageSize(bytes: Uint8Array, name = 'the image'): Promise<Size> {
  const format = imageFormat(bytes);
  if (format === undefined) throw new ImageError(name, foreignProblem(bytes));
  if (format !== 'dicom') return rasterSize(bytes, format, { name, maxPixels: DEFAULT_MAX_PIXELS });
  const file = await parseDicomFile(bytes, name, DEFAULT_MAX_PIXELS);
  const { rows, columns } = readPixelHeader(file, DEFAULT_MAX_PIXELS);
  return { height: rows, width: columns };
}
