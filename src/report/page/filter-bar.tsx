/** Choosing traces. */
import { useEffect, useRef, useState } from 'preact/hooks';
import type { TraceGroup } from '../model.js';
import { choices, NO_FILTER, type TraceFilter } from './filter.js';

/** Id of the search box, for the key that leads to it. */
export const SEARCH_ID = 'trace-search';
/** Milliseconds of silence after which typed words are searched for. */
const TYPING_PAUSE = 150;

/** Controls of a filter. */
export function FilterBar(props: {
  readonly groups: readonly TraceGroup[];
  /** What groups are numbered by. */
  readonly unit: 'step' | 'question';
  readonly filter: TraceFilter;
  readonly setFilter: (filter: TraceFilter) => void;
}) {
  const { groups, unit, filter, setFilter } = props;
  const several = groups.some(({ completions }) => completions.length > 1);
  const change = (part: Partial<TraceFilter>) => setFilter({ ...filter, ...part });
  const select = (
    label: string,
    field: 'modality' | 'questionType' | 'dataset' | 'outcome' | 'mix',
    options: readonly (readonly [string, string])[],
  ) =>
    options.length > 1 && (
      <label>
        {label}
        <select
          aria-label={label}
          value={filter[field]}
          onChange={({ currentTarget }) => change({ [field]: currentTarget.value } as Partial<TraceFilter>)}
        >
          <option value="">any</option>
          {options.map(([value, text]) => (
            <option key={value} value={value}>
              {text}
            </option>
          ))}
        </select>
      </label>
    );
  const named = (field: 'modality' | 'questionType' | 'dataset') =>
    choices(groups, field).map((value) => [value, value] as const);
  const step = (label: string, field: 'fromStep' | 'toStep') => (
    <label>
      {label}
      <input
        type="number"
        aria-label={label}
        inputMode="numeric"
        class="step"
        min="0"
        value={filter[field] ?? ''}
        onInput={({ currentTarget }) => {
          change({ [field]: currentTarget.value === '' ? null : Number(currentTarget.value) });
        }}
      />
    </label>
  );
  const active = Object.entries(NO_FILTER).some(([key, value]) => filter[key as keyof TraceFilter] !== value);
  return (
    <search class="controls filters">
      <SearchBox text={filter.text} setText={(text) => change({ text })} />
      {select('Modality', 'modality', named('modality'))}
      {select('Question type', 'questionType', named('questionType'))}
      {select('Dataset', 'dataset', named('dataset'))}
      {select('Completion', 'outcome', [
        ['right', 'right'],
        ['wrong', 'wrong'],
      ])}
      {several &&
        select('Group', 'mix', [
          ['mixed', 'some right, some wrong'],
          ['all-right', 'all right'],
          ['all-wrong', 'all wrong'],
        ])}
      {step(`From ${unit}`, 'fromStep')}
      {step(`To ${unit}`, 'toStep')}
      <button type="button" disabled={!active} onClick={() => setFilter(NO_FILTER)}>
        Clear
      </button>
    </search>
  );
}

/** A search box that waits until typing pauses. */
function SearchBox({ text, setText }: { text: string; setText: (text: string) => void }) {
  const [typed, setTyped] = useState(text);
  const timer = useRef<ReturnType<typeof setTimeout> | undefined>(undefined);
  useEffect(() => setTyped(text), [text]);
  return (
    <label class="search">
      Words
      <input
        id={SEARCH_ID}
        type="search"
        aria-label="Words"
        placeholder="in reasoning, question, reasons"
        value={typed}
        onInput={({ currentTarget: { value } }) => {
          setTyped(value);
          clearTimeout(timer.current);
          timer.current = setTimeout(() => setText(value), TYPING_PAUSE);
        }}
      />
    </label>
  );
}
