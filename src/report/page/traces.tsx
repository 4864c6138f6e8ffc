/** The browser of reasoning traces. */
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { filterTraces, searchTerms, type TraceFilter } from './filter.js';
import { FilterBar, SEARCH_ID } from './filter-bar.js';
import { counted } from './format.js';
import { Section, type View } from './section.js';
import { TraceDetail } from './trace-detail.js';
import { TraceList } from './trace-list.js';

const KEYS: readonly (readonly [string, string])[] = [
  ['j', 'next question'],
  ['k', 'previous question'],
  ['n', 'next completion'],
  ['p', 'previous completion'],
  ['/', 'search'],
  ['r', 'right completions only'],
  ['w', 'wrong completions only'],
  ['a', 'all completions'],
];

/** Every question that was asked, what the model made of it, and what that was worth. */
export function TracesSection(
  props: View & { readonly filter: TraceFilter; readonly setFilter: (filter: TraceFilter) => void },
) {
  const { state, version, filter, setFilter } = props;
  const matches = useMemo(() => filterTraces(state.groups, filter), [version, filter]);
  const terms = useMemo(() => searchTerms(filter.text), [filter.text]);
  const [key, setKey] = useState('');
  const [sample, setSample] = useState<number>();
  const root = useRef<HTMLDivElement>(null);
  const keyOf = (index: number) => {
    const group = matches[index]?.group;
    return group === undefined ? '' : `${group.step}/${group.group}`;
  };
  // A group stays chosen by its name: new ones may come in front of it.
  const chosen = Math.max(
    0,
    matches.findIndex(({ group }) => `${group.step}/${group.group}` === key),
  );
  const match = matches[chosen];
  const choose = (index: number) => {
    setKey(keyOf(Math.min(matches.length - 1, Math.max(0, index))));
    setSample(undefined);
  };
  const chooseSample = (by: 1 | -1) => {
    const cards = [...(root.current?.querySelectorAll<HTMLElement>('.completion') ?? [])];
    const at = cards.findIndex((card) => Number(card.dataset.sample) === sample);
    const card = cards[at < 0 ? 0 : Math.min(cards.length - 1, Math.max(0, at + by))];
    if (!card) return;
    setSample(Number(card.dataset.sample));
    card.scrollIntoView({ block: 'nearest' });
  };
  const actions: Record<string, () => void> = {
    j: () => choose(chosen + 1),
    k: () => choose(chosen - 1),
    n: () => chooseSample(1),
    p: () => chooseSample(-1),
    r: () => setFilter({ ...filter, outcome: 'right' }),
    w: () => setFilter({ ...filter, outcome: 'wrong' }),
    a: () => setFilter({ ...filter, outcome: '' }),
    '/': () => document.getElementById(SEARCH_ID)?.focus(),
  };
  const latest = useRef(actions);
  latest.current = actions;
  useEffect(() => {
    const press = (event: KeyboardEvent) => {
      const target = event.target as HTMLElement;
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      if (event.key === 'Escape' && target.id === SEARCH_ID) target.blur();
      if (target.closest('input, select, textarea')) return;
      const action = latest.current[event.key];
      if (action === undefined) return;
      event.preventDefault();
      action();
      if (event.key !== '/' && !inView(root.current)) root.current?.scrollIntoView();
    };
    document.addEventListener('keydown', press);
    return () => document.removeEventListener('keydown', press);
  }, []);
  const found = matches.reduce((sum, { samples }) => sum + samples.size, 0);
  return (
    <Section id="traces" title="Reasoning traces">
      <FilterBar groups={state.groups} unit={state.unit} filter={filter} setFilter={setFilter} />
      <p class="count" role="status">
        {counted(found, 'completion')} of {counted(matches.length, 'question')}
        {!state.complete && ' so far'}
        <span class="keys">
          {KEYS.map(([name, what]) => (
            <span key={name}>
              <kbd>{name}</kbd> {what}
            </span>
          ))}
        </span>
      </p>
      <div class="traces" ref={root}>
        {match === undefined ? (
          <p class="empty">No completion is like that. Clear the filter to see all of them.</p>
        ) : (
          <>
            <TraceList state={state} matches={matches} chosen={chosen} choose={choose} />
            <TraceDetail state={state} match={match} terms={terms} chosen={sample} />
          </>
        )}
      </div>
      {match !== undefined && (
        <div class="steps-bar">
          <button type="button" disabled={chosen === 0} onClick={() => choose(chosen - 1)}>
            ← previous
          </button>
          <span>
            {chosen + 1} / {matches.length}
          </span>
          <button type="button" disabled={chosen === matches.length - 1} onClick={() => choose(chosen + 1)}>
            next →
          </button>
        </div>
      )}
    </Section>
  );
}

function inView(element: HTMLElement | null): boolean {
  if (element === null) return false;
  const { top, bottom } = element.getBoundingClientRect();
  return bottom > 0 && top < innerHeight;
}
