/**
 * Where the patches of a batch of images stand in the tower: their coordinates, the order in which windows want them, and
 * who attends to whom.
 */
import { checkGrids, type Grid, gridPatches } from '../../core/grid.js';
import type { QwenVision } from './vision.js';

/** The order and segmentation of the patches of some images. */
export interface VisionLayout {
  readonly patches: number;
  /** Merged cells in tower order: entry i is the cell (in raster order, images one after another) that stands at i. */
  readonly cellOrder: Int32Array;
  /** Row and column of each patch in tower order. */
  readonly rows: Int32Array;
  readonly columns: Int32Array;
  /** Patches per temporal slice of each image: who attends to whom in full blocks. */
  readonly imageLengths: readonly number[];
  /** Patches per window; null where there are no windows. */
  readonly windowLengths: readonly number[] | null;
}

/** Lays out images by their grids. */
export function visionLayout(
  config: Pick<QwenVision, 'mergeSize' | 'windowCells'>,
  grids: readonly Grid[],
): VisionLayout {
  const merge = config.mergeSize;
  checkGrids(grids, merge);
  const perCell = merge ** 2;
  const patches = grids.reduce((sum, grid) => sum + gridPatches(grid), 0);
  const cellOrder = new Int32Array(patches / perCell);
  const rows = new Int32Array(patches);
  const columns = new Int32Array(patches);
  const imageLengths: number[] = [];
  const windowLengths: number[] = [];
  let next = 0;
  let base = 0;
  const place = (cell: number, y: number, x: number) => {
    // Within a cell the patches are in raster order.
    for (let s = 0; s < perCell; s++) {
      rows[next * perCell + s] = y * merge + Math.floor(s / merge);
      columns[next * perCell + s] = x * merge + (s % merge);
    }
    cellOrder[next++] = cell;
  };
  for (const [frames, h, w] of grids) {
    const height = h / merge;
    const width = w / merge;
    for (let t = 0; t < frames; t++) {
      imageLengths.push(h * w);
      for (const window of windowsOf(height, width, config.windowCells)) {
        for (let y = window.top; y < window.bottom; y++) {
          for (let x = window.left; x < window.right; x++) place(base + y * width + x, y, x);
        }
        windowLengths.push((window.bottom - window.top) * (window.right - window.left) * perCell);
      }
      base += height * width;
    }
  }
  const windowed = config.windowCells !== null;
  return { patches, cellOrder, rows, columns, imageLengths, windowLengths: windowed ? windowLengths : null };
}

interface Window {
  readonly top: number;
  readonly bottom: number;
  readonly left: number;
  readonly right: number;
}

/** Windows of `size` cells a side in raster order, ragged at the right and bottom edges; one for all without a size. */
function* windowsOf(height: number, width: number, size: number | null): Generator<Window> {
  const side = size ?? Math.max(height, width);
  for (let top = 0; top < height; top += side) {
    for (let left = 0; left < width; left += side) {
      yield { top, bottom: Math.min(top + side, height), left, right: Math.min(left + side, width) };
    }
  }
}
