/** Title of the run and the numbers that sum it up. */
import { useMemo } from 'preact/hooks';
import type { StepProgress } from '../model.js';
import { counted, duration, percent, short, signed } from './format.js';
import { defaultPair, scoreSources, scoreTable } from './matrix.js';
import type { RunState } from './run-state.js';
import type { View } from './section.js';
import { endsOf, smoothed } from './series.js';

interface Tile {
  readonly label: string;
  readonly value: string;
  readonly note?: string;
  readonly tone?: 'better' | 'worse';
  readonly line?: readonly (number | null)[];
}

/** The head of the page. */
export function Head({ state, version }: View) {
  const tiles = useMemo(() => tilesOf(state), [version]);
  const { info } = state;
  const written = info.written && new Date(info.written);
  return (
    <header class="head">
      <p class="overline">{info.kind === 'evaluation' ? 'Evaluation report' : 'Training report'}</p>
      <h1>{info.name}</h1>
      {info.facts.length > 0 && (
        <dl class="facts">
          {info.facts.map(([label, value]) => (
            <div key={label}>
              <dt>{label}</dt>
              <dd>{value}</dd>
            </div>
          ))}
        </dl>
      )}
      {written && <p class="written">Written {written.toISOString().slice(0, 16).replace('T', ' ')} UTC</p>}
      {state.progress && <p class="note">{progressText(state.progress)}</p>}
      {info.notes.map((note) => (
        <p key={note} class="note">
          {note}
        </p>
      ))}
      <div class="tiles">
        {tiles.map((tile) => (
          <div key={tile.label} class="tile">
            <span class="label">{tile.label}</span>
            <span class="value">{tile.value}</span>
            {tile.note && <span class={`change ${tile.tone ?? ''}`}>{tile.note}</span>}
            {tile.line && <Sparkline values={tile.line} />}
          </div>
        ))}
      </div>
    </header>
  );
}

function progressText({ step, totalSteps, what, done, of, about, left, seconds }: StepProgress): string {
  const count = `${what} ${short(done)} of ${about ? 'about ' : ''}${short(of)}`;
  const rest = left === undefined ? '' : `, ${duration(left)} left of these`;
  return `Step ${step} of ${totalSteps}: ${count}${rest}; ${duration(seconds)} in this step`;
}

function tilesOf(state: RunState): Tile[] {
  const { rows } = state;
  const tiles: Tile[] = [];
  const accuracy = accuracyTile(state);
  if (accuracy) tiles.push(accuracy);
  const trend = (name: string, label: string, good?: 'up') => {
    const ends = endsOf(rows, name);
    if (ends === undefined) return;
    const change = ends.last - ends.first;
    const tone = good === undefined || change === 0 ? undefined : change > 0 ? 'better' : 'worse';
    tiles.push({
      label,
      value: short(ends.last),
      note: `from ${short(ends.first)}`,
      ...(tone && { tone }),
      line: smoothed(
        rows.map((row) => row[name] ?? null),
        0.8,
      ),
    });
  };
  trend('reward', 'Reward', 'up');
  trend('completions/mean_length', 'Tokens per completion');
  trend('kl', 'KL from the reference');
  trend('entropy', 'Entropy');
  if (!rows.some((row) => row.reward !== undefined)) trend('loss', 'Loss');
  trend('mean_token_accuracy', 'Token accuracy', 'up');
  const last = rows.at(-1)?.step;
  if (last !== undefined) {
    const total = state.info.totalSteps;
    const seconds = rows.reduce((sum, row) => sum + (row.step_time ?? 0), 0);
    const of = total !== undefined && total !== last ? ` of ${short(total)}` : '';
    tiles.push({
      label: 'Steps',
      value: short(last) + of,
      ...(seconds > 0 && { note: duration(seconds) }),
    });
  }
  return tiles;
}

function accuracyTile({ evaluations, tallies }: RunState): Tile | undefined {
  const sources = scoreSources(evaluations, tallies);
  const [from, to] = defaultPair(sources).map((id) => sources.find((source) => source.id === id));
  const after = to && scoreTable(to, 'robust').score(undefined, undefined);
  if (!to || !after) return undefined;
  const before = from && scoreTable(from, 'robust').score(undefined, undefined);
  const measured = to.id.startsWith('eval:') ? 'Accuracy' : 'Accuracy of rollouts';
  if (!before) return { label: measured, value: percent(after.accuracy), note: counted(after.n, 'question') };
  const change = 100 * (after.accuracy - before.accuracy);
  return {
    label: measured,
    value: percent(after.accuracy),
    note: `${signed(change)} points from ${percent(before.accuracy)}`,
    tone: change >= 0 ? 'better' : 'worse',
  };
}

/** A small curve without axes: decoration of a number that stands beside it. */
function Sparkline({ values }: { values: readonly (number | null)[] }) {
  const points = values.flatMap((y, x) => (y === null ? [] : [{ x, y }]));
  if (points.length < 3) return null;
  const low = Math.min(...points.map(({ y }) => y));
  const high = Math.max(...points.map(({ y }) => y));
  const place = ({ x, y }: { x: number; y: number }) => {
    const across = (100 * x) / (values.length - 1);
    return `${across.toFixed(1)} ${(22 - (20 * (y - low)) / (high - low || 1)).toFixed(1)}`;
  };
  return (
    <svg class="sparkline" viewBox="0 0 100 24" preserveAspectRatio="none" aria-hidden="true">
      <path d={`M${points.map(place).join('L')}`} vector-effect="non-scaling-stroke" />
    </svg>
  );
}
