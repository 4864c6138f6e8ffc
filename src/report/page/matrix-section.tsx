/** The table of modality and question type, before and after. */
import { useMemo, useState } from 'preact/hooks';
import { MODALITIES, QUESTION_TYPES } from '../../data/modalities.js';
import type { TraceFilter } from './filter.js';
import { percent, signed } from './format.js';
import {
  apart,
  defaultPair,
  inOrder,
  type Reading,
  type Score,
  type ScoreSource,
  type ScoreTable,
  scoreSources,
  scoreTable,
  UNNAMED,
} from './matrix.js';
import type { RunState } from './run-state.js';
import { Section, type View } from './section.js';

/** Change, in points, that has the full tint. */
const FULL_TINT = 40;

const CHANGES =
  'The tint shows the change in percentage points; bold changes are those whose 95% intervals do not overlap.';
const INTERVALS = 'The small numbers are the 95% interval; a click on a cell shows more.';

interface Place {
  readonly modality: string | undefined;
  readonly type: string | undefined;
}

/** Title of the section. */
export function matrixTitle({ info }: RunState): string {
  return info.kind === 'evaluation' ? 'Accuracy' : 'What was learned';
}

/** Accuracy in each cell, with its interval or by how much it changed. */
export function MatrixSection(props: View & { readonly showTraces: (filter: Partial<TraceFilter>) => void }) {
  const { state, version, showTraces } = props;
  const sources = useMemo(() => scoreSources(state.evaluations, state.tallies), [version]);
  const [chosen, setChosen] = useState<{ before?: string; after?: string }>({});
  const [reading, setReading] = useState<Reading>('robust');
  const [place, setPlace] = useState<Place>({ modality: undefined, type: undefined });
  const [first, last] = defaultPair(sources);
  const pick = (id: string | undefined) => sources.find((source) => source.id === id);
  const before = chosen.before === '' ? undefined : pick(chosen.before ?? first);
  const after = pick(chosen.after ?? last);
  if (!after) return null;
  const old = before && scoreTable(before, reading);
  const now = scoreTable(after, reading);
  const rows = [...inOrder([...now.modalities, ...(old?.modalities ?? [])], MODALITIES), undefined];
  const columns = [
    ...inOrder([...now.questionTypes, ...(old?.questionTypes ?? [])], QUESTION_TYPES),
    undefined,
  ];
  const both = [before, after].every((source) => source === undefined || source.readings.includes('paper'));
  return (
    <Section
      id="matrix"
      title={matrixTitle(state)}
      lead={`Accuracy by modality and question type. ${old ? CHANGES : INTERVALS}`}
    >
      <div class="controls">
        {sources.length > 1 && (
          <>
            <label>
              Before
              <select
                value={before?.id ?? ''}
                onChange={({ currentTarget }) => setChosen({ ...chosen, before: currentTarget.value })}
              >
                <option value="">nothing</option>
                <SourceOptions sources={sources} />
              </select>
            </label>
            <label>
              After
              <select
                value={after.id}
                onChange={({ currentTarget }) => setChosen({ ...chosen, after: currentTarget.value })}
              >
                <SourceOptions sources={sources} />
              </select>
            </label>
          </>
        )}
        {both && (
          <label>
            Answers read
            <select
              value={reading}
              onChange={({ currentTarget }) => setReading(currentTarget.value as Reading)}
            >
              <option value="robust">carefully (robust)</option>
              <option value="paper">as Med-R1 does (strict)</option>
            </select>
          </label>
        )}
      </div>
      <div class="scroll">
        <table class="matrix">
          <thead>
            <tr>
              <th scope="col">Modality</th>
              {columns.map((type) => (
                <th key={type ?? 'all'} scope="col">
                  {type ?? 'All questions'}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {rows.map((modality) => (
              <tr key={modality ?? 'all'} class={modality === undefined ? 'total' : ''}>
                <th scope="row">{modality ?? 'All modalities'}</th>
                {columns.map((type) => (
                  <Cell
                    key={type ?? 'all'}
                    old={old?.score(modality, type)}
                    now={now.score(modality, type)}
                    total={type === undefined}
                    chosen={place.modality === modality && place.type === type}
                    choose={() => setPlace({ modality, type })}
                  />
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      <CellNote place={place} old={old} now={now} before={before} after={after} showTraces={showTraces} />
    </Section>
  );
}

function SourceOptions({ sources }: { sources: readonly ScoreSource[] }) {
  return (
    <>
      {sources.map(({ id, label }) => (
        <option key={id} value={id}>
          {label}
        </option>
      ))}
    </>
  );
}

function Cell(props: {
  old: Score | undefined;
  now: Score | undefined;
  total: boolean;
  chosen: boolean;
  choose: () => void;
}) {
  const { old, now, total, chosen, choose } = props;
  const className = total ? 'total' : '';
  if (!now) return <td class={`${className} none`}>{old ? percent(old.accuracy, 0) : '·'}</td>;
  const change = old && 100 * (now.accuracy - old.accuracy);
  const tint = change === undefined ? 0 : Math.min(1, Math.abs(change) / FULL_TINT);
  const side = change !== undefined && change < 0 ? 'fell' : 'rose';
  return (
    <td class={className}>
      <button
        type="button"
        class={`cell ${side}`}
        style={{ '--tint': `${(45 * tint).toFixed(0)}%` }}
        aria-pressed={chosen}
        onClick={choose}
      >
        <span class="now">{percent(now.accuracy, 0)}</span>
        {old && change !== undefined ? (
          <span class="from">
            {percent(old.accuracy, 0)} <b class={apart(old, now) ? 'apart' : ''}>{signed(change, 0)}</b>
          </span>
        ) : (
          <span class="from">
            {percent(now.low, 0)}–{percent(now.high, 0)}
          </span>
        )}
      </button>
    </td>
  );
}

/** The chosen cell in words: what a tooltip would say, readable on a phone too. */
function CellNote(props: {
  place: Place;
  old: ScoreTable | undefined;
  now: ScoreTable;
  before: ScoreSource | undefined;
  after: ScoreSource;
  showTraces: (filter: Partial<TraceFilter>) => void;
}) {
  const { modality, type } = props.place;
  const title = [modality ?? 'All modalities', type ?? 'all question types'].join(', ');
  const line = (source: ScoreSource | undefined, table: ScoreTable | undefined) => {
    const score = table?.score(modality, type);
    if (!source || !score) return null;
    return (
      <li>
        <span class="source">{source.label}</span>
        <b>{percent(score.accuracy)}</b>
        <span>
          95% interval {percent(score.low)} to {percent(score.high)}, {score.n.toLocaleString('en')} answers
          {score.random !== undefined && `, guessing ${percent(score.random)}`}
        </span>
        <span class="quiet">{source.note}</span>
      </li>
    );
  };
  const named = (name: string | undefined) => (name === undefined || name === UNNAMED ? '' : name);
  return (
    <div class="cell-note" aria-live="polite">
      <h3>{title}</h3>
      <ul>
        {line(props.before, props.old)}
        {line(props.after, props.now)}
      </ul>
      <button
        type="button"
        onClick={() => props.showTraces({ modality: named(modality), questionType: named(type) })}
      >
        Show its traces
      </button>
    </div>
  );
}
