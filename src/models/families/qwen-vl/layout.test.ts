/** Golden positions and window orders, from transformers (facts of several versions). */
import { describe, expect, it } from 'vitest';
import type { ModelConfig } from '../../core/config.js';
import type { Grid } from '../../core/grid.js';
import type { SequenceMedia } from '../../core/positions.js';
import { PUBLISHED } from '../../init/init.js';
import { parseConfig } from '../../registry.js';
import { type VisionLayout, visionLayout } from './layout.js';
import type { QwenVision } from './vision.js';

const older = parseConfig(PUBLISHED['qwen2-vl-2b']);
const newer = parseConfig(PUBLISHED['qwen2.5-vl-3b']);
const IMAGE = 151655;
const VIDEO = 151656;
const START = 151652;
const END = 151653;

function positions(config: ModelConfig, ids: number[], media: SequenceMedia = {}) {
  const { axes, next } = config.positions(ids, media);
  return { t: [...axes[0]], h: [...axes[1]], w: [...axes[2]], next };
}

describe('positions', () => {
  it('gives an image three axes', () => {
    const ids = [5, START, ...Array(6).fill(IMAGE), END, 6, 7];
    const found = positions(newer, ids, { images: [[1, 4, 6]] });
    expect(found.t).toEqual([0, 1, 2, 2, 2, 2, 2, 2, 5, 6, 7]);
    expect(found.h).toEqual([0, 1, 2, 2, 2, 3, 3, 3, 5, 6, 7]);
    expect(found.w).toEqual([0, 1, 2, 3, 4, 2, 3, 4, 5, 6, 7]);
    // delta = next - n = -3 (transformers 5).
    expect(found.next - ids.length).toBe(-3);
  });

  it('counts up without images', () => {
    expect(positions(newer, [1, 2, 3])).toEqual({ t: [0, 1, 2], h: [0, 1, 2], w: [0, 1, 2], next: 3 });
  });

  it('follows the authors for videos', () => {
    const ids = [5, START, ...Array(16).fill(VIDEO), END, 6];
    const media = (seconds: number): SequenceMedia => ({ videos: [[4, 4, 4]], secondsPerGrid: [seconds] });
    const text = ({ t, next }: { t: number[]; next: number }) => [...t.slice(18), next];
    expect(text(positions(older, ids, media(1)))).toEqual([6, 7, 8]);
    const second = positions(newer, ids, media(1));
    expect([2, 6, 10, 14].map((i) => second.t[i])).toEqual([2, 4, 6, 8]);
    expect(text(second)).toEqual([9, 10, 11]);
    const half = positions(newer, ids, media(0.5));
    expect([2, 6, 10, 14].map((i) => half.t[i])).toEqual([2, 3, 4, 5]);
    expect(text(half)).toEqual([6, 7, 8]);
  });

  it('refuses placeholders that do not match', () => {
    expect(() => positions(newer, [IMAGE])).toThrow(/image placeholder at token 0 but no image is left/);
    expect(() => positions(newer, [IMAGE, 5], { images: [[1, 4, 4]] })).toThrow(/takes 4 placeholder tokens/);
    expect(() => positions(newer, [5], { images: [[1, 2, 2]] })).toThrow(/no placeholder tokens for 1/);
  });
});

describe('visionLayout', () => {
  const cumulative = (layout: VisionLayout) => {
    let sum = 0;
    return [0, ...(layout.windowLengths ?? layout.imageLengths).map((n) => (sum += n))];
  };
  const layout = (...grids: Grid[]) => visionLayout(newer.vision as QwenVision, grids);

  it('orders ragged windows', () => {
    const one = layout([1, 10, 12]);
    expect([...one.cellOrder]).toEqual([
      0, 1, 2, 3, 6, 7, 8, 9, 12, 13, 14, 15, 18, 19, 20, 21, 4, 5, 10, 11, 16, 17, 22, 23, 24, 25, 26, 27,
      28, 29,
    ]);
    expect(cumulative(one)).toEqual([0, 64, 96, 112, 120]);
    const frames = layout([2, 6, 10]);
    expect([...frames.cellOrder]).toEqual([
      0, 1, 2, 3, 5, 6, 7, 8, 10, 11, 12, 13, 4, 9, 14, 15, 16, 17, 18, 20, 21, 22, 23, 25, 26, 27, 28, 19,
      24, 29,
    ]);
    expect(cumulative(frames)).toEqual([0, 48, 60, 108, 120]);
    expect(frames.imageLengths).toEqual([60, 60]);
    expect(cumulative(layout([1, 10, 12], [1, 4, 6]))).toEqual([0, 64, 96, 112, 120, 144]);
  });

  it('keeps raster order without windows', () => {
    const whole = visionLayout(older.vision as QwenVision, [
      [1, 4, 4],
      [2, 2, 6],
    ]);
    expect([...whole.cellOrder]).toEqual([...Array(10).keys()]);
    expect(whole.windowLengths).toBeNull();
    expect(whole.imageLengths).toEqual([16, 12, 12]);
    const pairs = Array.from({ length: 16 }, (_, i) => [whole.rows[i], whole.columns[i]].join(''));
    expect(pairs.join(' ')).toBe('00 01 10 11 02 03 12 13 20 21 30 31 22 23 32 33');
  });

  it('refuses grids that cannot be merged', () => {
    expect(() => layout([1, 3, 4])).toThrow(/image grid 0 is \[1, 3, 4\]/);
  });
});
