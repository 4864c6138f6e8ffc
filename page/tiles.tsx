/** The numbers that sum a card up. */
import { short } from '../src/report/page/format.js';
import type { CardReport } from './card-report.js';

interface Tile {
  readonly label: string;
  readonly value: string;
  readonly note?: string;
  readonly tone?: 'better' | 'worse';
}

/** Drawn as they become known. */
export function Tiles({ report }: { report: CardReport }) {
  const tiles = tilesOf(report);
  if (tiles.length === 0) return null;
  return (
    <div class="tiles">
      {tiles.map(({ label, value, note, tone = '' }) => (
        <div key={label} class="tile">
          <span class="label">{label}</span>
          <span class="value">{value}</span>
          {note && <span class={`change ${tone}`}>{note}</span>}
        </div>
      ))}
    </div>
  );
}

function tilesOf({ adapter, tier, checks, roofline }: CardReport): Tile[] {
  const tiles: Tile[] = [];
  if (adapter && tier) tiles.push({ label: 'Tier', value: tier, note: `of ${adapter.tiers.join(', ')}` });
  if (checks.length > 0) {
    const passed = checks.reduce((sum, family) => sum + family.passed, 0);
    const failed = checks.reduce((sum, family) => sum + family.failed.length, 0);
    const note = failed === 0 ? 'none is wrong' : `${failed} are wrong`;
    tiles.push({
      label: 'Checks passed',
      value: short(passed),
      note,
      tone: failed === 0 ? 'better' : 'worse',
    });
  }
  if (roofline) {
    const { f32, f16, matrix, bandwidth, dispatchMicroseconds } = roofline;
    const others = [f16 && `f16 ${rate(f16)}`, matrix && `matrix units ${rate(matrix)}`]
      .filter(Boolean)
      .join(', ');
    tiles.push(
      { label: 'Arithmetic, f32', value: rate(f32), ...(others && { note: others }) },
      {
        label: 'Memory',
        value: `${short(Number((bandwidth / 1e9).toPrecision(3)))} GB/s`,
        note: 'read and written',
      },
      {
        label: 'A launch',
        value: `${short(Number(dispatchMicroseconds.toPrecision(3)))} µs`,
        note: 'in a long batch',
      },
    );
  }
  return tiles;
}

function rate(flops: number): string {
  const [value, unit] = flops >= 1e12 ? [flops / 1e12, 'TFLOP/s'] : [flops / 1e9, 'GFLOP/s'];
  return `${short(Number(value.toPrecision(3)))} ${unit}`;
}
