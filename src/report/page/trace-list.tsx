/** The list of groups; only the rows in view are in the document. */
import { useEffect, useRef, useState } from 'preact/hooks';
import type { TraceGroup } from '../model.js';
import type { Match } from './filter.js';
import { short } from './format.js';
import type { RunState } from './run-state.js';

/** Height of a row in pixels; the style sheet has the same. */
const ROW = 84;
/** Rows drawn above and below what is in view. */
const SPARE = 6;
/** Completions that get a dot of their own. */
const MOST_DOTS = 16;

/** A list that follows the chosen row. */
export function TraceList(props: {
  readonly state: RunState;
  readonly matches: readonly Match[];
  readonly chosen: number;
  readonly choose: (index: number) => void;
}) {
  const { state, matches, chosen, choose } = props;
  const box = useRef<HTMLDivElement>(null);
  const [view, setView] = useState({ top: 0, height: 600 });
  const look = () => {
    // The observer may still call once after the list is gone.
    if (box.current) setView({ top: box.current.scrollTop, height: box.current.clientHeight });
  };
  useEffect(() => {
    const resize = new ResizeObserver(look);
    resize.observe(box.current as HTMLDivElement);
    return () => resize.disconnect();
  }, []);
  useEffect(() => {
    const list = box.current as HTMLDivElement;
    const top = chosen * ROW;
    if (top < list.scrollTop) list.scrollTop = top;
    else if (top + ROW > list.scrollTop + list.clientHeight) list.scrollTop = top + ROW - list.clientHeight;
  }, [chosen, matches]);
  const first = Math.max(0, Math.floor(view.top / ROW) - SPARE);
  const last = Math.min(matches.length, Math.ceil((view.top + view.height) / ROW) + SPARE);
  return (
    <div class="trace-list" ref={box} onScroll={look} role="listbox" aria-label="Questions" tabIndex={-1}>
      <div class="trace-space" style={{ height: `${matches.length * ROW}px` }}>
        {matches.slice(first, last).map((match, i) => {
          const index = first + i;
          const { group } = match;
          return (
            <button
              key={`${group.step}/${group.group}`}
              type="button"
              role="option"
              aria-selected={index === chosen}
              class="trace-row"
              style={{ top: `${index * ROW}px` }}
              onClick={() => choose(index)}
            >
              <Thumbnail state={state} group={group} />
              <span class="text">
                <span class="meta">
                  <b>
                    {state.unit} {group.step}
                  </b>
                  {[group.modality, group.questionType].filter(Boolean).join(' · ')}
                </span>
                <span class="question" dir="auto">
                  {group.question}
                </span>
                <Dots match={match} />
              </span>
            </button>
          );
        })}
      </div>
    </div>
  );
}

function Thumbnail({ state, group }: { state: RunState; group: TraceGroup }) {
  const source = group.pictures.map((index) => state.picture(index)).find((url) => url !== undefined);
  if (source === undefined) return <span class="thumb none" />;
  return <img class="thumb" src={source} alt="" loading="lazy" />;
}

/** One mark a completion: filled for right. What a filter leaves out is pale. */
function Dots({ match: { group, samples } }: { match: Match }) {
  const { completions } = group;
  const right = completions.filter(({ correct }) => correct).length;
  const rewards = completions.flatMap(({ reward }) => (reward === undefined ? [] : [reward]));
  const mean = rewards.reduce((sum, reward) => sum + reward, 0) / rewards.length;
  return (
    <span class="dots">
      {completions.length <= MOST_DOTS &&
        completions.map(({ sample, correct }) => (
          <i key={sample} class={`${outcomeClass(correct)} ${samples.has(sample) ? '' : 'pale'}`} />
        ))}
      <span>
        {right} of {completions.length} right
        {rewards.length > 0 && ` · reward ${short(mean)}`}
      </span>
    </span>
  );
}

/** Class of something that is right, wrong or unknown. */
export function outcomeClass(correct: boolean | undefined): string {
  return correct === undefined ? 'unknown' : correct ? 'right' : 'wrong';
}
