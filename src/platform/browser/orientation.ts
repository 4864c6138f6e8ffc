/** How a camera was held: EXIF's orientation, and pictures turned upright by it. */
import type { Samples } from '../ports/pictures.js';

/** EXIF's orientation, 1 to 8; 1 is upright, and is what nobody says otherwise about. */
export function exifOrientation(exif: Uint8Array): number {
  // In JPEG the words "Exif" and two zeros stand before.
  const skip = String.fromCharCode(...exif.subarray(0, 4)) === 'Exif' ? 6 : 0;
  const view = new DataView(exif.buffer, exif.byteOffset + skip, Math.max(0, exif.byteLength - skip));
  if (view.byteLength < 14) return 1;
  const little = view.getUint16(0) === 0x4949;
  const at = view.getUint32(4, little);
  if (at + 2 > view.byteLength) return 1;
  const entries = view.getUint16(at, little);
  for (let entry = at + 2, i = 0; i < entries && entry + 12 <= view.byteLength; i++, entry += 12) {
    if (view.getUint16(entry, little) !== 0x0112) continue;
    const value = view.getUint16(entry + 8, little);
    return value >= 1 && value <= 8 ? value : 1;
  }
  return 1;
}

/** Whether width and height change places. */
export function isSideways(orientation: number): boolean {
  return orientation >= 5;
}

/** The picture upright. */
export function upright(samples: Samples, orientation: number): Samples {
  if (orientation === 1) return samples;
  const { width: w, height: h, channels, data } = samples;
  const sideways = isSideways(orientation);
  const [width, height] = sideways ? [h, w] : [w, h];
  const turned = data.slice();
  const mirrorX = [2, 3, 7, 8].includes(orientation);
  const mirrorY = [3, 4, 6, 7].includes(orientation);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const [column, row] = sideways ? [y, x] : [x, y];
      const from = (mirrorY ? h - 1 - row : row) * w + (mirrorX ? w - 1 - column : column);
      for (let c = 0; c < channels; c++) {
        turned[(y * width + x) * channels + c] = data[from * channels + c] as number;
      }
    }
  }
  return { width, height, channels, data: turned };
}
