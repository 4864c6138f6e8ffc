/** A group in full: picture, question, options, completions. */
import { useEffect, useState } from 'preact/hooks';
import type { TraceCompletion } from '../model.js';
import { Completion, Marked } from './completion.js';
import type { Match } from './filter.js';
import type { RunState } from './run-state.js';

/** Completions that are shown at once; a click shows the rest. */
const AT_ONCE = 16;

/** Orders of completions. */
const ORDERS = { sample: 'as sampled', best: 'best first', worst: 'worst first' } as const;
type Order = keyof typeof ORDERS;

/** Everything there is to know of a group. */
export function TraceDetail(props: {
  readonly state: RunState;
  readonly match: Match;
  readonly terms: readonly string[];
  readonly chosen: number | undefined;
}) {
  const { state, match, terms, chosen } = props;
  const { group, samples } = match;
  const [order, setOrder] = useState<Order>('sample');
  const [all, setAll] = useState(false);
  const [many, setMany] = useState(false);
  useEffect(() => {
    setAll(false);
    setMany(false);
  }, [group.step, group.group]);
  const reach = Math.max(0, ...group.completions.map(({ advantage = 0 }) => Math.abs(advantage)));
  const worth = ({ correct, reward = Number(correct ?? 0) }: TraceCompletion) =>
    order === 'best' ? -reward : order === 'worst' ? reward : 0;
  const wanted = group.completions
    .filter(({ sample }) => all || samples.has(sample))
    .sort((a, b) => worth(a) - worth(b) || a.sample - b.sample);
  const shown = many ? wanted : wanted.slice(0, AT_ONCE);
  const hidden = group.completions.length - wanted.length;
  return (
    <div class="trace-detail">
      <div class="asked">
        {group.pictures.length > 0 && (
          <div class="pictures">
            {group.pictures.map((index, i) => {
              const source = state.picture(index);
              if (source === undefined)
                return (
                  <div key={index} class="picture none">
                    no picture
                  </div>
                );
              return (
                <img key={index} class="picture" src={source} alt={`Shown with the question (${i + 1})`} />
              );
            })}
          </div>
        )}
        <div class="words">
          <p class="meta">
            <b>
              {state.unit} {group.step}
            </b>
            {[group.modality, group.questionType, group.dataset].filter(Boolean).map((text) => (
              <span key={text} class="chip">
                {text}
              </span>
            ))}
            <span class="quiet">{group.promptId}</span>
          </p>
          <p class="question" dir="auto">
            <Marked text={group.question} terms={terms} />
          </p>
          <ol class="options">
            {group.options.map(([letter, text]) => (
              <li key={letter} class={letter === group.answer ? 'gold' : ''}>
                <b>{letter}</b>
                <span dir="auto">
                  <Marked text={text} terms={terms} />
                </span>
                {letter === group.answer && <span class="badge right">right answer</span>}
              </li>
            ))}
          </ol>
          {group.prompt !== '' && (
            <details>
              <summary>Prompt as the model saw it</summary>
              <pre class="code" dir="auto">
                {group.prompt}
              </pre>
            </details>
          )}
        </div>
      </div>
      <div class="controls">
        {group.completions.length > 1 && (
          <label>
            Completions
            <select value={order} onChange={({ currentTarget }) => setOrder(currentTarget.value as Order)}>
              {Object.entries(ORDERS).map(([id, label]) => (
                <option key={id} value={id}>
                  {label}
                </option>
              ))}
            </select>
          </label>
        )}
        {hidden > 0 && (
          <button type="button" onClick={() => setAll(true)}>
            Show the {hidden} that the filter leaves out
          </button>
        )}
      </div>
      <div class="completions">
        {shown.map((completion) => (
          <Completion
            key={completion.sample}
            completion={completion}
            terms={terms}
            reach={reach}
            chosen={completion.sample === chosen}
          />
        ))}
      </div>
      {shown.length < wanted.length && (
        <button type="button" onClick={() => setMany(true)}>
          Show all {wanted.length} completions
        </button>
      )}
    </div>
  );
}
