/** One completion: what the model wrote, and what it got for it. */
import type { TraceCompletion, TraceReward } from '../model.js';
import { short, signed } from './format.js';
import { highlights, segmentsOf } from './segments.js';
import { outcomeClass } from './trace-list.js';

const OUTCOMES = { right: '✓ right', wrong: '✗ wrong', unknown: 'not judged' } as const;

/** A card with text, rewards and advantage. Text becomes text nodes, whatever it contains. */
export function Completion(props: {
  readonly completion: TraceCompletion;
  readonly terms: readonly string[];
  /** Largest advantage of the group, for the length of the bar. */
  readonly reach: number;
  readonly chosen: boolean;
}) {
  const { completion, terms, reach, chosen } = props;
  const { sample, text, tokens, finish, rewards, reward, advantage, logp, correct } = completion;
  const outcome = outcomeClass(correct) as keyof typeof OUTCOMES;
  return (
    <article class={`completion ${outcome}`} data-sample={sample} aria-current={chosen}>
      <header>
        <b>Completion {sample + 1}</b>
        <span class={`badge ${outcome}`}>{OUTCOMES[outcome]}</span>
        <span class="numbers">
          {reward !== undefined && <span>reward {short(reward)}</span>}
          {tokens !== undefined && <span>{short(tokens)} tokens</span>}
          {finish !== undefined && <span class={finish === 'length' ? 'cut' : ''}>ended by {finish}</span>}
          {logp !== undefined && <span title="Mean log-probability of a token">logp {short(logp)}</span>}
        </span>
        {advantage !== undefined && <Advantage value={advantage} reach={reach} />}
      </header>
      <div class="said" dir="auto">
        {segmentsOf(text).map((segment, i) => (
          <span key={i} class={segment.kind}>
            <Marked text={segment.text} terms={terms} />
          </span>
        ))}
        {text === '' && <span class="quiet">(nothing)</span>}
      </div>
      {rewards.length > 0 && (
        <table class="rewards">
          <tbody>
            {rewards.map((one) => (
              <Reward key={one.name} reward={one} terms={terms} />
            ))}
          </tbody>
        </table>
      )}
    </article>
  );
}

function Reward({ reward, terms }: { reward: TraceReward; terms: readonly string[] }) {
  const { name, value, weight, reason } = reward;
  return (
    <tr>
      <th scope="row">{name}</th>
      <td class="number">
        {value === null ? 'none' : short(value)}
        {weight !== undefined && weight !== 1 && <span class="quiet"> × {short(weight)}</span>}
      </td>
      <td class="reason" dir="auto">
        <Marked text={reason ?? ''} terms={terms} />
      </td>
    </tr>
  );
}

/** A bar to the right of the middle for better than the group, to the left for worse. */
function Advantage({ value, reach }: { value: number; reach: number }) {
  const share = reach > 0 ? (50 * Math.abs(value)) / reach : 0;
  return (
    <span class="advantage" title="Advantage: by how much it was better than its group">
      <span class="track">
        <i
          class={value < 0 ? 'below' : 'above'}
          style={{ left: `${value < 0 ? 50 - share : 50}%`, width: `${share}%` }}
        />
      </span>
      <span>{signed(value, 2)}</span>
    </span>
  );
}

/** Text with the words of a search marked. */
export function Marked({ text, terms }: { text: string; terms: readonly string[] }) {
  return (
    <>
      {highlights(text, terms).map(({ text: piece, found }, i) =>
        found ? <mark key={i}>{piece}</mark> : piece,
      )}
    </>
  );
}
